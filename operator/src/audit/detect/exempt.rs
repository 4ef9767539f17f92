//! Whose daily work is not told on. One table: a line says who, and for which detections, because that is what its program does.
//!
//! Nobody is exempt from everything but the API server itself: a token of the namespace controller that reads a Secret's content from somewhere is as bad as
//! anybody's. Other controllers (certificate issuers, GitOps, backup) are the users' own, and are allowed by policies.
//!
//! Source: the bootstrap roles of the built-in controllers in Kubernetes (`system:controller:*`), and what the Node authorizer lets kubelets do.

use super::super::event::User;
use ironside_engine::detect::Detection::{self, D03, D04, D06, D08, D09, D10, D13, D19};

/// Who.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    /// A user by name.
    User(&'static str),
    /// A kubelet: a user by the name of a node, in the group of nodes.
    Kubelet,
    /// A ServiceAccount of kube-system: a controller of the controller manager, if that uses an account for each.
    Controller(&'static str),
    /// The operator itself, by whatever name the API server knows it.
    Ironside,
}

/// Who, and what they do every day.
const EXEMPT: [(Who, &[Detection]); 22] = [
    // Loopback: its token never leaves the process.
    (Who::User("system:apiserver"), &[D03, D04, D06, D08, D09, D10, D13, D19]),
    // Without an account for each controller it does all that is listed below for them; and it makes their tokens.
    (Who::User("system:kube-controller-manager"), &[D03, D04, D10, D13, D19]),
    // The Node authorizer and NodeRestriction let it read Secrets of its own pods only, make tokens of their accounts, and mirror static pods.
    (Who::Kubelet, &[D03, D10, D13]),
    // Empties namespaces that go.
    (Who::Controller("namespace-controller"), &[D03, D04, D19]),
    // Watches metadata of all kinds, deletes what has no owner any more.
    (Who::Controller("generic-garbage-collector"), &[D03, D04, D19]),
    // Counts.
    (Who::Controller("resourcequota-controller"), &[D03]),
    // Tokens of bootstrap and of accounts that are Secrets.
    (Who::Controller("bootstrap-signer"), &[D03]),
    (Who::Controller("token-cleaner"), &[D03, D04]),
    (Who::Controller("tokens-controller"), &[D03, D04]),
    (Who::Controller("legacy-service-account-token-cleaner"), &[D03, D04]),
    // Writes objects of any kind again, as they are.
    (Who::Controller("storage-version-migrator-controller"), &[D03, D04]),
    // Credentials of volumes.
    (Who::Controller("attachdetach-controller"), &[D03]),
    (Who::Controller("expand-controller"), &[D03]),
    (Who::Controller("persistent-volume-binder"), &[D03, D13]),
    // Make pods, on a node of the control plane.
    (Who::Controller("daemon-set-controller"), &[D13]),
    (Who::Controller("job-controller"), &[D13]),
    (Who::Controller("replicaset-controller"), &[D13]),
    (Who::Controller("replication-controller"), &[D13]),
    (Who::Controller("statefulset-controller"), &[D13]),
    (Who::Controller("cronjob-controller"), &[D13]),
    (Who::Controller("deployment-controller"), &[D13]),
    // Asks what it may do, and makes the token that kubelets see.
    (Who::Ironside, &[D08, D10]),
];

/// Whether somebody is not told on for this. `own` is the operator's own name.
pub(super) fn is_exempt(user: &User, detection: Detection, own: Option<&str>) -> bool {
    EXEMPT
        .iter()
        .any(|(who, detections)| detections.contains(&detection) && who.is(user, own))
}

/// Whether somebody is a controller of the cluster itself. Admission refuses such users often, as in a namespace that is going, and they try again.
pub(super) fn is_built_in(user: &str) -> bool {
    user == "system:kube-controller-manager"
        || user
            .strip_prefix(ACCOUNTS)
            .is_some_and(|name| name.ends_with("-controller"))
}

/// Before the name of an account of kube-system.
const ACCOUNTS: &str = "system:serviceaccount:kube-system:";

impl Who {
    fn is(self, user: &User, own: Option<&str>) -> bool {
        let User { username: user, groups } = user;
        match self {
            Self::User(name) => user == name,
            Self::Kubelet => user.starts_with("system:node:") && groups.iter().any(|group| group == "system:nodes"),
            Self::Controller(name) => user.strip_prefix(ACCOUNTS) == Some(name),
            Self::Ironside => own == Some(user.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> User {
        User {
            username: name.to_owned(),
            groups: Vec::new(),
        }
    }

    #[test]
    fn who_is_exempt_is_so_for_their_own_work_only() {
        for (user, detection, expected) in [
            ("system:node:n1", D03, false),
            ("system:kube-controller-manager", D10, true),
            ("system:serviceaccount:kube-system:namespace-controller", D19, true),
            ("system:serviceaccount:kube-system:namespace-controller", D10, false),
            ("system:serviceaccount:shop:namespace-controller", D19, false),
            ("system:serviceaccount:kube-system:cert-manager", D03, false),
            ("system:serviceaccount:ironside-system:ironside", D08, true),
            ("system:serviceaccount:ironside-system:ironside", D03, false),
            ("eve", D03, false),
            ("", D06, false),
        ] {
            let own = Some("system:serviceaccount:ironside-system:ironside");
            assert_eq!(
                is_exempt(&named(user), detection, own),
                expected,
                "{user} {detection:?}"
            );
        }
        assert!(
            !is_exempt(&named(""), D08, None),
            "a name that is not known is nobody's"
        );
        let mut kubelet = named("system:node:n1");
        kubelet.groups.push("system:nodes".to_owned());
        assert!(is_exempt(&kubelet, D03, None) && !is_exempt(&kubelet, D19, None));
    }

    #[test]
    fn only_the_clusters_own_controllers_are_built_in() {
        for (user, expected) in [
            ("system:serviceaccount:kube-system:replicaset-controller", true),
            ("system:serviceaccount:kube-system:service-account-controller", true),
            ("system:kube-controller-manager", true),
            ("system:serviceaccount:shop:replicaset-controller", false),
            ("system:node:n1", false),
        ] {
            assert_eq!(is_built_in(user), expected, "{user}");
        }
    }
}
