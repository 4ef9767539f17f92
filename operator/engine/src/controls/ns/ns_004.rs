//! NS-004 Nothing checks pods before they are made

use serde_json::json;

use crate::controls::catalogue::{cis, kubescape, mitre, nsa};
use crate::controls::{Check, Control, ControlId, Docs, Judgement, NamespaceScope, Need, Severity, Threat};
use crate::model::Kind;

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("NS-004"),
    title: "Nothing checks pods before they are made",
    severity: Severity::Medium,
    threats: &[Threat::MaliciousActor, Threat::InsiderThreat],
    frameworks: &[
        nsa(&["P-08"]),
        cis(&["5.2.1"]),
        kubescape(&["C-0192", "C-0068"]),
        mitre(&["T1685"]),
    ],
    docs: Docs {
        why: "Controls that look at what runs come too late for a pod that needs a minute. In a namespace that nothing watches over, whoever may create pods may create any.",
        reads: "Labels of the Namespace; Services behind admission webhooks. ValidatingAdmissionPolicies are not read yet.",
        allowed: "Any label of Pod Security Admission, or a policy engine (Gatekeeper, Kyverno, Kubewarden, Polaris) that the API server calls. Whether what they ask for is enough is NS-001's question. Not applicable to namespaces that are going away.",
        repair: "None: see NS-001.",
        breaks: "Nothing that runs; pods may be refused when they are created next.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Kubernetes Pod security, Pod security enforcement",
            "CIS Kubernetes Benchmark 1.12, 5.2.1",
        ],
    },
    needs: &[Need { kind: Kind::Namespace }],
    check: Check::Namespace(check),
    ..Control::WORKLOAD
};

fn check(at: &NamespaceScope<'_>, judgement: &mut Judgement) {
    if at.namespace.is_terminating() {
        return judgement.not_applicable("the namespace is going away");
    }
    let labels = &at.namespace.metadata.labels;
    let labelled = ["enforce", "audit", "warn"]
        .iter()
        .any(|mode| labels.contains_key(&format!("pod-security.kubernetes.io/{mode}")));
    let engine = at.world.api_server_backends.iter().any(|backend| {
        ENGINES
            .iter()
            .any(|engine| backend.service.contains(engine) || backend.caller.contains(engine))
    });
    if labelled || engine {
        judgement.pass();
    } else {
        let found = Some(json!("neither Pod Security Admission nor a policy engine"));
        judgement.fail_at(
            "/metadata/labels",
            found,
            "a label of Pod Security Admission, or a policy engine",
        );
    }
}

/// Policy engines, by a part of the name of the Service that their webhooks call.
const ENGINES: [&str; 6] = ["gatekeeper", "kyverno", "kubewarden", "polaris", "datree", "neuvector"];
