//! What has to be judged again after a change. Precise on purpose: with thousands of pods, one status write must not re-judge a namespace.

use super::World;
use crate::components::{is_home, may_read_logs, runtime_sockets};
use crate::model::{Kind, LabelSelector, Labels, Namespace, NetworkPolicy, ObjectRef, Pod, Workload};
use crate::world::Reading;

impl World {
    /// Marks what stands at the top of an object's chain of owners. A child's status is its owner's rollout.
    pub(super) fn mark_topmost(&mut self, reference: &ObjectRef) {
        if self.judged_once {
            return;
        }
        let top = self.current.topmost_owner(reference);
        let reads_logs = top.kind == Kind::DaemonSet
            && self
                .current
                .workload(&top)
                .is_some_and(|it| may_read_logs(&it.template.spec));
        if reads_logs {
            self.mark_components();
        }
        self.dirty.insert(top);
    }

    pub(super) fn mark_namespace(&mut self, name: &str) {
        if !self.judged_once {
            self.dirty.insert(ObjectRef::new(Kind::Namespace, "", name));
        }
    }

    /// Marks the components of the cluster.
    pub(super) fn mark_components(&mut self) {
        if !self.judged_once {
            self.dirty.extend(self.current.components());
        }
    }

    /// Marks a pod's workload, before the pod changes; the Namespace too if traffic rules see another pod than before.
    pub(super) fn mark_pod(&mut self, reference: &ObjectRef, old: Option<&Pod>, new: Option<&Pod>) {
        if self.judged_once {
            return;
        }
        if old.is_some() {
            self.mark_topmost(reference);
        }
        if old.map(traffic_identity) != new.map(traffic_identity) {
            self.mark_namespace(&reference.namespace);
            for pod in old.into_iter().chain(new) {
                self.mark_selecting_services(&reference.namespace, &pod.metadata.labels);
            }
        }
    }

    /// Marks a workload's topmost owner, before the workload changes. The Namespace too if the template changes, which traffic rules read; and children that
    /// are judged themselves until their owner is seen.
    pub(super) fn mark_workload(&mut self, reference: &ObjectRef, old: Option<&Workload>, new: Option<&Workload>) {
        if self.judged_once {
            return self.forget_ways();
        }
        if old.is_some() {
            self.mark_topmost(reference);
        }
        if old.map(|old| old.template.hash) != new.map(|new| new.template.hash) {
            self.forget_ways();
            self.mark_namespace(&reference.namespace);
            for workload in old.into_iter().chain(new) {
                self.mark_selecting_services(&reference.namespace, &workload.template.labels);
            }
            let has_socket = |it: &Workload| runtime_sockets(&it.template.spec).next().is_some();
            if is_home(&reference.namespace) || old.into_iter().chain(new).any(has_socket) {
                self.mark_components();
            }
        }
        let unread = *self.current.reading(reference.kind, &reference.namespace) != Reading::Complete;
        if unread && old.map(|old| &old.meta.uid) != new.map(|new| &new.meta.uid) {
            for owner in old.into_iter().chain(new) {
                self.mark_children(owner);
            }
        }
    }

    /// Ways rest on templates, on what exposes and selects their pods, and on rights.
    pub(super) fn forget_ways(&mut self) {
        self.snapshot_mut().ways.forget();
    }

    /// Marks what refers to an object that is not judged itself, or the object if it is.
    pub(super) fn mark_related(&mut self, reference: &ObjectRef) {
        let is_of_rights = matches!(
            reference.kind,
            Kind::Role | Kind::ClusterRole | Kind::RoleBinding | Kind::ClusterRoleBinding
        );
        if is_of_rights {
            self.snapshot_mut().rights.forget();
        }
        if is_of_rights || matches!(reference.kind, Kind::Service | Kind::Ingress | Kind::ServiceAccount) {
            self.forget_ways();
        }
        if self.judged_once {
            return;
        }
        if reference.kind.is_judged_alone() {
            self.dirty.insert(reference.clone());
        }
        match reference.kind {
            _ if is_of_rights => self.rights_changed = true,
            Kind::ServiceAccount => self.mark_account(reference),
            Kind::PodDisruptionBudget => {
                let shard = self.current.shard(&reference.namespace);
                let budget = shard.and_then(|shard| shard.disruption_budgets.get(&reference.name).cloned());
                if let Some(budget) = budget {
                    self.mark_selected(&reference.namespace, budget.spec.selector.as_ref());
                }
            }
            Kind::Namespace => self.mark_namespace(&reference.name),
            // What configures the components, and who reaches them.
            Kind::ConfigMap | Kind::Service | Kind::NetworkPolicy if is_home(&reference.namespace) => {
                self.mark_components();
                self.mark_namespace(&reference.namespace);
            }
            // Components are judged by what nodes say of them.
            Kind::Node | Kind::ValidatingAdmissionPolicy | Kind::ValidatingAdmissionPolicyBinding => {
                self.mark_components();
            }
            kind if kind.is_workload() => self.mark_topmost(reference),
            // Services, Ingresses and NetworkPolicies decide who may talk to whom; quotas whether there is room.
            kind if kind.namespaced() => self.mark_namespace(&reference.namespace),
            _ => {}
        }
    }

