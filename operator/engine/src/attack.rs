//! How somebody from outside becomes cluster-admin: an exposed Service, a workload behind it that has the token of its account, and what that account may
//! become by the roles of the cluster.
//!
//! What is shown is a way that is open by what objects say, not one that was walked: whether the program behind the Service can be broken nobody knows here.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use crate::model::volume::Volume;
use crate::model::{Ingress, Kind, ObjectRef, Service, Workload};
use crate::rbac::{Identity, Step, way_to_admin};
use crate::world::{Shard, Snapshot};

/// One way, from outside to cluster-admin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// The Service that lets people in.
    pub service: ObjectRef,
    /// How it is exposed.
    pub exposed: Exposed,
    /// The workload behind it.
    pub workload: ObjectRef,
    /// The account whose token its pods have.
    pub account: ObjectRef,
    /// What the account may become, step by step; the last is cluster-admin.
    pub steps: Vec<Step>,
}

/// What exposes a Service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exposed {
    /// A load balancer.
    LoadBalancer,
    /// A port of every node.
    NodePort,
    /// Addresses that somebody gave it.
    ExternalIps,
    /// An Ingress of this name.
    Ingress(Arc<str>),
}

impl fmt::Display for Exposed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LoadBalancer => f.write_str("a load balancer"),
            Self::NodePort => f.write_str("a port of every node"),
            Self::ExternalIps => f.write_str("external addresses"),
            Self::Ingress(name) => write!(f, "Ingress {name}"),
        }
    }
}

impl Way {
    /// How long it is: the workload, its account, and what that becomes.
    pub fn length(&self) -> usize {
        2 + self.steps.len()
    }
}

/// `Service shop/web (a load balancer) -> Deployment shop/web -> ServiceAccount shop/web -> may do everything (…)`
impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            service,
            exposed,
            workload,
            account,
            steps,
        } = self;
        write!(f, "{service} ({exposed}) -> {workload} -> {account}")?;
        steps.iter().try_for_each(|step| write!(f, " -> {step}"))
    }
}

/// Every workload from which there is a way, by its shortest; the shortest of all first.
pub fn ways(world: &Snapshot) -> Vec<Way> {
    let graph = world.rights();
    let mut of_account: BTreeMap<ObjectRef, Option<Vec<Step>>> = BTreeMap::new();
    let mut ways: Vec<Way> = Vec::new();
    for (namespace, shard) in &world.shards {
        let exposed = exposed(namespace, shard);
        let mut taken: BTreeSet<ObjectRef> = BTreeSet::new();
        for (service, (exposed, selector)) in exposed {
            for workload in shard.workloads.values().filter(|it| is_selected(it, selector)) {
                let reference = workload.reference();
                if !world.is_judged(&reference) || !taken.insert(reference.clone()) {
                    continue;
                }
                let Some(account) = account(world, workload) else {
                    continue;
                };
                let steps = of_account
                    .entry(account.clone())
                    .or_insert_with(|| way_to_admin(graph, &Identity::of_account(namespace, &account.name)));
                if let Some(steps) = steps {
                    ways.push(Way {
                        service: service.clone(),
                        exposed: exposed.clone(),
                        workload: reference,
                        account,
                        steps: steps.clone(),
                    });
                }
            }
        }
    }
    ways.sort_by_key(|way| (way.length(), way.workload.clone()));
    ways
}

/// The Services of a namespace that people outside reach, with what they select.
fn exposed<'a>(namespace: &Arc<str>, shard: &'a Shard) -> BTreeMap<ObjectRef, (Exposed, &'a BTreeMap<String, String>)> {
    let mut exposed = BTreeMap::new();
    for service in shard.services.values() {
        let by = by_itself(service).or_else(|| by_ingress(shard, &service.metadata.name));
        if let Some(by) = by {
            let reference = ObjectRef::new(Kind::Service, namespace, &service.metadata.name);
            exposed.insert(reference, (by, &service.spec.selector));
        }
    }
    exposed
}

