//! API-003 Kubelets are not held to their own node

use crate::components::{ComponentScope, Counters};
use crate::controls::catalogue::{cis, kubescape, mitre, nsa, trivy};
use crate::controls::{Check, Component, Control, ControlId, Docs, Judgement, Severity};
use crate::model::Kind;

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("API-003"),
    title: "Kubelets are not held to their own node",
    severity: Severity::High,
    component: Component::KubeApiserver,
    frameworks: &[
        nsa(&["A-04"]),
        cis(&["1.2.7", "1.2.14"]),
        kubescape(&["C-0119", "C-0127"]),
        trivy(&["KCV-0008", "KCV-0016"]),
        mitre(&["T1078"]),
    ],
    docs: Docs {
        why: "The Node authorizer lets a kubelet read only what its own pods use, and the plugin NodeRestriction lets it write only its own Node and pods. Without both, the credentials of one node read the Secrets of all.",
        reads: "Flags of `kube-apiserver` (arguments of containers, `/flagz`): `--authorization-mode`, `--enable-admission-plugins`, `--disable-admission-plugins`; `authorizers` of AuthorizationConfiguration documents; which authorizers and plugins did something, as `/metrics` counts it.",
        allowed: "Node among the authorizers, NodeRestriction among the plugins. Unknown where `--authorization-config` names a file that was not given.",
        repair: api_server_flag!(),
        breaks: "Kubelets whose certificate is not of the group `system:nodes`.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Authentication and authorization",
            "CIS Kubernetes Benchmark 1.12, 1.2.7, 1.2.14",
            "Kubernetes documentation, Using Node Authorization; Admission Controllers, NodeRestriction",
        ],
    },
    check: Check::Component(&[Component::KubeApiserver], check),
    ..Control::COMPONENT
};

fn check(at: &ComponentScope<'_>, judgement: &mut Judgement) {
    at.ask(Component::KubeApiserver, judgement, |ask| {
        const MODE: &str = "authorization-mode";
        let process = ask.process();
        if process.value(MODE).is_none() && process.value("authorization-config").is_some() {
            if !at.counters().is_some_and(decides) {
                ask.unseen("the authorizers", "authorization-config");
            }
        } else {
            let node = process.items(MODE).any(|item| item.eq_ignore_ascii_case("Node"));
            ask.expect(MODE, node, "--authorization-mode with Node");
        }
        let on = process
            .items("enable-admission-plugins")
            .any(|plugin| plugin == "NodeRestriction")
            && !process
                .items("disable-admission-plugins")
                .any(|plugin| plugin == "NodeRestriction");
        ask.expect(
            "enable-admission-plugins",
            on,
            "--enable-admission-plugins with NodeRestriction",
        );
    });
    // Of a server whose flags are not seen, both have to be proven.
    if let Some(counters) = at.counters()
        && at.processes(Component::KubeApiserver).next().is_none()
        && decides(counters)
        && counters.plugins.contains("NodeRestriction")
    {
        judgement.pass();
    }
    let Some(document) = at.document(Kind::AuthorizationConfiguration) else {
        return;
    };
    if document
        .items("authorizers")
        .iter()
        .any(|authorizer| authorizer["type"] == "Node")
    {
        judgement.pass();
    } else {
        judgement.fail("authorizers", None, "an authorizer of type Node");
    }
}

/// Whether the Node authorizer decided something, so that it is one of the chain.
fn decides(counters: &Counters) -> bool {
    counters.authorizers.contains("Node")
}
