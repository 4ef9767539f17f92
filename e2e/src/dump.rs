//! What a failed test leaves: logs, the audit log and kubectl's view of everything, in one folder.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::cluster::Cluster;
use crate::install;

/// What is asked of kubectl: file name and arguments. Each is best effort; what fails is noted in the file.
const VIEWS: [(&str, &[&str]); 6] = [
    (
        "objects.txt",
        &[
            "get",
            "namespaces,nodes,deployments,statefulsets,daemonsets,replicasets,jobs,cronjobs,pods,services,networkpolicies",
            "-A",
            "-o",
            "wide",
        ],
    ),
    (
        "workloads.yaml",
        &[
            "get",
            "deployments,statefulsets,daemonsets",
            "-A",
            "-o",
            "yaml",
            "--show-managed-fields",
        ],
    ),
    ("pods.yaml", &["get", "pods", "-A", "-o", "yaml"]),
    (
        "events.txt",
        &["get", "events", "-A", "--sort-by=.metadata.creationTimestamp"],
    ),
    (
        "ironside.txt",
        &[
            "get",
            "hardeningpolicies,clusterhardeningpolicies,hardeningremediations,hardeningexceptions,clusterhardeningexceptions",
            "-A",
            "-o",
            "wide",
        ],
    ),
    (
        "ironside.yaml",
        &[
            "get",
            "hardeningpolicies,clusterhardeningpolicies,hardeningremediations,hardeningexceptions,clusterhardeningexceptions",
            "-A",
            "-o",
            "yaml",
        ],
    ),
];

/// The folder for what the tests leave: `IRONSIDE_E2E_ARTIFACTS`, else `e2e-artifacts` in the repository.
pub fn artifacts() -> PathBuf {
    match std::env::var_os("IRONSIDE_E2E_ARTIFACTS") {
        Some(path) if !path.is_empty() => PathBuf::from(path),
        _ => install::repository().join("e2e-artifacts"),
    }
}

/// Writes everything about `cluster` and the given further logs into `folder`, which is emptied first.
pub(crate) async fn dump(folder: &Path, failure: &str, cluster: &Cluster, logs: &[PathBuf]) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("empty {}", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
    fs::write(folder.join("failure.txt"), failure).context("write failure.txt")?;
    let mut files = logs.to_vec();
    if let Ok(description) = cluster.description() {
        let logs = fs::read_dir(&description.logs).context("list the logs of the control plane")?;
        files.extend(logs.flatten().map(|entry| entry.path()));
    }
    for file in files {
        let name = file.file_name().context("a log has a name")?;
        fs::copy(&file, folder.join(name)).with_context(|| format!("copy {}", file.display()))?;
    }
    let kubectl = cluster.kubectl()?;
    for (name, arguments) in VIEWS {
        // A test may have left the API server dead: that is no reason to hang.
        let arguments: Vec<&str> = arguments.iter().copied().chain(["--request-timeout=5s"]).collect();
        let text = kubectl
            .run(&arguments)
            .await
            .unwrap_or_else(|error| format!("({error:#})\n"));
        fs::write(folder.join(name), text).with_context(|| format!("write {name}"))?;
    }
    Ok(())
}
