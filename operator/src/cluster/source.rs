//! What is watched: the kinds the engine judges, our own kinds, and two small things beside them.

use std::borrow::Cow;
use std::fmt;

use ironside_engine::model::Kind;

/// One watch. The kinds are closed sets, so it can label a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Source {
    /// Objects that are judged or that a judgement, plan or gate reads.
    Cluster(Kind),
    /// `HardeningPolicy`.
    Policy,
    /// `ClusterHardeningPolicy`.
    ClusterPolicy,
    /// `HardeningRemediation`.
    Remediation,
    /// `HardeningException`.
    Exception,
    /// `ClusterHardeningException`.
    ClusterException,
    /// The ConfigMap with which `ironside pause` stops everything, in the operator's own namespace.
    PauseSwitch,
    /// The ValidatingAdmissionPolicy that guards approvals.
    ApprovalPolicy,
    /// Its binding.
    ApprovalBinding,
}

/// Name of the ConfigMap in the operator's namespace that pauses repairs.
pub const PAUSE_CONFIG_MAP: &str = "ironside-pause";

/// Name of the ValidatingAdmissionPolicy, and of its binding, that lets only approvers decide (`config/admission/approval`).
pub const APPROVAL_GUARD: &str = "ironside-approval";

/// API group of our own kinds.
const OWN_GROUP: &str = ironside_crds::GROUP;

impl Source {
    /// Our own kinds. Without their definitions nothing can be done, so the operator is not ready until all are served.
    pub const OWN: [Self; 5] = [
        Self::Policy,
        Self::ClusterPolicy,
        Self::Remediation,
        Self::Exception,
        Self::ClusterException,
    ];

    /// Every watch of an operator that looks at the whole cluster.
    pub fn all() -> Vec<Self> {
        Kind::watched()
            .map(Self::Cluster)
            .chain(Self::OWN)
            .chain([Self::PauseSwitch, Self::ApprovalPolicy, Self::ApprovalBinding])
            .collect()
    }

    /// The watches of an operator that looks at named namespaces only: no cluster policies and exceptions, which are ignored there.
    pub fn of_namespaces() -> Vec<Self> {
        Self::all()
            .into_iter()
            .filter(|source| !matches!(source, Self::ClusterPolicy | Self::ClusterException))
            .collect()
    }

    /// API group.
    pub const fn group(self) -> &'static str {
        match self {
            Self::Cluster(kind) => kind.group(),
            Self::PauseSwitch => "",
            Self::ApprovalPolicy | Self::ApprovalBinding => "admissionregistration.k8s.io",
            _ => OWN_GROUP,
        }
    }

    /// API version.
    pub const fn version(self) -> &'static str {
        match self {
            Self::Cluster(_) | Self::PauseSwitch | Self::ApprovalPolicy | Self::ApprovalBinding => "v1",
            _ => ironside_crds::VERSION,
        }
    }

    /// Kind, as it stands in a manifest.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Cluster(kind) => kind.name(),
            Self::Policy => "HardeningPolicy",
            Self::ClusterPolicy => "ClusterHardeningPolicy",
            Self::Remediation => "HardeningRemediation",
            Self::Exception => "HardeningException",
            Self::ClusterException => "ClusterHardeningException",
            Self::PauseSwitch => "ConfigMap",
            Self::ApprovalPolicy => "ValidatingAdmissionPolicy",
            Self::ApprovalBinding => "ValidatingAdmissionPolicyBinding",
        }
    }

    /// Resource name in URLs and RBAC rules.
    pub const fn plural(self) -> &'static str {
        match self {
            Self::Cluster(kind) => kind.plural(),
            Self::Policy => "hardeningpolicies",
            Self::ClusterPolicy => "clusterhardeningpolicies",
            Self::Remediation => "hardeningremediations",
            Self::Exception => "hardeningexceptions",
            Self::ClusterException => "clusterhardeningexceptions",
            Self::PauseSwitch => "configmaps",
            Self::ApprovalPolicy => "validatingadmissionpolicies",
            Self::ApprovalBinding => "validatingadmissionpolicybindings",
        }
    }

    /// Whether its objects live in namespaces.
    pub const fn namespaced(self) -> bool {
        match self {
            Self::Cluster(kind) => kind.namespaced(),
            Self::Policy | Self::Remediation | Self::Exception | Self::PauseSwitch => true,
            Self::ClusterPolicy | Self::ClusterException | Self::ApprovalPolicy | Self::ApprovalBinding => false,
        }
    }

    /// The one object that is watched, where it is only one.
    pub const fn only(self) -> Option<&'static str> {
        match self {
            Self::PauseSwitch => Some(PAUSE_CONFIG_MAP),
            Self::ApprovalPolicy | Self::ApprovalBinding => Some(APPROVAL_GUARD),
            _ => None,
        }
    }

    /// Whether it is one of our own kinds.
    pub const fn is_own(self) -> bool {
        matches!(
            self,
            Self::Policy | Self::ClusterPolicy | Self::Remediation | Self::Exception | Self::ClusterException
        )
    }

    /// What `kubectl` and RBAC call it: `deployments.apps`, `pods`.
    pub fn resource(self) -> Cow<'static, str> {
        match self.group() {
            "" => Cow::Borrowed(self.plural()),
            group => Cow::Owned(format!("{}.{group}", self.plural())),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind())
    }
}
