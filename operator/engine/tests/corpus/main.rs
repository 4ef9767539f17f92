//! Agreement with the verdicts of other projects on manifests that they wrote. The corpus is no part of the repository: `IRONSIDE_CORPUS` says where it is, else
//! `../shared/corpus` beside the repository. Without it the test says that it was skipped.
//!
//! Every disagreement is printed (`--nocapture`). A peer's verdict is an opinion; what is asserted is full agreement with the fixtures of Pod Security Admission
//! itself, and floors for the rest that were measured and that a slip would break.
//!
//! A topic's agreement is the mean of two shares: of the failing cases that are found, and of the passing ones that are left alone. The figure over all topics is
//! their mean, each topic counting the same.

#![allow(clippy::print_stdout)] // the report is the point

mod cases;
mod checks;
mod components;
mod mutations;
mod questions;
mod score;
#[path = "../support/mod.rs"]
mod support;
mod texts;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use cases::{Case, Manifests};
use ironside_engine::controls::{Parameters, find};
use ironside_engine::world::Snapshot;
use questions::{Ask, Aspect, ask};
use score::{Scores, Tally};

#[test]
fn verdicts_agree_with_those_of_other_projects() {
    let Some(corpus) = cases::corpus() else {
        println!("skipped: no corpus at IRONSIDE_CORPUS or ../shared/corpus");
        return;
    };
    let mut tally = Tally::default();
    for case in cases::all(&corpus) {
        match ask(&case.source, &case.check, &case.topic) {
            None => tally.leave_out(&case, "no control decides its topic"),
            Some(Ask::Another(why)) => tally.leave_out(&case, why),
            Some(asked @ (Ask::Of(_) | Ask::Together(_) | Ask::OneOf(_))) => match case.minors() {
                minors if minors.is_empty() => tally.leave_out(&case, "rules older than Kubernetes 1.33"),
                minors => {
                    let found = judge(&corpus, &case, asked, &minors);
                    tally.count(&case, &found);
                }
            },
        }
    }
    tally.print();
    let psa = tally
        .everything
        .by_source
        .get("kubernetes-psa")
        .copied()
        .unwrap_or_default();
    assert_eq!(
        (psa.agreed_fail, psa.agreed_pass),
        (psa.fail, psa.pass),
        "Pod Security Admission decides"
    );
    assert_floors(&tally.plain);
}

#[test]
fn every_question_names_a_control() {
    let all = checks::CHECKS.iter().chain(components::checks());
    let named = all.filter_map(|(_, check, ask)| match ask {
        Ask::Of(aspects) | Ask::Together(aspects) | Ask::OneOf(aspects) => Some((*check, *aspects)),
        Ask::Another(_) => None,
    });
    for (check, aspects) in named.chain(questions::TOPICS.iter().copied()) {
        for aspect in aspects {
            assert!(find(aspect.control).is_some(), "{check}: {}", aspect.control);
        }
    }
}

/// Lowest agreement over the cases without qualifier: over all topics, and of single ones. Measured; see `disagreements.md` for the rest.
const FLOORS: (f64, f64) = (0.965, 0.975);

fn assert_floors(scores: &Scores) {
    let (of_topics, of_labels) = (scores.balanced(), scores.of_labels());
    assert!(
        of_topics >= FLOORS.0 && of_labels >= FLOORS.1,
        "{of_topics:.3} {of_labels:.3}"
    );
}

/// What the aspects find, in any of the versions. An object that cannot be decoded is found where the question is whether it is valid.
fn judge(corpus: &Path, case: &Case, asked: Ask, minors: &[u32]) -> BTreeSet<String> {
    let Manifests {
        objects,
        broken,
        complete,
    } = cases::manifests(&corpus.join(&case.path));
    let mut found: BTreeSet<String> = BTreeSet::new();
    for minor in minors {
        let (world, refused) = if complete {
            support::whole_cluster(&objects, *minor)
        } else {
            support::readable_snapshot(&objects, *minor)
        };
        if case.check.ends_with("-is-valid") && (broken || refused) {
            found.insert("cannot be read".to_owned());
        }
        let (Ask::Of(aspects) | Ask::Together(aspects) | Ask::OneOf(aspects)) = asked else {
            continue;
        };
        let by_aspect = aspects
            .iter()
            .filter(|aspect| aspect.applies_to(case.level.as_deref()))
            .map(|aspect| failures(&world, aspect, case));
        match asked {
            Ask::Together(_) => found.extend(
                by_aspect
                    .reduce(|all, more| containers(&all).intersection(&containers(&more)).cloned().collect())
                    .unwrap_or_default(),
            ),
            // A passing label of one rule says nothing about the others.
            Ask::OneOf(_) if case.is_of_one_rule() && case.expect == "pass" => {
                let by_aspect: Vec<_> = by_aspect.collect();
                if !by_aspect.iter().any(BTreeSet::is_empty) {
                    found.extend(by_aspect.into_iter().flatten());
                }
            }
            _ => found.extend(by_aspect.flatten()),
        }
    }
    found
}

/// The containers that failures belong to, by their place.
fn containers(failures: &BTreeSet<String>) -> BTreeSet<String> {
    let container = |failure: &String| {
        let at = failure.find("ontainers/")? + "ontainers/".len();
        let end = failure[at..].find('/').map_or(failure.len(), |end| at + end);
        let start = failure.find(' ')? + 1;
        Some(failure[start..end].to_owned())
    };
    failures
        .iter()
        .map(|failure| container(failure).unwrap_or_else(|| failure.clone()))
        .collect()
}

fn failures(world: &Arc<Snapshot>, aspect: &Aspect, case: &Case) -> BTreeSet<String> {
    let Some(control) = find(aspect.control) else {
        return BTreeSet::new();
    };
    support::judge(control, world, &parameters_of(aspect))
        .into_iter()
        .filter(|(object, _)| case.is_about(object))
        .flat_map(|(object, judgement)| {
            let counted = judgement.failures().iter().filter(|evidence| aspect.counts(evidence));
            counted
                .map(|evidence| format!("{} {object}{}", control.id, evidence.pointer))
                .collect::<Vec<_>>()
        })
        .collect()
}

fn parameters_of(aspect: &Aspect) -> Parameters {
    let parameters = aspect
        .parameters
        .iter()
        .map(|(name, value)| ((*name).to_owned(), vec![(*value).to_owned()]));
    Parameters(parameters.collect::<BTreeMap<_, _>>())
}
