//! Findings as policies, exceptions and objects give them.

mod components;
mod dns;
mod extensions;
mod hostile;
mod logs;
mod scores;
mod selected;
mod versions;

use serde_json::Value;

use super::*;
use crate::controls::{Gap, Responsibility};
use crate::policy::{Mode, PolicyId};
use crate::testing::{Case, now};
use crate::world::{Delta, Object};

const WEB: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {team: shop}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop, uid: d1}
spec:
  template:
    spec:
      containers:
      - name: web
        image: web:1
        securityContext: {allowPrivilegeEscalation: true}
      - name: proxy
        image: proxy:1
        securityContext: {allowPrivilegeEscalation: false}
      - name: log
        image: log:1
---
";

const AUDIT: &str = "
kind: ClusterHardeningPolicy
metadata: {name: baseline}
spec: {profile: {name: None}, controls: [{id: POD-009, mode: Audit}]}
---
";

#[test]
fn evidence_is_absolute_and_names_the_container() {
    let finding = Case::of(&format!("{WEB}{AUDIT}")).finding("POD-009");
    assert_eq!(finding.verdict, Verdict::Fail);
    let evidence: Vec<_> = finding
        .evidence
        .iter()
        .map(|e| (e.pointer.as_str(), e.container.as_deref(), e.observed.clone()))
        .collect();
    assert_eq!(
        evidence,
        [
            (
                "/spec/template/spec/containers/0/securityContext/allowPrivilegeEscalation",
                Some("web"),
                Some(Value::Bool(true))
            ),
            (
                "/spec/template/spec/containers/2/securityContext/allowPrivilegeEscalation",
                Some("log"),
                None
            ),
        ]
    );
}

#[test]
fn a_policy_that_is_not_there_asks_for_nothing() {
    let evaluation = Case::of(WEB).evaluate(Kind::Deployment, "shop", "web");
    assert!(evaluation.findings.is_empty());
}

#[test]
fn the_mode_is_the_highest_vote_and_disabled_withdraws_only_its_own() {
    let more = "
kind: HardeningPolicy
metadata: {name: team, namespace: shop}
spec: {profile: {name: None}, controls: [{id: POD-009, mode: Enforce}]}
---
kind: HardeningPolicy
metadata: {name: quiet, namespace: shop}
spec: {profile: {name: NsaCisa}, controls: [{id: POD-009, mode: Disabled}]}
---
";
    let finding = Case::of(&format!("{WEB}{AUDIT}{more}")).finding("POD-009");
    assert_eq!(finding.mode, Mode::Enforce);
    let policies: Vec<_> = finding.policies.iter().map(ToString::to_string).collect();
    assert_eq!(
        policies,
        ["ClusterHardeningPolicy baseline", "HardeningPolicy shop/team"]
    );
    assert_eq!(finding.dissent, []);
}

/// NS-001 is a control with parameters whose check is simple; here it stands for all.
#[test]
fn parameters_of_several_policies_are_all_required() {
    let namespace = "
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {pod-security.kubernetes.io/enforce: baseline}}
---
";
    let policy = |name: &str, mode: &str, enforce: &str| {
        format!(
            "
kind: ClusterHardeningPolicy
metadata: {{name: {name}}}
spec:
  profile: {{name: None}}
  remediation: {{namespaceSelector: {{}}}}
  controls:
  - id: NS-001
    mode: {mode}
    parameters: {{enforce: [{enforce}], audit: [Privileged], warn: [Privileged]}}
---
"
        )
    };
    let judge = |documents: String| {
        let evaluation = Case::of(&format!("{namespace}{documents}")).evaluate(Kind::Namespace, "", "shop");
        evaluation.findings.into_iter().next().unwrap()
    };
    let lax = judge(policy("lax", "Enforce", "Baseline"));
    assert_eq!((lax.verdict, lax.mode), (Verdict::Pass, Mode::Enforce));
    let both = judge(policy("lax", "Enforce", "Baseline") + &policy("strict", "Audit", "Restricted"));
    assert_eq!(both.verdict, Verdict::Fail, "a further policy can only tighten");
    assert_eq!(
        both.mode,
        Mode::Audit,
        "only the policy that merely audits sees a failure"
    );
    assert_eq!(both.parameters.0["enforce"], ["Restricted"]);
    assert_eq!(both.dissent, [(PolicyId::cluster("lax"), Verdict::Pass)]);
    assert_eq!(both.verdict_for(&PolicyId::cluster("strict")), Some(Verdict::Fail));
    let reversed = judge(policy("strict", "Audit", "Restricted") + &policy("lax", "Enforce", "Baseline"));
    assert_eq!(reversed.mode, both.mode);
    assert_eq!(reversed.parameters, both.parameters);
}

