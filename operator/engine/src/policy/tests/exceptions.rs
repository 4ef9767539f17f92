//! Which exceptions count, until when, and what their status says.

use crate::model::Kind;
use crate::policy::{ExceptionState, PolicySet};
use crate::testing::{Case, now};

const WEB: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec: {template: {spec: {containers: [{name: web, image: web}]}}}
---
";

/// Delegates POD-009 for 30 days (the default), POD-011 for one.
const DELEGATES: &str = "
kind: ClusterHardeningPolicy
metadata: {name: baseline}
spec:
  delegation:
    exceptions:
    - {name: a, controls: [POD-009, POD-011], maxDuration: 24h}
    - {name: b, controls: [POD-009]}
---
";

const TEAM: &str = "
kind: HardeningPolicy
metadata: {name: team, namespace: shop}
spec: {}
---
";

/// A namespaced exception of Deployment web that was made now.
fn exception(controls: &str, expires: &str) -> String {
    format!(
        "
kind: HardeningException
metadata: {{name: e, namespace: shop, creationTimestamp: \"2026-11-24T12:00:00Z\"}}
spec:
  controls: [{controls}]
  targets: [{{kind: Deployment, name: web}}]
  reason: until the image is rebuilt
  {expires}
---
"
    )
}

fn until(time: &str) -> String {
    format!("expiresAt: \"{time}\"")
}

/// Whether POD-009 is excepted on Deployment web, and what the status of the exception says.
fn state(documents: &str) -> (bool, ExceptionState) {
    let mut case = Case::of(documents);
    let evaluation = case.evaluate(Kind::Deployment, "shop", "web");
    let excepted = evaluation
        .findings
        .iter()
        .any(|f| f.control.id.as_str() == "POD-009" && f.excepted.is_some());
    let (world, _) = case.world.drain();
    let mut states = case.exceptions.states(&case.policies, &world, [&evaluation], now());
    (excepted, states.pop_first().unwrap().1)
}

#[test]
fn a_namespaced_exception_counts_only_where_it_is_delegated_or_nobody_above_asks() {
    let december = until("2026-12-20T00:00:00Z");
    for (policies, controls, excepted, reason) in [
        (DELEGATES, "POD-009", true, "InEffect"),
        (DELEGATES, "POD-012", false, "NotDelegated"),
        (TEAM, "POD-009", true, "InEffect"),
    ] {
        let (covers, state) = state(&format!("{WEB}{policies}{}", exception(controls, &december)));
        assert_eq!(
            (covers, state.reason),
            (excepted, reason),
            "{controls} {}",
            state.message
        );
        assert_eq!(state.effective, excepted);
        assert_eq!(state.matched, u32::from(excepted));
        assert_eq!(state.effective_until.is_some(), excepted);
    }
    let no_delegation = "kind: ClusterHardeningPolicy\nmetadata: {name: other}\nspec: {}\n---\n";
    let both = format!("{WEB}{DELEGATES}{no_delegation}{}", exception("POD-009", &december));
    assert_eq!(
        state(&both).1.reason,
        "NotDelegated",
        "every cluster policy that asks must delegate"
    );
    let silent = "kind: ClusterHardeningPolicy\nmetadata: {name: other}\nspec: {profile: {name: None}}\n---\n";
    let own = format!("{WEB}{TEAM}{silent}{}", exception("POD-009", &december));
    assert_eq!(
        state(&own).1.reason,
        "InEffect",
        "the cluster policy does not ask for this control"
    );
}

#[test]
fn an_exception_ends_exactly_at_its_moment() {
    for (expires, excepted) in [("2026-11-24T12:00:01Z", true), ("2026-11-24T12:00:00Z", false)] {
        let (covers, state) = state(&format!("{WEB}{TEAM}{}", exception("POD-009", &until(expires))));
        assert_eq!(covers, excepted);
        assert_eq!(state.reason, if excepted { "InEffect" } else { "Expired" });
        assert_eq!(state.effective_until, excepted.then(|| expires.parse().unwrap()));
    }
    let (covers, state) = state(&format!("{WEB}{TEAM}{}", exception("POD-009", "")));
    assert_eq!(
        (covers, state.reason),
        (false, "Expired"),
        "a namespaced exception needs an end"
    );
}

#[test]
fn an_exception_that_is_longer_than_the_delegation_allows_does_not_count() {
    let (covers, within) = state(&format!(
        "{WEB}{DELEGATES}{}",
        exception("POD-009", &until("2026-12-24T12:00:00Z"))
    ));
    assert!(covers, "720 hours from its making: {}", within.message);
    let (covers, beyond) = state(&format!(
        "{WEB}{DELEGATES}{}",
        exception("POD-009", &until("2026-12-24T12:00:01Z"))
    ));
    assert_eq!((covers, beyond.reason), (false, "TooLong"));
    let (_, mixed) = state(&format!(
        "{WEB}{DELEGATES}{}",
        exception("POD-009, POD-011, POD-012", &until("2026-12-20T00:00:00Z"))
    ));
    assert_eq!((mixed.effective, mixed.reason, mixed.matched), (true, "InEffect", 1));
    assert!(
        mixed.message.contains("POD-011") && mixed.message.contains("POD-012"),
        "{}",
        mixed.message
    );
}

#[test]
fn an_exception_that_covers_nothing_says_so() {
    let other = exception("POD-009", &until("2026-12-01T00:00:00Z")).replace("name: web}", "name: webb}");
    let (_, state) = state(&format!("{WEB}{TEAM}{other}"));
    assert_eq!((state.effective, state.reason, state.matched), (false, "NoMatch", 0));
    let unknown = exception("POD-999", &until("2026-12-01T00:00:00Z"));
    let (_, unknown) = self::state(&format!("{WEB}{TEAM}{unknown}"));
    assert_eq!(unknown.reason, "NoMatch");
    assert!(unknown.message.contains("POD-999"), "{}", unknown.message);
}

#[test]
fn a_cluster_exception_needs_no_delegation_and_keeps_to_its_namespaces() {
    let cluster = |namespaces: &str, targets: &str| {
        format!(
            "
kind: ClusterHardeningException
metadata: {{name: c}}
spec: {{controls: [POD-009], reason: measured and accepted, namespaces: {namespaces}, targets: {targets}}}
---
"
        )
    };
    for (namespaces, targets, excepted) in [
        ("[]", "[]", true),
        ("[shop]", "[]", true),
        ("[lab]", "[]", false),
        ("[shop]", "[{kind: Deployment, name: web}]", true),
        ("[shop]", "[{kind: StatefulSet, name: web}]", false),
    ] {
        let (covers, _) = state(&format!("{WEB}{DELEGATES}{}", cluster(namespaces, targets)));
        assert_eq!(covers, excepted, "{namespaces} {targets}");
    }
}

#[test]
fn an_exception_of_another_namespace_does_not_reach_here() {
    let other = exception("POD-009", &until("2026-12-01T00:00:00Z")).replace("namespace: shop", "namespace: lab");
    let (covers, state) = state(&format!("{WEB}{TEAM}{other}"));
    assert_eq!((covers, state.reason), (false, "NoMatch"));
}

#[test]
fn the_next_end_is_known_so_that_no_clock_is_polled() {
    let case = Case::of(&exception("POD-009", &until("2026-12-01T00:00:00Z")));
    let end = "2026-12-01T00:00:00Z".parse().unwrap();
    assert_eq!(case.exceptions.next_expiry(now()), Some(end));
    assert_eq!(case.exceptions.next_expiry(end), None);
    assert!(case.policies.get(&crate::policy::PolicyId::cluster("x")).is_none());
    assert_eq!(PolicySet::default().policies().count(), 0);
}
