//! The vocabulary that policies share with everything else: modes, names, problems.

use std::fmt;
use std::sync::Arc;

/// What is done with a finding, from least to most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Mode {
    /// Not judged.
    #[default]
    Disabled,
    /// Reported.
    Audit,
    /// Reported, and the repair is planned and kept fresh.
    Preview,
    /// Reported, planned and repaired.
    Enforce,
}

impl Mode {
    /// `Disabled`, `Audit`, `Preview`, `Enforce`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Disabled => "Disabled",
            Self::Audit => "Audit",
            Self::Preview => "Preview",
            Self::Enforce => "Enforce",
        }
    }
}

impl From<ironside_crds::Mode> for Mode {
    fn from(mode: ironside_crds::Mode) -> Self {
        match mode {
            ironside_crds::Mode::Audit => Self::Audit,
            ironside_crds::Mode::Preview => Self::Preview,
            ironside_crds::Mode::Enforce => Self::Enforce,
        }
    }
}

impl From<ironside_crds::ControlMode> for Mode {
    fn from(mode: ironside_crds::ControlMode) -> Self {
        match mode {
            ironside_crds::ControlMode::Disabled => Self::Disabled,
            ironside_crds::ControlMode::Audit => Self::Audit,
            ironside_crds::ControlMode::Preview => Self::Preview,
            ironside_crds::ControlMode::Enforce => Self::Enforce,
        }
    }
}

/// Names a policy. Cheap to clone: every finding carries some.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PolicyId {
    /// Namespace of a `HardeningPolicy`; `None` for a `ClusterHardeningPolicy`.
    pub namespace: Option<Arc<str>>,
    /// Name.
    pub name: Arc<str>,
}

impl PolicyId {
    /// The `ClusterHardeningPolicy` of this name.
    pub fn cluster(name: &str) -> Self {
        Self {
            namespace: None,
            name: name.into(),
        }
    }

    /// The `HardeningPolicy` of this name.
    pub fn namespaced(namespace: &str, name: &str) -> Self {
        Self {
            namespace: Some(namespace.into()),
            name: name.into(),
        }
    }
}

/// `ClusterHardeningPolicy baseline`, `HardeningPolicy shop/team`.
impl fmt::Display for PolicyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            None => write!(f, "ClusterHardeningPolicy {}", self.name),
            Some(namespace) => write!(f, "HardeningPolicy {namespace}/{}", self.name),
        }
    }
}

/// Something in a spec that cannot work. The rest of the spec does.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Problem {
    /// Path of the field: `spec.controls[POD-012].parameters.allowedRegistries`.
    pub field: String,
    /// What was found and what to write instead.
    pub message: String,
    /// One of [`ironside_crds::conditions::reasons`].
    pub reason: &'static str,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.message)
    }
}