    /// Marks the workloads whose pods a disruption budget protects. No selector selects none, an empty one all.
    pub(super) fn mark_selected(&mut self, namespace: &str, selector: Option<&LabelSelector>) {
        let (Some(selector), Some(shard)) = (selector, self.current.shard(namespace)) else {
            return;
        };
        let selected: Vec<ObjectRef> = shard
            .workloads
            .values()
            .filter(|workload| selector.matches(&workload.template.labels))
            .map(|workload| self.current.topmost_owner(&workload.reference()))
            .collect();
        self.dirty.extend(selected);
    }

    /// Marks the Services that select pods with these labels: whether they select anything may have changed.
    fn mark_selecting_services(&mut self, namespace: &str, labels: &Labels) {
        let Some(shard) = self.current.shard(namespace) else {
            return;
        };
        let selects = |selector: &Labels| !selector.is_empty() && labels.contain(selector);
        let services = shard.services.iter();
        let selecting = services.filter(|(_, service)| selects(&service.spec.selector));
        let selecting: Vec<ObjectRef> = selecting
            .map(|(name, _)| ObjectRef::new(Kind::Service, namespace, name))
            .collect();
        self.dirty.extend(selecting);
    }

    /// Marks the Namespaces whose network policies let pods in or out by labels of a namespace that changes.
    pub(super) fn mark_selecting(&mut self, old: Option<&Namespace>, new: Option<&Namespace>) {
        if self.judged_once {
            return;
        }
        let none = Labels::default();
        let old = old.map_or(&none, |old| &old.metadata.labels);
        let new = new.map_or(&none, |new| &new.metadata.labels);
        if old == new {
            return;
        }
        let concerned: Vec<ObjectRef> = self
            .current
            .shards
            .iter()
            .filter(|(_, shard)| {
                shard
                    .network_policies
                    .values()
                    .flat_map(|policy| namespace_selectors(policy))
                    .any(|selector| selector.matches(old) != selector.matches(new))
            })
            .map(|(name, _)| ObjectRef::new(Kind::Namespace, "", name))
            .collect();
        self.dirty.extend(concerned);
    }

    /// Marks everything that is judged in a namespace, or everywhere.
    pub(super) fn mark_scope(&mut self, namespace: Option<&str>) {
        if self.judged_once {
            return;
        }
        let targets: Vec<ObjectRef> = match namespace {
            None => self.current.targets().collect(),
            Some(namespace) => self.current.targets_in(namespace).collect(),
        };
        self.dirty.extend(targets);
        if let Some(namespace) = namespace.filter(|namespace| !namespace.is_empty()) {
            self.mark_namespace(namespace);
        }
    }

    fn mark_account(&mut self, account: &ObjectRef) {
        let Some(shard) = self.current.shard(&account.namespace) else {
            return;
        };
        let using: Vec<ObjectRef> = shard
            .workloads_using(&account.name)
            .map(|(kind, name)| ObjectRef::new(*kind, &account.namespace, name))
            .map(|reference| self.current.topmost_owner(&reference))
            .collect();
        self.dirty.extend(using);
    }

    fn mark_children(&mut self, owner: &Workload) {
        let namespace = &owner.meta.namespace;
        let Some(shard) = self.current.shard(namespace) else {
            return;
        };
        let workloads = shard.children(owner).map(|child| child.reference());
        let pods = shard
            .pods_of(owner)
            .map(|pod| ObjectRef::new(Kind::Pod, namespace, &pod.metadata.name));
        let children: Vec<ObjectRef> = workloads.chain(pods).collect();
        self.dirty.extend(children);
    }
}

/// What traffic rules see of a pod: its labels, its ports, whether it is on the host's network, whether it still runs.
fn traffic_identity(pod: &Pod) -> impl PartialEq {
    let finished = matches!(pod.status.phase.as_deref(), Some("Succeeded" | "Failed"));
    (
        &pod.metadata.labels,
        &pod.spec.ports,
        &pod.spec.sidecar_ports,
        pod.spec.host_network == Some(true),
        finished,
    )
}

fn namespace_selectors(policy: &NetworkPolicy) -> impl Iterator<Item = &LabelSelector> {
    let from = policy.spec.ingress.iter().flat_map(|rule| &rule.from);
    let to = policy.spec.egress.iter().flat_map(|rule| &rule.to);
    from.chain(to).filter_map(|peer| peer.namespace_selector.as_ref())
}
