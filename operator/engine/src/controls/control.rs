//! What a control declares about itself.

use std::fmt;

use super::{
    ContainerScope, ControlId, Judgement, NamespaceScope, ObjectScope, TemplateEdit, TemplateScope, WorkloadScope,
};
use crate::components::ComponentScope;
use crate::model::{Kind, ObjectRef};
use crate::plan::Held;

/// How bad a failure is. Weights of the score: 10, 6, 3, 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Severity {
    Low,
    Medium,
    High,
    Critical,
}

impl Severity {
    /// Weight in the score.
    pub const fn weight(self) -> u64 {
        match self {
            Self::Low => 1,
            Self::Medium => 3,
            Self::High => 6,
            Self::Critical => 10,
        }
    }

    /// `Critical`, `High`, `Medium`, `Low`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "Low",
            Self::Medium => "Medium",
            Self::High => "High",
            Self::Critical => "Critical",
        }
    }
}

/// The nine components that the NSA/CISA guide names, and what runs on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Component {
    KubeApiserver,
    Etcd,
    KubeScheduler,
    KubeControllerManager,
    CloudControllerManager,
    ContainerRuntime,
    Kubelet,
    KubeProxy,
    ClusterDns,
    Workloads,
}

impl Component {
    /// Every component, in the guide's order.
    pub const ALL: [Self; 10] = [
        Self::KubeApiserver,
        Self::Etcd,
        Self::KubeScheduler,
        Self::KubeControllerManager,
        Self::CloudControllerManager,
        Self::ContainerRuntime,
        Self::Kubelet,
        Self::KubeProxy,
        Self::ClusterDns,
        Self::Workloads,
    ];

    /// Name in status, metrics and reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::KubeApiserver => "KubeApiserver",
            Self::Etcd => "Etcd",
            Self::KubeScheduler => "KubeScheduler",
            Self::KubeControllerManager => "KubeControllerManager",
            Self::CloudControllerManager => "CloudControllerManager",
            Self::ContainerRuntime => "ContainerRuntime",
            Self::Kubelet => "Kubelet",
            Self::KubeProxy => "KubeProxy",
            Self::ClusterDns => "ClusterDns",
            Self::Workloads => "Workloads",
        }
    }

    /// The component as a target: what is judged of a cluster, whether or not anything of it can be seen. `None` for the workloads, which are targets themselves.
    pub fn target(self) -> Option<ObjectRef> {
        let name = match self {
            Self::KubeApiserver => "kube-apiserver",
            Self::Etcd => "etcd",
            Self::KubeScheduler => "kube-scheduler",
            Self::KubeControllerManager => "kube-controller-manager",
            Self::CloudControllerManager => "cloud-controller-manager",
            Self::ContainerRuntime => "container-runtime",
            Self::Kubelet => "kubelet",
            Self::KubeProxy => "kube-proxy",
            Self::ClusterDns => "cluster-dns",
            Self::Workloads => return None,
        };
        Some(ObjectRef::new(Kind::Component, "", name))
    }

    /// The component that a target is.
    pub fn of_target(target: &ObjectRef) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|component| component.target().as_ref() == Some(target))
    }
}

/// The guide's threat model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Threat {
    SupplyChain,
    MaliciousActor,
    InsiderThreat,
}

impl Threat {
    /// Every threat.
    pub const ALL: [Self; 3] = [Self::SupplyChain, Self::MaliciousActor, Self::InsiderThreat];

    /// Name in status, metrics and reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SupplyChain => "SupplyChain",
            Self::MaliciousActor => "MaliciousActor",
            Self::InsiderThreat => "InsiderThreat",
        }
    }
}

/// A catalogue of rules that others publish.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Framework {
    NsaCisa,
    PssBaseline,
    PssRestricted,
    Cis,
    Kubescape,
    Trivy,
    Mitre,
}

impl Framework {
    /// Name in reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NsaCisa => "NsaCisa",
            Self::PssBaseline => "PssBaseline",
            Self::PssRestricted => "PssRestricted",
            Self::Cis => "Cis",
            Self::Kubescape => "Kubescape",
            Self::Trivy => "Trivy",
            Self::Mitre => "Mitre",
        }
    }
}

/// Where a control stands in a framework.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// Framework.
    pub framework: Framework,
    /// Ids in that framework: `P-15`, `5.2.6`, `C-0016`, `KSV-0001`, `T1068`. CIS numbers are those of benchmark 1.12.
    pub ids: &'static [&'static str],
}

/// How likely a repair is to break something. Order matters: the risk of a plan is the highest of its parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Risk {
    Low,
    Medium,
    High,
}

impl Risk {
    /// `Low`, `Medium`, `High`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "Low",
            Self::Medium => "Medium",
            Self::High => "High",
        }
    }
}

/// Text for people: `explain`, the documentation page, reports. Markdown, present tense, no line breaks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Docs {
    /// What an attacker gains while the control fails.
    pub why: &'static str,
    /// Fields that are read.
    pub reads: &'static str,
    /// Values that pass, and what is not applicable.
    pub allowed: &'static str,
    /// What the repair does, or why there is none.
    pub repair: &'static str,
    /// What the repair can break.
    pub breaks: &'static str,
    /// Where the rule comes from.
    pub sources: &'static [&'static str],
}

