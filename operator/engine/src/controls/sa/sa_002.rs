//! SA-002 Default account used, or an account that hands out its token

use serde_json::json;

use crate::controls::catalogue::{cis, kubescape, mitre, nsa};
use crate::controls::{Check, Control, ControlId, Docs, Judgement, Need, ObjectScope, Severity, Threat};
use crate::model::Kind;
use crate::world::Reading;

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("SA-002"),
    title: "Default account used, or an account that hands out its token",
    severity: Severity::Medium,
    threats: &[Threat::MaliciousActor],
    frameworks: &[
        nsa(&["A-05"]),
        cis(&["5.1.5"]),
        kubescape(&["C-0189"]),
        mitre(&["T1078.001"]),
    ],
    docs: Docs {
        why: "All pods that name no account share `default`: what is granted to one of them is granted to all, and an audit log cannot tell them apart. An account that mounts its token everywhere gives it to pods that never call the API server.",
        reads: "`serviceAccountName` and `serviceAccount` of the pod; `automountServiceAccountToken` of ServiceAccounts.",
        allowed: "Pods with an account of their own, named in `serviceAccountName`; ServiceAccounts with `automountServiceAccountToken: false`. A named account that does not exist fails where accounts were read. Static pods are not applicable.",
        repair: "None: an account of its own needs rights of its own. SA-001 turns the token off in the pods.",
        breaks: "Pods that call the API server without asking for the token in their template.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Authentication and authorization",
            "CIS Kubernetes Benchmark 1.12, 5.1.5",
            "Kubernetes documentation, Configure Service Accounts for Pods",
        ],
    },
    needs: &[Need {
        kind: Kind::ServiceAccount,
    }],
    check: Check::Object(workloads_and!(Kind::ServiceAccount), check),
    ..Control::WORKLOAD
};

fn check(at: &ObjectScope<'_>, judgement: &mut Judgement) {
    if let Some(account) = at.service_account() {
        let expected = match &*at.target.name {
            "default" => "false: every pod that names no account shares it",
            _ => "false, and true in the pods that need the token",
        };
        match account.automount_service_account_token {
            Some(false) => judgement.pass(),
            stated => judgement.fail(
                "automountServiceAccountToken",
                stated.map(|stated| json!(stated)),
                expected,
            ),
        }
        return;
    }
    let Some(workload) = at.workload() else { return };
    if workload
        .workload
        .meta
        .annotations
        .contains_key("kubernetes.io/config.mirror")
    {
        return judgement.not_applicable("static pods have no account");
    }
    let spec = workload.spec();
    let named = spec.service_account_name.as_deref().filter(|name| !name.is_empty());
    match (named, spec.deprecated_service_account.as_deref()) {
        (named, Some(old)) if named != Some(old) && !old.is_empty() => {
            judgement.fail(
                "spec.serviceAccount",
                Some(json!(old)),
                "absent: serviceAccountName decides",
            );
        }
        (None | Some("default"), _) => {
            judgement.fail(
                "spec.serviceAccountName",
                named.map(|name| json!(name)),
                "an account of its own",
            );
        }
        (Some(name), _) => check_exists(at, name, judgement),
    }
}

/// A named account must exist, where the accounts of the namespace were read.
fn check_exists(at: &ObjectScope<'_>, name: &str, judgement: &mut Judgement) {
    let complete = *at.world.reading(Kind::ServiceAccount, &at.target.namespace) == Reading::Complete;
    if complete && at.world.service_account(&at.target.namespace, name).is_none() {
        judgement.fail("spec.serviceAccountName", Some(json!(name)), "an account that exists");
    } else {
        judgement.pass();
    }
}
