//! The plan of one namespace: which policies it gets, in which order, what that cuts, at which risk, or why it is not done.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::diff;
use super::endpoints::{self, Endpoint};
use super::exposure::{Exposure, exposures};
use super::generate::{self, Generated};
use super::infer::{self, Need};
use super::narrow::answerable;
use super::order::{Stage, Step};
use super::reach::Reading as Blocks;
use super::restore::{self, Decision, Deny, HoldReason, Memory};
use super::settings::Settings;
use crate::controls::Risk;
use crate::model::{Kind, LabelSelector, Namespace, NetworkPolicy, ObjectRef};
use crate::plan::{Disposition, Held, PlanHash};
use crate::world::{Reading, Shard, Snapshot};

/// Kinds without which inference would be blind.
const READ: [Kind; 13] = [
    Kind::Pod,
    Kind::Deployment,
    Kind::ReplicaSet,
    Kind::StatefulSet,
    Kind::DaemonSet,
    Kind::Job,
    Kind::CronJob,
    Kind::Service,
    Kind::Ingress,
    Kind::NetworkPolicy,
    Kind::ValidatingWebhookConfiguration,
    Kind::MutatingWebhookConfiguration,
    Kind::ApiService,
];

/// When the steps of a plan may be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// At once, without approval: they put back what was approved, or take away.
    AtOnce,
    /// When what they rest on has not changed for a while: they only take away allows that nothing needs any more.
    WhenSettled,
    /// When a human or the policy's `autoApprove` approves this hash, past all gates.
    WhenApproved,
}

/// The plan of one namespace.
#[derive(Clone, Debug, PartialEq)]
pub struct NetworkPlan {
    /// The Namespace.
    pub namespace: ObjectRef,
    /// Its UID: one of the same name that is created later is another namespace.
    pub uid: String,
    /// What is done.
    pub decision: Decision,
    /// What to remember from now on.
    pub memory: Memory,
    /// Whether any policy of ours is there.
    pub stands: bool,
    /// The policies as they should be, allows first.
    pub wanted: Vec<Generated>,
    /// Writes, in order; empty if nothing differs. A held plan to isolate shows them and does none.
    pub steps: Vec<Step>,
    /// When they may be taken.
    pub start: Start,
    /// What stays open and what is cut, by workload.
    pub exposures: Vec<Exposure>,
    /// Workloads on the node's network: no policy covers them.
    pub uncovered: Vec<ObjectRef>,
    /// Policies of ours that somebody else wrote into, with the field manager.
    pub intruders: Vec<(String, String)>,
    /// Risk; never Low: no traffic was observed.
    pub risk: Risk,
    /// Why, in words.
    pub risk_reasons: Vec<String>,
    /// Only shown, whatever the disposition.
    pub preview: bool,
    /// Content hash over the namespace, the wanted policies and the risk.
    pub hash: PlanHash,
    /// Whether isolation may start.
    pub disposition: Disposition,
}

/// Whether a policy denies ingress of every pod of its namespace by default: it selects all pods, and no rule of it lets in everyone or every namespace.
pub fn denies_by_default(policy: &NetworkPolicy) -> bool {
    let spec = &policy.spec;
    let is_open = |peer: &crate::model::network::Peer| match &peer.ip_block {
        Some(block) => super::address::Range::parse(&block.cidr).is_some_and(|range| range.is_whole()),
        None => {
            peer.namespace_selector.as_ref().is_some_and(LabelSelector::is_empty)
                && peer.pod_selector.as_ref().is_none_or(LabelSelector::is_empty)
        }
    };
    spec.pod_selector.is_empty()
        && spec.restricts_ingress()
        && !spec
            .ingress
            .iter()
            .any(|rule| rule.from.is_empty() || rule.from.iter().any(is_open))
}

