//! Exceptions: what is exempt, whether it counts, and until when.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use ironside_crds::conditions::reasons;
use ironside_crds::exception as wire;
use ironside_crds::{ClusterHardeningException, HardeningException};
use jiff::Timestamp;

use super::in_namespace::Delegated;
use super::set::namespace_of;
use super::{InNamespace, PolicySet};
use crate::controls::{ControlId, Verdict, find};
use crate::evaluate::Evaluation;
use crate::model::ObjectRef;
use crate::world::Snapshot;

/// What an exception does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Effect {
    /// A failure counts as excepted.
    Accept,
    /// A failure stays one, but is not repaired.
    HoldRepair,
}

/// Names an exception.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ExceptionId {
    /// Namespace of a `HardeningException`; `None` for a `ClusterHardeningException`.
    pub namespace: Option<Arc<str>>,
    /// Name.
    pub name: Arc<str>,
}

/// `ClusterHardeningException legacy`, `HardeningException shop/until-2.0`.
impl fmt::Display for ExceptionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            None => write!(f, "ClusterHardeningException {}", self.name),
            Some(namespace) => write!(f, "HardeningException {namespace}/{}", self.name),
        }
    }
}

/// One exception.
#[derive(Clone, Debug)]
pub struct Exception {
    /// Name.
    pub id: ExceptionId,
    /// What it does.
    pub effect: Effect,
    controls: BTreeSet<ControlId>,
    /// Ids that no control has.
    unknown_controls: Vec<String>,
    /// Empty: every object in scope.
    targets: Vec<wire::ExceptionTarget>,
    /// Of the cluster kind; empty: everywhere.
    namespaces: BTreeSet<String>,
    expires_at: Option<Timestamp>,
    created_at: Option<Timestamp>,
}

/// Whether an exception counts, as its status shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExceptionState {
    /// Whether it counts for at least one of its controls, and covers something.
    pub effective: bool,
    /// `InEffect`, `NotDelegated`, `TooLong`, `Expired` or `NoMatch`.
    pub reason: &'static str,
    /// Sentence for people, without counters and times.
    pub message: String,
    /// Failures that it covers.
    pub matched: u32,
    /// Until when it counts; `None` where it does not, or has no end.
    pub effective_until: Option<Timestamp>,
}

/// All exceptions, compiled once per change.
#[derive(Clone, Debug, Default)]
pub struct ExceptionSet {
    cluster: Vec<Exception>,
    namespaced: BTreeMap<Arc<str>, Vec<Exception>>,
}

impl ExceptionSet {
    /// Compiles the exceptions. One that cannot be read as its kind does not come here, and so does not count; a namespaced one without an end counts as
    /// expired.
    pub fn compile(cluster: &[ClusterHardeningException], namespaced: &[HardeningException]) -> Self {
        let mut set = Self::default();
        for exception in cluster {
            let meta = &exception.metadata;
            let id = ExceptionId {
                namespace: None,
                name: meta.name.as_deref().unwrap_or_default().into(),
            };
            let created = meta.creation_timestamp.as_ref().map(|time| time.0);
            set.cluster.push(Exception::parse(id, created, &exception.spec));
        }
        for exception in namespaced {
            let meta = &exception.metadata;
            let namespace: Arc<str> = meta.namespace.as_deref().unwrap_or_default().into();
            let id = ExceptionId {
                namespace: Some(Arc::clone(&namespace)),
                name: meta.name.as_deref().unwrap_or_default().into(),
            };
            let created = meta.creation_timestamp.as_ref().map(|time| time.0);
            let exceptions = set.namespaced.entry(namespace).or_default();
            exceptions.push(Exception::parse(id, created, &exception.spec));
        }
        set.cluster.sort_by(|a, b| a.id.cmp(&b.id));
        set.namespaced
            .values_mut()
            .for_each(|exceptions| exceptions.sort_by(|a, b| a.id.cmp(&b.id)));
        set
    }

