//! Whose Kubernetes it is, by facts that are in plain sight.

/// A distribution of Kubernetes, as far as the version that its API server names tells it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)] // Each is its own name.
pub enum Distribution {
    /// None of the others: what kubeadm and kind install, and whatever names its version as the upstream does.
    #[default]
    Upstream,
    Eks,
    Gke,
    K3s,
    Rke2,
}

impl Distribution {
    /// Of a version such as `v1.33.1-eks-595af52` or `v1.33.1+k3s1`.
    pub fn of_version(version: &str) -> Self {
        let marks = [
            ("-eks-", Self::Eks),
            ("-gke.", Self::Gke),
            ("+k3s", Self::K3s),
            ("+rke2", Self::Rke2),
        ];
        let found = marks.into_iter().find(|(mark, _)| version.contains(mark));
        found.map_or(Self::Upstream, |(_, distribution)| distribution)
    }

    /// Whether somebody else runs the control plane, out of its owner's sight.
    pub const fn hides_control_plane(self) -> bool {
        matches!(self, Self::Eks | Self::Gke)
    }

    /// Whether all components are parts of one process, so that no pod shows their arguments.
    pub const fn is_one_process(self) -> bool {
        matches!(self, Self::K3s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_name_their_distribution() {
        for (version, expected) in [
            ("v1.37.2", Distribution::Upstream),
            ("v1.33.1-eks-595af52", Distribution::Eks),
            ("v1.33.1-gke.1386000", Distribution::Gke),
            ("v1.33.1+k3s1", Distribution::K3s),
            ("v1.33.1+rke2r1", Distribution::Rke2),
            ("", Distribution::Upstream),
        ] {
            assert_eq!(Distribution::of_version(version), expected, "{version}");
        }
    }
}
