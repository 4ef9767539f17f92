//! POD-014 AppArmor unconfined

use serde_json::json;

use crate::controls::catalogue::{kubescape, mitre, nsa, pss_baseline, trivy};
use crate::controls::{Check, Control, ControlId, Docs, Judgement, Severity, TemplateScope, Threat};
use crate::model::literal::escape;
use crate::model::template::Profile;

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("POD-014"),
    title: "AppArmor unconfined",
    severity: Severity::Low,
    threats: &[Threat::MaliciousActor],
    frameworks: &[
        nsa(&["P-17"]),
        pss_baseline(&["appArmorProfile"]),
        kubescape(&["C-0055"]),
        trivy(&["KSV-0002"]),
        mitre(&["T1611"]),
    ],
    docs: Docs {
        why: "On nodes with AppArmor the runtime's default profile keeps containers from mounting, from writing to much of `/proc` and `/sys` and from tracing others. Unconfined takes that away.",
        reads: "`securityContext.appArmorProfile.type` of the pod, and of containers, init containers and ephemeral containers; the annotations `container.apparmor.security.beta.kubernetes.io/CONTAINER` of older manifests.",
        allowed: "`RuntimeDefault`, `Localhost` or absent, which means the runtime's default on nodes with AppArmor. Not applicable to Windows pods.",
        repair: "None: a pod that asks for a profile does not start on nodes without AppArmor.",
        breaks: "Programs that mount file systems or trace others.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Kubernetes Pod security",
            "Pod Security Standards, baseline, AppArmor",
            "Kubernetes documentation, Restrict a Container's Access to Resources with AppArmor",
        ],
    },
    check: Check::Template(check),
    ..Control::WORKLOAD
};

const PREFIX: &str = "container.apparmor.security.beta.kubernetes.io/";
const EXPECTED: &str = "RuntimeDefault, Localhost or absent";

fn check(at: &TemplateScope<'_>, judgement: &mut Judgement) {
    if at.spec().is_windows() {
        return judgement.not_applicable("Windows has no AppArmor");
    }
    let pod = at.spec().security_context.as_ref();
    check_profile(
        "spec",
        pod.and_then(|context| context.app_armor_profile.as_ref()),
        judgement,
    );
    for (name, value) in &at.template.annotations {
        if !name.starts_with(PREFIX) {
            continue;
        }
        if value.is_empty() || value == "runtime/default" || value.starts_with("localhost/") {
            judgement.pass();
        } else {
            let pointer = format!("/metadata/annotations/{}", escape(name));
            judgement.fail_at(&pointer, Some(json!(value)), "runtime/default or localhost/PROFILE");
        }
    }
    for at in at.containers() {
        judgement.enter_container(&at);
        check_profile("", at.container.security().app_armor_profile.as_ref(), judgement);
    }
}

fn check_profile(at: &str, profile: Option<&Profile>, judgement: &mut Judgement) {
    match profile.map(|profile| profile.kind.as_str()) {
        None | Some("" | "RuntimeDefault" | "Localhost") => judgement.pass(),
        Some(kind) => {
            let path = format!("{at}.securityContext.appArmorProfile.type");
            judgement.fail(&path, Some(json!(kind)), EXPECTED);
        }
    }
}
