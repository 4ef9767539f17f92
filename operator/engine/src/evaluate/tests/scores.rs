//! Score and coverage over stated findings.

use crate::controls::find;
use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::super::*;
use crate::controls::{Component, Gap, Responsibility, Threat};
use crate::policy::{Mode, PolicyId};
use crate::testing::Case;

const UNKNOWN: Verdict = Verdict::Unknown;
const PASS: Verdict = Verdict::Pass;
const FAIL: Verdict = Verdict::Fail;

fn finding(control: &str, verdict: Verdict) -> Finding {
    let gap = Gap {
        reason: "PermissionDenied",
        message: String::new(),
        responsibility: Responsibility::SelfManaged,
    };
    Finding {
        control: find(control).unwrap(),
        target: ObjectRef::new(Kind::Deployment, "shop", "web"),
        verdict,
        evidence: Vec::new(),
        gaps: if verdict == UNKNOWN { vec![gap] } else { Vec::new() },
        not_applicable: None,
        mode: Mode::Audit,
        policies: vec![PolicyId::cluster("baseline")],
        dissent: Vec::new(),
        excepted_containers: Vec::new(),
        excepted: None,
        hold_repair: None,
        parameters: Arc::default(),
    }
}

fn excepted(control: &str) -> Finding {
    Finding {
        excepted: Some("ClusterHardeningException e".to_owned()),
        ..finding(control, FAIL)
    }
}

fn evaluation(name: &str, findings: Vec<Finding>) -> Evaluation {
    Evaluation {
        target: ObjectRef::new(Kind::Deployment, "shop", name),
        findings,
        gaps: Vec::new(),
        owned_by: None,
    }
}

fn total(findings: Vec<Finding>) -> Score {
    Scoreboard::of([&evaluation("web", findings)]).total()
}

#[test]
fn the_score_is_weighted_by_severity() {
    // POD-001 is Critical (10), POD-009 High (6), POD-012 Medium or Low.
    let weight = |control: &str| find(control).unwrap().severity.weight();
    let (failed, passed) = (weight("POD-009"), weight("POD-001"));
    let score = total(vec![finding("POD-009", FAIL), finding("POD-001", PASS)]);
    assert_eq!(
        u64::from(score.score_percent.unwrap()),
        passed * 100 / (passed + failed)
    );
    assert_eq!(score.coverage_percent, Some(100));
    assert_eq!((score.controls.passed, score.controls.failed), (1, 1));
}

#[test]
fn a_hundred_means_that_nothing_failed_and_nothing_is_unknown() {
    let many = |verdict: Verdict| {
        let rest = (0..5000).map(|n| evaluation(&format!("web-{n}"), vec![finding("POD-001", PASS)]));
        let one = evaluation("one", vec![finding("POD-012", verdict)]);
        let all: Vec<Evaluation> = rest.chain([one]).collect();
        Scoreboard::of(&all).total()
    };
    assert_eq!(many(FAIL).score_percent, Some(99));
    let unknown = many(UNKNOWN);
    assert_eq!((unknown.score_percent, unknown.coverage_percent), (Some(100), Some(99)));
    assert_eq!(many(PASS).score_percent, Some(100));
}

#[test]
fn no_results_are_no_pass() {
    let nothing = Scoreboard::default().total();
    assert_eq!((nothing.score_percent, nothing.coverage_percent), (None, None));
    let hidden = total(vec![finding("POD-001", UNKNOWN)]);
    assert_eq!((hidden.score_percent, hidden.coverage_percent), (None, Some(0)));
    let beside = total(vec![finding("POD-001", Verdict::NotApplicable)]);
    assert_eq!((beside.score_percent, beside.coverage_percent), (None, None));
    assert_eq!(beside.controls.not_applicable, 1);
}

#[test]
fn what_is_excepted_was_looked_at_but_is_in_no_score() {
    let score = total(vec![
        excepted("POD-009"),
        finding("POD-001", PASS),
        finding("POD-011", UNKNOWN),
    ]);
    assert_eq!((score.score_percent, score.coverage_percent), (Some(100), Some(66)));
    assert_eq!(
        (score.controls.excepted, score.controls.passed, score.controls.unknown),
        (1, 1, 1)
    );
}

