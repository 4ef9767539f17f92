//! DNS-002 CoreDNS has more of its node or of the API server than it needs

use crate::components::{Arguments, ComponentScope, account_is_bounded};
use crate::controls::catalogue::{kubescape, mitre, nsa};
use crate::controls::{Check, Component, Control, ControlId, Docs, Judgement, Need, Severity};
use crate::model::Kind;
use crate::model::rbac::PolicyRule;

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("DNS-002"),
    title: "CoreDNS has more of its node or of the API server than it needs",
    severity: Severity::Medium,
    component: Component::ClusterDns,
    frameworks: &[nsa(&["A-05"]), kubescape(&["C-0037"]), mitre(&["T1557"])],
    docs: Docs {
        why: "Every pod talks to the cluster DNS, so whoever breaks one program of the cluster this way stands in the middle of all. What it may do on its node and at the API server is what that person gets.",
        reads: "Containers that run `coredns`: `securityContext.{allowPrivilegeEscalation, readOnlyRootFilesystem, capabilities}`; roles and bindings of their ServiceAccount.",
        allowed: "No privilege escalation, a read-only root file system, all capabilities dropped but NET_BIND_SERVICE; an account that reads names, addresses and nodes, and changes nothing.",
        repair: "None: the workload is the distribution's. kubeadm, RKE2 and k3s install it so; look who changed it, or set it in the chart's values.",
        breaks: "Plugins that write files, such as `dnstap` to a file or `auto` with transfers.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Authentication and authorization",
            "CoreDNS, deployment for Kubernetes; kubeadm, addon CoreDNS",
        ],
    },
    needs: &[
        Need { kind: Kind::Pod },
        Need {
            kind: Kind::ClusterRole,
        },
        Need {
            kind: Kind::ClusterRoleBinding,
        },
    ],
    check: Check::Component(&[Component::ClusterDns], check),
    ..Control::COMPONENT
};

/// What it looks up.
const READ: [&str; 6] = ["endpoints", "endpointslices", "namespaces", "nodes", "pods", "services"];

fn check(at: &ComponentScope<'_>, judgement: &mut Judgement) {
    for process in at.processes(Component::ClusterDns) {
        judgement.enter(process.pointer.clone(), process.container);
        container(process, judgement);
        let expected = "an account that reads names and addresses, and changes nothing";
        account_is_bounded(at.world, process, judgement, expected, only_reads);
    }
    judgement.enter(String::new(), None);
}

fn container(process: &Arguments<'_>, judgement: &mut Judgement) {
    let Some(container) = process.runs_in else { return };
    let security = container.security();
    judgement.expect(
        "securityContext.allowPrivilegeEscalation",
        security.allow_privilege_escalation,
        false,
    );
    judgement.expect(
        "securityContext.readOnlyRootFilesystem",
        security.read_only_root_filesystem,
        true,
    );
    let added = container.added_capabilities();
    let drops_all = container
        .dropped_capabilities()
        .iter()
        .any(|capability| capability.eq_ignore_ascii_case("ALL"));
    if drops_all && added.iter().all(|capability| is_bind_service(capability)) {
        judgement.pass();
    } else {
        let expected = "drop: [ALL], add: [NET_BIND_SERVICE]";
        judgement.fail("securityContext.capabilities", Some(serde_json::json!(added)), expected);
    }
}

fn is_bind_service(capability: &str) -> bool {
    capability.trim_start_matches("CAP_") == "NET_BIND_SERVICE"
}

fn only_reads(rule: &PolicyRule) -> bool {
    let reads = rule
        .verbs
        .iter()
        .all(|verb| ["get", "list", "watch"].contains(&verb.as_str()));
    reads && rule.resources.iter().all(|resource| READ.contains(&resource.as_str()))
}
