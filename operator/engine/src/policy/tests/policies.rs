//! Where policies apply, what they vote, and what bounds repairs.

use std::time::Duration;

use crate::controls::find;
use crate::model::{Kind, ObjectRef};
use crate::policy::{AutoApprove, InNamespace, Mode, Pause, PausedBy, PolicyId};
use crate::testing::{Case, now};

/// Namespaces `shop` (hardening: enforce), `lab` and the system ones.
const NAMESPACES: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {hardening: enforce}}
---
apiVersion: v1
kind: Namespace
metadata: {name: lab}
---
apiVersion: v1
kind: Namespace
metadata: {name: kube-system, labels: {hardening: enforce}}
---
apiVersion: v1
kind: Namespace
metadata: {name: ironside-system, labels: {hardening: enforce}}
---
";

/// A cluster policy with this spec (flow YAML without the braces).
fn cluster(name: &str, spec: &str) -> String {
    format!("kind: ClusterHardeningPolicy\nmetadata: {{name: {name}}}\nspec: {{{spec}}}\n---\n")
}

fn team(namespace: &str, spec: &str) -> String {
    format!("kind: HardeningPolicy\nmetadata: {{name: team, namespace: {namespace}}}\nspec: {{{spec}}}\n---\n")
}

fn compile(policies: &str) -> Case {
    Case::of(&format!("{NAMESPACES}{policies}"))
}

fn within(case: &mut Case, namespace: &str) -> InNamespace {
    let (world, _) = case.world.drain();
    case.policies.in_namespace(&world, namespace)
}

fn mode(case: &mut Case, namespace: &str, control: &str) -> Mode {
    within(case, namespace).mode(find(control).unwrap().id)
}

fn problems(policies: &str, id: &PolicyId) -> Vec<String> {
    let case = compile(policies);
    case.policies.problems(id).iter().map(ToString::to_string).collect()
}

const ENFORCE: &str = "mode: Enforce, remediation: {namespaceSelector: {matchLabels: {hardening: enforce}}}";

#[test]
fn enforce_acts_where_the_policy_says_and_is_a_preview_elsewhere() {
    let mut case = compile(&cluster("baseline", ENFORCE));
    assert_eq!(mode(&mut case, "shop", "POD-009"), Mode::Enforce);
    assert_eq!(mode(&mut case, "lab", "POD-009"), Mode::Preview);
    let mut nowhere = compile(&cluster("baseline", "controls: [{id: POD-009, mode: Enforce}]"));
    assert_eq!(
        mode(&mut nowhere, "shop", "POD-009"),
        Mode::Preview,
        "no selector: nowhere"
    );
    let mut everywhere = compile(&cluster(
        "baseline",
        "mode: Enforce, remediation: {namespaceSelector: {}}",
    ));
    assert_eq!(mode(&mut everywhere, "lab", "POD-009"), Mode::Enforce);
}

#[test]
fn system_namespaces_are_left_out_unless_named_and_never_repaired() {
    let mut case = compile(&cluster("baseline", ENFORCE));
    for namespace in ["kube-system", "ironside-system"] {
        assert_eq!(mode(&mut case, namespace, "POD-009"), Mode::Disabled, "{namespace}");
    }
    let named = format!("{ENFORCE}, systemNamespaces: [kube-system, lab]");
    let mut case = compile(&cluster("baseline", &named));
    assert_eq!(mode(&mut case, "kube-system", "POD-009"), Mode::Audit);
    assert_eq!(
        mode(&mut case, "lab", "POD-009"),
        Mode::Audit,
        "calling it a system namespace makes it one"
    );
    assert_eq!(mode(&mut case, "ironside-system", "POD-009"), Mode::Disabled);
    let mut own = compile(&team("kube-system", "mode: Enforce"));
    assert_eq!(mode(&mut own, "kube-system", "POD-009"), Mode::Audit);
}

#[test]
fn selectors_and_exclusions_say_where_a_policy_applies() {
    let spec = "namespaceSelector: {matchExpressions: [{key: kubernetes.io/metadata.name, operator: In, values: [shop, lab, unseen]}]}, excludeNamespaces: [lab]";
    let mut case = compile(&cluster("some", spec));
    assert_eq!(mode(&mut case, "shop", "POD-009"), Mode::Audit);
    assert_eq!(mode(&mut case, "lab", "POD-009"), Mode::Disabled);
    assert_eq!(
        mode(&mut case, "unseen", "POD-009"),
        Mode::Audit,
        "the name is known without the Namespace object"
    );
    let (world, _) = case.world.drain();
    let id = PolicyId::cluster("some");
    assert_eq!(
        case.policies.judged_namespaces(&id, &world).collect::<Vec<_>>(),
        ["shop"]
    );
    assert_eq!(
        case.policies.exempt_namespaces(&id, &world).collect::<Vec<_>>(),
        ["lab"]
    );
    let all = compile(&cluster("all", "mode: Audit"));
    let id = PolicyId::cluster("all");
    assert_eq!(
        all.policies.exempt_namespaces(&id, &world).collect::<Vec<_>>(),
        ["ironside-system", "kube-system"]
    );
}

