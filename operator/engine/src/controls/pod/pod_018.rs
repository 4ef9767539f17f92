//! POD-018 No strong isolation of an untrusted tier

use serde_json::json;

use crate::controls::catalogue::{kubescape, mitre, nsa};
use crate::controls::{Check, Control, ControlId, Docs, Judgement, Need, Parameter, Severity, Threat, WorkloadScope};
use crate::model::Kind;

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("POD-018"),
    title: "No strong isolation of an untrusted tier",
    severity: Severity::Medium,
    threats: &[Threat::MaliciousActor, Threat::SupplyChain],
    frameworks: &[nsa(&["P-03", "P-21"]), kubescape(&["C-0297"]), mitre(&["T1611"])],
    docs: Docs {
        why: "Code that nobody vouches for needs more than namespaces and seccomp between it and the node: a user namespace, in which its root is nobody outside, or a sandbox with a kernel of its own.",
        reads: "`hostUsers` and `runtimeClassName` of the pod; labels of the Namespace.",
        allowed: "`hostUsers: false` or a `runtimeClassName`, in namespaces with a label that parameter `untrusted` names. Not applicable elsewhere.",
        repair: "None: volumes and runtimes must support it.",
        breaks: "Volumes that cannot be mapped to other users; programs that need what a sandbox does not have.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Kubernetes Pod security",
            "Kubernetes documentation, User Namespaces",
            "Kubernetes documentation, Runtime Class",
        ],
    },
    parameters: &[Parameter {
        name: "untrusted",
        help: "Labels, as `key=value`, of the namespaces whose code is not trusted.",
        default: DEFAULT,
        accepts: |value| match value.split_once('=') {
            Some((key, _)) if !key.is_empty() && !key.contains(' ') => Ok(()),
            _ => Err(format!("`{value}` is not a label; write key=value")),
        },
    }],
    needs: &[Need { kind: Kind::Namespace }],
    check: Check::Workload(check),
    ..Control::WORKLOAD
};

fn check(at: &WorkloadScope<'_>, judgement: &mut Judgement) {
    let Some(namespace) = at.world.namespace(&at.workload.meta.namespace) else {
        return judgement.not_applicable("the labels of the namespace are not known");
    };
    let labels = &namespace.metadata.labels;
    let tier = at.parameters.values("untrusted", DEFAULT).into_iter().find(|label| {
        let (key, value) = label.split_once('=').unwrap_or((label, ""));
        labels.has(key, value)
    });
    if tier.is_none() {
        return judgement.not_applicable("the namespace is not marked as untrusted");
    }
    let class = at
        .spec()
        .runtime_class_name
        .as_deref()
        .filter(|class| !class.is_empty());
    match (class, at.spec().host_users) {
        (Some(_), _) | (_, Some(false)) => judgement.pass(),
        (None, host_users) => {
            let expected = "false, or a runtimeClassName that isolates more strongly";
            judgement.fail("spec.hostUsers", host_users.map(|value| json!(value)), expected);
        }
    }
}

const DEFAULT: &[&str] = &["tier=untrusted"];
