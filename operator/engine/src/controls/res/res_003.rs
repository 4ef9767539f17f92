//! RES-003 No defaults for resources in a namespace

use serde_json::json;

use crate::controls::catalogue::{kubescape, mitre, nsa, trivy};
use crate::controls::{Check, Control, ControlId, Docs, Judgement, NamespaceScope, Need, Severity, Threat};
use crate::model::{Kind, Resource};

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("RES-003"),
    title: "No defaults for resources in a namespace",
    severity: Severity::Low,
    threats: &[Threat::MaliciousActor],
    frameworks: &[
        nsa(&["N-07"]),
        kubescape(&["C-0009"]),
        trivy(&["KSV-0039"]),
        mitre(&["T1499"]),
    ],
    docs: Docs {
        why: "Whoever forgets to state resources gets a container without limits. A LimitRange gives it some, and refuses what asks for too much.",
        reads: "LimitRanges of the namespace.",
        allowed: "A LimitRange with an item of type Container that has `default`. Not applicable to namespaces that are going away.",
        repair: "None: defaults that are too low end or slow down the pods that are made next.",
        breaks: "Containers that need more than the default and do not say so.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Network separation and hardening",
            "Kubernetes documentation, Limit Ranges",
        ],
    },
    needs: &[Need { kind: Kind::Namespace }, Need { kind: Kind::LimitRange }],
    check: Check::Namespace(check),
    ..Control::WORKLOAD
};

fn check(at: &NamespaceScope<'_>, judgement: &mut Judgement) {
    if at.namespace.is_terminating() {
        return judgement.not_applicable("the namespace is going away");
    }
    let ranges = at
        .world
        .shard(&at.namespace.metadata.name)
        .into_iter()
        .flat_map(|shard| shard.resources_of(Kind::LimitRange));
    let defaults = |resource: &Resource| match resource {
        Resource::LimitRange(range) => range
            .spec
            .limits
            .iter()
            .any(|item| item.kind == "Container" && !item.default.is_empty()),
        _ => false,
    };
    if ranges.map(|(_, range)| &**range).any(defaults) {
        judgement.pass();
    } else {
        let expected = "a LimitRange with default and defaultRequest for containers";
        judgement.fail("", Some(json!("no LimitRange gives containers limits")), expected);
    }
}