#[test]
fn a_namespaced_policy_works_alone_and_only_in_its_namespace() {
    let mut case = compile(&team("shop", "mode: Enforce"));
    assert_eq!(mode(&mut case, "shop", "POD-009"), Mode::Enforce);
    assert_eq!(mode(&mut case, "lab", "POD-009"), Mode::Disabled);
    assert_eq!(
        mode(&mut case, "shop", "NS-001"),
        Mode::Audit,
        "it never touches the Namespace object"
    );
}

#[test]
fn a_suspended_policy_neither_votes_nor_lets_go_of_what_it_did_not_delegate() {
    let suspended = cluster(
        "baseline",
        "suspend: true, mode: Enforce, remediation: {namespaceSelector: {}}",
    );
    let mut case = compile(&suspended);
    assert_eq!(mode(&mut case, "shop", "POD-009"), Mode::Disabled);
    let mut case = compile(&(suspended + &team("shop", "mode: Enforce, remediation: {autoApprove: Low}")));
    assert_eq!(within(&mut case, "shop").limits().auto_approve, AutoApprove::None);
}

#[test]
fn controls_change_the_profile() {
    let mut case = compile(&cluster(
        "baseline",
        "profile: {name: PssBaseline}, controls: [{id: POD-001, mode: Disabled}, {id: POD-012, mode: Preview}, {id: SA-001, parameters: {}}]",
    ));
    for (control, expected) in [
        ("POD-001", Mode::Disabled),
        ("POD-002", Mode::Audit),
        ("POD-012", Mode::Preview),
        ("SA-001", Mode::Audit),
        ("POD-009", Mode::Disabled),
    ] {
        assert_eq!(mode(&mut case, "shop", control), expected, "{control}");
    }
}

