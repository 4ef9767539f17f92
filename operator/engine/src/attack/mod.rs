//! How far somebody gets who breaks into a workload: to cluster-admin, by the token of its account and what that may become by the roles of the cluster, or
//! to its node, past the walls of its containers. From outside through an exposed Service, or from inside, where a program is broken into that nobody exposes.
//!
//! What is shown is a way that is open by what objects say, not one that was walked: whether the program can be broken into nobody knows here.

mod escape;
mod exposure;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

use crate::model::volume::Volume;
use crate::model::{Kind, ObjectRef, Workload};
use crate::policy::SYSTEM_NAMESPACES;
use crate::rbac::{Identity, Step, way_to_admin};
use crate::world::Snapshot;

pub use self::exposure::Exposed;
use self::exposure::{exposed, is_selected};

/// One way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// What lets people in from outside; `None` for a workload that is reached from inside only.
    pub entry: Option<Entry>,
    /// The workload that is broken into.
    pub workload: ObjectRef,
    /// How far that goes.
    pub end: End,
}

/// Where somebody from outside comes in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The Service that lets people in.
    pub service: ObjectRef,
    /// How it is exposed.
    pub exposed: Exposed,
}

/// What is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// Everything that the API server has.
    ClusterAdmin {
        /// The account whose token the pods of the workload have.
        account: ObjectRef,
        /// What the account may become, step by step; the last is cluster-admin.
        steps: Vec<Step>,
    },
    /// The node that a pod runs on, and with it the tokens and Secrets of all pods there.
    Node {
        /// What of the pod opens it: `container web is privileged`.
        by: String,
    },
}

impl Way {
    /// How long it is: the workload and what it becomes.
    pub fn length(&self) -> usize {
        match &self.end {
            End::ClusterAdmin { steps, .. } => 2 + steps.len(),
            End::Node { .. } => 2,
        }
    }
}

/// `Service shop/web (a load balancer) -> Deployment shop/web -> ServiceAccount shop/web -> may do everything (…)`
impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(Entry { service, exposed }) = &self.entry {
            write!(f, "{service} ({exposed}) -> ")?;
        }
        write!(f, "{} -> ", self.workload)?;
        match &self.end {
            End::ClusterAdmin { account, steps } => {
                write!(f, "{account}")?;
                steps.iter().try_for_each(|step| write!(f, " -> {step}"))
            }
            End::Node { by } => write!(f, "its node ({by})"),
        }
    }
}

/// Every workload from which there is a way, by its shortest to each end: those from outside first, and the shortest first.
///
/// What the cluster itself runs in its own namespaces is left out where nothing exposes it: a kube-proxy has its node by design.
pub fn ways(world: &Snapshot) -> Vec<Way> {
    let mut to_admin = ToAdmin::new(world);
    let mut ways: Vec<Way> = Vec::new();
    for (namespace, shard) in &world.shards {
        let own = SYSTEM_NAMESPACES.contains(&&**namespace);
        let exposed = exposed(namespace, shard);
        for workload in shard.workloads.values() {
            let reference = workload.reference();
            if !world.is_judged(&reference) {
                continue;
            }
            let entry = exposed
                .iter()
                .find(|(_, (_, selector))| is_selected(workload, selector));
            if own && entry.is_none() {
                continue;
            }
            let entry = entry.map(|(service, (exposed, _))| Entry {
                service: service.clone(),
                exposed: exposed.clone(),
            });
            let by_token = account(world, workload).and_then(|account| to_admin.of(account));
            let by_escape = escape::from_pod(&workload.template.spec).map(|by| End::Node { by });
            ways.extend(by_token.into_iter().chain(by_escape).map(|end| Way {
                entry: entry.clone(),
                workload: reference.clone(),
                end,
            }));
        }
    }
    ways.sort_by_key(|way| (way.entry.is_none(), way.length(), way.workload.clone()));
    ways
}

/// Ways of accounts to cluster-admin, each looked for once.
struct ToAdmin<'a> {
    world: &'a Snapshot,
    known: BTreeMap<ObjectRef, Option<Vec<Step>>>,
}

impl<'a> ToAdmin<'a> {
    fn new(world: &'a Snapshot) -> Self {
        let known = BTreeMap::new();
        Self { world, known }
    }

    fn of(&mut self, account: ObjectRef) -> Option<End> {
        let steps = self.known.entry(account.clone()).or_insert_with(|| {
            let identity = Identity::of_account(&account.namespace, &account.name);
            way_to_admin(self.world.rights(), &identity)
        });
        let steps = steps.clone()?;
        Some(End::ClusterAdmin { account, steps })
    }
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