    /// Every exception, cluster ones first.
    pub fn iter(&self) -> impl Iterator<Item = &Exception> {
        self.cluster.iter().chain(self.namespaced.values().flatten())
    }

    /// The exceptions that cover a failure of a control on an object and count now, sorted by id, cluster ones first. `container` is the one that the failure
    /// is about, if it is about one; `policies` those that apply to the object.
    pub fn covering<'s, 'p>(
        &'s self,
        policies: &'p InNamespace,
        control: ControlId,
        target: &'p ObjectRef,
        container: Option<&'p str>,
        now: Timestamp,
    ) -> impl Iterator<Item = &'s Exception> + use<'s, 'p> {
        self.concerning(target).filter(move |exception| {
            exception.covers(control, target, container)
                && exception.standing(control, policies, now) == Standing::Counts
        })
    }

    /// Whether each exception counts, and how much it covers of these evaluations.
    pub fn states<'a>(
        &self,
        policies: &PolicySet,
        world: &Snapshot,
        evaluations: impl IntoIterator<Item = &'a Evaluation>,
        now: Timestamp,
    ) -> BTreeMap<ExceptionId, ExceptionState> {
        let mut matched: BTreeMap<&ExceptionId, u32> = BTreeMap::new();
        let mut here: BTreeMap<Arc<str>, InNamespace> = BTreeMap::new();
        for evaluation in evaluations {
            let target = &evaluation.target;
            if self.concerning(target).next().is_none() {
                continue;
            }
            let policies = here
                .entry(namespace_of(target).into())
                .or_insert_with_key(|namespace| policies.in_namespace(world, namespace));
            let failures = evaluation.findings.iter().filter(|f| f.verdict == Verdict::Fail);
            for finding in failures {
                let covering: BTreeSet<&ExceptionId> = finding
                    .evidence
                    .iter()
                    .flat_map(|e| self.covering(policies, finding.control.id, target, e.container.as_deref(), now))
                    .map(|exception| &exception.id)
                    .collect();
                for id in covering {
                    *matched.entry(id).or_default() += 1;
                }
            }
        }
        let state = |exception: &Exception| {
            let matched = matched.get(&exception.id).copied().unwrap_or_default();
            let policies = exception
                .id
                .namespace
                .as_ref()
                .map(|namespace| policies.in_namespace(world, namespace));
            exception.state(&policies.unwrap_or_default(), matched, now)
        };
        self.iter()
            .map(|exception| (exception.id.clone(), state(exception)))
            .collect()
    }

    /// The first moment after `now` at which an exception ends, so that a clock need not be polled.
    pub fn next_expiry(&self, now: Timestamp) -> Option<Timestamp> {
        self.iter()
            .filter_map(|exception| exception.expires_at)
            .filter(|expires| *expires > now)
            .min()
    }

    fn concerning<'s>(&'s self, target: &ObjectRef) -> impl Iterator<Item = &'s Exception> + use<'s> {
        let own = self.namespaced.get(namespace_of(target)).into_iter().flatten();
        self.cluster.iter().chain(own)
    }
}

/// Whether an exception counts for one control.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Counts,
    Expired,
    NotDelegated,
    TooLong,
}

impl Exception {
    fn parse(id: ExceptionId, created_at: Option<Timestamp>, spec: &wire::ExceptionSpec) -> Self {
        let (known, unknown): (Vec<_>, Vec<_>) = spec.controls.iter().partition(|id| find(id).is_some());
        Self {
            effect: match spec.effect {
                wire::ExceptionEffect::Accept => Effect::Accept,
                wire::ExceptionEffect::HoldRepair => Effect::HoldRepair,
            },
            controls: known
                .into_iter()
                .filter_map(|id| find(id))
                .map(|control| control.id)
                .collect(),
            unknown_controls: unknown.into_iter().cloned().collect(),
            targets: spec.targets.clone(),
            namespaces: spec.namespaces.clone(),
            expires_at: spec.expires_at.map(Into::into),
            created_at,
            id,
        }
    }

