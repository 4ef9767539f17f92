//! KUBELET-008 Kubelet serves debugging or log files

use crate::components::ComponentScope;
use crate::controls::catalogue::{mitre, nsa};
use crate::controls::{Check, Component, Control, ControlId, Docs, Judgement, Severity};
use crate::model::Kind;

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("KUBELET-008"),
    title: "Kubelet serves debugging or log files",
    severity: Severity::Low,
    component: Component::Kubelet,
    frameworks: &[nsa(&["N-17"]), mitre(&["T1609", "T1613"])],
    docs: Docs {
        why: "Profiles, flags that change while the kubelet runs, and every file under `/var/log` of the node are more than `kubectl logs` and `exec` need.",
        reads: "`enableProfilingHandler`, `enableDebugFlagsHandler`, `enableSystemLogHandler`, `enableSystemLogQuery` of KubeletConfiguration, as a file or in a ConfigMap, which says what is meant and not what runs; no flags of containers that run `kubelet`.",
        allowed: "false. Left out, the first three are true.",
        repair: kubelet_field!(),
        breaks: "`kubectl get --raw /api/v1/nodes/…/proxy/logs/`, and tools that fetch profiles.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Network separation and hardening",
            "Kubernetes reference, Kubelet Configuration (v1beta1)",
        ],
    },
    check: Check::Component(&[Component::Kubelet], check),
    ..Control::COMPONENT
};

/// What is served, and whether it is where nothing is said.
const HANDLERS: [(&str, bool); 4] = [
    ("enableProfilingHandler", true),
    ("enableDebugFlagsHandler", true),
    ("enableSystemLogHandler", true),
    ("enableSystemLogQuery", false),
];

fn check(at: &ComponentScope<'_>, judgement: &mut Judgement) {
    at.ask(Component::Kubelet, judgement, |ask| {
        ask.no_flag("the handlers of the kubelet");
    });
    at.fields(Kind::KubeletConfiguration, judgement, |fields| {
        for (field, default) in HANDLERS {
            fields.switch(field, false, default);
        }
    });
}
