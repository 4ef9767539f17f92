//! API-008 API server serves debugging, or waits too long

use crate::components::ComponentScope;
use crate::components::seconds;
use crate::controls::catalogue::{cis, kubescape, mitre, nsa, trivy};
use crate::controls::{Check, Component, Control, ControlId, Docs, Judgement, Parameter, Severity};

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("API-008"),
    title: "API server serves debugging, or waits too long",
    severity: Severity::Low,
    component: Component::KubeApiserver,
    frameworks: &[
        nsa(&["N-11"]),
        cis(&["1.2.15", "1.2.20"]),
        kubescape(&["C-0129", "C-0134"]),
        trivy(&["KCV-0018"]),
        mitre(&["T1613"]),
    ],
    docs: Docs {
        why: "Profiles tell about what the server does and holds, and cost it time. Requests that may last for long let few clients use up its connections.",
        reads: "Flags of `kube-apiserver` (arguments of containers, `/flagz`): `--profiling`, `--enable-logs-handler`, `--request-timeout`.",
        allowed: "`--profiling=false` (left out means true), no `--enable-logs-handler=true`, and a timeout of at most `longestRequest` (left out means a minute).",
        repair: api_server_flag!(),
        breaks: "Whoever reads profiles of a running server; switch it on while it is needed.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Network separation and hardening",
            "CIS Kubernetes Benchmark 1.12, 1.2.15, 1.2.20",
            "Kubernetes reference, kube-apiserver",
        ],
    },
    parameters: &[Parameter {
        name: "longestRequest",
        help: "Longest `--request-timeout` that passes.",
        default: &[LONGEST],
        accepts,
    }],
    check: Check::Component(&[Component::KubeApiserver], check),
    ..Control::COMPONENT
};

const LONGEST: &str = "3m";

fn accepts(text: &str) -> Result<(), String> {
    let positive = seconds(text).is_some_and(|seconds| seconds > 0);
    positive
        .then_some(())
        .ok_or_else(|| format!("{text:?} is not a duration: write one such as 3m"))
}

fn check(at: &ComponentScope<'_>, judgement: &mut Judgement) {
    let longest = at.parameters.values("longestRequest", &[LONGEST]);
    let most = longest.first().and_then(|text| seconds(text)).unwrap_or(u64::MAX);
    at.ask(Component::KubeApiserver, judgement, |ask| {
        ask.switch("profiling", false, true);
        ask.switch("enable-logs-handler", false, false);
        let timeout = ask.process().value("request-timeout").map(seconds);
        let good = timeout.is_none_or(|timeout| timeout.is_some_and(|timeout| (1..=most).contains(&timeout)));
        ask.expect(
            "request-timeout",
            good,
            &format!("--request-timeout of at most {}", longest.join(", ")),
        );
    });
}
