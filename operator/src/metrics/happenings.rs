//! Counters and histograms: what happened since the process started.

use std::time::Duration;

use ironside_engine::controls::CONTROLS;
use ironside_engine::detect::Detection;
use prometheus::core::Collector;
use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, Opts, Registry};

use super::audit::AuditCounts;

/// Everything that is counted when it happens. All labels are closed sets.
#[derive(Debug)]
pub struct Happenings {
    objects_evaluated: IntCounterVec,
    scan_duration: Histogram,
    reconcile_duration: Histogram,
    reconcile_errors: IntCounterVec,
    drift: IntCounterVec,
    remediations: IntCounterVec,
    remediation_duration: Histogram,
    conflicts: IntCounterVec,
    status_writes: IntCounterVec,
    events: IntCounterVec,
    series_dropped: IntCounter,
    checks_panicked: IntCounter,
    detections: IntCounterVec,
    detections_allowed: IntCounterVec,
    audit: AuditCounts,
}

/// How an attempt to repair ended, or went on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // The outcomes, by name.
pub enum Outcome {
    Applied,
    Verified,
    RolledBack,
    Skipped,
    Conflict,
    Failed,
    Reverted,
}

impl Outcome {
    const ALL: [Self; 7] = [
        Self::Applied,
        Self::Verified,
        Self::RolledBack,
        Self::Skipped,
        Self::Conflict,
        Self::Failed,
        Self::Reverted,
    ];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Verified => "verified",
            Self::RolledBack => "rolled_back",
            Self::Skipped => "skipped",
            Self::Conflict => "conflict",
            Self::Failed => "failed",
            Self::Reverted => "reverted",
        }
    }
}

/// Every class that [`actor_class`] gives.
const ACTOR_CLASSES: [&str; 6] = ["human", "gitops", "helm", "controller", "ironside", "unknown"];

/// What kind of writer changed an object, told by its field manager. The name itself would be an unbounded label.
pub fn actor_class(manager: Option<&str>) -> &'static str {
    let Some(manager) = manager else { return "unknown" };
    let is = |prefixes: &[&str]| prefixes.iter().any(|prefix| manager.starts_with(prefix));
    if is(&["kubectl", "oc", "k9s", "Lens", "headlamp"]) {
        "human"
    } else if is(&["argocd", "kustomize-controller", "helm-controller", "flux"]) {
        "gitops"
    } else if is(&["helm", "Helm"]) {
        "helm"
    } else if is(&["ironside/"]) {
        "ironside"
    } else {
        "controller"
    }
}

