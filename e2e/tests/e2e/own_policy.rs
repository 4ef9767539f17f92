//! Ironside as it is installed passes its own strictest policy, as docs/install.md says that it does.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};
use ironside_e2e::binaries::workspace_program;
use ironside_e2e::install::repository;
use ironside_e2e::{Scenario, scenario};
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;

/// What a user may install, and what of it only an exception accepts.
const INSTALLS: [(&str, &[&str]); 6] = [
    ("default", &[]),
    ("overlays/posture", &[]),
    ("overlays/audit", &[]),
    (
        "overlays/remediate",
        &[
            "RBAC-006 ClusterRole/ironside-remediate",
            "RBAC-013 ClusterRole/ironside-remediate",
        ],
    ),
    ("overlays/evidence", &OF_EVIDENCE),
    (EVERYTHING, &OF_EVIDENCE),
];

const OF_EVIDENCE: [&str; 3] = [
    "RBAC-006 ClusterRole/ironside-remediate",
    "RBAC-011 Role/ironside-kubelet-token",
    "RBAC-013 ClusterRole/ironside-remediate",
];

/// An overlay, and a component beside it.
const EVERYTHING: &str = "overlays/evidence\ncomponents:\n- ironside/config/audit";

/// The profile with all controls, and the strictest of Kubernetes' own.
const PROFILES: [&str; 2] = ["NsaCisa", "PssRestricted"];

/// The exceptions among the samples.
pub(crate) const EXCEPTIONS: &str = "config/samples/clusterhardeningexception.yaml";

#[tokio::test]
async fn every_install_passes_the_strictest_policy() -> Result<()> {
    scenario(async |test| {
        let exceptions = repository().join(EXCEPTIONS).display().to_string();
        for (install, accepted) in INSTALLS {
            let manifests = rendered(test, install).await?;
            for profile in PROFILES {
                let arguments = ["--profile", profile, "--policy", &exceptions];
                let failing = failing(&manifests, &arguments).await?;
                ensure!(failing.is_empty(), "{install}, {profile}: {failing:?}");
                let summary = &scan(&manifests, &arguments).await?["summary"];
                ensure!(summary["unknown"] == 0, "{install}, {profile}: {summary}");
            }
            // The exceptions accept this and nothing else.
            let failing = failing(&manifests, &[]).await?;
            ensure!(failing.iter().eq(accepted), "{install}: {failing:?}");
        }
        Ok(())
    })
    .await
}

/// What passes only because something is there fails without it.
#[tokio::test]
async fn an_install_without_its_guards_does_not_pass() -> Result<()> {
    const GUARDS: [(&str, &[&str]); 3] = [
        ("NetworkPolicy", &["NET-002", "NET-003", "NET-004"]),
        ("LimitRange", &["RES-003"]),
        ("ResourceQuota", &["RES-004"]),
    ];
    scenario(async |test| {
        let manifests = rendered(test, "default").await?;
        for (kind, controls) in GUARDS {
            let of_kind = |manifest: &&str| !manifest.contains(&format!("\nkind: {kind}\n"));
            let rest: Vec<&str> = manifests.split("\n---\n").filter(of_kind).collect();
            let failing = failing(&rest.join("\n---\n"), &[]).await?;
            let failing: BTreeSet<&str> = failing.iter().filter_map(|it| it.split(' ').next()).collect();
            ensure!(failing.iter().eq(controls), "without {kind}: {failing:?}");
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn the_api_server_takes_every_install_and_the_exceptions() -> Result<()> {
    scenario(async |test| {
        test.cluster.install().await?;
        let kubectl = test.cluster.kubectl()?;
        let exceptions = std::fs::read_to_string(repository().join(EXCEPTIONS))?;
        let dry = [
            "apply",
            "--server-side",
            "--force-conflicts",
            "--dry-run=server",
            "--validate=strict",
            "-f",
            "-",
        ];
        for (install, _) in INSTALLS {
            let manifests = rendered(test, install).await?;
            let taken = kubectl.run_with_input(&dry, &manifests).await?;
            for object in [
                "networkpolicy.networking.k8s.io/default-deny",
                "networkpolicy.networking.k8s.io/ironside",
                "resourcequota/ironside",
                "limitrange/ironside",
                "deployment.apps/ironside",
            ] {
                ensure!(
                    taken.lines().any(|line| line.starts_with(&format!("{object} "))),
                    "{install}: {object} is not among\n{taken}"
                );
            }
        }
        kubectl.run_with_input(&dry, &exceptions).await.map(drop)
    })
    .await
}

/// What `kubectl kustomize` makes of the kustomization in docs/install.md, with another of the overlays.
async fn rendered(test: &Scenario<'_>, install: &str) -> Result<String> {
    let document = std::fs::read_to_string(repository().join("docs/install.md"))?;
    let (_, rest) = document.split_once("```yaml\n").context("a kustomization")?;
    let (kustomization, _) = rest.split_once("```").context("its end")?;
    let named = "ironside/config/overlays/evidence";
    ensure!(kustomization.contains(named), "{kustomization}");
    let folder = test.folder().join(install.replace(['/', '\n', ' ', ':'], "-"));
    std::fs::create_dir_all(&folder)?;
    std::os::unix::fs::symlink(repository().canonicalize()?, folder.join("ironside"))?;
    // With the comment that follows it in the document, at the end of the last line.
    let other = format!("ironside/config/{install}");
    std::fs::write(folder.join("kustomization.yaml"), kustomization.replace(named, &other))?;
    let folder = folder.display().to_string();
    test.cluster.kubectl()?.run(&["kustomize", &folder]).await
}

/// Controls that fail, with their objects, in order: `NET-002 Namespace/ironside-system`. What an exception accepts does not fail.
async fn failing(manifests: &str, arguments: &[&str]) -> Result<BTreeSet<String>> {
    let scan = scan(manifests, arguments).await?;
    let judged = scan["results"].as_array().context("results")?;
    Ok(failures(judged))
}

async fn scan(manifests: &str, arguments: &[&str]) -> Result<Value> {
    let scan = ["scan", "-", "-o", "json"];
    scanned(&[&scan[..], arguments].concat(), manifests, None).await
}

/// Of results of a scan, those that fail.
pub(crate) fn failures(results: &[Value]) -> BTreeSet<String> {
    let failing = results
        .iter()
        .filter(|it| it["result"] == "Fail" && it["excepted"].is_null());
    let named = failing.map(|it| {
        let text = |pointer: &str| it.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        format!("{} {}/{}", text("/control"), text("/object/kind"), text("/object/name"))
    });
    named.collect()
}

/// Runs `ironside`, and reads what it printed.
pub(crate) async fn scanned(arguments: &[&str], input: &str, kubeconfig: Option<&Path>) -> Result<Value> {
    let mut command = tokio::process::Command::new(workspace_program("ironside")?);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
    if let Some(kubeconfig) = kubeconfig {
        command.env("KUBECONFIG", kubeconfig);
    }
    let mut child = command.stderr(Stdio::piped()).spawn().context("run ironside")?;
    let mut stdin = child.stdin.take().context("its input")?;
    stdin.write_all(input.as_bytes()).await?;
    drop(stdin);
    let output = child.wait_with_output().await?;
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    serde_json::from_slice(&output.stdout).context(told)
}