/// What `spec.podSecurity` wants the labels to be is what the control judges them by.
#[test]
fn pod_security_settings_are_the_targets_of_the_labels() {
    let judge = |pod_security: &str, parameters: &str| {
        let documents = format!(
            "
apiVersion: v1
kind: Namespace
metadata: {{name: shop, labels: {{pod-security.kubernetes.io/enforce: baseline}}}}
---
kind: ClusterHardeningPolicy
metadata: {{name: fleet}}
spec:
  profile: {{name: None}}
  mode: Audit
  controls: [{{id: NS-001, parameters: {parameters}}}]
  {pod_security}
---
"
        );
        let evaluation = Case::of(&documents).evaluate(Kind::Namespace, "", "shop");
        evaluation.findings.into_iter().next().unwrap().verdict
    };
    assert_eq!(
        judge("", "{}"),
        Verdict::Fail,
        "by default the label audit is wanted too"
    );
    assert_eq!(
        judge("podSecurity: {enforce: Baseline, version: v1.37}", "{}"),
        Verdict::Pass
    );
    assert_eq!(
        judge("podSecurity: {enforce: Restricted, version: v1.37}", "{}"),
        Verdict::Fail
    );
    assert_eq!(
        judge(
            "podSecurity: {enforce: Restricted, version: v1.37}",
            "{enforce: [Baseline]}"
        ),
        Verdict::Pass,
        "what the control is told directly counts"
    );
}

#[test]
fn an_exception_counts_when_it_covers_every_failing_container() {
    let exception = |containers: &str, effect: &str| {
        format!(
            "
kind: ClusterHardeningException
metadata: {{name: legacy}}
spec:
  controls: [POD-009]
  namespaces: [shop]
  effect: {effect}
  reason: until the image is rebuilt
  targets: [{{kind: Deployment, name: web, containers: {containers}}}]
---
"
        )
    };
    let with = |containers: &str, effect: &str| {
        Case::of(&format!("{WEB}{AUDIT}{}", exception(containers, effect))).finding("POD-009")
    };
    let name = Some("ClusterHardeningException legacy".to_owned());

    let one = with("[web]", "Accept");
    assert!(one.is_failure(), "container log fails and is not excepted");
    assert_eq!(one.excepted_containers, [("web".to_owned(), name.clone().unwrap())]);
    let both = with("[web, log]", "Accept");
    assert_eq!((both.is_failure(), both.excepted), (false, name.clone()));
    let whole = with("[]", "Accept");
    assert_eq!((whole.is_failure(), whole.excepted), (false, name.clone()));
    let passing = with("[proxy]", "Accept");
    assert_eq!((passing.is_failure(), passing.excepted_containers), (true, Vec::new()));
    let held = with("[web]", "HoldRepair");
    assert_eq!((held.is_failure(), held.hold_repair), (true, name));
}

#[test]
fn a_field_of_no_container_is_covered_by_exceptions_of_the_whole_object_only() {
    let documents = |containers: &str| {
        format!(
            "
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web, namespace: shop}}
spec: {{template: {{spec: {{hostNetwork: true, containers: [{{name: web}}]}}}}}}
---
kind: ClusterHardeningPolicy
metadata: {{name: baseline}}
spec: {{profile: {{name: PssBaseline}}}}
---
kind: ClusterHardeningException
metadata: {{name: legacy}}
spec:
  controls: [POD-002, POD-003]
  reason: needs the network of the host
  targets: [{{kind: Deployment, name: web, containers: {containers}}}]
---
"
        )
    };
    for (containers, excepted) in [("[]", true), ("[web]", false)] {
        let evaluation = Case::of(&documents(containers)).evaluate(Kind::Deployment, "shop", "web");
        let failing: Vec<&Finding> = evaluation
            .findings
            .iter()
            .filter(|f| f.verdict == Verdict::Fail && f.evidence.iter().any(|e| e.container.is_none()))
            .collect();
        assert_eq!(failing.len(), 1, "{:?}", evaluation.findings);
        assert_eq!(failing[0].excepted.is_some(), excepted, "{containers}");
    }
}

