//! KCM-002 Controllers share one identity, or tokens cannot be verified

use crate::components::ComponentScope;
use crate::controls::catalogue::{cis, kubescape, mitre, nsa, trivy};
use crate::controls::{Check, Component, Control, ControlId, Docs, Judgement, Severity, Threat};

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("KCM-002"),
    title: "Controllers share one identity, or tokens cannot be verified",
    severity: Severity::High,
    component: Component::KubeControllerManager,
    threats: &[Threat::MaliciousActor, Threat::InsiderThreat],
    frameworks: &[
        nsa(&["A-05"]),
        cis(&["1.3.1", "1.3.3", "1.3.4", "1.3.5", "1.3.6"]),
        kubescape(&["C-0144", "C-0146", "C-0147", "C-0148", "C-0149"]),
        trivy(&["KCV-0033", "KCV-0035", "KCV-0036", "KCV-0037", "KCV-0038"]),
        mitre(&["T1078"]),
    ],
    docs: Docs {
        why: "Without an account for each controller all of them have the rights of all. Without the CA in their tokens pods cannot verify the API server. Without a bound on ended pods they fill etcd.",
        reads: "Arguments of containers that run `kube-controller-manager`: `--use-service-account-credentials`, `--service-account-private-key-file`, `--root-ca-file`, `--terminated-pod-gc-threshold`, the gate RotateKubeletServerCertificate.",
        allowed: "`--use-service-account-credentials=true` (left out means false), key and CA given, a threshold above 0 given, the gate not switched off.",
        repair: controller_manager_flag!(),
        breaks: "Nothing: the roles `system:controller:…` are there in every cluster with RBAC.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Authentication and authorization",
            "CIS Kubernetes Benchmark 1.12, 1.3.1, 1.3.3 to 1.3.6",
            "Kubernetes reference, kube-controller-manager",
        ],
    },
    check: Check::Component(&[Component::KubeControllerManager], check),
    ..Control::COMPONENT
};

fn check(at: &ComponentScope<'_>, judgement: &mut Judgement) {
    at.ask(Component::KubeControllerManager, judgement, |ask| {
        ask.switch("use-service-account-credentials", true, false);
        ask.is_given("service-account-private-key-file", "<private key>");
        ask.is_given("root-ca-file", "<CA of the API server>");
        let threshold = ask
            .process()
            .value("terminated-pod-gc-threshold")
            .and_then(|text| text.parse::<i64>().ok());
        let bounded = threshold.is_some_and(|threshold| threshold > 0);
        ask.expect(
            "terminated-pod-gc-threshold",
            bounded,
            "--terminated-pod-gc-threshold with a number above 0",
        );
        let rotates = ask.process().gate("RotateKubeletServerCertificate") != Some(false);
        ask.expect(
            "feature-gates",
            rotates,
            "--feature-gates without RotateKubeletServerCertificate=false",
        );
    });
}
