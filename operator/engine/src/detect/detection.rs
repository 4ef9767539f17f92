//! The catalogue of detections: what each one sees, who can see it, and why it matters.
//!
//! Sources: NSA/CISA Kubernetes Hardening Guide, "Audit Logging and Threat Detection" (the events worth an alert); MITRE ATT&CK technique ids. Ids are stable
//! and never used again.

use std::fmt;

use crate::controls::{Severity, Threat};

/// One thing that is told when it happens, whatever the policies say about states.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)] // The catalogue below says what each one is.
pub enum Detection {
    D01,
    D02,
    D03,
    D04,
    D05,
    D06,
    D07,
    D08,
    D09,
    D10,
    D11,
    D13,
    D14,
    D16,
    D17,
    D18,
    D19,
    D20,
    D21,
    D22,
    D23,
    D24,
    D27,
    D28,
}

/// What shows that something happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Witness {
    /// Objects that the operator watches anyway. They tell what changed and which field manager wrote it, never which user.
    Watch,
    /// The API server's audit events, where they are sent to the operator. They tell who asked, from where.
    AuditLog,
}

impl Witness {
    /// Name in documentation and messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Watch => "watch",
            Self::AuditLog => "audit log",
        }
    }
}

/// What is known of a detection.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    /// `D-17`.
    pub id: &'static str,
    /// What happened, in a few words.
    pub title: &'static str,
    /// What triggers it and what does not.
    pub trigger: &'static str,
    /// How bad it is when nobody meant it.
    pub severity: Severity,
    /// The threats of the guide that it belongs to.
    pub threats: &'static [Threat],
    /// What shows it; parts of it, where there are two.
    pub witnesses: &'static [Witness],
    /// MITRE ATT&CK technique.
    pub technique: &'static str,
}

const ACTOR_AND_INSIDER: &[Threat] = &[Threat::MaliciousActor, Threat::InsiderThreat];
const INSIDER: &[Threat] = &[Threat::InsiderThreat];

impl Detection {
    /// Every detection, by id.
    pub const ALL: [Self; 24] = [
        Self::D01,
        Self::D02,
        Self::D03,
        Self::D04,
        Self::D05,
        Self::D06,
        Self::D07,
        Self::D08,
        Self::D09,
        Self::D10,
        Self::D11,
        Self::D13,
        Self::D14,
        Self::D16,
        Self::D17,
        Self::D18,
        Self::D19,
        Self::D20,
        Self::D21,
        Self::D22,
        Self::D23,
        Self::D24,
        Self::D27,
        Self::D28,
    ];

