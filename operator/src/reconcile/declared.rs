//! What people declared: policies, exceptions, decisions, pauses; and whether approvals are guarded.

use std::collections::BTreeMap;
use std::sync::Arc;

use ironside_crds::{
    ClusterHardeningException, ClusterHardeningPolicy, ExceptionSpec, ExceptionStatus, HardeningException,
    HardeningPolicy, HardeningRemediation, PolicySpec, PolicyStatus,
};
use ironside_engine::policy::{Pause, PolicyId};
use kube::api::ObjectMeta;

use crate::cluster::item::{Item, Unreadable};
use crate::cluster::{Seen, Source};

/// A policy of either kind.
#[derive(Clone, Debug)]
pub enum Policy {
    /// `ClusterHardeningPolicy`.
    Cluster(Box<ClusterHardeningPolicy>),
    /// `HardeningPolicy`.
    Namespaced(Box<HardeningPolicy>),
}

/// An exception of either kind.
#[derive(Clone, Debug)]
pub enum Exception {
    /// `ClusterHardeningException`.
    Cluster(Box<ClusterHardeningException>),
    /// `HardeningException`.
    Namespaced(Box<HardeningException>),
}

/// Namespace (empty for cluster-scoped objects) and name.
pub type Key = (String, String);

/// Everything that is declared, as last seen. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Declared {
    /// Policies.
    pub policies: Arc<BTreeMap<PolicyId, Arc<Policy>>>,
    /// Exceptions by namespace and name.
    pub exceptions: Arc<BTreeMap<Key, Arc<Exception>>>,
    /// Remediations by namespace and name.
    pub remediations: Arc<BTreeMap<Key, Arc<HardeningRemediation>>>,
    /// Objects of our own kinds that cannot be read: stored under an older definition, or edited past it.
    pub unreadable: Arc<BTreeMap<(Source, Key), String>>,
    /// What the pause switch says, if there is one.
    pub pause: Option<Pause>,
    /// Whether the policy that guards approvals is as it should be.
    guard_policy: bool,
    /// Whether its binding puts it in force.
    guard_binding: bool,
}

/// What a change touched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Touched {
    /// Specs or annotations of policies.
    pub policies: bool,
    /// Specs of exceptions.
    pub exceptions: bool,
    /// Remediations, by namespace and name.
    pub remediations: Vec<Key>,
    /// Anything else that status shows.
    pub other: bool,
}

impl Policy {
    /// Name of the policy.
    pub fn id(&self) -> PolicyId {
        let meta = self.meta();
        let name = meta.name.as_deref().unwrap_or_default();
        match self {
            Self::Cluster(_) => PolicyId::cluster(name),
            Self::Namespaced(_) => PolicyId::namespaced(meta.namespace.as_deref().unwrap_or_default(), name),
        }
    }

    /// Metadata.
    pub fn meta(&self) -> &ObjectMeta {
        match self {
            Self::Cluster(policy) => &policy.metadata,
            Self::Namespaced(policy) => &policy.metadata,
        }
    }

    /// Spec.
    pub fn spec(&self) -> &PolicySpec {
        match self {
            Self::Cluster(policy) => &policy.spec,
            Self::Namespaced(policy) => &policy.spec,
        }
    }

    /// Status as last seen.
    pub fn status(&self) -> Option<&PolicyStatus> {
        match self {
            Self::Cluster(policy) => policy.status.as_ref(),
            Self::Namespaced(policy) => policy.status.as_ref(),
        }
    }

    /// What its own pause annotation says.
    pub fn pause(&self) -> Option<Pause> {
        self.meta().annotations.as_ref().and_then(Pause::of)
    }

    /// Whether another version asks for something else.
    fn asks_the_same(&self, other: &Self) -> bool {
        self.spec() == other.spec()
            && self.meta().annotations == other.meta().annotations
            && self.meta().uid == other.meta().uid
            && self.meta().generation == other.meta().generation
    }
}

impl Exception {
    /// Metadata.
    pub fn meta(&self) -> &ObjectMeta {
        match self {
            Self::Cluster(exception) => &exception.metadata,
            Self::Namespaced(exception) => &exception.metadata,
        }
    }

    /// Spec.
    pub fn spec(&self) -> &ExceptionSpec {
        match self {
            Self::Cluster(exception) => &exception.spec,
            Self::Namespaced(exception) => &exception.spec,
        }
    }

    /// Status as last seen.
    pub fn status(&self) -> Option<&ExceptionStatus> {
        match self {
            Self::Cluster(exception) => exception.status.as_ref(),
            Self::Namespaced(exception) => exception.status.as_ref(),
        }
    }
}

impl Declared {
    /// Whether approvals by people are guarded by admission. Without it they are ignored.
    pub const fn approval_guarded(&self) -> bool {
        self.guard_policy && self.guard_binding
    }

