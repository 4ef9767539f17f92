//! AUD-001 API server writes no audit log, or does not keep it

use crate::components::ComponentScope;
use crate::controls::catalogue::{cis, kubescape, mitre, nsa, trivy};
use crate::controls::{Check, Component, Control, ControlId, Docs, Judgement, Severity, Threat};

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("AUD-001"),
    title: "API server writes no audit log, or does not keep it",
    severity: Severity::High,
    component: Component::KubeApiserver,
    threats: &[Threat::MaliciousActor, Threat::InsiderThreat],
    frameworks: &[
        nsa(&["L-01", "L-03"]),
        cis(&["1.2.16", "1.2.17", "1.2.18", "1.2.19", "3.2.1"]),
        kubescape(&["C-0067", "C-0130", "C-0131", "C-0132", "C-0133", "C-0160"]),
        trivy(&["KCV-0019", "KCV-0020", "KCV-0021", "KCV-0022"]),
        mitre(&["T1685"]),
    ],
    docs: Docs {
        why: "Without an audit log nobody can say who read a Secret or opened a shell in a pod, neither while it happens nor afterwards.",
        reads: "Flags of `kube-apiserver` (arguments of containers, `/flagz`): `--audit-policy-file`, `--audit-log-path`, `--audit-webhook-config-file`, `--audit-log-maxage`, `--audit-log-maxbackup`, `--audit-log-maxsize`; whether an audit event was made, as `/metrics` counts it.",
        allowed: "A policy, and a log file or a webhook. A log file is kept for at least 30 days, 10 files of 100 MiB; one that goes to standard output (`-`) or to a webhook is kept by others.",
        repair: api_server_flag!("Mount the policy and the folder of the log into the pod."),
        breaks: "Room on the disk; a policy at level RequestResponse for everything slows the API server.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Audit logging and threat detection",
            "CIS Kubernetes Benchmark 1.12, 1.2.16 to 1.2.19, 3.2.1",
            "Kubernetes documentation, Auditing",
        ],
    },
    check: Check::Component(&[Component::KubeApiserver], check),
    ..Control::COMPONENT
};

/// What a log file is kept by, with the least that passes.
const KEPT: [(&str, u64); 3] = [
    ("audit-log-maxage", 30),
    ("audit-log-maxbackup", 10),
    ("audit-log-maxsize", 100),
];

fn check(at: &ComponentScope<'_>, judgement: &mut Judgement) {
    at.ask(Component::KubeApiserver, judgement, |ask| {
        ask.is_given("audit-policy-file", "<policy>");
        let webhook = ask
            .process()
            .value("audit-webhook-config-file")
            .is_some_and(|file| !file.is_empty());
        let log = ask.process().value("audit-log-path").filter(|path| !path.is_empty());
        ask.expect("audit-log-path", log.is_some() || webhook, "--audit-log-path=<file>");
        let kept_elsewhere = log.map_or(webhook, |path| path == "-");
        for (flag, least) in KEPT {
            // 0 means that nothing is ever removed, except for the size, which is 100 then.
            let value = ask.process().value(flag).and_then(|text| text.parse::<u64>().ok());
            let enough = value.is_some_and(|value| value == 0 || value >= least);
            ask.expect(flag, enough || kept_elsewhere, &format!("--{flag}={least}"));
        }
    });
    if at.counters().is_some_and(|counters| counters.audits == Some(false)) {
        judgement.fail(
            "metrics/audits",
            Some(false.into()),
            "audit events of the requests that are served",
        );
    }
}
