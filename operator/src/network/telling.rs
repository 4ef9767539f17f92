//! What people and counters are told about a namespace, and the emergency stop.

use ironside_engine::model::ObjectRef;
use ironside_engine::remediate::{Count, CountedOutcome, Effect, Record};
use jiff::Timestamp;

use crate::apply::{Entry, convert, stopping, tell};
use crate::process::Context;
use crate::reconcile::View;

/// Carries out the effects that are nobody else's, once everything before them went well.
pub(super) fn tell(context: &Context, view: &View, target: &ObjectRef, entry: &Entry, done: &[Effect], now: Timestamp) {
    let namespace = view.world.namespace(&target.name);
    let uid = namespace.map(|it| it.metadata.uid.clone()).unwrap_or_default();
    for effect in done {
        match effect {
            Effect::Event(event) => tell::event(&context.reporter, event, target, &uid, entry.stored.as_deref()),
            Effect::Count(what) => {
                tell::count(&context.happenings, what, &entry.record, now);
                if is_rollback(what) {
                    let others: Vec<(ObjectRef, Record)> = records(view, target);
                    let others = others.iter().map(|(target, record)| (target, record));
                    let all = others.chain([(target, &entry.record)]);
                    stopping::rolled_back(view, &context.stops, target, &entry.record, &all, now);
                }
            }
            Effect::Stop => stopping::rollback_failed(view, &context.stops, target, &entry.record),
            _ => {}
        }
    }
}

fn is_rollback(what: &Count) -> bool {
    matches!(
        what,
        Count::Remediation {
            outcome: CountedOutcome::RolledBack,
            ..
        }
    )
}

/// Records of all other targets, as they are stored.
fn records(view: &View, but: &ObjectRef) -> Vec<(ObjectRef, Record)> {
    let stored = view.declared.remediations.values();
    stored
        .filter_map(|remediation| Some((convert::target(remediation)?, convert::record(remediation))))
        .filter(|(target, _)| target != but)
        .collect()
}