#[test]
fn what_cannot_work_is_named_with_what_to_write_instead() {
    let id = PolicyId::cluster("bad");
    let spec = r#"
      profile: {name: NsaCisa, version: v9},
      mode: Enforce,
      namespaceSelector: {matchLabels: {tier: web}, matchExpressions: [{key: tier, operator: NotIn, values: [web]}]},
      remediation: {
        namespaceSelector: {matchExpressions: [{key: a, operator: Exists}, {key: a, operator: DoesNotExist}]},
        windows: [{name: night, schedule: "0 25 * * *", timeZone: Mars/Olympus, duration: 2h}],
      },
      controls: [
        {id: POD-999, mode: Audit},
        {id: POD-009, parameters: {colour: [blue]}},
        {id: NS-001, parameters: {enforce: [strict]}},
      ],
      delegation: {exceptions: [{name: all, controls: [POD-998, POD-012]}]}
    "#
    .replace('\n', " ");
    insta::assert_snapshot!(problems(&cluster("bad", &spec), &id).join("\n"), @r#"
    spec.remediation.windows[night].schedule: "0 25 * * *" is not a cron expression of five fields such as "0 2 * * 1-5" (Component error: Number out of bounds); the window never opens
    spec.remediation.windows[night].timeZone: "Mars/Olympus" is not an IANA time zone such as Europe/Berlin or UTC; the window never opens
    spec.namespaceSelector: asks contradictory things of label tier, so it can match no namespace; keep one of its requirements
    spec.remediation.namespaceSelector: asks contradictory things of label a, so it can match no namespace; keep one of its requirements
    spec.profile.version: "v9" is not a version of the profiles, so their controls are only audited; the newest is v1
    spec.controls[POD-999]: "POD-999" is not a control that this version of Ironside knows; `ironside controls` lists them
    spec.controls[POD-009].parameters.colour: POD-009 takes no parameters; leave it out
    spec.controls[NS-001].parameters.enforce: `strict` is not a level; write Privileged, Baseline or Restricted; until then the control is audited with its default
    spec.delegation.exceptions[all].controls: "POD-998" is not a control that this version of Ironside knows; `ironside controls` lists them
    "#);
    // The rest works, and what was not understood is not enforced.
    let spec = "mode: Enforce, remediation: {namespaceSelector: {}}, controls: [{id: POD-999, mode: Audit}, {id: NS-001, parameters: {enforce: [strict]}}]";
    let mut case = compile(&cluster("bad", spec));
    assert_eq!(mode(&mut case, "shop", "POD-009"), Mode::Enforce);
    assert_eq!(mode(&mut case, "shop", "NS-001"), Mode::Audit);
    let mut case = compile(&cluster(
        "bad",
        "profile: {name: NsaCisa, version: v9}, mode: Enforce, remediation: {namespaceSelector: {}}",
    ));
    assert_eq!(mode(&mut case, "shop", "POD-009"), Mode::Audit);
}

#[test]
fn selectors_that_some_namespace_could_match_are_no_problem() {
    for requirements in [
        "[]",
        "[{key: a, operator: NotIn, values: [x]}]",
        "[{key: a, operator: Exists}, {key: a, operator: NotIn, values: [x]}]",
        "[{key: a, operator: In, values: [x, z]}, {key: a, operator: NotIn, values: [x]}]",
        "[{key: a, operator: DoesNotExist}, {key: a, operator: NotIn, values: [x]}]",
    ] {
        let spec = format!("namespaceSelector: {{matchExpressions: {requirements}}}");
        assert_eq!(
            problems(&cluster("p", &spec), &PolicyId::cluster("p")),
            [""; 0],
            "{requirements}"
        );
    }
    for requirements in [
        "[{key: a, operator: In, values: [x]}, {key: a, operator: In, values: [z]}]",
        "[{key: a, operator: In, values: [x]}, {key: a, operator: NotIn, values: [x]}]",
        "[{key: a, operator: In, values: [x]}, {key: a, operator: DoesNotExist}]",
    ] {
        let spec = format!("namespaceSelector: {{matchExpressions: {requirements}}}");
        assert_eq!(
            problems(&cluster("p", &spec), &PolicyId::cluster("p")).len(),
            1,
            "{requirements}"
        );
    }
}

#[test]
fn limits_are_the_strictest_of_those_that_enforce_here() {
    let policies = cluster(
        "a",
        "mode: Enforce, remediation: {namespaceSelector: {}, settle: 1m, autoApprove: Medium, maxConcurrent: 9}",
    ) + &cluster(
        "b",
        "mode: Enforce, remediation: {namespaceSelector: {matchLabels: {hardening: enforce}}, settle: 30m, autoApprove: Low, maxConcurrent: 20}",
    ) + &cluster("audit", "mode: Audit, remediation: {settle: 99h}");
    let mut case = compile(&policies);
    let shop = within(&mut case, "shop").limits();
    assert_eq!(
        (shop.settle, shop.auto_approve, shop.max_concurrent),
        (Duration::from_mins(30), AutoApprove::Low, 9)
    );
    let lab = within(&mut case, "lab").limits();
    assert_eq!(
        (lab.settle, lab.auto_approve),
        (Duration::from_mins(1), AutoApprove::Medium),
        "b only previews there"
    );
    let none = within(&mut case, "kube-system").limits();
    assert_eq!(none, crate::policy::Limits::default());
}

#[test]
fn a_namespaced_policy_approves_no_more_than_is_delegated() {
    let own = team("shop", "mode: Enforce, remediation: {autoApprove: Medium}");
    let auto = |policies: String| within(&mut compile(&policies), "shop").limits().auto_approve;
    assert_eq!(
        auto(own.clone()),
        AutoApprove::Medium,
        "no cluster policy: it stands alone"
    );
    assert_eq!(auto(own.clone() + &cluster("a", "mode: Audit")), AutoApprove::None);
    let low = cluster("a", "mode: Audit, delegation: {maxAutoApprove: Low}");
    assert_eq!(auto(own.clone() + &low), AutoApprove::Low);
    assert_eq!(
        auto(own.clone() + &low + &cluster("b", "mode: Audit")),
        AutoApprove::None,
        "every one must delegate"
    );
    let elsewhere = cluster("b", "mode: Audit, excludeNamespaces: [shop]");
    assert_eq!(auto(own + &elsewhere), AutoApprove::Medium, "it does not apply in shop");
}

#[test]
fn repairs_are_paused_by_policy_namespace_or_object() {
    let deployment = |annotations: &str| {
        format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web, namespace: stage, annotations: {{{annotations}}}}}\nspec: {{}}\n---\n"
        )
    };
    let namespace = |annotations: &str| {
        format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: stage, annotations: {{{annotations}}}}}\n---\n")
    };
    let policy = |annotations: &str| {
        format!(
            "kind: HardeningPolicy\nmetadata: {{name: team, namespace: stage, annotations: {{{annotations}}}}}\nspec: {{mode: Enforce}}\n---\n"
        )
    };
    let paused = |documents: String| {
        let mut case = Case::of(&documents);
        let (world, _) = case.world.drain();
        case.policies
            .paused_by(&world, &ObjectRef::new(Kind::Deployment, "stage", "web"), now())
    };
    let later = r#"hardening.ironside.dev/pause-until: "2026-11-24T12:00:01Z""#;
    let over = r#"hardening.ironside.dev/pause-until: "2026-11-24T12:00:00Z""#;
    let broken = r#"hardening.ironside.dev/pause-until: "soon""#;
    let until = Pause::Until("2026-11-24T12:00:01Z".parse().unwrap());
    assert_eq!(paused(deployment("") + &namespace("") + &policy("")), None);
    assert_eq!(paused(deployment(over) + &namespace(over) + &policy(over)), None);
    assert_eq!(
        paused(deployment(later) + &namespace("") + &policy("")),
        Some(PausedBy::Object(until))
    );
    assert_eq!(
        paused(deployment("") + &namespace(later) + &policy("")),
        Some(PausedBy::Namespace(until))
    );
    assert_eq!(
        paused(deployment("") + &namespace("") + &policy(broken)),
        Some(PausedBy::Policy(
            PolicyId::namespaced("stage", "team"),
            Pause::Malformed
        ))
    );
}
