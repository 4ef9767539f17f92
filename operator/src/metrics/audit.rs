//! Counters of the audit sink.

use jiff::Timestamp;
use prometheus::core::Collector;
use prometheus::{IntCounter, IntCounterVec, IntGauge, Opts};

/// What came to the audit sink and what became of it. All labels are closed sets.
#[derive(Debug)]
pub(crate) struct AuditCounts {
    events: IntCounterVec,
    requests: IntCounterVec,
    connections_refused: IntCounterVec,
    forgotten: IntCounterVec,
    last_event: IntGauge,
    accepted: IntCounter,
    repeated: IntCounter,
    malformed: IntCounter,
}

const EVENTS: [&str; 3] = ["accepted", "repeated", "malformed"];
const REQUESTS: [&str; 9] = [
    "accepted",
    "broken",
    "busy",
    "malformed",
    "no_length",
    "not_leading",
    "not_ready",
    "stopping",
    "too_long",
];
const CONNECTIONS: [&str; 4] = ["handshake", "no_certificate", "timeout", "wrong_certificate"];
const MEMORIES: [&str; 4] = ["denied", "habits", "requests", "writers"];

impl AuditCounts {
    pub(super) fn new() -> prometheus::Result<Self> {
        let vec = |name: &str, help: &str, label: &str, values: &[&str]| {
            let vec = IntCounterVec::new(Opts::new(name, help), &[label])?;
            // From zero: a counter that appears with its first happening has no rate of that happening.
            for value in values {
                vec.with_label_values(&[value]);
            }
            prometheus::Result::Ok(vec)
        };
        let events = vec(
            "ironside_audit_events_total",
            "Audit events: accepted and judged, repeated (a further stage of a request, or sent again), or malformed and dropped.",
            "outcome",
            &EVENTS,
        )?;
        Ok(Self {
            accepted: events.with_label_values(&["accepted"]),
            repeated: events.with_label_values(&["repeated"]),
            malformed: events.with_label_values(&["malformed"]),
            events,
            requests: vec(
                "ironside_audit_requests_total",
                "Batches of audit events by what was answered. Whatever is not accepted the API server sends again, some times.",
                "outcome",
                &REQUESTS,
            )?,
            connections_refused: vec(
                "ironside_audit_connections_refused_total",
                "Connections to the audit sink that ended in the handshake, by reason.",
                "reason",
                &CONNECTIONS,
            )?,
            forgotten: vec(
                "ironside_audit_forgotten_total",
                "What the audit sink remembered and forgot because there was too much of it, by memory.",
                "memory",
                &MEMORIES,
            )?,
            last_event: IntGauge::new(
                "ironside_audit_last_event_timestamp_seconds",
                "When the last audit event came; 0 if none did.",
            )?,
        })
    }

    pub(super) fn collectors(&self) -> Vec<Box<dyn Collector>> {
        let Self {
            events,
            requests,
            connections_refused,
            forgotten,
            last_event,
            accepted: _,
            repeated: _,
            malformed: _,
        } = self;
        let mut collectors: Vec<Box<dyn Collector>> = vec![Box::new(last_event.clone())];
        for vec in [events, requests, connections_refused, forgotten] {
            collectors.push(Box::new(vec.clone()));
        }
        collectors
    }

    /// An event was judged.
    pub(crate) fn accepted(&self) {
        self.accepted.inc();
    }

    /// An event was of a request that had counted.
    pub(crate) fn repeated(&self) {
        self.repeated.inc();
    }

    /// Events could not be read.
    pub(crate) fn malformed(&self, count: u64) {
        self.malformed.inc_by(count);
    }

    /// A batch was answered.
    pub(crate) fn request(&self, outcome: &'static str) {
        self.requests.with_label_values(&[outcome]).inc();
    }

    /// A connection ended in the handshake. Returns how many have for this reason.
    pub(crate) fn connection_refused(&self, reason: &'static str) -> u64 {
        let count = self.connections_refused.with_label_values(&[reason]);
        count.inc();
        count.get()
    }

    /// Something was forgotten.
    pub(crate) fn forgotten(&self, memory: &'static str, count: u64) {
        self.forgotten.with_label_values(&[memory]).inc_by(count);
    }

    /// Events came.
    pub(crate) fn heard(&self, at: Timestamp) {
        self.last_event.set(at.as_second());
    }
}