/// Everything that a plan follows from, beside settings and memory: two that are equal give the same plan. What they leave out, on purpose, is which pods run in
/// other namespaces: there are many, they change all the time, and no generated rule depends on them.
#[derive(Clone, Debug, PartialEq)]
pub struct Inputs {
    namespace: Arc<Namespace>,
    policies: Vec<Arc<NetworkPolicy>>,
    endpoints: Vec<Endpoint>,
    needs: Vec<Need>,
    called: Vec<Held>,
    unread: Vec<String>,
    risk: (Risk, Vec<String>),
}

impl Inputs {
    /// Gathers them; `None` if the namespace was not seen.
    pub fn of(world: &Snapshot, namespace: &str, settings: &Settings) -> Option<Self> {
        let shard = world.shard(namespace)?;
        let endpoints = endpoints::of_namespace(world, shard);
        Some(Self {
            namespace: Arc::clone(shard.namespace.as_ref()?),
            policies: shard.network_policies.values().cloned().collect(),
            needs: infer::needs(world, namespace, &settings.extra),
            called: called_by_api_server(world, namespace),
            unread: unread(world, namespace),
            risk: risk(world, shard, &uncovered(&endpoints)),
            endpoints,
        })
    }
}

/// Plans a namespace; `None` if it was not seen.
pub fn plan_namespace(
    world: &Snapshot,
    namespace: &str,
    settings: &Settings,
    memory: &Memory,
    now: Timestamp,
) -> Option<NetworkPlan> {
    let inputs = Inputs::of(world, namespace, settings)?;
    Some(plan_inputs(world, &inputs, settings, memory, now))
}

/// Plans a namespace from what was gathered of it.
pub fn plan_inputs(
    world: &Snapshot,
    inputs: &Inputs,
    settings: &Settings,
    memory: &Memory,
    now: Timestamp,
) -> NetworkPlan {
    let object = &inputs.namespace;
    let namespace = object.metadata.name.as_str();
    let policies: Vec<&NetworkPolicy> = inputs.policies.iter().map(AsRef::as_ref).collect();
    let (live, foreign): (Vec<_>, Vec<_>) = policies.into_iter().partition(|policy| diff::is_ours(policy));
    let by = settings.policies.first().map_or("none", |policy| &policy.name);

    let needs = answerable(inputs.needs.clone(), &inputs.endpoints, &foreign, world);
    let mut wanted = generate::allows(namespace, by, &needs);
    wanted.push(generate::deny(namespace, by));
    let opening = generate::opening(namespace, by);
    let stage = Stage::new(world, namespace, &foreign, &live, &wanted, &opening);

    let mut held = settings.held.clone();
    held.extend(inputs.called.iter().cloned());
    held.extend(taken_names(&wanted, &foreign));
    let opens = stage.opens(&wanted).map(|edge| Held::WouldOpen { edge });

    // What the team's own policies do already, or what cannot be done without opening something, is not wanted at all.
    let asked = !settings.policies.is_empty() && !foreign.iter().any(|policy| denies_by_default(policy));
    let standing = deny_of(&live, &wanted);
    let lasting = asked && settings.enforce && opens.is_none() && !settings.take_away;
    let hands_off = object.is_terminating() || (settings.suspended && !asked && !settings.take_away);
    let (memory, decision) = if hands_off {
        (memory.clone(), Decision::Leave)
    } else {
        restore::decide(memory, &standing, lasting, !live.is_empty(), now)
    };
    held.extend(opens);
    held.extend(inputs.unread.iter().map(|what| Held::Unclear { what: what.clone() }));
    if let Decision::Hold(hold) = &decision {
        held.push(hold_reason(hold));
    }
    let shown = asked && matches!(decision, Decision::Leave) && !object.is_terminating();
    let decision = match decision {
        _ if shown => Decision::Isolate,
        // Half done and not to be finished: allows isolate the pods they select, so they do not stay without an end.
        Decision::Isolate if !held.is_empty() && !live.is_empty() => Decision::Withdraw,
        decision => decision,
    };
    let (steps, start) = steps(&decision, &stage, &live, &wanted, &opening, !inputs.unread.is_empty());
    let before = stage.without_ours(Blocks::Least);
    let after = stage.with(&wanted, Blocks::Least);
    let (risk, risk_reasons) = inputs.risk.clone();
    NetworkPlan {
        hash: hash(namespace, &wanted, risk),
        namespace: ObjectRef::new(Kind::Namespace, "", namespace),
        uid: object.metadata.uid.clone(),
        exposures: exposures(&stage.universe, &before, &after),
        uncovered: uncovered(&inputs.endpoints),
        intruders: live.iter().filter_map(|policy| intruder(policy)).collect(),
        preview: !settings.enforce,
        disposition: if held.is_empty() {
            Disposition::Ready
        } else {
            Disposition::Held(held)
        },
        memory,
        decision,
        stands: !live.is_empty(),
        wanted,
        steps,
        start,
        risk,
        risk_reasons,
    }
}

