//! KUBELET-006 Pods may use up the process ids of a node

use crate::components::ComponentScope;
use crate::controls::catalogue::{cis, kubescape, mitre, nsa};
use crate::controls::{Check, Component, Control, ControlId, Docs, Judgement, Severity};
use crate::model::Kind;

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("KUBELET-006"),
    title: "Pods may use up the process ids of a node",
    severity: Severity::Medium,
    component: Component::Kubelet,
    frameworks: &[
        nsa(&["N-09", "N-10"]),
        cis(&["4.2.13"]),
        kubescape(&["C-0284"]),
        mitre(&["T1499"]),
    ],
    docs: Docs {
        why: "One pod that starts processes without end takes the last id of the node, and then neither other pods nor the kubelet can start anything.",
        reads: "`podPidsLimit`, `systemReserved`, `kubeReserved` of KubeletConfiguration, as a file or in a ConfigMap, which says what is meant and not what runs; `--pod-max-pids` of containers that run `kubelet`.",
        allowed: "A limit above 0 for each pod (left out means none), and ids reserved for the system.",
        repair: kubelet_field!(),
        breaks: "Pods that need more processes than the limit.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Network separation and hardening, Resource policies",
            "CIS Kubernetes Benchmark 1.12, 4.2.13",
            "Kubernetes documentation, Process ID Limits And Reservations",
        ],
    },
    check: Check::Component(&[Component::Kubelet], check),
    ..Control::COMPONENT
};

fn check(at: &ComponentScope<'_>, judgement: &mut Judgement) {
    at.ask(Component::Kubelet, judgement, |ask| {
        let limit = ask
            .process()
            .value("pod-max-pids")
            .and_then(|text| text.parse::<i64>().ok());
        ask.expect(
            "pod-max-pids",
            limit.is_some_and(|limit| limit > 0),
            "--pod-max-pids with a number such as 4096",
        );
    });
    at.fields(Kind::KubeletConfiguration, judgement, |fields| {
        let limit = fields.number("podPidsLimit").unwrap_or(-1);
        fields.expect("podPidsLimit", limit > 0, "a number such as 4096");
        let reserved = ["systemReserved.pid", "kubeReserved.pid"]
            .iter()
            .any(|path| fields.text(path).is_some());
        fields.expect("systemReserved", reserved, "with pid, such as pid: \"1000\"");
    });
}