    /// Takes in what a watch of one of our own kinds saw, and says what it touched. `scope` is the namespace of the watch.
    pub fn absorb(&mut self, source: Source, scope: Option<&str>, seen: Seen) -> Touched {
        let mut touched = Touched::default();
        match seen {
            Seen::Standing(_) => {}
            Seen::Applied(item, _) => self.put(source, *item, &mut touched),
            Seen::Deleted { namespace, name, .. } => self.remove(source, &(namespace, name), &mut touched),
            Seen::Replaced(items) => {
                let kept: Vec<Key> = items.iter().map(key_of).collect();
                for key in self.keys(source, scope) {
                    if !kept.contains(&key) {
                        self.remove(source, &key, &mut touched);
                    }
                }
                for item in items {
                    self.put(source, item, &mut touched);
                }
            }
        }
        touched
    }

    fn put(&mut self, source: Source, item: Result<Item, Unreadable>, touched: &mut Touched) {
        let key = key_of(&item);
        match item {
            Err(Unreadable { reason, .. }) => {
                tracing::warn!(
                    kind = source.kind(),
                    namespace = key.0,
                    name = key.1,
                    error = reason,
                    "cannot be read"
                );
                self.remove(source, &key, touched);
                Arc::make_mut(&mut self.unreadable).insert((source, key), reason);
                touched.other = true;
                return;
            }
            Ok(Item::Policy(policy)) => self.put_policy(Policy::Namespaced(policy), touched),
            Ok(Item::ClusterPolicy(policy)) => self.put_policy(Policy::Cluster(policy), touched),
            Ok(Item::Exception(exception)) => self.put_exception(&key, Exception::Namespaced(exception), touched),
            Ok(Item::ClusterException(exception)) => self.put_exception(&key, Exception::Cluster(exception), touched),
            Ok(Item::Remediation(remediation)) => {
                Arc::make_mut(&mut self.remediations).insert(key.clone(), remediation.into());
                touched.remediations.push(key.clone());
            }
            Ok(Item::PauseSwitch(until)) => {
                self.pause = until.map(|until| Pause::parse(&until));
                touched.other = true;
            }
            Ok(Item::ApprovalGuard(intact)) => {
                *self.guard(source) = intact;
                touched.other = true;
            }
            Ok(Item::Object(_)) => {} // belongs to the world
        }
        if self.unreadable.contains_key(&(source, key.clone())) {
            Arc::make_mut(&mut self.unreadable).remove(&(source, key));
            touched.other = true;
        }
    }

    fn put_policy(&mut self, policy: Policy, touched: &mut Touched) {
        let id = policy.id();
        let same = self.policies.get(&id).is_some_and(|old| old.asks_the_same(&policy));
        touched.policies |= !same;
        touched.other = true;
        Arc::make_mut(&mut self.policies).insert(id, Arc::new(policy));
    }

    fn put_exception(&mut self, key: &Key, exception: Exception, touched: &mut Touched) {
        let same = self
            .exceptions
            .get(key)
            .is_some_and(|old| old.spec() == exception.spec() && old.meta().uid == exception.meta().uid);
        touched.exceptions |= !same;
        touched.other = true;
        Arc::make_mut(&mut self.exceptions).insert(key.clone(), Arc::new(exception));
    }

    fn remove(&mut self, source: Source, key: &Key, touched: &mut Touched) {
        if self.unreadable.contains_key(&(source, key.clone())) {
            Arc::make_mut(&mut self.unreadable).remove(&(source, key.clone()));
            touched.other = true;
        }
        match source {
            Source::Policy => {
                let id = PolicyId::namespaced(&key.0, &key.1);
                touched.policies |= Arc::make_mut(&mut self.policies).remove(&id).is_some();
            }
            Source::ClusterPolicy => {
                let id = PolicyId::cluster(&key.1);
                touched.policies |= Arc::make_mut(&mut self.policies).remove(&id).is_some();
            }
            Source::Exception | Source::ClusterException => {
                touched.exceptions |= Arc::make_mut(&mut self.exceptions).remove(key).is_some();
            }
            Source::Remediation => {
                if Arc::make_mut(&mut self.remediations).remove(key).is_some() {
                    touched.remediations.push(key.clone());
                }
            }
            Source::PauseSwitch => touched.other |= self.pause.take().is_some(),
            Source::ApprovalPolicy | Source::ApprovalBinding => {
                touched.other |= std::mem::take(self.guard(source));
            }
            Source::Cluster(_) => {}
        }
    }

    const fn guard(&mut self, source: Source) -> &mut bool {
        match source {
            Source::ApprovalBinding => &mut self.guard_binding,
            _ => &mut self.guard_policy,
        }
    }