#[test]
fn a_control_has_its_worst_result() {
    let board = Scoreboard::of(&[
        evaluation(
            "a",
            vec![finding("POD-001", PASS), finding("POD-009", PASS), excepted("POD-011")],
        ),
        evaluation(
            "b",
            vec![
                finding("POD-001", UNKNOWN),
                excepted("POD-009"),
                finding("POD-011", FAIL),
            ],
        ),
    ]);
    let controls = board.total().controls;
    let expected = Counts {
        unknown: 1,
        excepted: 1,
        failed: 1,
        ..Counts::default()
    };
    assert_eq!(controls, expected);
    let by_namespace: Vec<_> = board
        .by_namespace()
        .map(|(n, c, counts)| (n, c.id.as_str(), counts.failed))
        .collect();
    assert_eq!(
        by_namespace,
        [("shop", "POD-001", 0), ("shop", "POD-009", 0), ("shop", "POD-011", 1)]
    );
}

#[test]
fn components_and_threats_are_all_listed() {
    let mut hidden = finding("POD-001", UNKNOWN);
    hidden.gaps[0].responsibility = Responsibility::Provider;
    let score = total(vec![hidden, finding("POD-009", FAIL)]);
    let components: BTreeMap<Component, Share> = score.components.iter().copied().collect();
    assert_eq!(components.len(), 10);
    assert_eq!(
        components[&Component::Workloads],
        Share {
            failed: 1,
            unknown: 1,
            provider: true,
            ..Share::default()
        }
    );
    assert_eq!(components[&Component::Etcd], Share::default());
    let threats: BTreeMap<Threat, Share> = score.threats.iter().copied().collect();
    assert_eq!(threats.len(), 3);
    assert_eq!(threats[&Threat::MaliciousActor].failed, 1);
}

#[test]
fn a_policy_is_scored_by_its_own_parameters() {
    let case = Case::of(
        "
kind: ClusterHardeningPolicy
metadata: {name: lax}
spec: {profile: {name: None}, controls: [{id: POD-009, mode: Audit}, {id: POD-001, mode: Audit}]}
---
kind: ClusterHardeningPolicy
metadata: {name: strict}
spec: {profile: {name: None}, controls: [{id: POD-009, mode: Audit}]}
---
",
    );
    let (lax, strict) = (PolicyId::cluster("lax"), PolicyId::cluster("strict"));
    let fails_strictly = Finding {
        policies: vec![lax.clone(), strict.clone()],
        dissent: vec![(lax.clone(), PASS)],
        ..finding("POD-009", FAIL)
    };
    let board = Scoreboard::of([&evaluation("web", vec![fails_strictly])]);
    let of = |id: &PolicyId| board.of_policy(case.policies.get(id).unwrap());
    assert_eq!(of(&lax).score_percent, Some(100));
    assert_eq!(of(&lax).controls.not_applicable, 1, "POD-001 met nothing");
    assert_eq!(of(&strict).score_percent, Some(0));
    assert_eq!(board.total().score_percent, Some(0));
}

/// An evaluation of one of three objects, with random results.
fn results() -> impl Strategy<Value = Evaluation> {
    let result = (
        select(vec!["POD-001", "POD-009", "POD-012", "SA-001"]),
        select(vec![Verdict::NotApplicable, PASS, FAIL, UNKNOWN]),
        any::<bool>(),
    );
    (select(vec!["a", "b", "c"]), vec(result, 0..4)).prop_map(|(name, results)| {
        let findings = results.into_iter().map(|(control, verdict, accept)| match verdict {
            Verdict::Fail if accept => excepted(control),
            verdict => finding(control, verdict),
        });
        evaluation(name, findings.collect())
    })
}

proptest! {
    #[test]
    fn counting_step_by_step_equals_counting_at_once(history in vec(results(), 0..40)) {
        let mut board = Scoreboard::default();
        let mut present: BTreeMap<ObjectRef, Evaluation> = BTreeMap::new();
        for evaluation in history {
            if let Some(old) = present.insert(evaluation.target.clone(), evaluation.clone()) {
                board.remove(&old);
            }
            board.add(&evaluation);
        }
        prop_assert_eq!(&board, &Scoreboard::of(present.values()));
        for evaluation in present.values() {
            board.remove(evaluation);
        }
        prop_assert_eq!(board, Scoreboard::default());
    }
}
