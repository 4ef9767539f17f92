//! NS-003 User workload in a system namespace

use serde_json::json;

use crate::controls::catalogue::{cis, mitre, nsa, trivy};
use crate::controls::{Check, Control, ControlId, Docs, Judgement, ObjectScope, Severity, Threat};
use crate::model::Workload;
use crate::policy::SYSTEM_NAMESPACES;

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("NS-003"),
    title: "User workload in a system namespace",
    severity: Severity::Medium,
    threats: &[Threat::MaliciousActor, Threat::InsiderThreat],
    frameworks: &[
        nsa(&["N-02"]),
        cis(&["5.6.1"]),
        trivy(&["KSV-0037"]),
        mitre(&["T1036.005"]),
    ],
    docs: Docs {
        why: "What runs in `kube-system` is taken for a part of the cluster: it is exempt from most policies, trusted by people, and its neighbours' secrets and accounts are within reach.",
        reads: "Namespace, labels and priority of workloads.",
        allowed: "Any namespace but `kube-system`, `kube-public` and `kube-node-lease`. Workloads that are marked as parts of the cluster (label `k8s-app` or `kubernetes.io/cluster-service`, a `system-` priority class, static pods) are not applicable.",
        repair: "None: objects cannot be moved.",
        breaks: "Nothing; objects are created anew elsewhere.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Network separation and hardening",
            "CIS Kubernetes Benchmark 1.12, 5.6.1",
        ],
    },
    check: Check::Object(workloads_and!(), check),
    ..Control::WORKLOAD
};

fn check(at: &ObjectScope<'_>, judgement: &mut Judgement) {
    if !SYSTEM_NAMESPACES.contains(&&*at.target.namespace) {
        return judgement.pass();
    }
    let Some(workload) = at.workload() else { return };
    if is_of_the_system(workload.workload) {
        judgement.not_applicable("it belongs to the cluster");
    } else {
        judgement.fail(
            "metadata.namespace",
            Some(json!(at.target.namespace.as_ref())),
            "a namespace of its own",
        );
    }
}

/// Whether a workload is marked as a part of the cluster: a static pod, an add-on, a control plane, or one of system priority.
fn is_of_the_system(workload: &Workload) -> bool {
    let labels = [&workload.meta.labels, &workload.template.labels];
    let has = |key: &str| labels.iter().any(|labels| labels.contains_key(key));
    let priority = workload
        .template
        .spec
        .priority_class_name
        .as_deref()
        .unwrap_or_default();
    workload.meta.annotations.contains_key("kubernetes.io/config.mirror")
        || priority.starts_with("system-")
        || [
            "k8s-app",
            "kubernetes.io/cluster-service",
            "addonmanager.kubernetes.io/mode",
            "tier",
        ]
        .into_iter()
        .any(has)
}
