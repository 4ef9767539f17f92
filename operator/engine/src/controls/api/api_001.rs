//! API-001 Anonymous requests to the API server

use crate::components::{Anonymous, ComponentScope, boolean};
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
        reads: "Flags of `kube-apiserver` (arguments of containers, `/flagz`): `--anonymous-auth`; `anonymous` of AuthenticationConfiguration documents; the answer to a request without credentials for `/api`, where the operator is told to try.",
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
    let tried = at.anonymous();
    at.ask(Component::KubeApiserver, judgement, |ask| {
        let process = ask.process();
        let by_flag = process.value("anonymous-auth").and_then(boolean);
        // Of the flags in effect it is always one, also where the file decides.
        let is_open = by_flag.is_none() || (process.in_effect && by_flag == Some(true));
        if !(is_open && process.value("authentication-config").is_some()) {
            ask.switch("anonymous-auth", false, true);
        } else if tried.is_none() {
            ask.unseen("anonymous access", "authentication-config");
        }
    });
    match tried {
        Some(Anonymous::Refused) => judgement.pass(),
        Some(Anonymous::Served(status)) => {
            judgement.fail(
                "anonymous/status",
                Some(status.into()),
                "401: a request without credentials is refused",
            );
        }
        None => {}
    }
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
