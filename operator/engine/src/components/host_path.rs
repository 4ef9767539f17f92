//! Paths of a node that are worth as much as the node.

/// Directories whose content is the node: credentials, configuration of its components, its processes and devices.
const SENSITIVE: [&str; 16] = [
    "/boot",
    "/dev",
    "/etc",
    "/home",
    "/proc",
    "/root",
    "/run/containerd",
    "/run/crio",
    "/run/docker",
    "/sys",
    "/usr",
    "/var/lib/containerd",
    "/var/lib/docker",
    "/var/lib/etcd",
    "/var/lib/kubelet",
    "/var/log/pods",
];

/// Parts of sensitive directories that tell nothing and let nothing be changed.
const HARMLESS: [&str; 8] = [
    "/etc/localtime",
    "/etc/os-release",
    "/etc/machine-id",
    "/etc/ssl/certs",
    "/etc/pki/ca-trust",
    "/usr/share/zoneinfo",
    "/usr/share/ca-certificates",
    "/usr/lib/os-release",
];

/// Whether a path, as [`super::normal`] writes it, is one of the sensitive ones, lies in one, or holds one.
pub fn is_sensitive(path: &str) -> bool {
    let inside = |path: &str, parent: &str| {
        path.strip_prefix(parent)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || parent == "/")
    };
    !HARMLESS.iter().any(|harmless| inside(path, harmless))
        && SENSITIVE
            .iter()
            .any(|sensitive| inside(path, sensitive) || inside(sensitive, path))
}
