//! What holds for any set of policies: their order does not matter, one more can only tighten, and none reaches where it must not.

use ironside_crds::policy::{self as wire, AutoApprove as WireAutoApprove, RepairSettings};
use ironside_crds::selector::LabelSelector;
use ironside_crds::{
    ClusterHardeningPolicy, ControlMode, ControlOverride, Duration, HardeningPolicy, Mode as WireMode, PolicySpec,
    Profile, ProfileName,
};
use proptest::collection::{btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::json;

use crate::controls::{CONTROLS, Control, Verdict};
use crate::evaluate::{Finding, evaluate};
use crate::model::{Kind, ObjectRef};
use crate::policy::{ExceptionSet, Limits, Mode, PolicySet};
use crate::testing::now;
use crate::world::{Object, Snapshot};

const NAMESPACES: [&str; 4] = ["shop", "lab", "kube-system", "ironside-system"];

/// A spec and the namespace of its policy; none for a cluster policy.
type Stated = (Option<&'static str>, PolicySpec);

fn policies() -> impl Strategy<Value = Vec<Stated>> {
    vec((option::of(select(NAMESPACES.to_vec())), spec()), 1..5)
}

fn spec() -> impl Strategy<Value = PolicySpec> {
    let name = select(vec![
        ProfileName::NsaCisa,
        ProfileName::PssBaseline,
        ProfileName::PssRestricted,
        ProfileName::None,
    ]);
    let mode = select(vec![WireMode::Audit, WireMode::Preview, WireMode::Enforce]);
    let selector = || {
        option::of(select(vec!["", "a", "b"]).prop_map(|tier| {
            let labels = if tier.is_empty() {
                vec![]
            } else {
                vec![("tier".to_owned(), tier.to_owned())]
            };
            LabelSelector {
                match_labels: labels.into_iter().collect(),
                ..LabelSelector::default()
            }
        }))
    };
    let repair = (
        selector(),
        select(vec![
            WireAutoApprove::None,
            WireAutoApprove::Low,
            WireAutoApprove::Medium,
        ]),
        1..60u64,
        1..9u32,
    )
        .prop_map(
            |(namespace_selector, auto_approve, settle, max_concurrent)| RepairSettings {
                namespace_selector,
                auto_approve,
                settle: Duration::from_mins(settle),
                max_concurrent: Some(max_concurrent),
                ..RepairSettings::default()
            },
        );
    let names = || btree_set(select(NAMESPACES.to_vec()).prop_map(str::to_owned), 0..2);
    (
        name,
        mode,
        prop::bool::weighted(0.1),
        vec(change(), 0..3),
        selector(),
        names(),
        names(),
        repair,
        option::of(delegation()),
    )
        .prop_map(
            |(
                name,
                mode,
                suspend,
                mut controls,
                namespace_selector,
                exclude_namespaces,
                system_namespaces,
                remediation,
                delegation,
            )| {
                controls.sort_by(|a, b| a.id.cmp(&b.id));
                controls.dedup_by(|a, b| a.id == b.id);
                PolicySpec {
                    profile: Profile {
                        name,
                        ..Profile::default()
                    },
                    mode,
                    suspend,
                    controls,
                    namespace_selector,
                    exclude_namespaces,
                    system_namespaces,
                    remediation,
                    delegation,
                    detections: None,
                    ..PolicySpec::default()
                }
            },
        )
}

/// NS-001 is asked for with different parameters.
fn change() -> impl Strategy<Value = ControlOverride> {
    let mode = select(vec![
        ControlMode::Disabled,
        ControlMode::Audit,
        ControlMode::Preview,
        ControlMode::Enforce,
    ]);
    let id = select(vec!["NS-001", "POD-001", "POD-009", "SA-001", "POD-999"]);
    let level = select(vec!["Privileged", "Baseline", "Restricted"]);
    (id, option::of(mode), level).prop_map(|(id, mode, level)| ControlOverride {
        id: id.to_owned(),
        mode,
        parameters: if id == "NS-001" {
            [("enforce".to_owned(), vec![level.to_owned()])].into()
        } else {
            [].into()
        },
    })
}

fn delegation() -> impl Strategy<Value = wire::Delegation> {
    select(vec![WireAutoApprove::None, WireAutoApprove::Low]).prop_map(|max_auto_approve| wire::Delegation {
        max_auto_approve,
        ..wire::Delegation::default()
    })
}

fn resources(policies: &[Stated]) -> (Vec<ClusterHardeningPolicy>, Vec<HardeningPolicy>) {
    let (mut cluster, mut namespaced) = (Vec::new(), Vec::new());
    for (n, (namespace, spec)) in policies.iter().enumerate() {
        let name = format!("p{n}");
        match namespace {
            None => cluster.push(ClusterHardeningPolicy::new(&name, spec.clone().into())),
            Some(namespace) => {
                let mut policy = HardeningPolicy::new(&name, spec.clone().into());
                policy.metadata.namespace = Some((*namespace).to_owned());
                namespaced.push(policy);
            }
        }
    }
    (cluster, namespaced)
}

fn compile(policies: &[Stated]) -> PolicySet {
    let (cluster, namespaced) = resources(policies);
    PolicySet::compile(&cluster, &namespaced, "ironside-system")
}

/// Each namespace (shop is of tier a, lab of none) with a Deployment that says nothing about security.
fn world() -> Snapshot {
    let objects = NAMESPACES.iter().flat_map(|name| {
        let labels = if *name == "shop" { json!({"tier": "a", "pod-security.kubernetes.io/enforce": "baseline"}) } else { json!({}) };
        let namespace = json!({"metadata": {"name": name, "labels": labels}});
        let deployment = json!({"metadata": {"name": "web", "namespace": name}, "spec": {"template": {"spec": {"containers": [{"name": "web"}]}}}});
        [(Kind::Namespace, namespace), (Kind::Deployment, deployment)]
    });
    Snapshot::of(objects.map(|(kind, value)| Object::decode(kind, &value).unwrap()))
}

fn findings(world: &Snapshot, policies: &PolicySet, namespace: &str) -> Vec<Finding> {
    let targets = [
        ObjectRef::new(Kind::Namespace, "", namespace),
        ObjectRef::new(Kind::Deployment, namespace, "web"),
    ];
    let judged = targets.map(|target| evaluate(world, policies, &ExceptionSet::default(), &target, now()).findings);
    judged.into_iter().flatten().collect()
}

fn verdict(findings: &[Finding], control: &Control) -> Option<(Verdict, Mode)> {
    let finding = findings.iter().find(|finding| finding.control.id == control.id)?;
    Some((finding.verdict, finding.mode))
}

/// Whether no setting of these limits is looser than that of others.
fn as_strict(limits: &Limits, others: &Limits) -> bool {
    limits.clone().strictest(others.clone()) == *limits
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn several_policies_are_each_judged_and_anded(policies in policies()) {
        let world = world();
        let all = compile(&policies);
        let alone: Vec<PolicySet> = policies.iter().map(|policy| compile(std::slice::from_ref(policy))).collect();
        for namespace in NAMESPACES {
            let together = findings(&world, &all, namespace);
            let apart: Vec<Vec<Finding>> = alone.iter().map(|policies| findings(&world, policies, namespace)).collect();
            for control in CONTROLS {
                let single: Vec<(Verdict, Mode)> = apart.iter().filter_map(|findings| verdict(findings, control)).collect();
                let worst = single.iter().map(|(verdict, _)| *verdict).max();
                // The highest vote of those who see that verdict.
                let mode = single.iter().filter(|(verdict, _)| Some(*verdict) == worst).map(|(_, mode)| *mode).max();
                prop_assert_eq!(verdict(&together, control), worst.zip(mode), "{} in {}", control.id, namespace);
            }
        }
    }

    #[test]
    fn the_order_of_policies_does_not_matter(policies in policies()) {
        let world = world();
        let (mut cluster, mut namespaced) = resources(&policies);
        let one = PolicySet::compile(&cluster, &namespaced, "ironside-system");
        cluster.reverse();
        namespaced.reverse();
        let other = PolicySet::compile(&cluster, &namespaced, "ironside-system");
        for namespace in NAMESPACES {
            prop_assert_eq!(one.limits(&world, namespace), other.limits(&world, namespace));
            prop_assert_eq!(
                format!("{:?}", findings(&world, &one, namespace)),
                format!("{:?}", findings(&world, &other, namespace))
            );
        }
    }

    #[test]
    fn limits_are_as_strict_as_those_of_each_policy_that_enforces(policies in policies()) {
        let world = world();
        let all = compile(&policies);
        for namespace in NAMESPACES {
            let together = all.in_namespace(&world, namespace);
            let enforces = |policies: &PolicySet| policies.in_namespace(&world, namespace).votes().any(|(_, votes)| votes.iter().any(|v| v.mode == Mode::Enforce));
            for policy in &policies {
                let alone = compile(std::slice::from_ref(policy));
                if enforces(&alone) {
                    let alone = alone.limits(&world, namespace);
                    prop_assert!(as_strict(&together.limits(), &alone), "{:?} is looser than {:?}", together.limits(), alone);
                }
            }
        }
    }

    #[test]
    fn no_policy_enforces_where_it_must_not(policies in policies()) {
        let world = world();
        let all = compile(&policies);
        for namespace in ["kube-system", "ironside-system"] {
            for (control, votes) in all.in_namespace(&world, namespace).votes() {
                prop_assert!(votes.iter().all(|vote| vote.mode <= Mode::Audit), "{} in {namespace}: {votes:?}", control.id);
            }
        }
        for namespace in NAMESPACES {
            for (control, votes) in all.in_namespace(&world, namespace).votes() {
                for vote in votes {
                    let at_home = vote.policy.namespace.as_deref().is_none_or(|own| own == namespace);
                    prop_assert!(at_home, "{}: {vote:?} in {namespace}", control.id);
                }
            }
        }
    }
}