    /// Id, such as `D-17`.
    pub const fn id(self) -> &'static str {
        self.facts().id
    }

    /// The detection with this id.
    pub fn find(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|detection| detection.id() == id)
    }

    /// What is known of it.
    #[expect(clippy::too_many_lines, reason = "one entry for each detection")]
    pub const fn facts(self) -> &'static Facts {
        match self {
            Self::D01 => &Facts {
                id: "D-01",
                title: "Command in, or connection to, a running container",
                trigger: "exec, attach or port-forward of a pod, whichever HTTP method opened it.",
                severity: Severity::High,
                threats: ACTOR_AND_INSIDER,
                witnesses: &[Witness::AuditLog],
                technique: "T1609",
            },
            Self::D02 => &Facts {
                id: "D-02",
                title: "Debug container put into a pod",
                trigger: "A write to the subresource ephemeralcontainers of a pod.",
                severity: Severity::High,
                threats: ACTOR_AND_INSIDER,
                witnesses: &[Witness::AuditLog],
                technique: "T1609",
            },
            Self::D03 => &Facts {
                id: "D-03",
                title: "Secrets read",
                trigger: "get, list or watch of Secrets by anybody but the cluster's own controllers and kubelets.",
                severity: Severity::Medium,
                threats: ACTOR_AND_INSIDER,
                witnesses: &[Witness::AuditLog],
                technique: "T1552.007",
            },
            Self::D04 => &Facts {
                id: "D-04",
                title: "Secret written or deleted, or credential written into a ConfigMap",
                trigger: "By the audit log: create, update, patch or delete of a Secret by anybody but the cluster's own controllers. By watches: an entry of a ConfigMap that looks like a \
                          credential is new; a credential in place of another is not seen, for values are not kept.",
                severity: Severity::Medium,
                threats: ACTOR_AND_INSIDER,
                witnesses: &[Witness::Watch, Witness::AuditLog],
                technique: "T1552.001",
            },
            Self::D05 => &Facts {
                id: "D-05",
                title: "Rights widened",
                trigger: "A role gains a rule that its former rules did not cover, or a binding is created or gains a subject. A new role that nobody is bound to widens nothing. Not reported: a \
                          role or binding that only loses something.",
                severity: Severity::High,
                threats: INSIDER,
                witnesses: &[Witness::Watch],
                technique: "T1098.006",
            },
            Self::D06 => &Facts {
                id: "D-06",
                title: "Request without credentials allowed",
                trigger: "The API server allowed a request of system:anonymous to anything but what is meant for everybody: health, version, the keys of service accounts, kubeadm's cluster-info.",
                severity: Severity::Critical,
                threats: &[Threat::MaliciousActor],
                witnesses: &[Witness::AuditLog],
                technique: "T1078.001",
            },
            Self::D07 => &Facts {
                id: "D-07",
                title: "Many refused requests",
                trigger: "Twenty answers 401 or 403 within a minute for one user from one address.",
                severity: Severity::Medium,
                threats: ACTOR_AND_INSIDER,
                witnesses: &[Witness::AuditLog],
                technique: "T1613",
            },
            Self::D08 => &Facts {
                id: "D-08",
                title: "Somebody asks what they may do",
                trigger: "A SelfSubjectRulesReview or SelfSubjectAccessReview by anybody but the cluster's own controllers.",
                severity: Severity::Low,
                threats: ACTOR_AND_INSIDER,
                witnesses: &[Witness::AuditLog],
                technique: "T1613",
            },
            Self::D09 => &Facts {
                id: "D-09",
                title: "Somebody acts as somebody else",
                trigger: "A request with impersonation.",
                severity: Severity::High,
                threats: INSIDER,
                witnesses: &[Witness::AuditLog],
                technique: "T1078",
            },
            Self::D10 => &Facts {
                id: "D-10",
                title: "Token of a ServiceAccount made",
                trigger: "A TokenRequest by anybody but kubelets and the controller manager; the controller manager puts a token without an end into a Secret, as it does where somebody makes one of type \
                          kubernetes.io/service-account-token.",
                severity: Severity::High,
                threats: ACTOR_AND_INSIDER,
                witnesses: &[Witness::AuditLog],
                technique: "T1528",
            },
            Self::D11 => &Facts {
                id: "D-11",
                title: "Client certificate asked for or approved",
                trigger: "A CertificateSigningRequest for signer kubernetes.io/kube-apiserver-client is created, or one is approved; one for a kubelet's client certificate whose requester is no node and \
                          no bootstrap token. Such a certificate cannot be revoked.",
                severity: Severity::High,
                threats: INSIDER,
                witnesses: &[Witness::Watch],
                technique: "T1078",
            },
            Self::D13 => &Facts {
                id: "D-13",
                title: "Pod created from inside the cluster",
                trigger: "A pod is created from the address of a pod or node by a user that is no controller.",
                severity: Severity::High,
                threats: &[Threat::MaliciousActor],
                witnesses: &[Witness::AuditLog],
                technique: "T1610",
            },
            Self::D14 => &Facts {
                id: "D-14",
                title: "New workload in a system namespace",
                trigger: "A workload that no other made (Deployment, DaemonSet, bare pod, …) is new in kube-system, kube-public or kube-node-lease. Not reported: mirror pods of static pods, which \
                          come back with every restart of a node.",
                severity: Severity::High,
                threats: ACTOR_AND_INSIDER,
                witnesses: &[Witness::Watch],
                technique: "T1036.005",
            },
            Self::D16 => &Facts {
                id: "D-16",
                title: "Admission changed",
                trigger: "A webhook configuration, a validating or mutating admission policy, or a binding of one is new, gone, or says something else. A renewed caBundle alone is not reported.",
                severity: Severity::High,
                threats: INSIDER,
                witnesses: &[Witness::Watch],
                technique: "T1685",
            },
            Self::D17 => &Facts {
                id: "D-17",
                title: "Pod Security weakened",
                trigger: "A label pod-security.kubernetes.io/enforce, audit or warn of a Namespace is lowered or taken away, or enforce is held to an older version.",
                severity: Severity::High,
                threats: INSIDER,
                witnesses: &[Witness::Watch],
                technique: "T1685",
            },
            Self::D18 => &Facts {
                id: "D-18",
                title: "Network policy removed or opened",
                trigger: "A NetworkPolicy is deleted while its Namespace stays, gains a rule that its former rules did not cover, stops isolating a direction, or selects other pods. Not reported: what \
                          Ironside takes back itself.",
                severity: Severity::High,
                threats: INSIDER,
                witnesses: &[Witness::Watch],
                technique: "T1685",
            },
            Self::D19 => &Facts {
                id: "D-19",
                title: "Traces deleted",
                trigger: "delete or deletecollection of Events, by anybody but the cluster's own controllers.",
                severity: Severity::High,
                threats: INSIDER,
                witnesses: &[Witness::AuditLog],
                technique: "T1070",
            },
            Self::D20 => &Facts {
                id: "D-20",
                title: "A kubelet reached through the API server",
                trigger: "Any request to nodes/proxy.",
                severity: Severity::High,
                threats: ACTOR_AND_INSIDER,
                witnesses: &[Witness::AuditLog],
                technique: "T1609",
            },
            Self::D21 => &Facts {
                id: "D-21",
                title: "Node joined",
                trigger: "A Node is new.",
                severity: Severity::Low,
                threats: ACTOR_AND_INSIDER,
                witnesses: &[Witness::Watch],
                technique: "T1078",
            },
            Self::D22 => &Facts {
                id: "D-22",
                title: "Cluster DNS changed",
                trigger: "The Corefile in kube-system says something else, or the pod template of the Deployment coredns or kube-dns there.",
                severity: Severity::High,
                threats: ACTOR_AND_INSIDER,
                witnesses: &[Witness::Watch],
                technique: "T1557",
            },
            Self::D23 => &Facts {
                id: "D-23",
                title: "Service opened to the outside",
                trigger: "A Service becomes NodePort or LoadBalancer or gains an external IP; an Ingress is new, or gains a host, without TLS.",
                severity: Severity::Medium,
                threats: ACTOR_AND_INSIDER,
                witnesses: &[Witness::Watch],
                technique: "T1133",
            },
            Self::D24 => &Facts {
                id: "D-24",
                title: "Security context loosened",
                trigger: "The pod template of a workload that exists allows more than before: privileged, root, privilege escalation, capabilities, a writable root file system, no seccomp, namespaces, \
                          ports or paths of the host. Not reported: a rollback by Ironside.",
                severity: Severity::High,
                threats: ACTOR_AND_INSIDER,
                witnesses: &[Witness::Watch],
                technique: "T1611",
            },
            Self::D27 => &Facts {
                id: "D-27",
                title: "Administrator at an unusual hour or from a new place",
                trigger: "A member of an administrators' group acts at an hour, from an address or with a program that was not seen of them before.",
                severity: Severity::Medium,
                threats: INSIDER,
                witnesses: &[Witness::AuditLog],
                technique: "T1078",
            },
            Self::D28 => &Facts {
                id: "D-28",
                title: "Audit log silent",
                trigger: "No audit event for a whole heartbeat interval.",
                severity: Severity::High,
                threats: INSIDER,
                witnesses: &[Witness::AuditLog],
                technique: "T1685",
            },
        }
    }
}

/// `D-17 (Pod Security weakened)`.
impl fmt::Display for Detection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.id(), self.facts().title)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_sorted_and_found() {
        let ids: Vec<&str> = Detection::ALL.iter().map(|detection| detection.id()).collect();
        assert!(
            ids.is_sorted() && ids.windows(2).all(|pair| pair[0] != pair[1]),
            "{ids:?}"
        );
        for detection in Detection::ALL {
            assert_eq!(Detection::find(detection.id()), Some(detection));
        }
        assert_eq!(Detection::find("D-99"), None);
    }
}