/// A setting of a control that a policy may give.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// Name, camelCase.
    pub name: &'static str,
    /// One line for `explain`.
    pub help: &'static str,
    /// Values when the policy gives none.
    pub default: &'static [&'static str],
    /// Says what is wrong with a value, naming what to write instead.
    pub accepts: fn(&str) -> Result<(), String>,
}

/// API permission that a control cannot do without. The RBAC manifests are generated from these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Need {
    /// Kind whose objects are read (get, list, watch).
    pub kind: Kind,
}

/// What a check looks at.
#[derive(Clone, Copy)]
pub enum Check {
    /// Each container of a pod template: init, regular and ephemeral ones. Sees the template only, so verdicts are shared by equal templates.
    EachContainer(fn(&ContainerScope<'_>, &mut Judgement)),
    /// A pod template as a whole. Sees the template only.
    Template(fn(&TemplateScope<'_>, &mut Judgement)),
    /// A workload together with other objects (its ServiceAccount, its pods).
    Workload(fn(&WorkloadScope<'_>, &mut Judgement)),
    /// A namespace and what it holds.
    Namespace(fn(&NamespaceScope<'_>, &mut Judgement)),
    /// Objects of these kinds, each on its own or beside others.
    Object(&'static [Kind], fn(&ObjectScope<'_>, &mut Judgement)),
    /// What these components of the cluster are set to: objects whose containers run one of them, documents that configure one, and, of a cluster, the
    /// control's own component as a whole.
    Component(&'static [Component], fn(&ComponentScope<'_>, &mut Judgement)),
}

/// How a failure is repaired.
#[derive(Clone, Copy)]
pub struct Repair {
    /// Lowest risk of this repair; evidence or the workload can raise it.
    pub risk: Risk,
    /// What is changed.
    pub by: RepairBy,
}

/// What a repair changes.
#[derive(Clone, Copy)]
pub enum RepairBy {
    /// Edits each failing container of the pod template. Not called for ephemeral containers: a template has none.
    EachContainer(fn(&ContainerScope<'_>, &WorkloadScope<'_>, &mut TemplateEdit<'_>) -> Result<(), Held>),
    /// Edits the pod template.
    Template(fn(&WorkloadScope<'_>, &mut TemplateEdit<'_>) -> Result<(), Held>),
    /// Generates NetworkPolicies for a namespace (`network` module).
    NetworkPolicies,
}

/// One control.
#[derive(Clone, Copy)]
pub struct Control {
    /// Stable id.
    pub id: ControlId,
    /// Title: what is wrong when it fails.
    pub title: &'static str,
    /// Severity of a failure.
    pub severity: Severity,
    /// Component of the cluster.
    pub component: Component,
    /// Threats that it counters.
    pub threats: &'static [Threat],
    /// Ids in published frameworks.
    pub frameworks: &'static [Mapping],
    /// Text for people.
    pub docs: Docs,
    /// First Kubernetes minor (1.x) that has the field; older servers give NotApplicable.
    pub since: u32,
    /// Settings that a policy may give.
    pub parameters: &'static [Parameter],
    /// Kinds whose objects the check reads.
    pub needs: &'static [Need],
    /// The check.
    pub check: Check,
    /// The repair, if there is one.
    pub repair: Option<Repair>,
    /// Every place that the repair may write, and so the only places that an undo list may name: dotted paths below the pod spec, with
    /// `containers[]` for each regular or init container, and `[]` at the end for items appended to a list
    /// (`containers[].securityContext.allowPrivilegeEscalation`, `volumes[]`). Empty without a repair of the template.
    pub writes: &'static [&'static str],
}

impl Control {
    /// Whether objects of this kind are judged. What runs a component is found by its program, whatever its kind.
    pub fn judges(&self, kind: Kind) -> bool {
        match self.check {
            Check::Component(components, _) => kind
                .configures()
                .is_some_and(|component| components.contains(&component)),
            Check::Namespace(_) => kind == Kind::Namespace,
            Check::Object(kinds, _) => kinds.contains(&kind),
            Check::EachContainer(_) | Check::Template(_) | Check::Workload(_) => kind.is_workload(),
        }
    }

    /// What most controls of pod templates share; use with `..Control::WORKLOAD`.
    pub const WORKLOAD: Self = Self {
        id: ControlId::new(""),
        title: "",
        severity: Severity::Low,
        component: Component::Workloads,
        threats: &[],
        frameworks: &[],
        docs: Docs {
            why: "",
            reads: "",
            allowed: "",
            repair: "",
            breaks: "",
            sources: &[],
        },
        since: 0,
        parameters: &[],
        needs: &[],
        check: Check::Template(|_, _| {}),
        repair: None,
        writes: &[],
    };

    /// What controls of the cluster's own components share. They report: a process of the control plane or of a node is not the operator's to change.
    pub const COMPONENT: Self = Self {
        threats: &[Threat::MaliciousActor],
        needs: &[Need { kind: Kind::Pod }],
        check: Check::Component(&[], |_, _| {}),
        ..Self::WORKLOAD
    };
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Control({})", self.id)
    }
}
