//! RBAC-011 Minting of credentials

use super::rules::{any_of, each_rule};
use crate::controls::catalogue::{cis, kubescape, mitre, nsa};
use crate::controls::{Check, Control, ControlId, Docs, Judgement, ObjectScope, Severity, Threat};
use crate::model::Kind;

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("RBAC-011"),
    title: "Minting of credentials",
    severity: Severity::High,
    threats: &[Threat::MaliciousActor, Threat::InsiderThreat],
    frameworks: &[
        nsa(&["A-06", "A-08"]),
        cis(&["5.1.11", "5.1.13"]),
        kubescape(&["C-0280", "C-0282"]),
        mitre(&["T1528"]),
    ],
    docs: Docs {
        why: "Who approves certificate requests makes an administrator's certificate, which cannot be taken back. Who asks for tokens of accounts is each of them.",
        reads: "Rules of Roles and ClusterRoles.",
        allowed: "No `update` or `patch` of `certificatesigningrequests/approval`, no `approve` or `sign` on signers, no `create` of `serviceaccounts/token`. Roles that come with Kubernetes are not applicable.",
        repair: "None: what the role is used for cannot be seen from outside.",
        breaks: "Controllers that approve certificates or hand out tokens.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Authentication and authorization",
            "Kubernetes documentation, Role Based Access Control Good Practices",
        ],
    },
    check: Check::Object(&[Kind::Role, Kind::ClusterRole], check),
    ..Control::WORKLOAD
};

fn check(at: &ObjectScope<'_>, judgement: &mut Judgement) {
    each_rule(
        at,
        judgement,
        "no approval of certificates, no tokens of other accounts",
        |rule| {
            any_of(
                rule,
                CERTIFICATES,
                &["certificatesigningrequests/approval"],
                &["update", "patch"],
            ) || any_of(rule, CERTIFICATES, &["signers"], &["approve", "sign"])
                || any_of(rule, "", &["serviceaccounts/token"], &["create"])
        },
    );
}

const CERTIFICATES: &str = "certificates.k8s.io";
