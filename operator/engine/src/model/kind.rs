//! The kinds of objects that the engine knows, and what each is in the API and here.

use std::fmt;

use crate::controls::Component;

/// A kind that the engine knows. Closed on purpose: an object of another kind is a gap, not a guess.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Kind {
    Namespace,
    Pod,
    Deployment,
    ReplicaSet,
    StatefulSet,
    DaemonSet,
    Job,
    CronJob,
    ReplicationController,
    ServiceAccount,
    Service,
    Ingress,
    NetworkPolicy,
    PodDisruptionBudget,
    ResourceQuota,
    ValidatingWebhookConfiguration,
    MutatingWebhookConfiguration,
    ApiService,
    CustomResourceDefinition,
    ConfigMap,
    Secret,
    LimitRange,
    Role,
    ClusterRole,
    RoleBinding,
    ClusterRoleBinding,
    PersistentVolumeClaim,
    Endpoints,
    PodTemplate,
    EndpointSlice,
    HorizontalPodAutoscaler,
    CsiStorageCapacity,
    Node,
    ValidatingAdmissionPolicy,
    ValidatingAdmissionPolicyBinding,
    MutatingAdmissionPolicy,
    MutatingAdmissionPolicyBinding,
    CertificateSigningRequest,
    AuthenticationConfiguration,
    AuthorizationConfiguration,
    AdmissionConfiguration,
    EncryptionConfiguration,
    KubeletConfiguration,
    KubeProxyConfiguration,
    /// A component of the cluster itself, such as the API server. No object is of this kind: what is judged is put together from what objects show of the
    /// component and what it says itself ([`crate::components::Observed`]).
    Component,
    /// An object of a kind that is not known, of which a pod template was found by its shape. Comes from files only.
    CustomResource,
}

impl Kind {
    /// Every kind that objects have, in declaration order.
    pub const ALL: [Self; 44] = [
        Self::Namespace,
        Self::Pod,
        Self::Deployment,
        Self::ReplicaSet,
        Self::StatefulSet,
        Self::DaemonSet,
        Self::Job,
        Self::CronJob,
        Self::ReplicationController,
        Self::ServiceAccount,
        Self::Service,
        Self::Ingress,
        Self::NetworkPolicy,
        Self::PodDisruptionBudget,
        Self::ResourceQuota,
        Self::ValidatingWebhookConfiguration,
        Self::MutatingWebhookConfiguration,
        Self::ApiService,
        Self::CustomResourceDefinition,
        Self::ConfigMap,
        Self::Secret,
        Self::LimitRange,
        Self::Role,
        Self::ClusterRole,
        Self::RoleBinding,
        Self::ClusterRoleBinding,
        Self::PersistentVolumeClaim,
        Self::Endpoints,
        Self::PodTemplate,
        Self::EndpointSlice,
        Self::HorizontalPodAutoscaler,
        Self::CsiStorageCapacity,
        Self::Node,
        Self::ValidatingAdmissionPolicy,
        Self::ValidatingAdmissionPolicyBinding,
        Self::MutatingAdmissionPolicy,
        Self::MutatingAdmissionPolicyBinding,
        Self::CertificateSigningRequest,
        Self::AuthenticationConfiguration,
        Self::AuthorizationConfiguration,
        Self::AdmissionConfiguration,
        Self::EncryptionConfiguration,
        Self::KubeletConfiguration,
        Self::KubeProxyConfiguration,
    ];