fn by_itself(service: &Service) -> Option<Exposed> {
    match service.spec.kind.as_deref() {
        Some("LoadBalancer") => Some(Exposed::LoadBalancer),
        Some("NodePort") => Some(Exposed::NodePort),
        Some("ExternalName") => None,
        _ => (!service.spec.external_ips.is_empty()).then_some(Exposed::ExternalIps),
    }
}

fn by_ingress(shard: &Shard, service: &str) -> Option<Exposed> {
    let sends = |ingress: &Ingress| {
        let paths = ingress.spec.rules.iter().filter_map(|rule| rule.http.as_ref());
        let backends = paths.flat_map(|http| &http.paths).map(|path| &path.backend);
        backends
            .chain(&ingress.spec.default_backend)
            .filter_map(|backend| backend.service.as_ref())
            .any(|backend| backend.name == service)
    };
    let found = shard.ingresses.iter().find(|(_, ingress)| sends(ingress));
    found.map(|(name, _)| Exposed::Ingress(Arc::clone(name)))
}

/// Whether a Service sends its traffic to the pods of a workload. One without a selector sends it where somebody else says.
fn is_selected(workload: &Workload, selector: &BTreeMap<String, String>) -> bool {
    let labels = &workload.template.labels;
    !selector.is_empty() && selector.iter().all(|(name, value)| labels.get(name) == Some(value))
}

/// The account whose token the pods of a workload have, if they have one.
fn account(world: &Snapshot, workload: &Workload) -> Option<ObjectRef> {
    let spec = &workload.template.spec;
    let namespace = &workload.meta.namespace;
    let name = spec.service_account();
    let of_account = world
        .service_account(namespace, name)
        .and_then(|account| account.automount_service_account_token);
    let mounted = spec.automount_service_account_token.or(of_account).unwrap_or(true);
    let projected = spec.volumes.iter().any(is_token);
    (mounted || projected).then(|| ObjectRef::new(Kind::ServiceAccount, namespace, name))
}

