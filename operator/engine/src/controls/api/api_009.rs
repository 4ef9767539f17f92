//! API-009 Tokens of service accounts live long, or are not looked up

use crate::components::ComponentScope;
use crate::components::seconds;
use crate::controls::catalogue::{cis, kubescape, mitre, nsa, trivy};
use crate::controls::{Check, Component, Control, ControlId, Docs, Judgement, Severity};

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("API-009"),
    title: "Tokens of service accounts live long, or are not looked up",
    severity: Severity::Medium,
    component: Component::KubeApiserver,
    frameworks: &[
        nsa(&["A-06"]),
        cis(&["1.2.21", "1.2.22", "1.2.30"]),
        kubescape(&["C-0135", "C-0136", "C-0290"]),
        trivy(&["KCV-0024", "KCV-0025"]),
        mitre(&["T1528"]),
    ],
    docs: Docs {
        why: "A token whose account was deleted still works where it is not looked up. By default the API server makes the tokens of pods valid for a year instead of an hour, for clients that do not read them again.",
        reads: "Flags of `kube-apiserver` (arguments of containers, `/flagz`): `--service-account-lookup`, `--service-account-key-file`, `--service-account-extend-token-expiration`, `--service-account-max-token-expiration`.",
        allowed: "Lookup not switched off, a key file given, `--service-account-extend-token-expiration=false` (left out means true), and a longest life, if one is given, of at most 24 hours.",
        repair: api_server_flag!(),
        breaks: "Clients older than 2022 that read their token once; the metric `serviceaccount_stale_tokens_total` counts their requests.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Authentication and authorization",
            "CIS Kubernetes Benchmark 1.12, 1.2.21, 1.2.22, 1.2.30",
            "Kubernetes documentation, Managing Service Accounts",
        ],
    },
    check: Check::Component(&[Component::KubeApiserver], check),
    ..Control::COMPONENT
};

/// Longest life of a token, in seconds.
const LONGEST: u64 = 24 * 60 * 60;

fn check(at: &ComponentScope<'_>, judgement: &mut Judgement) {
    at.ask(Component::KubeApiserver, judgement, |ask| {
        ask.switch("service-account-lookup", true, true);
        ask.is_given("service-account-key-file", "<public key>");
        ask.switch("service-account-extend-token-expiration", false, true);
        let life = ask.process().value("service-account-max-token-expiration").map(seconds);
        // 0 leaves it to who asks for the token.
        let good = life.is_none_or(|life| life.is_some_and(|life| life <= LONGEST));
        ask.expect(
            "service-account-max-token-expiration",
            good,
            "--service-account-max-token-expiration of at most 24h",
        );
    });
}
