//! POD-015 Custom SELinux options

use serde_json::json;

use crate::controls::catalogue::{cis, kubescape, mitre, nsa, pss_baseline, trivy};
use crate::controls::{Check, Control, ControlId, Docs, Judgement, Severity, TemplateScope, Threat};
use crate::model::template::SeLinuxOptions;

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("POD-015"),
    title: "Custom SELinux options",
    severity: Severity::Medium,
    threats: &[Threat::MaliciousActor],
    frameworks: &[
        nsa(&["P-16"]),
        pss_baseline(&["seLinuxOptions"]),
        cis(&["5.6.3"]),
        kubescape(&["C-0211"]),
        trivy(&["KSV-0025"]),
        mitre(&["T1611"]),
    ],
    docs: Docs {
        why: "With a user, role or type of its own a process leaves the domain that keeps containers apart from the node and from each other: `spc_t` is as good as no SELinux at all.",
        reads: "`securityContext.seLinuxOptions` of the pod, and of containers, init containers and ephemeral containers.",
        allowed: "No `user` and no `role`; `type` absent or one of container_t, container_init_t, container_kvm_t, container_engine_t; any `level`. Not applicable to Windows pods.",
        repair: "None: the author asked for it by name.",
        breaks: "Agents that need files of the node.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Kubernetes Pod security",
            "Pod Security Standards, baseline, SELinux",
        ],
    },
    check: Check::Template(check),
    ..Control::WORKLOAD
};

/// Types that confine a container; the last is known since Kubernetes 1.31.
const TYPES: [&str; 4] = [
    "container_t",
    "container_init_t",
    "container_kvm_t",
    "container_engine_t",
];

fn check(at: &TemplateScope<'_>, judgement: &mut Judgement) {
    if at.spec().is_windows() {
        return judgement.not_applicable("Windows has no SELinux");
    }
    let pod = at.spec().security_context.as_ref();
    check_options(
        "spec",
        pod.and_then(|context| context.se_linux_options.as_ref()),
        judgement,
    );
    for at in at.containers() {
        judgement.enter_container(&at);
        check_options("", at.container.security().se_linux_options.as_ref(), judgement);
    }
}

fn check_options(at: &str, options: Option<&SeLinuxOptions>, judgement: &mut Judgement) {
    judgement.pass(); // nothing said is as it should be
    let Some(options) = options else { return };
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    for (field, value) in [("user", given(&options.user)), ("role", given(&options.role))] {
        if let Some(value) = value {
            let path = format!("{at}.securityContext.seLinuxOptions.{field}");
            judgement.fail(&path, Some(json!(value)), "absent");
        }
    }
    if let Some(kind) = given(&options.kind).filter(|kind| !TYPES.contains(&kind.as_str())) {
        let path = format!("{at}.securityContext.seLinuxOptions.type");
        judgement.fail(&path, Some(json!(kind)), "absent or a container type");
    }
}
