//! POD-008 Root or implicit group

use serde_json::json;

use crate::controls::catalogue::{cis, kubescape, mitre, nsa, trivy};
use crate::controls::{Check, Control, ControlId, Docs, Judgement, Severity, TemplateScope, Threat};

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("POD-008"),
    title: "Root or implicit group",
    severity: Severity::Low,
    threats: &[Threat::MaliciousActor],
    frameworks: &[
        nsa(&["P-14"]),
        cis(&["5.6.3"]),
        kubescape(&["C-0013"]),
        trivy(&["KSV-0116", "KSV-0021"]),
        mitre(&["T1068"]),
    ],
    docs: Docs {
        why: "A process whose primary group is root reads and writes the files that images and volumes give to that group. Where no group is stated the image decides, and most say root.",
        reads: "`securityContext.runAsGroup` of the pod, and of containers, init containers and ephemeral containers; `fsGroup` and `supplementalGroups` of the pod.",
        allowed: "A `runAsGroup` other than 0 on the container, or on the pod where the container says nothing; no 0 in `fsGroup` and `supplementalGroups`. Any value in a pod with `hostUsers: false` (since Kubernetes 1.35). Not applicable to Windows pods.",
        repair: "None: images made for arbitrary users give their files to group 0, and lose them with it.",
        breaks: "Programs whose files belong to group 0.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Kubernetes Pod security",
            "Kubernetes documentation, Configure a Security Context for a Pod or Container",
        ],
    },
    check: Check::Template(check),
    ..Control::WORKLOAD
};

fn check(at: &TemplateScope<'_>, judgement: &mut Judgement) {
    if at.spec().is_windows() {
        return judgement.not_applicable("Windows has no such groups");
    }
    if at.spec().host_users == Some(false) && at.at_least(35) {
        return judgement.pass();
    }
    let pod = at.spec().security_context.as_ref();
    let group = pod.and_then(|context| context.run_as_group);
    judgement.reject(GROUP_OF_POD, group, &0, "not 0");
    judgement.reject(
        "spec.securityContext.fsGroup",
        pod.and_then(|context| context.fs_group),
        &0,
        "not 0",
    );
    let groups = pod
        .map(|context| context.supplemental_groups.as_slice())
        .unwrap_or_default();
    if groups.contains(&0) {
        judgement.fail(
            "spec.securityContext.supplementalGroups",
            Some(json!(groups)),
            "without 0",
        );
    }
    for at in at.containers() {
        judgement.enter_container(&at);
        let own = at.container.security().run_as_group;
        match own.or(group) {
            Some(0) if own == Some(0) => judgement.fail(GROUP, Some(json!(0)), "not 0"),
            None => judgement.fail(GROUP, None, "a group other than 0"),
            Some(_) => judgement.pass(),
        }
    }
}

const GROUP: &str = "securityContext.runAsGroup";
const GROUP_OF_POD: &str = "spec.securityContext.runAsGroup";
