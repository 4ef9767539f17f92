//! API-001 Anonymous requests to the API server

use crate::components::ComponentScope;
use crate::controls::catalogue::{cis, kubescape, mitre, nsa, trivy};
use crate::controls::{Check, Component, Control, ControlId, Docs, Judgement, Severity};
use crate::model::Kind;
use serde_json::Value;

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("API-001"),
    title: "Anonymous requests to the API server",
    severity: Severity::High,
    component: Component::KubeApiserver,
    frameworks: &[
        nsa(&["A-03"]),
        cis(&["1.2.1"]),
        kubescape(&["C-0113"]),
        trivy(&["KCV-0001"]),
        mitre(&["T1133", "T1078.001"]),
    ],
    docs: Docs {
        why: "A request without credentials is served as `system:anonymous`. Whatever is bound to that user by mistake is open to everybody who reaches the port, and every fault of the API server can be tried without an account.",
        reads: "Arguments of containers that run `kube-apiserver`: `--anonymous-auth`; `anonymous` of AuthenticationConfiguration documents.",
        allowed: "`--anonymous-auth=false`, or an AuthenticationConfiguration that lets anonymous requests reach nothing but `/livez`, `/readyz` and `/healthz`. The flag left out means true. Unknown where `--authentication-config` names a file that was not given.",
        repair: api_server_flag!(
            "Where load balancers ask for its health, use an AuthenticationConfiguration with `anonymous.conditions`."
        ),
        breaks: "Health checks without credentials, and `kubeadm join` with a token, which reads `cluster-info` anonymously.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Authentication and authorization",
            "CIS Kubernetes Benchmark 1.12, 1.2.1",
            "Kubernetes documentation, Authenticating, Anonymous requests",
        ],
    },
    check: Check::Component(&[Component::KubeApiserver], check),
    ..Control::COMPONENT
};

/// Paths that say nothing but whether the server works.
const HEALTH: [&str; 3] = ["/livez", "/readyz", "/healthz"];

fn check(at: &ComponentScope<'_>, judgement: &mut Judgement) {
    at.ask(Component::KubeApiserver, judgement, |ask| {
        if ask.process().value("anonymous-auth").is_none() && ask.process().value("authentication-config").is_some() {
            return ask.unseen("anonymous access", "authentication-config");
        }
        ask.switch("anonymous-auth", false, true);
    });
    let Some(document) = at.document(Kind::AuthenticationConfiguration) else {
        return;
    };
    match document.field("anonymous.enabled").and_then(Value::as_bool) {
        None => judgement.not_applicable("it leaves anonymous requests to --anonymous-auth"),
        Some(false) => judgement.pass(),
        Some(true) => {
            let open = |condition: &Value| !condition["path"].as_str().is_some_and(|path| HEALTH.contains(&path));
            let conditions = document.items("anonymous.conditions");
            if conditions.is_empty() {
                judgement.fail(
                    "anonymous.enabled",
                    Some(true.into()),
                    "false, or conditions with health paths",
                );
            }
            for (index, condition) in conditions.iter().enumerate() {
                if open(condition) {
                    let path = format!("anonymous.conditions.{index}.path");
                    judgement.fail(&path, Some(condition["path"].clone()), "/livez, /readyz or /healthz");
                } else {
                    judgement.pass();
                }
            }
        }
    }
}
