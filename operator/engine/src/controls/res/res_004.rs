//! RES-004 No quota in a namespace

use serde_json::json;

use crate::controls::catalogue::{mitre, nsa, trivy};
use crate::controls::{Check, Control, ControlId, Docs, Judgement, NamespaceScope, Need, Severity, Threat};
use std::collections::BTreeSet;

use crate::model::Kind;

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("RES-004"),
    title: "No quota in a namespace",
    severity: Severity::Low,
    threats: &[Threat::MaliciousActor],
    frameworks: &[nsa(&["N-08"]), trivy(&["KSV-0040"]), mitre(&["T1496", "T1499"])],
    docs: Docs {
        why: "Without a quota one namespace can take all of the cluster's memory, CPU and addresses, by an error or by an intruder who mines.",
        reads: "ResourceQuotas of the namespace.",
        allowed: "Quotas that cover CPU and memory, as requests or limits. Not applicable to namespaces that are going away.",
        repair: "None: once there is a quota, pods that state no resources are refused.",
        breaks: "Pods that state no resources, where no LimitRange gives them some.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Network separation and hardening",
            "Kubernetes documentation, Resource Quotas",
        ],
    },
    needs: &[
        Need { kind: Kind::Namespace },
        Need {
            kind: Kind::ResourceQuota,
        },
    ],
    check: Check::Namespace(check),
    ..Control::WORKLOAD
};

fn check(at: &NamespaceScope<'_>, judgement: &mut Judgement) {
    if at.namespace.is_terminating() {
        return judgement.not_applicable("the namespace is going away");
    }
    let quotas = at
        .world
        .shard(&at.namespace.metadata.name)
        .into_iter()
        .flat_map(|shard| shard.quotas.values());
    let names: BTreeSet<&str> = quotas
        .flat_map(|quota| quota.spec.hard.keys().chain(quota.status.hard.keys()))
        .map(|name| name.rsplit('.').next().unwrap_or_default())
        .collect();
    for resource in ["cpu", "memory"] {
        if names.contains(resource) {
            judgement.pass();
        } else {
            judgement.fail(
                "",
                Some(json!(format!("no quota of {resource}"))),
                "a ResourceQuota of cpu and memory",
            );
        }
    }
}
