//! Short constructors for framework mappings, so that a control file reads like a table.

use super::{Framework, Mapping};

/// Recommendation ids of the NSA/CISA guide 1.2, as `docs` numbers them.
pub const fn nsa(ids: &'static [&'static str]) -> Mapping {
    Mapping {
        framework: Framework::NsaCisa,
        ids,
    }
}

/// Check ids of the Pod Security Standards, level baseline.
pub const fn pss_baseline(ids: &'static [&'static str]) -> Mapping {
    Mapping {
        framework: Framework::PssBaseline,
        ids,
    }
}

/// Check ids of the Pod Security Standards, level restricted.
pub const fn pss_restricted(ids: &'static [&'static str]) -> Mapping {
    Mapping {
        framework: Framework::PssRestricted,
        ids,
    }
}

/// Items of the CIS Kubernetes Benchmark 1.12.
pub const fn cis(ids: &'static [&'static str]) -> Mapping {
    Mapping {
        framework: Framework::Cis,
        ids,
    }
}

/// Kubescape control ids.
pub const fn kubescape(ids: &'static [&'static str]) -> Mapping {
    Mapping {
        framework: Framework::Kubescape,
        ids,
    }
}

/// Trivy check ids.
pub const fn trivy(ids: &'static [&'static str]) -> Mapping {
    Mapping {
        framework: Framework::Trivy,
        ids,
    }
}

/// MITRE ATT&CK technique ids.
pub const fn mitre(ids: &'static [&'static str]) -> Mapping {
    Mapping {
        framework: Framework::Mitre,
        ids,
    }
}
