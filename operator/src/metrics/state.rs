//! Gauges, computed from the latest view at scrape time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use ironside_engine::attack::End;
use ironside_engine::controls::{Component, Framework, Threat};
use ironside_engine::policy::PolicyId;
use jiff::Timestamp;
use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use tokio::sync::watch;

use super::definitions::{
    API_REQUESTS, APPROVAL_GUARDED, ATTACK_WAYS, BUILD_INFO, CONTROLS, COVERAGE, DEFINITIONS, LAST_SCAN, LEADER,
    PAUSED, PERMISSION_DENIED, POLICY_CONDITION, POLICY_INFO, SCORE, UNREADABLE, WATCH_RESTARTS, WATCH_SILENCE,
    WATCH_STANDING,
};
use super::family::{Family, sample};
use super::findings::{MOST_SERIES, findings};
use super::happenings::Happenings;
use super::process;
use super::repairs::{exceptions, repairs};
use crate::cluster::permissions::Missing;
use crate::cluster::requests::Requests;
use crate::cluster::{Leadership, Standing, Watches};
use crate::reconcile::results::by_result;
use crate::reconcile::score::Dimension;
use crate::reconcile::{View, Views};

/// What the gauges are computed from.
pub struct State {
    /// The latest view.
    pub views: Views,
    /// The watches.
    pub watches: Watches,
    /// Whether this process leads.
    pub leadership: Leadership,
    /// Requests so far.
    pub requests: Arc<Requests>,
    /// Rights that are missing.
    pub missing: watch::Receiver<Arc<Missing>>,
    /// Where series are counted that did not fit.
    pub happenings: Arc<Happenings>,
    /// Descriptors of everything above.
    pub descs: Vec<Desc>,
}

/// The descriptors of all gauges.
pub fn descs() -> prometheus::Result<Vec<Desc>> {
    DEFINITIONS.iter().map(|definition| definition.desc()).collect()
}

impl Collector for State {
    fn desc(&self) -> Vec<&Desc> {
        self.descs.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let view = self.views.latest();
        let now = Timestamp::now();
        let mut families = vec![build_info(), Family::single(&LEADER, flag(self.leadership.leads()))];
        families.extend(process::families());
        families.extend(self.watches());
        families.push(self.requests());
        families.push(self.permissions(&view));
        families.push(Family::single(
            &PAUSED,
            flag(view.declared.pause.is_some_and(|pause| pause.is_active(now))),
        ));
        families.push(Family::single(
            &APPROVAL_GUARDED,
            flag(view.declared.approval_guarded()),
        ));
        families.push(unreadable(&view));
        if view.judged_at.is_some() {
            let (findings, dropped) = findings(&view.results, policy_label, MOST_SERIES);
            self.happenings.series_dropped(dropped);
            families.push(findings);
            families.push(last_scan(&view, now));
            families.extend(policies(&view));
            families.push(attack_ways(&view));
            families.extend(repairs(&view));
            families.extend(exceptions(&view, now));
        }
        families.into_iter().filter_map(Family::finish).collect()
    }
}

impl State {
    fn watches(&self) -> [Family; 3] {
        let now = Instant::now();
        let mut restarts: BTreeMap<&str, u64> = BTreeMap::new();
        let mut silence: BTreeMap<&str, f64> = BTreeMap::new();
        let mut standings: BTreeMap<(&str, Standing), u64> = BTreeMap::new();
        for watch in self.watches.iter() {
            let kind = watch.source.kind();
            let health = watch.health.lock();
            *restarts.entry(kind).or_default() += health.restarts();
            let longest = silence.entry(kind).or_default();
            *longest = longest.max(health.silence(now).as_secs_f64());
            for standing in Standing::ALL {
                *standings.entry((kind, standing)).or_default() += u64::from(standing == health.standing());
            }
        }
        let mut families = [
            Family::of(&WATCH_RESTARTS),
            Family::of(&WATCH_SILENCE),
            Family::of(&WATCH_STANDING),
        ];
        for (kind, count) in restarts {
            families[0].add([kind], sample(count));
        }
        for (kind, seconds) in silence {
            families[1].add([kind], seconds);
        }
        for ((kind, standing), count) in standings {
            families[2].add([kind, standing.as_str()], sample(count));
        }
        families
    }

    fn requests(&self) -> Family {
        let mut family = Family::of(&API_REQUESTS);
        for ((verb, code), count) in self.requests.read() {
            family.add([verb, &code.to_string()], sample(count));
        }
        family
    }

    fn permissions(&self, view: &View) -> Family {
        let mut family = Family::of(&PERMISSION_DENIED);
        let mut denied: BTreeMap<(String, &str), f64> = BTreeMap::new();
        for (source, _) in view.standings.denied() {
            denied.insert((source.resource().into_owned(), "watch"), 1.0);
        }
        for right in self.missing.borrow().values().flatten() {
            let resource = match right.group {
                "" => right.resource.to_owned(),
                group => format!("{}.{group}", right.resource),
            };
            denied.insert((resource, right.verb), 1.0);
        }
        for ((resource, verb), value) in denied {
            family.add([&resource, verb], value);
        }
        family
    }

