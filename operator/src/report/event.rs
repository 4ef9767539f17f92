//! Events (`events.k8s.io/v1`): transitions that somebody wants to know about. Never one per finding, never one per scan.

use k8s_openapi::api::core::v1::ObjectReference;
use kube::runtime::events::{Event as KubeEvent, EventType};
use tokio::sync::mpsc;

use ironside_engine::model::ObjectRef;

/// What happened; a closed set, so that people can filter by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)] // The names are the documentation: they are what a reader of events sees.
pub enum EventReason {
    DriftDetected,
    RemediationPlanned,
    RemediationApplied,
    RemediationVerified,
    RemediationRolledBack,
    RemediationSkipped,
    RemediationReverted,
    ReconcileConflict,
    ExceptionExpiring,
    ExceptionExpired,
    PermissionDenied,
    NetworkPolicyStaged,
    ControlUnknown,
    SuspiciousActivity,
}

impl EventReason {
    /// CamelCase name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DriftDetected => "DriftDetected",
            Self::RemediationPlanned => "RemediationPlanned",
            Self::RemediationApplied => "RemediationApplied",
            Self::RemediationVerified => "RemediationVerified",
            Self::RemediationRolledBack => "RemediationRolledBack",
            Self::RemediationSkipped => "RemediationSkipped",
            Self::RemediationReverted => "RemediationReverted",
            Self::ReconcileConflict => "ReconcileConflict",
            Self::ExceptionExpiring => "ExceptionExpiring",
            Self::ExceptionExpired => "ExceptionExpired",
            Self::PermissionDenied => "PermissionDenied",
            Self::NetworkPolicyStaged => "NetworkPolicyStaged",
            Self::ControlUnknown => "ControlUnknown",
            Self::SuspiciousActivity => "SuspiciousActivity",
        }
    }

    /// Whether a person has to do something; everything else is progress.
    const fn kind(self) -> EventType {
        match self {
            Self::RemediationPlanned
            | Self::RemediationApplied
            | Self::RemediationVerified
            | Self::RemediationReverted
            | Self::NetworkPolicyStaged
            | Self::ExceptionExpiring => EventType::Normal,
            Self::DriftDetected
            | Self::RemediationRolledBack
            | Self::RemediationSkipped
            | Self::ReconcileConflict
            | Self::ExceptionExpired
            | Self::PermissionDenied
            | Self::ControlUnknown
            | Self::SuspiciousActivity => EventType::Warning,
        }
    }

    /// What we did about it, as the `action` of the event.
    const fn action(self) -> &'static str {
        match self {
            Self::DriftDetected | Self::ControlUnknown | Self::PermissionDenied => "Evaluate",
            Self::SuspiciousActivity => "Detect",
            Self::RemediationPlanned | Self::NetworkPolicyStaged => "Plan",
            Self::RemediationApplied => "Apply",
            Self::RemediationVerified => "Verify",
            Self::RemediationRolledBack | Self::RemediationReverted => "Undo",
            Self::RemediationSkipped | Self::ReconcileConflict => "Hold",
            Self::ExceptionExpiring | Self::ExceptionExpired => "Expire",
        }
    }
}

/// One event.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// What happened.
    pub reason: EventReason,
    /// The object it is about.
    pub regarding: ObjectReference,
    /// The policy, exception or remediation that has to do with it.
    pub related: Option<ObjectReference>,
    /// A sentence for people; at most 1 kB is kept, as the API server demands.
    pub note: String,
}

/// Longest note that the API server takes, in bytes.
const LONGEST_NOTE: usize = 1024;

impl Event {
    pub(super) fn into_parts(self) -> (KubeEvent, ObjectReference) {
        let Self {
            reason,
            regarding,
            related,
            mut note,
        } = self;
        if note.len() > LONGEST_NOTE {
            let end = (0..=LONGEST_NOTE - 4)
                .rev()
                .find(|at| note.is_char_boundary(*at))
                .unwrap_or(0);
            note.truncate(end);
            note.push('…');
        }
        let event = KubeEvent {
            type_: reason.kind(),
            reason: reason.as_str().to_owned(),
            note: Some(note),
            action: reason.action().to_owned(),
            secondary: related,
        };
        (event, regarding)
    }
}

/// A reference for events to an object that the engine knows.
pub fn reference(object: &ObjectRef, uid: &str) -> ObjectReference {
    ObjectReference {
        api_version: Some(object.kind.api_version().to_owned()),
        kind: Some(object.kind.name().to_owned()),
        name: Some(object.name.to_string()),
        namespace: (!object.namespace.is_empty()).then(|| object.namespace.to_string()),
        uid: (!uid.is_empty()).then(|| uid.to_owned()),
        ..ObjectReference::default()
    }
}

/// Where events are handed in. Cheap to clone; never blocks: when too many wait, further ones are dropped and counted, for they only tell of what status and
/// metrics show anyway.
#[derive(Clone, Debug)]
pub struct Reporter {
    queue: mpsc::Sender<Event>,
}

/// Events that may wait.
const QUEUE: usize = 512;

impl Reporter {
    /// A reporter, and the end at which its events come out.
    pub fn new() -> (Self, mpsc::Receiver<Event>) {
        let (queue, events) = mpsc::channel(QUEUE);
        (Self { queue }, events)
    }

    /// Hands an event in. Returns whether it was taken.
    pub fn report(&self, event: Event) -> bool {
        self.queue.try_send(event).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_note_is_cut_between_characters() {
        let event = Event {
            reason: EventReason::DriftDetected,
            regarding: ObjectReference::default(),
            related: None,
            note: "ü".repeat(2000),
        };
        let note = event.into_parts().0.note.unwrap();
        assert!(note.len() <= LONGEST_NOTE && note.ends_with('…'));
    }
}
