//! What an audit event says of somebody, one file for each kind of question. Pure: a clock is an argument, nothing is sent.
//!
//! Most ask about one event alone; `denied`, `habits` and `tokens` remember, in tables that are bounded and count what they forget. Who does what as part of a
//! cluster's daily work, and is not told on for it, stands in [`exempt`] and nowhere else.
//!
//! Sources: NSA/CISA Kubernetes Hardening Guide, "Audit Logging and Threat Detection"; the audit rules of Falco and Sigma for what the field looks at.

mod connections;
mod credentials;
mod denied;
mod exempt;
mod habits;
mod origin;
mod rights;
mod secrets;
mod table;
#[cfg(test)]
pub(super) mod testing;
mod tokens;
mod traces;

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use ironside_engine::model::{Kind, ObjectRef};
use jiff::Timestamp;

use self::denied::Denied;
use self::habits::Habits;
use self::table::Table;
use self::tokens::Endless;
use super::event::{Event, Stage, shown};
use ironside_engine::detect::{Detection, Sighting};

pub(super) use self::origin::{Addresses, Range};

/// What has to be known beside an event.
#[derive(Clone, Debug, Default)]
pub(super) struct Surroundings {
    /// Addresses of pods and nodes.
    pub addresses: Addresses,
    /// Users and groups that may do everything.
    pub administrators: Administrators,
    /// Ironside's own user name, once it is known.
    pub own: Option<String>,
}

/// Who may do everything, by the bindings to cluster-admin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Administrators {
    /// By name.
    pub users: Vec<String>,
    /// By group.
    pub groups: Vec<String>,
}

/// Requests that are remembered, so that none counts twice: some minutes of a busy cluster, a megabyte.
const REQUESTS: usize = 1 << 16;

/// Kinds of long requests that are remembered; few are ever judged.
const KINDS: usize = 256;

/// Seconds after which the start of a request may have been forgotten, at some thousand requests a second.
const FORGOTTEN: u64 = 30;

/// What one event came to.
#[derive(Debug, PartialEq)]
pub(super) enum Judged {
    /// The request has counted before: a further stage of it, or a batch that was sent again.
    Again,
    /// What was seen, most often nothing.
    Told(Vec<Sighting>),
}

/// Judges events in their order.
#[derive(Debug)]
pub(super) struct Detector {
    hasher: RandomState,
    requests: Table<u64, ()>,
    /// Kinds of long requests whose start the policy lets through.
    starts: Table<u64, ()>,
    denied: Denied,
    habits: Habits,
    endless: Endless,
}

/// One question about one event.
type Question = fn(&Event, &Surroundings) -> Option<Sighting>;

const QUESTIONS: [Question; 11] = [
    connections::command,
    connections::debug_container,
    connections::kubelet,
    secrets::read,
    secrets::written,
    credentials::anonymous,
    credentials::impersonation,
    tokens::asked_for,
    rights::probing,
    origin::pod_from_inside,
    traces::deleted,
];

impl Detector {
    /// Knows nobody yet; `learning` is how long it only learns what administrators do.
    pub(super) fn new(learning: Duration) -> Self {
        Self {
            hasher: RandomState::new(),
            requests: Table::new(REQUESTS),
            starts: Table::new(KINDS),
            denied: Denied::default(),
            habits: Habits::new(learning),
            endless: Endless::default(),
        }
    }

    /// Judges one event.
    pub(super) fn judge(&mut self, event: &Event, around: &Surroundings) -> Judged {
        if self.has_counted(event) {
            return Judged::Again;
        }
        let mut told: Vec<Sighting> = QUESTIONS
            .iter()
            .filter_map(|question| question(event, around))
            .filter(|sighting| !exempt::is_exempt(&event.user, sighting.detection, around.own.as_deref()))
            .collect();
        told.extend(self.denied.note(event));
        told.extend(self.habits.note(event, around));
        told.extend(self.endless.note(event, around));
        Judged::Told(told)
    }

