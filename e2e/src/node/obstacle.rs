//! Why this machine cannot have a real node, if it cannot.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::binaries::debian::on_path;

/// The hierarchies that pods are limited by.
const HIERARCHIES: [&str; 7] = ["cpu", "cpuacct", "cpuset", "memory", "devices", "blkio", "pids"];
const PROGRAMS: [&str; 8] = ["bash", "unshare", "nsenter", "ip", "mount", "umount", "sysctl", "env"];

/// What stands in the way, for people; nothing if a node can be started here. Asked once per process.
pub fn obstacle() -> Option<&'static str> {
    static ANSWER: OnceLock<Option<String>> = OnceLock::new();
    ANSWER.get_or_init(look).as_deref()
}

/// Why pods here have no IPv6 addresses, if they have none.
pub fn ipv6() -> Option<&'static str> {
    // Not there in a kernel without IPv6, or where it is switched off for good.
    let interfaces = Path::new("/proc/net/if_inet6");
    (!interfaces.exists()).then_some("packets of IPv6 need a kernel that has it")
}

fn look() -> Option<String> {
    if !cfg!(target_os = "linux") {
        return Some("a real node needs Linux".to_owned());
    }
    if !is_root() {
        return Some("a real node needs root".to_owned());
    }
    if let Some(missing) = PROGRAMS.into_iter().find(|name| on_path(name).is_none()) {
        return Some(format!("a real node needs {missing} on PATH"));
    }
    let root = Path::new(super::cgroups::ROOT);
    if root.join("cgroup.controllers").exists() {
        return Some("a real node needs the v1 cgroup hierarchies; this machine has the unified one".to_owned());
    }
    if let Some(missing) = HIERARCHIES.into_iter().find(|name| !writable(&root.join(name))) {
        return Some(format!("a real node needs a writable {}/{missing}", root.display()));
    }
    let namespaces = ["--mount", "--net", "--pid", "--uts", "--ipc", "--fork", "--mount-proc"];
    let tried = Command::new("unshare")
        .args(namespaces)
        .args([
            "sh",
            "-c",
            "mount -t sysfs sysfs /sys && mount -t tmpfs tmpfs /run && ip link add try0 type veth peer name try1",
        ])
        .stdin(Stdio::null())
        .output();
    match tried {
        Ok(output) if output.status.success() => None,
        Ok(output) => Some(format!(
            "a real node needs private namespaces: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        )),
        Err(error) => Some(format!("a real node needs unshare: {error}")),
    }
}

fn is_root() -> bool {
    // A process's folder belongs to its effective user.
    std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

fn writable(folder: &Path) -> bool {
    // As root everything passes the permission bits; a read-only mount does not.
    folder.join("tasks").exists() && nix::unistd::access(folder, nix::unistd::AccessFlags::W_OK).is_ok()
}