    #[cfg(test)]
    pub(crate) fn for_tests(views: Views, happenings: &Arc<Happenings>) -> Self {
        Self {
            views,
            watches: Watches::default(),
            leadership: Leadership::default(),
            requests: Arc::default(),
            missing: watch::channel(Arc::default()).1,
            happenings: Arc::clone(happenings),
            descs: descs().unwrap(),
        }
    }
}

/// `baseline`, `shop/team`: no object of Kubernetes has a slash in its name, so the two kinds cannot be confused.
pub fn policy_label(policy: &PolicyId) -> String {
    match &policy.namespace {
        None => policy.name.to_string(),
        Some(namespace) => format!("{namespace}/{}", policy.name),
    }
}

fn build_info() -> Family {
    let mut family = Family::of(&BUILD_INFO);
    family.add([env!("CARGO_PKG_VERSION")], 1.0);
    family
}

const fn flag(value: bool) -> f64 {
    if value { 1.0 } else { 0.0 }
}

fn last_scan(view: &View, now: Timestamp) -> Family {
    let broken = view
        .standings
        .since()
        .filter(|(.., standing, _)| *standing == Standing::Interrupted)
        .map(|(.., since)| since)
        .min();
    let mut family = Family::of(&LAST_SCAN);
    family.add([], seconds(broken.unwrap_or(now)));
    family
}

#[allow(clippy::cast_precision_loss)] // seconds since 1970 stay far below 2^52
pub(super) fn seconds(time: Timestamp) -> f64 {
    time.as_second() as f64
}

fn policies(view: &View) -> Vec<Family> {
    let cards = view.scorecards();
    let mut info = Family::of(&POLICY_INFO);
    let mut condition = Family::of(&POLICY_CONDITION);
    let mut score = Family::of(&SCORE);
    let mut coverage = Family::of(&COVERAGE);
    let mut controls = Family::of(&CONTROLS);
    for (id, policy) in view.declared.policies.iter() {
        let label = policy_label(id);
        let mode = ironside_engine::policy::Mode::from(policy.spec().mode);
        info.add([&label, mode.as_str()], 1.0);
        for known in policy.status().into_iter().flat_map(|status| &status.conditions) {
            for (status, name) in STATUSES {
                condition.add([&label, &known.type_, name], flag(known.status == status));
            }
        }
        let Some(card) = cards.get(id) else { continue };
        let of_policy = card.score();
        if let Some(ratio) = of_policy.score_ratio() {
            score.add([&label], ratio);
        }
        if let Some(ratio) = of_policy.coverage_ratio() {
            coverage.add([&label], ratio);
        }
        for set in dimensions() {
            let (name, value) = set.labels();
            for (result, count) in by_result(card.controls_in(set))
                .into_iter()
                .filter(|(_, count)| *count > 0)
            {
                controls.add([&label, name, value, result], f64::from(count));
            }
        }
    }
    vec![info, condition, score, coverage, controls]
}

const STATUSES: [(ironside_crds::ConditionStatus, &str); 3] = [
    (ironside_crds::ConditionStatus::True, "True"),
    (ironside_crds::ConditionStatus::False, "False"),
    (ironside_crds::ConditionStatus::Unknown, "Unknown"),
];

fn dimensions() -> impl Iterator<Item = Dimension> {
    let frameworks = [
        Framework::NsaCisa,
        Framework::PssBaseline,
        Framework::PssRestricted,
        Framework::Cis,
        Framework::Kubescape,
        Framework::Trivy,
        Framework::Mitre,
    ];
    let components = Component::ALL.into_iter().map(Dimension::Component);
    let threats = Threat::ALL.into_iter().map(Dimension::Threat);
    components.chain(threats).chain(frameworks.map(Dimension::Framework))
}

fn attack_ways(view: &View) -> Family {
    let mut counts: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for entry in ["outside", "inside"] {
        for end in ["cluster-admin", "node"] {
            counts.insert((entry, end), 0);
        }
    }
    for way in view.world.ways() {
        let entry = if way.entry.is_some() { "outside" } else { "inside" };
        let end = match way.end {
            End::ClusterAdmin { .. } => "cluster-admin",
            End::Node { .. } => "node",
        };
        *counts.entry((entry, end)).or_default() += 1;
    }
    let mut family = Family::of(&ATTACK_WAYS);
    for ((entry, end), count) in counts {
        family.add([entry, end], sample(count));
    }
    family
}

fn unreadable(view: &View) -> Family {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for object in view.world.unreadable.keys() {
        *counts.entry(object.kind.name()).or_default() += 1;
    }
    for (source, _) in view.declared.unreadable.keys() {
        *counts.entry(source.kind()).or_default() += 1;
    }
    let mut family = Family::of(&UNREADABLE);
    for (kind, count) in counts {
        family.add([kind], sample(count));
    }
    family
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_labels_follow_the_conventions() {
        for definition in DEFINITIONS {
            let prefixed = ["ironside_", "process_"]
                .iter()
                .any(|prefix| definition.name.starts_with(prefix));
            assert!(prefixed, "{}", definition.name);
            assert!(definition.help.ends_with('.'), "{}", definition.name);
            for label in definition.labels {
                let renamed_by_prometheus = [
                    "namespace",
                    "pod",
                    "job",
                    "instance",
                    "container",
                    "service",
                    "endpoint",
                ];
                assert!(!renamed_by_prometheus.contains(label), "{}: {label}", definition.name);
            }
        }
    }
}
