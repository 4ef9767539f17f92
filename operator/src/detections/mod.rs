//! What becomes of a sighting, whoever saw it: the policies say whether it is told, then it is counted, logged and sent as an Event.
//!
//! Every sighting that is not allowed is counted. Logs and Events are paced for each detection, so that whoever makes a thousand of one kind hides neither the
//! others nor how many there were: the next line that is told says how many were not.

mod pace;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use ironside_engine::detect::{Detection, Sighting};
use ironside_engine::model::{Kind, ObjectRef};
use ironside_engine::policy::Telling;
use parking_lot::Mutex;

use crate::metrics::Happenings;
use crate::reconcile::Views;
use crate::report::event::{self, Event, EventReason, Reporter};
use pace::Pace;

/// Where sightings are handed in. Cheap to clone; never blocks.
#[derive(Clone, Debug)]
pub struct Detections {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    views: Views,
    reporter: Reporter,
    happenings: Arc<Happenings>,
    own_namespace: String,
    paces: Mutex<BTreeMap<Detection, Pace>>,
}

impl Detections {
    /// Tells by the policies of the latest view.
    pub fn new(views: Views, reporter: Reporter, happenings: Arc<Happenings>, own_namespace: &str) -> Self {
        let shared = Shared {
            views,
            reporter,
            happenings,
            own_namespace: own_namespace.to_owned(),
            paces: Mutex::default(),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Takes a sighting in.
    pub fn saw(&self, sighting: &Sighting) {
        let Shared { views, happenings, .. } = &*self.shared;
        match views.latest().policies.telling(sighting) {
            Telling::Unasked => {}
            Telling::Allowed => happenings.detection_allowed(sighting.detection.id()),
            Telling::Told => {
                happenings.detected(sighting.detection.id());
                self.tell(sighting);
            }
        }
    }

    fn tell(&self, sighting: &Sighting) {
        let Shared { paces, reporter, .. } = &*self.shared;
        let Some(untold) = paces.lock().entry(sighting.detection).or_default().take(Instant::now()) else {
            return;
        };
        let Sighting {
            detection,
            object,
            user,
            source,
            manager,
            what,
            ..
        } = sighting;
        tracing::warn!(
            detection = detection.id(),
            title = detection.facts().title,
            object,
            what,
            user,
            source,
            manager,
            untold,
            "detection"
        );
        let untold = match untold {
            0 => String::new(),
            untold => format!(" ({untold} more of {} were counted and not told)", detection.id()),
        };
        reporter.report(Event {
            reason: EventReason::SuspiciousActivity,
            regarding: self.regarding(sighting),
            related: None,
            note: format!("{detection}: {sighting}{untold}"),
        });
    }

    /// The object, or the operator's own Namespace where there is none that an Event could be about.
    fn regarding(&self, sighting: &Sighting) -> k8s_openapi::api::core::v1::ObjectReference {
        match &sighting.regarding {
            Some(object) => event::reference(object, sighting.uid.as_deref().unwrap_or_default()),
            None => event::reference(&ObjectRef::new(Kind::Namespace, "", &self.shared.own_namespace), ""),
        }
    }
}
