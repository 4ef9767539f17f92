//! What a node could leave on the machine: read before and after, to be compared.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

/// The machine's state, by subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Traces(BTreeMap<String, String>);

impl Traces {
    /// Reads sysctls, mounts, network interfaces, routes, packet rules and cgroup folders.
    ///
    /// Cgroup folders are asked for by name ([`cgroup_folders`]): other nodes on this machine are none of ours.
    ///
    /// # Errors
    /// Something cannot be read that always can.
    pub fn read() -> Result<Self> {
        let mut found = BTreeMap::new();
        for folder in ["vm", "kernel", "net/ipv4", "net/netfilter", "net/bridge"] {
            sysctls(&Path::new("/proc/sys").join(folder), &mut found);
        }
        for (subject, file) in [
            ("mounts", "/proc/self/mounts"),
            ("interfaces", "/proc/net/dev_snmp6"),
            ("routes", "/proc/net/route"),
            ("iptables", "/proc/net/ip_tables_names"),
            ("addresses", "/proc/net/fib_trie"),
        ] {
            found.insert(subject.to_owned(), content(Path::new(file)));
        }
        found.insert("links".to_owned(), names(Path::new("/sys/class/net"))?);
        found.insert("nftables".to_owned(), rules());
        Ok(Self(found))
    }

    /// The subjects that differ, each with both states.
    pub fn differences(&self, after: &Self) -> Vec<String> {
        let keys = self.0.keys().chain(after.0.keys());
        let keys: std::collections::BTreeSet<&String> = keys.collect();
        keys.into_iter()
            .filter(|key| self.0.get(*key) != after.0.get(*key))
            .map(|key| format!("{key}: {:?} became {:?}", self.0.get(key), after.0.get(key)))
            .collect()
    }
}

/// Folders of a node in the machine's cgroup hierarchies, by the name of its root.
pub fn cgroup_folders(cgroup: &str) -> Vec<String> {
    super::cgroups::of(cgroup)
        .iter()
        .map(|folder| folder.display().to_string())
        .collect()
}

/// Values that a person sets; counters and random numbers, which change by themselves, are left out.
fn sysctls(folder: &Path, found: &mut BTreeMap<String, String>) {
    const MOVING: [&str; 6] = [
        "random",
        "ns_last_pid",
        "nf_conntrack_count",
        "pty",
        "entropy",
        "stat_refresh",
    ];
    for path in fs::read_dir(folder).into_iter().flatten().flatten().map(|it| it.path()) {
        let name = path.display().to_string();
        if MOVING.iter().any(|moving| name.contains(moving)) {
            continue;
        }
        if path.is_dir() {
            sysctls(&path, found);
        } else {
            found.insert(name, content(&path));
        }
    }
}

fn content(path: &Path) -> String {
    fs::read(path).map_or_else(
        |error| error.kind().to_string(),
        |bytes| String::from_utf8_lossy(&bytes).into_owned(),
    )
}

fn names(folder: &Path) -> Result<String> {
    let entries = fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))?;
    let mut names: Vec<String> = entries
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort_unstable();
    Ok(names.join(" "))
}

/// The rule set, as far as there is a program that reads it.
fn rules() -> String {
    let Some(nft) = crate::binaries::debian::on_path("nft") else {
        return "no nft on PATH".to_owned();
    };
    let output = std::process::Command::new(nft).args(["list", "ruleset"]).output();
    output.map_or_else(
        |error| error.to_string(),
        |output| String::from_utf8_lossy(&output.stdout).into_owned(),
    )
}
