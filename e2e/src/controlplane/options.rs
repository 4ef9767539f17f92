//! What a control plane can be asked to be. Plain data: it travels to the supervisor as JSON.

use serde::{Deserialize, Serialize};

/// Environment variable that sets the version of every control plane that asks for none: `make test-versions` runs the tests
/// with it.
pub const EMULATED_VERSION: &str = "IRONSIDE_E2E_EMULATED_VERSION";

/// Choices for one control plane; the default is what the shared one has.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Options {
    /// Kubernetes version whose behaviour the server shows, `1.34` to `1.37`; none is the newest.
    pub emulated_version: Option<String>,
    /// Further flags of kube-apiserver, after the usual ones (a later flag wins).
    pub apiserver_flags: Vec<String>,
    /// How much the audit log keeps.
    pub audit: Audit,
    /// How many simulated nodes.
    pub nodes: usize,
    /// How many pods one simulated node takes.
    pub pods_per_node: usize,
    /// How many real nodes, at most two, stand beside the simulated ones, which then are tainted: pods go to the real ones.
    pub real_nodes: usize,
    /// Whether anything runs the workloads. Without it there are only etcd and the API server, ready half a second sooner.
    pub workloads: bool,
    /// Whether kubelets are held to what is on their node. A list of plugins grows with every flag, so that it cannot be taken back later.
    pub node_restriction: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            emulated_version: std::env::var(EMULATED_VERSION)
                .ok()
                .filter(|version| !version.is_empty()),
            apiserver_flags: Vec::new(),
            audit: Audit::Metadata,
            nodes: 3,
            // Below the 254 addresses of a node's /24.
            pods_per_node: 250,
            real_nodes: 0,
            workloads: true,
            node_restriction: true,
        }
    }
}

impl Options {
    /// A cluster with so many real nodes, beside the one simulated node that shows that both live together.
    pub fn with_nodes(count: usize) -> Self {
        Self {
            real_nodes: count,
            nodes: 1,
            ..Self::default()
        }
    }
}

/// How much of each request the audit log keeps. The control plane's own components are never in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Audit {
    /// Who did what to which object, and how it ended.
    Metadata,
    /// And the body that was sent with a write.
    Request,
    /// And the body that came back.
    RequestResponse,
}

impl Audit {
    /// The policy file.
    ///
    /// Components and simulated nodes are left out because their traffic (leases, events, status of every pod) is nine
    /// tenths of the log and no test asks for it; reads keep the metadata only.
    pub(super) fn policy(self) -> String {
        let level = match self {
            Self::Metadata => "Metadata",
            Self::Request => "Request",
            Self::RequestResponse => "RequestResponse",
        };
        format!(
            r#"apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: None
  users: ["system:apiserver", "system:kube-controller-manager", "system:kube-scheduler", "system:kwok"]
- level: None
  userGroups: ["system:nodes", "system:serviceaccounts:kube-system"]
- level: None
  users: ["system:kube-proxy"]
- level: None
  nonResourceURLs: ["/healthz*", "/readyz*", "/livez*", "/openapi*"]
- level: Metadata
  verbs: [get, list, watch]
- level: {level}
"#
        )
    }
}
