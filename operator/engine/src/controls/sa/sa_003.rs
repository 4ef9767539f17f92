//! SA-003 Powerful or shared account

use serde_json::json;

use crate::controls::catalogue::{cis, kubescape, mitre, nsa};
use crate::controls::rbac::rules::binding_of;
use crate::controls::{Check, Control, ControlId, Docs, Judgement, Need, ObjectScope, Severity, Threat, WorkloadScope};
use crate::model::Kind;
use crate::rbac::{Identity, in_words, way_to_admin};

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("SA-003"),
    title: "Powerful or shared account",
    severity: Severity::High,
    threats: &[Threat::MaliciousActor, Threat::InsiderThreat],
    frameworks: &[
        nsa(&["P-20", "A-05"]),
        cis(&["5.1.5"]),
        kubescape(&["C-0053", "C-0267", "C-0272", "C-0225"]),
        mitre(&["T1078.001", "T1613"]),
    ],
    docs: Docs {
        why: "Whoever takes over a pod has the rights of its account, and with them often a way to all others: making pods, reading Secrets or asking for tokens where a stronger account lives.",
        reads: "Bindings, roles and aggregated roles of the cluster; `serviceAccountName` of workloads.",
        allowed: "Accounts from which no chain of rights leads to cluster-admin, and no rights of their own for `default`.",
        repair: "None: see the controls of the rights on the way.",
        breaks: "Controllers that need such rights; keep them apart from what is exposed.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Authentication and authorization",
            "CIS Kubernetes Benchmark 1.12, 5.1.5",
            "Kubernetes documentation, Role Based Access Control Good Practices",
        ],
    },
    needs: &[
        Need {
            kind: Kind::RoleBinding,
        },
        Need {
            kind: Kind::ClusterRoleBinding,
        },
        Need { kind: Kind::Role },
        Need {
            kind: Kind::ClusterRole,
        },
    ],
    check: Check::Object(workloads_and!(Kind::RoleBinding, Kind::ClusterRoleBinding), check),
    ..Control::WORKLOAD
};

fn check(at: &ObjectScope<'_>, judgement: &mut Judgement) {
    if let Some(workload) = at.workload() {
        return check_workload(at, &workload, judgement);
    }
    let Some(binding) = binding_of(at, judgement) else {
        return;
    };
    judgement.pass();
    for (index, subject) in binding.subjects.iter().enumerate() {
        if subject.kind == "ServiceAccount" && subject.name == "default" {
            let found = json!(format!("{}/default", subject.namespace));
            judgement.fail(
                &format!("subjects.{index}"),
                Some(found),
                "an account of its own: every pod of the namespace shares this one",
            );
        }
    }
}

/// A workload whose account can become cluster-admin is worth the cluster to whoever takes it over.
fn check_workload(at: &ObjectScope<'_>, workload: &WorkloadScope<'_>, judgement: &mut Judgement) {
    let name = workload.spec().service_account();
    let account = Identity::of_account(&at.target.namespace, name);
    let rights = at.world.rights();
    if !rights.has_rights(&account) {
        return judgement.pass();
    }
    match way_to_admin(rights, &account) {
        None => judgement.pass(),
        Some(way) => {
            let found = json!(in_words(name, &way));
            judgement.fail("spec.serviceAccountName", Some(found), "an account that cannot");
        }
    }
}