/// Whether a volume is a token for the API server: one for another audience opens nothing there.
fn is_token(volume: &Volume) -> bool {
    let sources = volume.projected.iter().flat_map(|projected| &projected.sources);
    let mut tokens = sources.filter_map(|source| source.service_account_token.as_ref());
    tokens.any(|token| token.audience.as_deref().is_none_or(str::is_empty))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Case;

    fn shown(documents: &str) -> Vec<String> {
        let world = Case::of(documents).world.drain().0;
        ways(&world).iter().map(ToString::to_string).collect()
    }

    fn deployment(name: &str, spec: &str) -> String {
        format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}, namespace: shop}}\nspec: {{template: {{metadata: {{labels: {{app: {name}}}}}, spec: {{{spec} containers: [{{name: a, image: a}}]}}}}}}\n---\n"
        )
    }

    fn service(name: &str, kind: &str) -> String {
        format!(
            "apiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: shop}}\nspec: {{type: {kind}, selector: {{app: {name}}}}}\n---\n"
        )
    }

    fn binding(name: &str, namespace: Option<&str>, role: &str, account: &str) -> String {
        let (kind, at) = match namespace {
            Some(namespace) => ("RoleBinding", format!(", namespace: {namespace}")),
            None => ("ClusterRoleBinding", String::new()),
        };
        format!(
            "apiVersion: rbac.authorization.k8s.io/v1\nkind: {kind}\nmetadata: {{name: {name}{at}}}\nroleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: {role}}}\nsubjects: [{{kind: ServiceAccount, name: {account}, namespace: shop}}]\n---\n"
        )
    }

    const ROLES: &str = "
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: everything}
rules: [{apiGroups: ['*'], resources: ['*'], verbs: ['*']}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: deployer}
rules: [{apiGroups: [apps], resources: [deployments], verbs: [create]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: reader}
rules: [{apiGroups: [''], resources: [configmaps], verbs: [get]}]
---
";

    /// Open at once: a load balancer, a token, everything.
    #[test]
    fn an_exposed_administrator_is_one_step_away() {
        let world = [
            ROLES,
            &deployment("web", "serviceAccountName: web,"),
            &service("web", "LoadBalancer"),
            &binding("web", None, "everything", "web"),
        ]
        .concat();
        assert_eq!(
            shown(&world),
            [
                "Service shop/web (a load balancer) -> Deployment shop/web -> ServiceAccount shop/web -> may do everything (ClusterRoleBinding web)"
            ]
        );
    }

    /// Over another account: what is exposed may deploy, and somebody else in its namespace may do everything.
    #[test]
    fn who_may_make_pods_becomes_who_may_do_everything() {
        let ingress = "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: front, namespace: shop}\nspec: {rules: [{http: {paths: [{path: /, backend: {service: {name: web}}}]}}]}\n---\n";
        let world = [
            ROLES,
            ingress,
            &deployment("web", "serviceAccountName: web,"),
            &service("web", "ClusterIP"),
            &binding("web", Some("shop"), "deployer", "web"),
            &binding("ops", None, "everything", "ops"),
        ]
        .concat();
        assert_eq!(
            shown(&world),
            [
                "Service shop/web (Ingress front) -> Deployment shop/web -> ServiceAccount shop/web -> by making a pod it becomes ServiceAccount shop/ops \
              (RoleBinding shop/web) -> may do everything (ClusterRoleBinding ops)"
            ]
        );
        // Inside only: nobody outside gets that far.
        assert_eq!(shown(&world.replace(ingress, "")), [""; 0]);
    }

    /// Nothing is open: each of these has one thing that the way needs, and lacks another.
    #[test]
    fn without_exposure_token_or_rights_there_is_no_way() {
        let powerful = binding("web", None, "everything", "web");
        for (name, parts) in [
            (
                "no token",
                [
                    deployment("web", "serviceAccountName: web, automountServiceAccountToken: false,"),
                    powerful.clone(),
                ],
            ),
            (
                "a token for somebody else",
                [
                    deployment(
                        "web",
                        "serviceAccountName: web, automountServiceAccountToken: false, volumes: [{name: t, projected: {sources: [{serviceAccountToken: {path: t, audience: vault}}]}}],",
                    ),
                    powerful.clone(),
                ],
            ),
            ("another account", [deployment("web", ""), powerful.clone()]),
            (
                "few rights",
                [
                    deployment("web", "serviceAccountName: web,"),
                    binding("web", None, "reader", "web"),
                ],
            ),
            (
                "not selected",
                [deployment("other", "serviceAccountName: web,"), powerful.clone()],
            ),
        ] {
            let world = [ROLES.to_owned(), parts.concat(), service("web", "NodePort")].concat();
            assert_eq!(shown(&world), [""; 0], "{name}");
        }
        let projected = deployment(
            "web",
            "serviceAccountName: web, automountServiceAccountToken: false, volumes: [{name: t, projected: {sources: [{serviceAccountToken: {path: t}}]}}],",
        );
        let world = [ROLES.to_owned(), projected, powerful, service("web", "NodePort")].concat();
        assert_eq!(shown(&world).len(), 1, "a token of its own making");
    }

    #[test]
    fn the_shortest_way_is_first() {
        let world = [
            ROLES,
            &deployment("long", "serviceAccountName: long,"),
            &service("long", "NodePort"),
            &binding("long", Some("shop"), "deployer", "long"),
            &deployment("short", "serviceAccountName: short,"),
            &service("short", "NodePort"),
            &binding("short", None, "everything", "short"),
        ]
        .concat();
        let ways = shown(&world);
        assert_eq!(ways.len(), 2);
        assert!(ways[0].contains("Deployment shop/short"), "{ways:?}");
    }
}
