//! CCM-001 Cloud controller manager may do more than its work needs

use crate::components::{ComponentScope, account_is_bounded};
use crate::controls::catalogue::{mitre, nsa};
use crate::controls::{Check, Component, Control, ControlId, Docs, Judgement, Need, Severity, Threat};
use crate::model::Kind;
use crate::model::rbac::PolicyRule;
use crate::rbac::is_everything;

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("CCM-001"),
    title: "Cloud controller manager may do more than its work needs",
    severity: Severity::Medium,
    component: Component::CloudControllerManager,
    threats: &[Threat::MaliciousActor, Threat::InsiderThreat],
    frameworks: &[nsa(&["A-05", "N-11"]), mitre(&["T1078", "T1552.001"])],
    docs: Docs {
        why: "The cloud controller manager holds credentials of the cloud and talks to it. Where its account is an administrator of the cluster as well, whoever has one has both.",
        reads: "The ServiceAccount of workloads that run a program whose name ends in `cloud-controller-manager`, and its roles and bindings. What it may do in the cloud no object shows.",
        allowed: "An account that cannot become cluster-admin, neither reads Secrets of all namespaces nor changes roles.",
        repair: "None: bind the account to the role that the provider publishes (`system:cloud-controller-manager`), and start the program with `--use-service-account-credentials=true`, which gives each controller an account of its own.",
        breaks: "Controllers of the provider that need more; its documentation has their list.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Authentication and authorization",
            "Kubernetes documentation, Cloud Controller Manager, Authorization",
        ],
    },
    needs: &[
        Need { kind: Kind::Pod },
        Need {
            kind: Kind::ClusterRole,
        },
        Need {
            kind: Kind::ClusterRoleBinding,
        },
    ],
    check: Check::Component(&[Component::CloudControllerManager], check),
    ..Control::COMPONENT
};

fn check(at: &ComponentScope<'_>, judgement: &mut Judgement) {
    for process in at.processes(Component::CloudControllerManager) {
        judgement.pass();
        let expected = "an account that cannot become cluster-admin and changes no roles";
        account_is_bounded(at.world, process, judgement, expected, is_fit);
    }
    judgement.enter(String::new(), None);
}

fn is_fit(rule: &PolicyRule) -> bool {
    const ROLES: [&str; 4] = ["roles", "clusterroles", "rolebindings", "clusterrolebindings"];
    let reads = |verb: &String| ["get", "list", "watch"].contains(&verb.as_str());
    let changes_roles =
        rule.resources.iter().any(|resource| ROLES.contains(&resource.as_str())) && !rule.verbs.iter().all(reads);
    !(is_everything(rule) || changes_roles)
}
