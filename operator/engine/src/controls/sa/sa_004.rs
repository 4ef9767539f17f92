//! SA-004 Long-lived token

use serde_json::json;

use crate::controls::catalogue::{cis, kubescape, mitre, nsa};
use crate::controls::{Check, Control, ControlId, Docs, Judgement, ObjectScope, Severity, Threat};
use crate::model::{Kind, Resource};

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("SA-004"),
    title: "Long-lived token",
    severity: Severity::High,
    threats: &[Threat::MaliciousActor, Threat::InsiderThreat],
    frameworks: &[
        nsa(&["A-06"]),
        cis(&["3.1.2", "3.1.3"]),
        kubescape(&["C-0287", "C-0288"]),
        mitre(&["T1528", "T1552.001"]),
    ],
    docs: Docs {
        why: "A token in a Secret never expires and is good from anywhere. Whoever read it once, in a backup, a log or a build, has the account until somebody deletes the Secret.",
        reads: "`type` of Secrets, in manifests only: a running operator reads no Secrets; `secrets` of ServiceAccounts.",
        allowed: "No Secret of type `kubernetes.io/service-account-token` or `bootstrap.kubernetes.io/token`, no `secrets` of an account.",
        repair: "None: something outside may still use the token.",
        breaks: "Build servers and programs outside the cluster that log in with it.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Authentication and authorization",
            "Kubernetes documentation, Managing Service Accounts, manually create a long-lived API token",
        ],
    },
    check: Check::Object(&[Kind::Secret, Kind::ServiceAccount], check),
    ..Control::WORKLOAD
};

fn check(at: &ObjectScope<'_>, judgement: &mut Judgement) {
    judgement.pass();
    if let Some(Resource::Secret(secret)) = at.resource() {
        if let Some(kind @ ("kubernetes.io/service-account-token" | "bootstrap.kubernetes.io/token")) =
            secret.kind.as_deref()
        {
            judgement.fail(
                "type",
                Some(json!(kind)),
                "a token that is asked for and expires (TokenRequest)",
            );
        }
    } else if let Some(account) = at.service_account()
        && account.secrets > 0
    {
        judgement.fail(
            "secrets",
            Some(json!(account.secrets)),
            "none: tokens are asked for and expire",
        );
    }
}