#[test]
fn what_cannot_be_read_is_unknown_with_its_reason() {
    let sa = "
kind: ClusterHardeningPolicy
metadata: {name: accounts}
spec: {profile: {name: None}, controls: [{id: SA-001, mode: Audit}, {id: POD-009, mode: Audit}]}
---
";
    let mut case = Case::of(&format!("{WEB}{sa}"));
    let gap = Gap {
        reason: "PermissionDenied",
        message: "serviceaccounts: list is forbidden".to_owned(),
        responsibility: Responsibility::SelfManaged,
    };
    case.world.apply(Delta::Unavailable {
        kind: Kind::ServiceAccount,
        namespace: None,
        gap: gap.clone(),
    });
    let account = case.finding("SA-001");
    assert_eq!((account.verdict, account.gaps), (Verdict::Unknown, vec![gap.clone()]));
    assert_eq!(case.finding("POD-009").verdict, Verdict::Fail, "control by control");

    case.world.apply(Delta::Unavailable {
        kind: Kind::Deployment,
        namespace: Some("shop".to_owned()),
        gap: gap.clone(),
    });
    let evaluation = case.evaluate(Kind::Deployment, "shop", "web");
    assert_eq!(evaluation.gaps, std::slice::from_ref(&gap));
    assert!(
        evaluation
            .findings
            .iter()
            .all(|f| f.verdict == Verdict::Unknown && f.gaps == [gap.clone()])
    );

    let unreadable = ObjectRef::new(Kind::StatefulSet, "shop", "broken");
    case.world.apply(Delta::Apply(Object::Unreadable(
        unreadable.clone(),
        "spec: expected a map".to_owned(),
    )));
    let (world, dirty) = case.world.drain();
    assert!(dirty.contains(&unreadable) && world.targets().any(|target| target == unreadable));
    let evaluation = case.evaluate(Kind::StatefulSet, "shop", "broken");
    assert_eq!(evaluation.findings.len(), 2);
    assert_eq!(evaluation.findings[0].gaps[0].reason, "Unreadable");
    assert!(evaluation.findings[0].gaps[0].message.contains("spec: expected a map"));
}

#[test]
fn children_are_judged_through_their_owner_and_unseen_owners_are_named() {
    let documents = "
apiVersion: apps/v1
kind: ReplicaSet
metadata:
  name: web-1
  namespace: shop
  uid: r1
  ownerReferences: [{apiVersion: apps/v1, kind: Deployment, name: web, uid: d1, controller: true}]
spec: {template: {spec: {containers: [{name: web}]}}}
---
apiVersion: apps/v1
kind: ReplicaSet
metadata:
  name: canary
  namespace: shop
  uid: r2
  ownerReferences: [{apiVersion: argoproj.io/v1alpha1, kind: Rollout, name: canary, uid: x, controller: true}]
spec: {template: {spec: {containers: [{name: web}]}}}
---
";
    let mut case = Case::of(&format!("{WEB}{AUDIT}{documents}"));
    let child = case.evaluate(Kind::ReplicaSet, "shop", "web-1");
    assert!(child.findings.is_empty());
    let canary = case.evaluate(Kind::ReplicaSet, "shop", "canary");
    assert_eq!(canary.findings.len(), 1);
    assert_eq!(canary.owned_by.map(|owner| owner.kind).as_deref(), Some("Rollout"));
    assert!(case.evaluate(Kind::Deployment, "shop", "gone").findings.is_empty());
}

#[test]
fn a_control_of_a_field_that_the_server_does_not_have_does_not_apply() {
    // No control has a minimum yet that a supported server is below; the memo must still tell versions apart.
    let mut case = Case::of(&format!("{WEB}{AUDIT}"));
    let mut evaluator = Evaluator::default();
    let target = ObjectRef::new(Kind::Deployment, "shop", "web");
    for minor in [37, 33] {
        case.world.set_minor(minor);
        let (world, dirty) = case.world.drain();
        assert!(dirty.contains(&target));
        let evaluation = evaluator.evaluate(&world, &case.policies, &case.exceptions, &target, now());
        assert_eq!(evaluation.findings[0].verdict, Verdict::Fail);
    }
}

#[test]
fn memory_changes_nothing_but_time() {
    let mut case = Case::of(&format!("{WEB}{AUDIT}"));
    let (world, _) = case.world.drain();
    let targets: Vec<ObjectRef> = world.targets().collect();
    let mut evaluator = Evaluator::default();
    let first = evaluator.evaluate_all(&world, &case.policies, &case.exceptions, &targets, now());
    let second = evaluator.evaluate_all(&world, &case.policies, &case.exceptions, &targets, now());
    let fresh: Vec<Evaluation> = targets
        .iter()
        .map(|target| evaluate(&world, &case.policies, &case.exceptions, target, now()))
        .collect();
    assert_eq!(format!("{first:?}"), format!("{second:?}"));
    assert_eq!(format!("{first:?}"), format!("{fresh:?}"));
}
