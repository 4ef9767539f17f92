//! The one metric that could grow without bound: findings by policy, control and namespace. Kept below a cap by folding namespaces together.

use std::collections::BTreeSet;

use ironside_engine::controls::{self, ControlId};
use ironside_engine::evaluate::Counts;
use ironside_engine::policy::PolicyId;

use super::family::{Definition, Family};
use crate::reconcile::Results;
use crate::reconcile::results::{Tallies, by_result};

/// Objects by result.
pub const FINDINGS: Definition = Definition {
    name: "ironside_findings",
    help: "Objects by policy, control and result. Namespaces beyond the cap on series are summed up as _other.",
    labels: &["policy", "control", "severity", "target_namespace", "result"],
};

/// Series of this metric in one scrape. A Prometheus server takes thousands without noticing; dashboards do not get better by more.
pub const MOST_SERIES: usize = 2000;

/// Where namespaces are summed up that did not fit. No Namespace can have this name.
const OTHER: &str = "_other";

/// The series, and how many there would have been beyond the cap.
pub fn findings(results: &Results, name: impl Fn(&PolicyId) -> String, most: usize) -> (Family, u64) {
    let named = named_namespaces(results, most);
    let mut other = Tallies::new();
    let mut series = Vec::new();
    let mut dropped = 0;
    for (namespace, of_namespace) in results.namespaces() {
        for (key, line) in &of_namespace.tallies {
            if named.contains(&**namespace) {
                series.push((key.clone(), &**namespace, line.counts));
            } else {
                dropped += results_in(line.counts) as u64;
                other.entry(key.clone()).or_default().add(*line);
            }
        }
    }
    series.extend(other.into_iter().map(|(key, line)| (key, OTHER, line.counts)));
    let mut family = Family::of(&FINDINGS);
    let mut written = 0;
    for ((policy, control), namespace, counts) in series {
        let severity = controls::find(control.as_str()).map_or("", |control| control.severity.as_str());
        for (result, count) in by_result(counts).into_iter().filter(|(_, count)| *count > 0) {
            // Even the sums can be too many: policies times controls.
            if written == most {
                dropped += 1;
                continue;
            }
            family.add(
                [&name(&policy), control.as_str(), severity, namespace, result],
                f64::from(count),
            );
            written += 1;
        }
    }
    (family, dropped)
}

/// As many namespaces as fit, those with the most failures first; room is left for the sums of the others.
fn named_namespaces(results: &Results, most: usize) -> BTreeSet<&str> {
    let mut sizes: Vec<(u64, usize, &str)> = results
        .namespaces()
        .map(|(namespace, results)| {
            let lines = results.tallies.values();
            let failed = lines.clone().map(|line| u64::from(line.counts.failed)).sum();
            (failed, lines.map(|line| results_in(line.counts)).sum(), &**namespace)
        })
        .collect();
    let all: usize = sizes.iter().map(|(_, size, _)| size).sum();
    if all <= most {
        return sizes.into_iter().map(|(.., namespace)| namespace).collect();
    }
    let keys: BTreeSet<&(PolicyId, ControlId)> = results
        .namespaces()
        .flat_map(|(_, results)| results.tallies.keys())
        .collect();
    let mut room = most.saturating_sub(keys.len() * 5);
    sizes.sort_by(|(a, _, x), (b, _, y)| b.cmp(a).then(x.cmp(y)));
    let fits = |size: usize, room: &mut usize| match room.checked_sub(size) {
        Some(rest) => {
            *room = rest;
            true
        }
        None => false,
    };
    sizes
        .into_iter()
        .filter(|(_, size, _)| fits(*size, &mut room))
        .map(|(.., namespace)| namespace)
        .collect()
}

fn results_in(counts: Counts) -> usize {
    by_result(counts).iter().filter(|(_, count)| *count > 0).count()
}

#[cfg(test)]
mod tests {
    use ironside_engine::controls::Verdict;
    use ironside_engine::model::{Kind, ObjectRef};

    use super::*;
    use crate::reconcile::results::tests::outcome;

    fn results(namespaces: usize) -> Results {
        let policy = PolicyId::cluster("baseline");
        let mut results = Results::default();
        for namespace in 0..namespaces {
            let failing = namespace % 3;
            for object in 0..=failing {
                let target = ObjectRef::new(Kind::Deployment, &format!("ns-{namespace}"), &format!("web-{object}"));
                let verdict = if object < failing { Verdict::Fail } else { Verdict::Pass };
                results.update([(target.clone(), Some(outcome(&target, "POD-009", &policy, verdict)))]);
            }
        }
        results
    }

    fn sum(results: &Results, most: usize) -> (f64, usize, u64) {
        let (family, dropped) = findings(results, |policy| policy.name.to_string(), most);
        let family = family.finish().unwrap();
        let total = family
            .get_metric()
            .iter()
            .map(|metric| metric.get_gauge().get_value())
            .sum();
        (total, family.get_metric().len(), dropped)
    }

    #[test]
    fn folding_keeps_the_sum() {
        let results = results(30);
        let (all, series, dropped) = sum(&results, 2000);
        assert_eq!(dropped, 0);
        let (folded_sum, folded, dropped) = sum(&results, 20);
        assert!(folded <= 20 && folded < series && dropped > 0);
        assert!((all - folded_sum).abs() < f64::EPSILON);
    }

    #[test]
    fn the_cap_holds_whatever_happens() {
        assert_eq!(sum(&results(30), 1).1, 1);
    }
}
