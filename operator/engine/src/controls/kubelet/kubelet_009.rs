//! KUBELET-009 Kubelet settings that weaken its node

use crate::components::ComponentScope;
use crate::controls::catalogue::{cis, kubescape, mitre, nsa, trivy};
use crate::controls::{Check, Component, Control, ControlId, Docs, Judgement, Severity};
use crate::model::Kind;

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("KUBELET-009"),
    title: "Kubelet settings that weaken its node",
    severity: Severity::Low,
    component: Component::Kubelet,
    frameworks: &[
        nsa(&["U-02"]),
        cis(&["4.2.6", "4.2.7"]),
        kubescape(&["C-0177", "C-0178", "C-0179"]),
        trivy(&["KCV-0083", "KCV-0084", "KCV-0086"]),
        mitre(&["T1543.005"]),
    ],
    docs: Docs {
        why: "Pods from a web address come to the node past the API server and its admission. Unsafe kernel parameters reach beyond the pod that sets them. A name of the node's own choosing gets it the certificate of another.",
        reads: "`makeIPTablesUtilChains`, `protectKernelDefaults`, `allowedUnsafeSysctls`, `staticPodURL` of KubeletConfiguration, as a file or in a ConfigMap, which says what is meant and not what runs; `--make-iptables-util-chains`, `--protect-kernel-defaults`, `--allowed-unsafe-sysctls`, `--manifest-url`, `--hostname-override` of containers that run `kubelet`.",
        allowed: "Chains kept (the default), kernel defaults protected (left out means false), no unsafe parameter, no static pods from an address, no other name.",
        repair: kubelet_field!(),
        breaks: "A kubelet that protects kernel defaults does not start where the node has others.",
        sources: &[
            "CIS Kubernetes Benchmark 1.12, 4.2.6 and 4.2.7",
            "Kubernetes reference, Kubelet Configuration (v1beta1)",
        ],
    },
    check: Check::Component(&[Component::Kubelet], check),
    ..Control::COMPONENT
};

fn check(at: &ComponentScope<'_>, judgement: &mut Judgement) {
    at.ask(Component::Kubelet, judgement, |ask| {
        ask.switch("make-iptables-util-chains", true, true);
        ask.switch("protect-kernel-defaults", true, false);
        ask.is_absent("allowed-unsafe-sysctls", "no unsafe parameter");
        ask.is_absent("manifest-url", "pods come from the API server");
        ask.is_absent("hostname-override", "the name of the host");
    });
    at.fields(Kind::KubeletConfiguration, judgement, |fields| {
        fields.switch("makeIPTablesUtilChains", true, true);
        fields.switch("protectKernelDefaults", true, false);
        fields.expect(
            "allowedUnsafeSysctls",
            fields.items("allowedUnsafeSysctls").is_empty(),
            "no unsafe parameter",
        );
        let address = fields.text("staticPodURL").unwrap_or_default();
        fields.expect(
            "staticPodURL",
            address.is_empty(),
            "left out; pods come from the API server",
        );
    });
}