    /// API group, empty for the core group.
    pub const fn group(self) -> &'static str {
        match self {
            Self::Namespace
            | Self::Pod
            | Self::ReplicationController
            | Self::ServiceAccount
            | Self::Service
            | Self::ResourceQuota
            | Self::ConfigMap
            | Self::Secret
            | Self::LimitRange
            | Self::PersistentVolumeClaim
            | Self::Endpoints
            | Self::PodTemplate
            | Self::Node => "",
            Self::Deployment | Self::ReplicaSet | Self::StatefulSet | Self::DaemonSet => "apps",
            Self::Job | Self::CronJob => "batch",
            Self::Ingress | Self::NetworkPolicy => "networking.k8s.io",
            Self::PodDisruptionBudget => "policy",
            Self::ValidatingWebhookConfiguration
            | Self::MutatingWebhookConfiguration
            | Self::ValidatingAdmissionPolicy
            | Self::ValidatingAdmissionPolicyBinding
            | Self::MutatingAdmissionPolicy
            | Self::MutatingAdmissionPolicyBinding => "admissionregistration.k8s.io",
            Self::CertificateSigningRequest => "certificates.k8s.io",
            Self::ApiService => "apiregistration.k8s.io",
            Self::CustomResourceDefinition => "apiextensions.k8s.io",
            Self::Role | Self::ClusterRole | Self::RoleBinding | Self::ClusterRoleBinding => {
                "rbac.authorization.k8s.io"
            }
            Self::EndpointSlice => "discovery.k8s.io",
            Self::HorizontalPodAutoscaler => "autoscaling",
            Self::CsiStorageCapacity => "storage.k8s.io",
            Self::AuthenticationConfiguration
            | Self::AuthorizationConfiguration
            | Self::AdmissionConfiguration
            | Self::EncryptionConfiguration => "apiserver.config.k8s.io",
            Self::KubeletConfiguration => "kubelet.config.k8s.io",
            Self::KubeProxyConfiguration => "kubeproxy.config.k8s.io",
            Self::Component => "hardening.ironside.dev",
            // Any at all; nothing is looked up by it.
            Self::CustomResource => "*",
        }
    }

    /// `apiVersion` as it stands in a manifest. Every kind here is served as `v1`.
    pub const fn api_version(self) -> &'static str {
        match self.group().as_bytes() {
            b"apps" => "apps/v1",
            b"batch" => "batch/v1",
            b"networking.k8s.io" => "networking.k8s.io/v1",
            b"policy" => "policy/v1",
            b"admissionregistration.k8s.io" => "admissionregistration.k8s.io/v1",
            b"apiregistration.k8s.io" => "apiregistration.k8s.io/v1",
            b"apiextensions.k8s.io" => "apiextensions.k8s.io/v1",
            b"rbac.authorization.k8s.io" => "rbac.authorization.k8s.io/v1",
            b"discovery.k8s.io" => "discovery.k8s.io/v1",
            b"autoscaling" => "autoscaling/v1",
            b"storage.k8s.io" => "storage.k8s.io/v1",
            b"certificates.k8s.io" => "certificates.k8s.io/v1",
            b"kubelet.config.k8s.io" => "kubelet.config.k8s.io/v1beta1",
            b"kubeproxy.config.k8s.io" => "kubeproxy.config.k8s.io/v1alpha1",
            b"apiserver.config.k8s.io" => "apiserver.config.k8s.io/v1",
            b"hardening.ironside.dev" => "hardening.ironside.dev/v1alpha1",
            _ => "v1",
        }
    }

    /// `kind` as it stands in a manifest.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Namespace => "Namespace",
            Self::Pod => "Pod",
            Self::Deployment => "Deployment",
            Self::ReplicaSet => "ReplicaSet",
            Self::StatefulSet => "StatefulSet",
            Self::DaemonSet => "DaemonSet",
            Self::Job => "Job",
            Self::CronJob => "CronJob",
            Self::ReplicationController => "ReplicationController",
            Self::ServiceAccount => "ServiceAccount",
            Self::Service => "Service",
            Self::Ingress => "Ingress",
            Self::NetworkPolicy => "NetworkPolicy",
            Self::PodDisruptionBudget => "PodDisruptionBudget",
            Self::ResourceQuota => "ResourceQuota",
            Self::ValidatingWebhookConfiguration => "ValidatingWebhookConfiguration",
            Self::MutatingWebhookConfiguration => "MutatingWebhookConfiguration",
            Self::ApiService => "APIService",
            Self::CustomResourceDefinition => "CustomResourceDefinition",
            Self::ConfigMap => "ConfigMap",
            Self::Secret => "Secret",
            Self::LimitRange => "LimitRange",
            Self::Role => "Role",
            Self::ClusterRole => "ClusterRole",
            Self::RoleBinding => "RoleBinding",
            Self::ClusterRoleBinding => "ClusterRoleBinding",
            Self::PersistentVolumeClaim => "PersistentVolumeClaim",
            Self::Endpoints => "Endpoints",
            Self::PodTemplate => "PodTemplate",
            Self::EndpointSlice => "EndpointSlice",
            Self::HorizontalPodAutoscaler => "HorizontalPodAutoscaler",
            Self::CsiStorageCapacity => "CSIStorageCapacity",
            Self::Node => "Node",
            Self::ValidatingAdmissionPolicy => "ValidatingAdmissionPolicy",
            Self::ValidatingAdmissionPolicyBinding => "ValidatingAdmissionPolicyBinding",
            Self::MutatingAdmissionPolicy => "MutatingAdmissionPolicy",
            Self::MutatingAdmissionPolicyBinding => "MutatingAdmissionPolicyBinding",
            Self::CertificateSigningRequest => "CertificateSigningRequest",
            Self::AuthenticationConfiguration => "AuthenticationConfiguration",
            Self::AuthorizationConfiguration => "AuthorizationConfiguration",
            Self::AdmissionConfiguration => "AdmissionConfiguration",
            Self::EncryptionConfiguration => "EncryptionConfiguration",
            Self::KubeletConfiguration => "KubeletConfiguration",
            Self::KubeProxyConfiguration => "KubeProxyConfiguration",
            Self::Component => "Component",
            Self::CustomResource => "CustomResource",
        }
    }

    /// Resource name in URLs and RBAC rules.
    pub const fn plural(self) -> &'static str {
        match self {
            Self::Namespace => "namespaces",
            Self::Pod => "pods",
            Self::Deployment => "deployments",
            Self::ReplicaSet => "replicasets",
            Self::StatefulSet => "statefulsets",
            Self::DaemonSet => "daemonsets",
            Self::Job => "jobs",
            Self::CronJob => "cronjobs",
            Self::ReplicationController => "replicationcontrollers",
            Self::ServiceAccount => "serviceaccounts",
            Self::Service => "services",
            Self::Ingress => "ingresses",
            Self::NetworkPolicy => "networkpolicies",
            Self::PodDisruptionBudget => "poddisruptionbudgets",
            Self::ResourceQuota => "resourcequotas",
            Self::ValidatingWebhookConfiguration => "validatingwebhookconfigurations",
            Self::MutatingWebhookConfiguration => "mutatingwebhookconfigurations",
            Self::ApiService => "apiservices",
            Self::CustomResourceDefinition => "customresourcedefinitions",
            Self::ConfigMap => "configmaps",
            Self::Secret => "secrets",
            Self::LimitRange => "limitranges",
            Self::Role => "roles",
            Self::ClusterRole => "clusterroles",
            Self::RoleBinding => "rolebindings",
            Self::ClusterRoleBinding => "clusterrolebindings",
            Self::PersistentVolumeClaim => "persistentvolumeclaims",
            Self::Endpoints => "endpoints",
            Self::PodTemplate => "podtemplates",
            Self::EndpointSlice => "endpointslices",
            Self::HorizontalPodAutoscaler => "horizontalpodautoscalers",
            Self::CsiStorageCapacity => "csistoragecapacities",
            Self::Node => "nodes",
            Self::ValidatingAdmissionPolicy => "validatingadmissionpolicies",
            Self::ValidatingAdmissionPolicyBinding => "validatingadmissionpolicybindings",
            Self::MutatingAdmissionPolicy => "mutatingadmissionpolicies",
            Self::MutatingAdmissionPolicyBinding => "mutatingadmissionpolicybindings",
            Self::CertificateSigningRequest => "certificatesigningrequests",
            Self::AuthenticationConfiguration => "authenticationconfigurations",
            Self::AuthorizationConfiguration => "authorizationconfigurations",
            Self::AdmissionConfiguration => "admissionconfigurations",
            Self::EncryptionConfiguration => "encryptionconfigurations",
            Self::KubeletConfiguration => "kubeletconfigurations",
            Self::KubeProxyConfiguration => "kubeproxyconfigurations",
            Self::Component => "components",
            Self::CustomResource => "customresources",
        }
    }

    /// Whether objects of this kind live in a namespace.
    pub const fn namespaced(self) -> bool {
        !matches!(
            self,
            Self::Namespace
                | Self::ValidatingWebhookConfiguration
                | Self::MutatingWebhookConfiguration
                | Self::ApiService
                | Self::CustomResourceDefinition
                | Self::ClusterRole
                | Self::ClusterRoleBinding
                | Self::Node
                | Self::ValidatingAdmissionPolicy
                | Self::ValidatingAdmissionPolicyBinding
                | Self::MutatingAdmissionPolicy
                | Self::MutatingAdmissionPolicyBinding
                | Self::CertificateSigningRequest
                | Self::Component
        ) && self.configures().is_none()
    }

    /// Whether objects of this kind hold or are a pod template.
    pub const fn is_workload(self) -> bool {
        matches!(
            self,
            Self::Pod
                | Self::Deployment
                | Self::ReplicaSet
                | Self::StatefulSet
                | Self::DaemonSet
                | Self::Job
                | Self::CronJob
                | Self::ReplicationController
                | Self::CustomResource
        )
    }

    /// Whether a running operator watches it. What is not watched is judged where it is given in files only: Secrets because their reader holds every password of
    /// the cluster, configuration documents because no API server has them, the others because nothing but their place is judged.
    pub const fn is_watched(self) -> bool {
        !matches!(
            self,
            Self::Secret
                | Self::PersistentVolumeClaim
                | Self::Endpoints
                | Self::PodTemplate
                | Self::EndpointSlice
                | Self::HorizontalPodAutoscaler
                | Self::CsiStorageCapacity
                | Self::Component
                | Self::CustomResource
        ) && self.configures().is_none()
    }

    /// Whether objects of this kind are watched for what their changes show alone (`detect`): nothing judges them, so whoever looks once need not read them.
    pub const fn tells_changes_only(self) -> bool {
        matches!(
            self,
            Self::MutatingAdmissionPolicy | Self::MutatingAdmissionPolicyBinding | Self::CertificateSigningRequest
        )
    }

    /// The component that a document of this kind configures. It is a file on a node, not an object of the API server.
    pub const fn configures(self) -> Option<Component> {
        match self {
            Self::AuthenticationConfiguration
            | Self::AuthorizationConfiguration
            | Self::AdmissionConfiguration
            | Self::EncryptionConfiguration => Some(Component::KubeApiserver),
            Self::KubeletConfiguration => Some(Component::Kubelet),
            Self::KubeProxyConfiguration => Some(Component::KubeProxy),
            _ => None,
        }
    }

    /// The kinds that a running operator watches.
    pub fn watched() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|kind| kind.is_watched())
    }

    /// Whether objects of this kind are judged on their own, neither as workloads nor as Namespaces.
    pub const fn is_judged_alone(self) -> bool {
        matches!(
            self,
            Self::ServiceAccount
                | Self::Service
                | Self::Ingress
                | Self::NetworkPolicy
                | Self::PodDisruptionBudget
                | Self::ConfigMap
                | Self::Role
                | Self::ClusterRole
                | Self::RoleBinding
                | Self::ClusterRoleBinding
                | Self::Node
        ) || !(self.is_watched() || self.is_workload())
    }

    /// The kind with this group and kind name, whatever its version.
    pub fn from_group_kind(group: &str, kind: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|k| k.name() == kind && k.group() == group)
    }

    /// The kind that a manifest's `apiVersion` and `kind` name.
    pub fn from_manifest(api_version: &str, kind: &str) -> Option<Self> {
        let group = api_version.rsplit_once('/').map_or("", |(group, _)| group);
        let known = Self::from_group_kind(group, kind);
        // Manifests of old: `extensions` held what moved to other groups, and some forget the group.
        let moved = || {
            Self::ALL
                .into_iter()
                .find(|known| known.name() == kind && !known.group().is_empty())
        };
        known.or_else(|| matches!(group, "" | "extensions").then(moved).flatten())
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