fn steps(
    decision: &Decision,
    stage: &Stage,
    live: &[&NetworkPolicy],
    wanted: &[Generated],
    opening: &Generated,
    blind: bool,
) -> (Vec<Step>, Start) {
    match decision {
        Decision::Leave => (Vec::new(), Start::WhenSettled),
        Decision::Isolate => {
            let steps = stage.order(live, wanted, opening);
            (
                steps.unwrap_or_else(|| Stage::plain_order(live, wanted)),
                Start::WhenApproved,
            )
        }
        // What is not seen is not a reason to take an allow away, nor to add one.
        Decision::Keep if blind => (Vec::new(), Start::WhenSettled),
        Decision::Keep => {
            let wide = stage.widest(live, wanted);
            let order = |wanted: &[Generated]| {
                stage
                    .order(live, wanted, opening)
                    .unwrap_or_else(|| Stage::plain_order(live, wanted))
            };
            match order(&wide) {
                nothing if nothing.is_empty() => (order(wanted), Start::WhenSettled),
                steps => (steps, Start::AtOnce),
            }
        }
        Decision::Hold(hold) if hold.why != HoldReason::DenyDeleted => (Vec::new(), Start::WhenSettled),
        Decision::Withdraw | Decision::Hold(_) => {
            let steps = stage.order(live, &[], opening);
            (steps.unwrap_or_else(|| Stage::plain_order(live, &[])), Start::AtOnce)
        }
    }
}

fn deny_of(live: &[&NetworkPolicy], wanted: &[Generated]) -> Deny {
    let Some(live) = live.iter().find(|policy| policy.metadata.name == generate::DENY) else {
        return Deny::Absent;
    };
    let same = wanted
        .iter()
        .find(|policy| policy.name == generate::DENY)
        .is_some_and(|deny| diff::means_same(&live.spec, &deny.spec));
    match diff::intruder(live) {
        Some(owner) if !same => Deny::Altered(owner.manager),
        _ => Deny::Stands,
    }
}

/// What the API server calls in this namespace. Such namespaces are never isolated by a plan (`safety.md`, story 43).
fn called_by_api_server(world: &Snapshot, namespace: &str) -> Vec<Held> {
    let mut callers: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for backend in world
        .api_server_backends
        .iter()
        .filter(|backend| backend.namespace == namespace)
    {
        callers.entry(&backend.service).or_default().insert(&backend.caller);
    }
    callers
        .into_iter()
        .map(|(service, callers)| Held::CalledByApiServer {
            service: service.to_owned(),
            caller: callers.into_iter().collect::<Vec<_>>().join(", "),
        })
        .collect()
}

fn taken_names(wanted: &[Generated], foreign: &[&NetworkPolicy]) -> Vec<Held> {
    foreign
        .iter()
        .filter(|policy| wanted.iter().any(|wanted| wanted.name == policy.metadata.name))
        .map(|policy| Held::NameTaken {
            object: format!("NetworkPolicy {}/{}", policy.metadata.namespace, policy.metadata.name),
        })
        .collect()
}

