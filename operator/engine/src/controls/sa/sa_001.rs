//! SA-001 Service account token mounted without need
//!
//! Whether a pod needs the token would follow from the bindings of its account and from who calls the API server. Neither is visible here, so need is what the
//! template declares: `automountServiceAccountToken: true` beside an account of its own is a decision that somebody took and can review. Nothing here refutes or
//! confirms it, so it is NotApplicable: it neither raises nor lowers the score. A token that is mounted because nobody said anything fails, and so does one of
//! the account `default`, which every pod of the namespace shares. A projected token volume of the pod's own is no reason for the default token beside it.

use serde_json::json;

use crate::controls::catalogue::{cis, kubescape, mitre, nsa, trivy};
use crate::controls::{
    Check, Control, ControlId, Docs, Gap, Judgement, Need, Repair, RepairBy, Responsibility, Risk, Severity,
    TemplateEdit, Threat, WorkloadScope,
};
use crate::model::Kind;
use crate::plan::Held;
use crate::world::Reading;

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("SA-001"),
    title: "Service account token mounted without need",
    severity: Severity::High,
    threats: &[Threat::MaliciousActor, Threat::SupplyChain],
    frameworks: &[
        nsa(&["P-19", "A-06"]),
        cis(&["5.1.6"]),
        kubescape(&["C-0034", "C-0190", "C-0261"]),
        trivy(&["KSV-0036"]),
        mitre(&["T1528", "T1552.007"]),
    ],
    docs: Docs {
        why: "Whoever takes over a container finds the token on a known path and speaks to the API server with the rights of its account, today's and those that are bound tomorrow.",
        reads: "`automountServiceAccountToken` of the pod, else of its ServiceAccount, else true; `serviceAccountName` of the pod.",
        allowed: "An effective `false`. Not applicable where the pod template says `true` beside a ServiceAccount other than `default` (a declared need, which cannot be checked without the account's bindings), nor to static pods, which get no token.",
        repair: "Sets `false` in the pod template, never on the ServiceAccount, which other pods share. High where the template or the account asks for the token in so many words. Held where the template asks for a Vault agent.",
        breaks: "Programs that call the API server (leader election, service discovery) or show the token to others, such as Vault's Kubernetes login: they fail with 401 or find no token file. Projected tokens of the pod's own are not touched.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Protecting Pod service account tokens",
            "CIS Kubernetes Benchmark 1.12, 5.1.6",
            "Kubernetes documentation, Configure Service Accounts for Pods",
        ],
    },
    needs: &[Need {
        kind: Kind::ServiceAccount,
    }],
    check: Check::Workload(check),
    repair: Some(Repair {
        risk: Risk::Medium,
        by: RepairBy::Template(repair),
    }),
    writes: &["automountServiceAccountToken"],
    ..Control::WORKLOAD
};

const DEFAULT: &str = "default";

fn check(at: &WorkloadScope<'_>, judgement: &mut Judgement) {
    if at.workload.meta.annotations.contains_key("kubernetes.io/config.mirror") {
        return judgement.not_applicable("static pods get no token");
    }
    let stated = at.spec().automount_service_account_token;
    let account = at.spec().service_account();
    let mounted = match stated {
        Some(mounted) => mounted,
        None => match of_account(at, account) {
            Ok(mounted) => mounted,
            Err(gap) => return judgement.unknown(gap),
        },
    };
    if !mounted {
        return judgement.pass();
    }
    if stated == Some(true) && account != DEFAULT {
        return judgement.not_applicable("the template asks for the token of an account of its own");
    }
    let expected = "false, or true beside a ServiceAccount of its own";
    judgement.fail(
        "spec.automountServiceAccountToken",
        stated.map(|stated| json!(stated)),
        expected,
    );
}

/// Whether pods of the account get its token when they say nothing.
fn of_account(at: &WorkloadScope<'_>, account: &str) -> Result<bool, Gap> {
    let namespace = &at.workload.meta.namespace;
    let seen = at.world.service_account(namespace, account);
    match (seen, at.world.reading(Kind::ServiceAccount, namespace)) {
        (_, Reading::Unavailable(gap)) => Err(gap.clone()),
        (Some(seen), _) => Ok(seen.automount_service_account_token.unwrap_or(true)),
        // The control plane makes `default` in every namespace, and says nothing in it.
        (None, _) if account == DEFAULT => Ok(true),
        (None, _) => Err(Gap {
            reason: "ServiceAccountMissing",
            message: format!("ServiceAccount {namespace}/{account} was not seen; it says whether the token is mounted"),
            responsibility: Responsibility::SelfManaged,
        }),
    }
}

fn repair(at: &WorkloadScope<'_>, edit: &mut TemplateEdit<'_>) -> Result<(), Held> {
    let injected = at.workload.template.annotations.get("vault.hashicorp.com/agent-inject");
    if injected.is_some_and(|injected| injected != "false") {
        return Err(Held::WouldBreak {
            evidence: "annotation vault.hashicorp.com/agent-inject: the Vault agent logs in with this token".to_owned(),
        });
    }
    let account = at.spec().service_account();
    let seen = at.world.service_account(&at.workload.meta.namespace, account);
    let asked_by = match at.spec().automount_service_account_token {
        Some(true) => Some("the template"),
        _ => seen
            .filter(|seen| seen.automount_service_account_token == Some(true))
            .map(|_| "the account itself"),
    };
    match asked_by {
        Some(asked_by) => edit.raise(
            Risk::High,
            format!("{asked_by} asks for the token of account {account}"),
        ),
        None => edit.raise(
            Risk::Medium,
            format!("whether the pods use the token of account {account} cannot be seen from outside"),
        ),
    }
    edit.set_in_spec("automountServiceAccountToken", false);
    Ok(())
}