impl Happenings {
    /// Counters at zero.
    pub fn new() -> prometheus::Result<Self> {
        let vec = |name: &str, help: &str, labels: &[&str]| IntCounterVec::new(Opts::new(name, help), labels);
        let seconds = |name: &str, help: &str, buckets: Vec<f64>| {
            Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets))
        };
        let quick = vec![
            0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
        ];
        let slow = vec![
            1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 1800.0, 3600.0, 14400.0, 86400.0, 604_800.0,
        ];
        let happenings = Self {
            objects_evaluated: vec(
                "ironside_objects_evaluated_total",
                "Objects judged, again and again, by kind.",
                &["kind"],
            )?,
            scan_duration: seconds(
                "ironside_scan_duration_seconds",
                "Time to judge everything anew (at start, after a policy or exception changed).",
                quick.clone(),
            )?,
            reconcile_duration: seconds(
                "ironside_reconcile_duration_seconds",
                "Time from taking a batch of changes in to publishing what follows.",
                quick,
            )?,
            reconcile_errors: vec(
                "ironside_reconcile_errors_total",
                "Failures by part of the operator and reason.",
                &["controller", "reason"],
            )?,
            drift: vec(
                "ironside_drift_total",
                "Objects that passed a control and, after somebody's change, fail it.",
                &["control", "actor_class"],
            )?,
            remediations: vec(
                "ironside_remediations_total",
                "Repairs by control and outcome.",
                &["control", "outcome"],
            )?,
            remediation_duration: seconds(
                "ironside_remediation_duration_seconds",
                "Time from the first patch to the end of verification.",
                slow,
            )?,
            conflicts: vec(
                "ironside_conflicts_total",
                "Repairs given up because another writer owns or undid them.",
                &["actor_class"],
            )?,
            status_writes: vec(
                "ironside_status_writes_total",
                "Status writes by kind and outcome.",
                &["kind", "outcome"],
            )?,
            events: vec(
                "ironside_events_total",
                "Events by reason and outcome.",
                &["reason", "outcome"],
            )?,
            series_dropped: IntCounter::new(
                "ironside_series_dropped_total",
                "Series that a scrape left out because there would have been too many.",
            )?,
            checks_panicked: IntCounter::new(
                "ironside_panics_total",
                "Panics while an object was judged or planned, which counts as unknown, or an audit event was judged, which then tells nothing.",
            )?,
            detections: vec(
                "ironside_detections_total",
                "Sightings of what people and programs do that no policy allows them, by detection (docs/detections.md).",
                &["detection"],
            )?,
            detections_allowed: vec(
                "ironside_detections_allowed_total",
                "Sightings that the policies allow, by detection; not told.",
                &["detection"],
            )?,
            audit: AuditCounts::new()?,
        };
        happenings.start_at_zero();
        Ok(happenings)
    }

    /// A counter that appears only with its first happening has no rate of that happening, and an alert on it stays silent.
    fn start_at_zero(&self) {
        for control in CONTROLS {
            for actor in ACTOR_CLASSES {
                self.drift.with_label_values(&[control.id.as_str(), actor]);
            }
            for outcome in control.repair.iter().flat_map(|_| Outcome::ALL) {
                self.remediations
                    .with_label_values(&[control.id.as_str(), outcome.as_str()]);
            }
        }
        for actor in ACTOR_CLASSES {
            self.conflicts.with_label_values(&[actor]);
        }
        for detection in Detection::ALL {
            self.detections.with_label_values(&[detection.id()]);
            self.detections_allowed.with_label_values(&[detection.id()]);
        }
    }

    /// Every metric of this module: name, meaning, labels.
    pub fn describe(&self) -> Vec<(String, String, Vec<String>)> {
        let collectors = self.collectors();
        let descs = collectors.iter().flat_map(|collector| collector.desc());
        descs
            .map(|desc| (desc.fq_name.clone(), desc.help.clone(), desc.variable_labels.clone()))
            .collect()
    }

    pub(crate) fn register(&self, registry: &Registry) -> prometheus::Result<()> {
        self.collectors()
            .into_iter()
            .try_for_each(|collector| registry.register(collector))
    }

    fn collectors(&self) -> Vec<Box<dyn Collector>> {
        let Self {
            objects_evaluated,
            scan_duration,
            reconcile_duration,
            reconcile_errors,
            drift,
            remediations,
            remediation_duration,
            conflicts,
            status_writes,
            events,
            series_dropped,
            checks_panicked,
            detections,
            detections_allowed,
            audit,
        } = self;
        let mut collectors: Vec<Box<dyn Collector>> = audit.collectors();
        for vec in [
            objects_evaluated,
            reconcile_errors,
            drift,
            remediations,
            conflicts,
            status_writes,
            events,
            detections,
            detections_allowed,
        ] {
            collectors.push(Box::new(vec.clone()));
        }
        for histogram in [scan_duration, reconcile_duration, remediation_duration] {
            collectors.push(Box::new(histogram.clone()));
        }
        for counter in [series_dropped, checks_panicked] {
            collectors.push(Box::new(counter.clone()));
        }
        collectors
    }

    /// An object was judged.
    pub fn evaluated(&self, kind: &str, count: u64) {
        self.objects_evaluated.with_label_values(&[kind]).inc_by(count);
    }

    /// Everything was judged anew.
    pub fn scanned(&self, took: Duration) {
        self.scan_duration.observe(took.as_secs_f64());
    }

    /// A batch of changes was taken in and its consequences published.
    pub fn reconciled(&self, took: Duration) {
        self.reconcile_duration.observe(took.as_secs_f64());
    }

    /// Something failed. Both labels are from closed sets: never an error's text.
    pub fn failed(&self, controller: &'static str, reason: &'static str) {
        self.reconcile_errors.with_label_values(&[controller, reason]).inc();
    }

    /// An object that passed a control now fails it.
    pub fn drifted(&self, control: &str, actor_class: &str) {
        self.drift.with_label_values(&[control, actor_class]).inc();
    }

    /// A repair of a control came to an outcome.
    pub fn remediated(&self, control: &str, outcome: Outcome) {
        self.remediations.with_label_values(&[control, outcome.as_str()]).inc();
    }

    /// A repair was verified or undone after this time.
    pub fn remediation_took(&self, took: Duration) {
        self.remediation_duration.observe(took.as_secs_f64());
    }

    /// Another writer owns, or undid, what a repair wrote. Give its class by [`actor_class`].
    pub fn conflicted(&self, actor_class: &str) {
        self.conflicts.with_label_values(&[actor_class]).inc();
    }

    pub(crate) fn status_written(&self, kind: &str, outcome: &str) {
        self.status_writes.with_label_values(&[kind, outcome]).inc();
    }

    pub(crate) fn event(&self, reason: &str, outcome: &str) {
        self.events.with_label_values(&[reason, outcome]).inc();
    }

    pub(crate) fn detected(&self, detection: &'static str) {
        self.detections.with_label_values(&[detection]).inc();
    }

    pub(crate) fn detection_allowed(&self, detection: &'static str) {
        self.detections_allowed.with_label_values(&[detection]).inc();
    }

    pub(crate) fn series_dropped(&self, count: u64) {
        self.series_dropped.inc_by(count);
    }

    /// What the audit sink counts.
    pub(crate) fn audit(&self) -> &AuditCounts {
        &self.audit
    }

    pub(crate) fn panicked(&self) {
        self.checks_panicked.inc();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actors_are_classes_not_names() {
        assert_eq!(actor_class(Some("kubectl-edit")), "human");
        assert_eq!(actor_class(Some("argocd-controller")), "gitops");
        assert_eq!(actor_class(Some("helm")), "helm");
        assert_eq!(actor_class(Some("helm-controller")), "gitops");
        assert_eq!(actor_class(Some("ironside/workload")), "ironside");
        assert_eq!(actor_class(Some("my-operator")), "controller");
        assert_eq!(actor_class(None), "unknown");
    }
}