/// What inference needed and could not see. Objects from files are all there is to see there.
fn unread(world: &Snapshot, namespace: &str) -> Vec<String> {
    let is_cluster = *world.reading(Kind::Namespace, "") == Reading::Complete;
    let kinds = READ
        .into_iter()
        .chain([Kind::CustomResourceDefinition])
        .filter_map(|kind| {
            let scope = if kind.namespaced() { namespace } else { "" };
            match world.reading(kind, scope) {
                Reading::Unavailable(gap) => Some(format!("{} could not be read: {}", kind.plural(), gap.message)),
                Reading::Partial if is_cluster => Some(format!("{} were not read yet", kind.plural())),
                Reading::Partial | Reading::Complete => None,
            }
        });
    let objects = world
        .unreadable
        .iter()
        .filter(|(object, _)| object.namespace.as_ref() == namespace && READ.contains(&object.kind))
        .map(|(object, why)| format!("{object} could not be read: {why}"));
    kinds.chain(objects).collect()
}

fn hold_reason(hold: &restore::Hold) -> Held {
    match &hold.why {
        HoldReason::Fight(manager) => Held::Fight {
            manager: manager.clone(),
        },
        why => Held::ByHuman { by: why.to_string() },
    }
}

fn risk(world: &Snapshot, shard: &Shard, uncovered: &[ObjectRef]) -> (Risk, Vec<String>) {
    let mut reasons = vec![
        "connections that nothing declares are cut: no traffic was observed".to_owned(),
        "whether the network plugin enforces NetworkPolicies is not known: where it does not, nothing changes until one that does is installed"
            .to_owned(),
        "HTTPRoutes and network policies of other API groups are not read".to_owned(),
    ];
    let is_cluster = *world.reading(Kind::Namespace, "") == Reading::Complete;
    if is_cluster && *world.reading(Kind::Pod, "") != Reading::Complete {
        reasons.push("other namespaces are not watched: clients there are not known".to_owned());
    }
    if !uncovered.is_empty() {
        let on_nodes: Vec<String> = uncovered
            .iter()
            .map(|workload| format!("{} {}", workload.kind, workload.name))
            .collect();
        reasons.push(format!(
            "{} use the node's network: no policy covers them, and what pods of the namespace need is left open to everyone because of them",
            on_nodes.join(", ")
        ));
    }
    let run_by_others: BTreeSet<String> = shard
        .workloads
        .values()
        .filter(|workload| world.is_judged(&workload.reference()))
        .filter_map(|workload| Some((workload, workload.meta.controller()?)))
        .filter(|(_, owner)| owner.kind != "Node")
        .map(|(_, owner)| format!("{} {}", owner.kind, owner.name))
        .collect();
    if run_by_others.is_empty() {
        return (Risk::Medium, reasons);
    }
    let owners = run_by_others.into_iter().collect::<Vec<_>>().join(", ");
    reasons.push(format!(
        "what runs {owners} may have to reach its pods from another namespace on ports that nothing declares"
    ));
    (Risk::High, reasons)
}

fn uncovered(endpoints: &[Endpoint]) -> Vec<ObjectRef> {
    let on_nodes = endpoints.iter().filter(|endpoint| endpoint.host_network);
    let workloads: BTreeSet<&ObjectRef> = on_nodes.map(|endpoint| &endpoint.workload).collect();
    workloads.into_iter().cloned().collect()
}

fn intruder(live: &NetworkPolicy) -> Option<(String, String)> {
    diff::intruder(live).map(|owner| (live.metadata.name.clone(), owner.manager))
}

fn hash(namespace: &str, wanted: &[Generated], risk: Risk) -> PlanHash {
    let objects: Vec<_> = wanted.iter().map(|policy| &policy.object).collect();
    let content = json!({"namespace": namespace, "objects": objects, "risk": risk.as_str()});
    PlanHash(generate::hex(&Sha256::digest(content.to_string().as_bytes())))
}
