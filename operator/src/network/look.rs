//! From the view to what a step of a namespace may look at.

use std::sync::Arc;

use ironside_engine::model::{Kind, ObjectRef};
use ironside_engine::network::restore::reverted;
use ironside_engine::network::{Decision as Wanted, NetworkPlan, Settings};
use ironside_engine::policy::{InNamespace, Limits, Mode, Pause, PausedBy};
use ironside_engine::remediate::{
    Decision, Health, InFlight, Isolation, Observed, Phase, Shut, Surroundings, Target, first_shut_of_network,
    network_memory, takes_away,
};
use jiff::{SignedDuration, Timestamp};

use super::live::live;
use super::place::Place;
use crate::apply::{Entry, convert, is_in_flight};
use crate::cluster::permissions::Missing;
use crate::metrics::happenings::actor_class;
use crate::process::Context;
use crate::reconcile::View;

/// Everything around a namespace.
pub(super) struct Circumstances<'a> {
    pub(super) context: &'a Context,
    pub(super) missing: &'a Missing,
    pub(super) view: &'a View,
    pub(super) here: &'a InNamespace,
    pub(super) epoch: i64,
    pub(super) now: Timestamp,
}

/// One look at a namespace; [`Look::observed`] lends it out.
pub(super) struct Look {
    epoch: i64,
    decision: Option<Decision>,
    guarded: bool,
    limits: Arc<Limits>,
    /// `None` if the namespace is gone.
    pub(super) plan: Option<NetworkPlan>,
    health: Health,
    shut: Option<Shut>,
    paused: bool,
    settled_at: Timestamp,
}

impl Look {
    /// Plans with what the record remembers, and looks at what the phase asks about.
    pub(super) fn at(around: &Circumstances<'_>, namespace: &str, place: &mut Place) -> Self {
        let &Circumstances {
            context,
            view,
            here,
            now,
            ..
        } = around;
        let record = place.entry.record.clone();
        let target = ObjectRef::new(Kind::Namespace, "", namespace);
        let mut settings = Settings::of(here, &view.exceptions, namespace, now);
        settings.take_away = takes_away(&record);
        if record.phase == Phase::Applying {
            settings.suspended = false; // half of the policies isolate what the other half keeps open: finished, or taken away
        }
        let mut memory = network_memory(&record);
        memory.closed |= place.deny_departed();
        let live = live(view, namespace);
        if let Some(manager) = place.tampered(&live).filter(|_| memory.closed && memory.hold.is_none()) {
            memory = reverted(memory, &manager, now);
            context.happenings.conflicted(actor_class(Some(&manager)));
        }
        place.stood = live.into_keys().collect();
        let plan = place.plan(view, namespace, &settings, &memory, now);
        let limits = Arc::new(here.limits().clone());
        let settled_at = plan.as_ref().map_or(now, |plan| {
            let since = place.settled_since(plan, now);
            since
                .checked_add(SignedDuration::try_from(limits.settle).unwrap_or(SignedDuration::MAX))
                .unwrap_or(Timestamp::MAX)
        });
        let starts = plan.as_ref().is_some_and(|plan| plan.decision == Wanted::Isolate);
        let paused = view.is_paused(&target, now);
        let mut look = Self {
            epoch: around.epoch,
            decision: place.entry.stored.as_deref().and_then(convert::decision),
            guarded: view.declared.approval_guarded(),
            limits,
            plan,
            health: Health::default(),
            shut: None,
            paused,
            settled_at,
        };
        let watched = place.watches_workloads();
        if watched || starts || record.attempt.is_none() {
            let attempt = record.attempt.as_ref().filter(|_| watched);
            look.health = Health::of(&view.world, namespace, attempt);
        }
        if starts {
            look.shut = look.shut(around, &settings, &target);
        }
        look
    }

    /// Whether nothing asks for anything here.
    pub(super) fn is_idle(&self) -> bool {
        self.plan
            .as_ref()
            .is_none_or(|plan| plan.decision == Wanted::Leave && !plan.stands)
    }

    /// What the step may look at.
    pub(super) fn observed<'a>(&'a self, entry: &'a Entry) -> Observed<'a> {
        Observed {
            leader: Some(self.epoch),
            decision: self.decision.as_ref(),
            approvals_guarded: self.guarded,
            mode: Mode::Enforce,
            limits: &self.limits,
            plan: None,
            target: match &self.plan {
                None => Target::Gone,
                Some(plan) => Target::Network(Box::new(Isolation {
                    plan,
                    health: self.health.clone(),
                    paused: self.paused,
                    settled_at: self.settled_at,
                })),
            },
            shut: self.shut.clone(),
            outcome: entry.outcome.as_ref(),
        }
    }

    fn shut(&self, around: &Circumstances<'_>, settings: &Settings, target: &ObjectRef) -> Option<Shut> {
        let &Circumstances { view, now, .. } = around;
        let namespace = &*target.name;
        let by = view.policies.paused_by(&view.world, target, now).map(|by| match by {
            PausedBy::Policy(_, pause) | PausedBy::Namespace(pause) | PausedBy::Object(pause) => pause,
        });
        let pauses: Vec<Pause> = view.declared.pause.into_iter().chain(by).collect();
        let lacks = |verb: &str| {
            let missing = around.missing.get(namespace).into_iter().flatten();
            missing
                .into_iter()
                .any(|right| right.verb == verb && right.resource == Kind::NetworkPolicy.plural())
        };
        let surroundings = Surroundings {
            permitted: !["create", "patch", "delete"].into_iter().any(lacks),
            pauses: &pauses,
            stopped: is_stopped(around, settings),
            limits: &self.limits,
            in_flight: in_flight(view, namespace),
            owner_busy: None,
        };
        first_shut_of_network(&surroundings, self.settled_at, now)
    }
}

/// Whether repairs under one of the isolating policies have stopped.
fn is_stopped(around: &Circumstances<'_>, settings: &Settings) -> bool {
    settings
        .policies
        .iter()
        .filter_map(|id| around.view.declared.policies.get(id))
        .any(|policy| around.context.stops.of(policy).is_some())
}

/// Repairs that are not verified yet, as they are stored.
fn in_flight(view: &View, namespace: &str) -> InFlight {
    let mut count = InFlight::default();
    for ((of, _), remediation) in view.declared.remediations.iter() {
        let is_this = remediation.spec.target.kind == Kind::Namespace.name() && of == namespace;
        if !is_this && is_in_flight(&convert::record(remediation)) {
            count.cluster += 1;
            count.namespace += u32::from(of == namespace);
        }
    }
    count
}
