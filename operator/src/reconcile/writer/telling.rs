//! What is told the moment it is seen: drift, and what a change shows of whoever made it.

use ironside_engine::detect::{self, Detection, Writer as Author};
use ironside_engine::model::{Kind, ObjectRef};
use ironside_engine::world::Delta;

use super::Writer;
use crate::metrics::happenings::actor_class;
use crate::reconcile::Outcome;
use crate::reconcile::judge::{Bench, drift};
use crate::report::event::{self, Event, EventReason};

impl Writer {
    /// Tells what a change of something that was looked at before shows of whoever made it. Our own undo is nobody's doing.
    pub(super) fn tell_sightings(&self, delta: &Delta, author: Option<&Author>) {
        let Some(detections) = &self.detections else { return };
        for sighting in detect::seen(self.world.current(), delta, author) {
            let target = match (sighting.detection, &sighting.regarding) {
                // The network of a namespace is undone as a whole.
                (Detection::D18, Some(policy)) => Some(ObjectRef::new(Kind::Namespace, "", &policy.namespace)),
                (_, target) => target.clone(),
            };
            if !target.is_some_and(|target| self.feed.is_being_undone(&target)) {
                detections.saw(&sighting);
            }
        }
    }

    pub(super) fn tell_drift(&self, bench: &Bench, before: &Outcome, after: &Outcome) {
        let mut controls = Vec::new();
        let mut actor = None;
        for finding in drift(before, after) {
            let owner = finding.evidence.iter().find_map(|evidence| evidence.owner.as_ref());
            let manager = owner.map(|owner| owner.manager.as_str());
            self.happenings
                .drifted(finding.control.id.as_str(), actor_class(manager));
            controls.push(format!("{} ({})", finding.control.id, finding.control.title));
            actor = actor.or(manager);
        }
        if controls.is_empty() {
            return;
        }
        let target = &after.evaluation.target;
        let by = actor.map_or_else(String::new, |manager| format!("; last written by {manager}"));
        tracing::info!(%target, controls = controls.join(", "), actor, "drift");
        let uid = bench.world.metadata(target).map(|meta| meta.uid.clone());
        self.reporter.report(Event {
            reason: EventReason::DriftDetected,
            regarding: event::reference(target, uid.as_deref().unwrap_or_default()),
            related: None,
            note: format!("passed before and fails now: {}{by}", controls.join(", ")),
        });
    }
}