    /// A request counts at the first of its stages that says how it ends: watches and connections at their start, which may be days before their end.
    fn has_counted(&mut self, event: &Event) -> bool {
        if event.stage == Stage::RequestReceived {
            return true;
        }
        let id = self.hasher.hash_one(&event.id);
        if self.requests.get(&id).is_some() || self.started_long_ago(event) {
            return true;
        }
        self.requests.entry(id);
        false
    }

    /// Whether the start of this request has counted, too long ago to be remembered. A policy may leave out the start of some requests and not of others.
    fn started_long_ago(&mut self, event: &Event) -> bool {
        if !is_long(event) {
            return false;
        }
        let kind = self.hasher.hash_one((event.verb == "watch", event.resource()));
        if event.stage == Stage::ResponseStarted {
            self.starts.entry(kind);
            return false;
        }
        let lasted = event
            .stage_timestamp
            .map_or(0, |end| seconds_between(event.received, end));
        event.was_done() && lasted >= FORGOTTEN && self.starts.get(&kind).is_some()
    }

    /// How many requests, users with refused requests, administrators and writers of Secrets were forgotten because there were too many, since this was asked last.
    pub(super) fn forgotten(&mut self) -> [(&'static str, u64); 4] {
        [
            ("requests", self.requests.take_evicted()),
            ("denied", self.denied.take_evicted()),
            ("habits", self.habits.take_evicted()),
            ("writers", self.endless.take_evicted()),
        ]
    }
}

/// Whether a request lasts as long as somebody listens.
fn is_long(event: &Event) -> bool {
    event.verb == "watch" || matches!(event.resource().1, "exec" | "attach" | "portforward" | "proxy" | "log")
}

/// What was seen in an event, on the object that it names.
fn sighting(detection: Detection, event: &Event, what: String) -> Sighting {
    let regarding = regarding(event);
    let (namespace, uid) = match &event.object_ref {
        Some(object) => (object.namespace.as_str(), object.uid.as_str()),
        None => ("", ""),
    };
    Sighting {
        detection,
        object: object(event, regarding.as_ref()),
        namespace: shown(namespace).into_owned(),
        uid: (!uid.is_empty()).then(|| shown(uid).into_owned()),
        regarding,
        user: (!event.who().is_empty()).then(|| shown(event.who()).into_owned()),
        source: event.source_shown(),
        manager: None,
        at: Some(event.received),
        what,
    }
}

/// The object, if it has a name and is of a kind that the engine knows. A name that no object can have is somebody's invention.
fn regarding(event: &Event) -> Option<ObjectRef> {
    let object = event.object_ref.as_ref().filter(|object| !object.name.is_empty())?;
    let is_name = |name: &str| shown(name) == name;
    let kind = Kind::ALL
        .into_iter()
        .find(|kind| kind.plural() == object.resource && kind.group() == object.api_group)?;
    (is_name(&object.name) && is_name(&object.namespace)).then(|| ObjectRef::new(kind, &object.namespace, &object.name))
}

/// The object for people: `Secret shop/db`, `secrets in shop`, `secrets`, or the path.
fn object(event: &Event, regarding: Option<&ObjectRef>) -> String {
    if let Some(regarding) = regarding {
        return regarding.to_string();
    }
    match &event.object_ref {
        None => shown(event.path()).into_owned(),
        Some(object) => {
            let place = match (object.namespace.as_str(), object.name.as_str()) {
                ("", "") => String::new(),
                ("", name) => format!(" {}", shown(name)),
                (namespace, "") => format!(" in {}", shown(namespace)),
                (namespace, name) => format!(" {}/{}", shown(namespace), shown(name)),
            };
            format!("{}{place}", shown(&object.resource))
        }
    }
}

/// Seconds between two moments; 0 if the second is the earlier one: events of several API servers need not come in order.
fn seconds_between(earlier: Timestamp, later: Timestamp) -> u64 {
    u64::try_from(later.duration_since(earlier).as_secs()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::testing::*;
    use super::*;

    fn detector() -> Detector {
        Detector::new(Duration::ZERO)
    }

    fn told(detector: &mut Detector, event: &Event) -> Option<usize> {
        match detector.judge(event, &Surroundings::default()) {
            Judged::Again => None,
            Judged::Told(told) => Some(told.len()),
        }
    }

    #[test]
    fn a_request_counts_once() {
        let mut detector = detector();
        let mut read = by("eve").get("secrets").event();
        assert_eq!(told(&mut detector, &read), Some(1));
        assert_eq!(told(&mut detector, &read), None, "a batch that was sent again");
        read.id = "another".to_owned();
        read.stage = Stage::RequestReceived;
        assert_eq!(told(&mut detector, &read), None, "nobody knows yet how it ends");
        read.stage = Stage::ResponseComplete;
        assert_eq!(told(&mut detector, &read), Some(1));
    }

    #[test]
    fn what_lasts_counts_at_its_start_or_where_that_is_not_sent_at_its_end() {
        let mut watch = by("eve").get("secrets").event();
        watch.verb = "watch".to_owned();
        watch.stage_timestamp = watch.received.checked_add(jiff::SignedDuration::from_mins(5)).ok();
        assert_eq!(
            told(&mut detector(), &watch),
            Some(1),
            "the policy omits ResponseStarted"
        );
        let mut detector = detector();
        watch.stage = Stage::ResponseStarted;
        assert_eq!(told(&mut detector, &watch), Some(1));
        watch.stage = Stage::ResponseComplete;
        assert_eq!(told(&mut detector, &watch), None);
        watch.id = "whose start was forgotten meanwhile".to_owned();
        assert_eq!(told(&mut detector, &watch), None);
        watch.response_status.code = 403;
        assert_eq!(told(&mut detector, &watch), Some(0), "a refused one never started");
        // The policy omits it of other requests only.
        let mut exec = by("eve").verb("create", "pods/exec").ended(101).id("exec").event();
        exec.stage_timestamp = watch.stage_timestamp;
        assert_eq!(told(&mut detector, &exec), Some(1));
        // The batch with its start was lost on the way.
        watch.id = "short".to_owned();
        (watch.stage_timestamp, watch.response_status.code) = (Some(watch.received), 200);
        assert_eq!(told(&mut detector, &watch), Some(1));
    }

    #[test]
    fn what_is_remembered_is_bounded_and_what_is_forgotten_is_counted() {
        let mut detector = detector();
        let mut read = by("eve").get("pods").event();
        for number in 0..REQUESTS + 10 {
            read.id = number.to_string();
            told(&mut detector, &read);
        }
        assert_eq!(
            detector.forgotten(),
            [("requests", 10), ("denied", 0), ("habits", 0), ("writers", 0)]
        );
        assert_eq!(detector.forgotten()[0].1, 0);
    }

    #[test]
    fn objects_are_named_as_people_name_them() {
        let name = |place: (&str, &str, &str)| {
            let mut event = by("eve").event();
            event.object_ref = Some(super::super::event::Object {
                resource: place.0.to_owned(),
                namespace: place.1.to_owned(),
                name: place.2.to_owned(),
                ..Default::default()
            });
            sighting(Detection::D03, &event, String::new()).object
        };
        assert_eq!(name(("secrets", "shop", "db")), "Secret shop/db");
        assert_eq!(name(("secrets", "shop", "")), "secrets in shop");
        assert_eq!(name(("secrets", "", "")), "secrets");
        assert_eq!(name(("events", "shop", "x")), "events shop/x");
        let invented = format!("a\n{}", "b".repeat(500));
        assert!(!name(("secrets", "shop", &invented)).contains('\n'));
        let event = by("eve").path("/metrics?x=y").event();
        assert_eq!(sighting(Detection::D06, &event, String::new()).object, "/metrics");
    }
}