    /// Whether a failure is one that this exception names, be it in effect or not. A namespaced exception without targets names nothing.
    fn covers(&self, control: ControlId, target: &ObjectRef, container: Option<&str>) -> bool {
        let names_object = |named: &wire::ExceptionTarget| {
            target.kind.name() == named.kind
                && *named.name == *target.name
                && (named.containers.is_empty() || container.is_some_and(|name| named.containers.contains(name)))
        };
        let in_scope = match &self.id.namespace {
            Some(namespace) => **namespace == *namespace_of(target) && !self.targets.is_empty(),
            None => self.namespaces.is_empty() || self.namespaces.contains(namespace_of(target)),
        };
        in_scope
            && self.controls.contains(&control)
            && (self.targets.is_empty() || self.targets.iter().any(names_object))
    }

    fn standing(&self, control: ControlId, policies: &InNamespace, now: Timestamp) -> Standing {
        let namespaced = self.id.namespace.is_some();
        match self.expires_at {
            None if namespaced => return Standing::Expired,
            Some(expires) if expires <= now => return Standing::Expired,
            _ if !namespaced => return Standing::Counts,
            _ => {}
        }
        match policies.exception_from(control) {
            Delegated::No => Standing::NotDelegated,
            Delegated::Freely => Standing::Counts,
            Delegated::UpTo(longest) => {
                // From its making, so that waiting does not turn a refused exception into a granted one.
                let from = self.created_at.unwrap_or(now);
                let latest = from.checked_add(longest).unwrap_or(Timestamp::MAX);
                match self.expires_at {
                    Some(expires) if expires <= latest => Standing::Counts,
                    _ => Standing::TooLong,
                }
            }
        }
    }

    fn state(&self, policies: &InNamespace, matched: u32, now: Timestamp) -> ExceptionState {
        let standings: BTreeMap<ControlId, Standing> = self
            .controls
            .iter()
            .map(|control| (*control, self.standing(*control, policies, now)))
            .collect();
        let with = |wanted: Standing| -> Vec<&str> {
            let these = standings.iter().filter(|(_, standing)| **standing == wanted);
            these.map(|(control, _)| control.as_str()).collect()
        };
        let not_delegated = with(Standing::NotDelegated);
        let too_long = with(Standing::TooLong);
        let mut remarks = Vec::new();
        if !not_delegated.is_empty() {
            remarks.push(format!(
                "the cluster policies here do not delegate exceptions from {}; ask for an entry in spec.delegation.exceptions, or for a ClusterHardeningException",
                not_delegated.join(", ")
            ));
        }
        if !too_long.is_empty() {
            remarks.push(format!(
                "ends later than maxDuration of the delegation allows for {}; set an earlier spec.expiresAt",
                too_long.join(", ")
            ));
        }
        if !self.unknown_controls.is_empty() {
            remarks.push(format!(
                "no control is called {}; `ironside controls` lists them",
                self.unknown_controls.join(", ")
            ));
        }
        let counts = !with(Standing::Counts).is_empty();
        let (reason, first) = if !with(Standing::Expired).is_empty() {
            (reasons::EXPIRED, Some("it has ended; its failures count again"))
        } else if counts && matched > 0 {
            (reasons::IN_EFFECT, Some("it counts"))
        } else if counts || self.controls.is_empty() {
            (
                reasons::NO_MATCH,
                Some("no failure matches it; check kind and name of spec.targets, or delete it"),
            )
        } else if !not_delegated.is_empty() {
            (reasons::NOT_DELEGATED, None)
        } else {
            (reasons::TOO_LONG, None)
        };
        ExceptionState {
            effective: reason == reasons::IN_EFFECT,
            reason,
            message: first
                .map(str::to_owned)
                .into_iter()
                .chain(remarks)
                .collect::<Vec<_>>()
                .join("; "),
            matched,
            effective_until: self.expires_at.filter(|_| counts),
        }
    }
}