    /// Keys of everything known from a source, in one namespace or everywhere.
    fn keys(&self, source: Source, scope: Option<&str>) -> Vec<Key> {
        let known: Vec<Key> = match source {
            Source::Policy => {
                let namespaced = |id: &PolicyId| Some((id.namespace.as_deref()?.to_owned(), id.name.to_string()));
                self.policies.keys().filter_map(namespaced).collect()
            }
            Source::ClusterPolicy => {
                let cluster = self.policies.keys().filter(|id| id.namespace.is_none());
                cluster.map(|id| (String::new(), id.name.to_string())).collect()
            }
            Source::Exception => self
                .exceptions
                .keys()
                .filter(|key| !key.0.is_empty())
                .cloned()
                .collect(),
            Source::ClusterException => self.exceptions.keys().filter(|key| key.0.is_empty()).cloned().collect(),
            Source::Remediation => self.remediations.keys().cloned().collect(),
            // There is one at most; what it is called does not matter for its removal.
            Source::PauseSwitch | Source::ApprovalPolicy | Source::ApprovalBinding => vec![Key::default()],
            Source::Cluster(_) => Vec::new(),
        };
        let unreadable = self
            .unreadable
            .keys()
            .filter(|(of, _)| *of == source)
            .map(|(_, key)| key.clone());
        known
            .into_iter()
            .chain(unreadable)
            .filter(|key| scope.is_none_or(|scope| key.0.is_empty() || key.0 == scope))
            .collect()
    }
}

fn key_of(item: &Result<Item, Unreadable>) -> Key {
    let of = |meta: &ObjectMeta| {
        (
            meta.namespace.clone().unwrap_or_default(),
            meta.name.clone().unwrap_or_default(),
        )
    };
    match item {
        Err(Unreadable { namespace, name, .. }) => (namespace.clone(), name.clone()),
        Ok(Item::Policy(policy)) => of(&policy.metadata),
        Ok(Item::ClusterPolicy(policy)) => of(&policy.metadata),
        Ok(Item::Exception(exception)) => of(&exception.metadata),
        Ok(Item::ClusterException(exception)) => of(&exception.metadata),
        Ok(Item::Remediation(remediation)) => of(&remediation.metadata),
        Ok(Item::PauseSwitch(_) | Item::ApprovalGuard(_) | Item::Object(_)) => Key::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[allow(clippy::unnecessary_wraps)] // as watches hand it over
    fn policy(namespace: &str, name: &str, generation: i64) -> Result<Item, Unreadable> {
        let mut policy = HardeningPolicy::new(name, ironside_crds::HardeningPolicySpec::default());
        policy.metadata.namespace = Some(namespace.to_owned());
        policy.metadata.generation = Some(generation);
        Ok(Item::Policy(Box::new(policy)))
    }

    #[test]
    fn a_relist_of_one_namespace_leaves_the_others() {
        let mut declared = Declared::default();
        declared.absorb(
            Source::Policy,
            Some("a"),
            Seen::Replaced(vec![policy("a", "x", 1), policy("a", "y", 1)]),
        );
        declared.absorb(Source::Policy, Some("b"), Seen::Replaced(vec![policy("b", "x", 1)]));
        let touched = declared.absorb(Source::Policy, Some("a"), Seen::Replaced(vec![policy("a", "y", 1)]));
        assert!(touched.policies);
        let ids: Vec<String> = declared.policies.keys().map(ToString::to_string).collect();
        assert_eq!(ids, ["HardeningPolicy a/y", "HardeningPolicy b/x"]);
    }

    #[test]
    fn a_status_write_does_not_touch_what_a_policy_asks() {
        let mut declared = Declared::default();
        assert!(
            declared
                .absorb(Source::Policy, None, Seen::Applied(Box::new(policy("a", "x", 1)), None))
                .policies
        );
        assert!(
            !declared
                .absorb(Source::Policy, None, Seen::Applied(Box::new(policy("a", "x", 1)), None))
                .policies
        );
        assert!(
            declared
                .absorb(Source::Policy, None, Seen::Applied(Box::new(policy("a", "x", 2)), None))
                .policies
        );
    }

    #[test]
    fn approvals_are_guarded_only_by_policy_and_binding_together() {
        let mut declared = Declared::default();
        let seen = |intact| Seen::Replaced(vec![Ok(Item::ApprovalGuard(intact))]);
        declared.absorb(Source::ApprovalPolicy, None, seen(true));
        assert!(!declared.approval_guarded());
        declared.absorb(Source::ApprovalBinding, None, seen(true));
        assert!(declared.approval_guarded());
        declared.absorb(Source::ApprovalPolicy, None, Seen::Replaced(Vec::new()));
        assert!(!declared.approval_guarded());
    }

    #[test]
    fn a_policy_that_cannot_be_read_is_remembered_as_such() {
        let mut declared = Declared::default();
        declared.absorb(Source::Policy, None, Seen::Applied(Box::new(policy("a", "x", 1)), None));
        let broken = Err(Unreadable {
            namespace: "a".to_owned(),
            name: "x".to_owned(),
            reason: "mode: unknown variant".to_owned(),
        });
        let touched = declared.absorb(Source::Policy, None, Seen::Applied(Box::new(broken), None));
        assert!(touched.policies && declared.policies.is_empty());
        assert_eq!(declared.unreadable.len(), 1);
        declared.absorb(Source::Policy, None, Seen::Applied(Box::new(policy("a", "x", 2)), None));
        assert!(declared.unreadable.is_empty());
    }
}
