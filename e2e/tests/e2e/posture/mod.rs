//! The components of the cluster: each is judged, by what can be seen of it, and is unknown where nothing can.

mod apiserver;
mod cloud;
mod extensions;
mod logs;
mod objects;
mod operator;
mod processes;
mod versions;

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use ironside_crds::ClusterHardeningPolicy;
use ironside_crds::policy::ComponentStatus;
use ironside_e2e::binaries::workspace_program;
use ironside_e2e::{Scenario, scenario, wait};
use kube::Api;
use serde_json::{Value, json};

/// The components that the guide names.
const COMPONENTS: [&str; 9] = [
    "KubeApiserver",
    "Etcd",
    "KubeScheduler",
    "KubeControllerManager",
    "CloudControllerManager",
    "ContainerRuntime",
    "Kubelet",
    "KubeProxy",
    "ClusterDns",
];

/// On by default since 1.36: older versions are emulated, too.
const FLAGZ: &str = "--feature-gates=ComponentFlagz=true";

/// A scan of the whole cluster, by somebody; `None` is the administrator.
async fn scan(test: &Scenario<'_>, somebody: Option<&str>, form: &str) -> Result<String> {
    let mut kubeconfig = test.cluster.kubeconfig().to_owned();
    if let Some(name) = somebody {
        kubeconfig = as_somebody(test, name)?;
    }
    let output = tokio::process::Command::new(workspace_program("ironside")?)
        .args(["scan", "--cluster", "--all", "-o", form])
        .env("KUBECONFIG", &kubeconfig)
        .output()
        .await?;
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(!output.stdout.is_empty(), "nothing was written: {told}");
    Ok(String::from_utf8(output.stdout)?)
}

fn as_somebody(test: &Scenario<'_>, name: &str) -> Result<PathBuf> {
    let written = std::fs::read_to_string(test.cluster.kubeconfig())?;
    let mut config: Value = serde_saphyr::from_str(&written).context("a kubeconfig")?;
    config["users"][0]["user"]["as"] = json!(name);
    let kubeconfig = test.folder().join(format!("{name}.kubeconfig"));
    std::fs::write(&kubeconfig, config.to_string())?;
    Ok(kubeconfig)
}

/// What a scan says of a control on the component that it belongs to: the result, and the reason why it is not known.
fn said<'s>(scan: &'s Value, control: &str) -> Result<(&'s str, &'s str)> {
    let mut results = scan["results"].as_array().context("results")?.iter();
    let of_it = results.find(|it| it["control"] == control && it["object"]["kind"] == "Component");
    let of_it = of_it.with_context(|| format!("nothing of {control} on a component"))?;
    let reason = of_it["gaps"][0]["reason"].as_str().unwrap_or_default();
    Ok((of_it["result"].as_str().unwrap_or_default(), reason))
}

async fn is_said(test: &Scenario<'_>, somebody: Option<&str>, expected: &[(&str, &str, &str)]) -> Result<Value> {
    let scan: Value = serde_json::from_str(&scan(test, somebody, "json").await?)?;
    for (control, result, reason) in expected {
        let said = said(&scan, control)?;
        ensure!(
            said == (*result, *reason),
            "{control}: {said:?}, not {result} ({reason})"
        );
    }
    Ok(scan)
}

fn row<'s>(scan: &'s Value, component: &str) -> Result<&'s Value> {
    let mut rows = scan["components"].as_array().context("components")?.iter();
    rows.find(|row| row["name"] == component)
        .with_context(|| format!("no row of {component}"))
}

/// A policy for the cluster that asks for some controls.
pub(crate) fn cluster_policy(name: &str, controls: &[&str]) -> Value {
    let controls: Vec<Value> = controls.iter().map(|id| json!({"id": id, "mode": "Audit"})).collect();
    json!({
        "apiVersion": "hardening.ironside.dev/v1alpha1", "kind": "ClusterHardeningPolicy", "metadata": {"name": name},
        "spec": {"profile": {"name": "None", "version": "v1"}, "controls": controls},
    })
}

/// How a component stands under a policy, once `is_it` says that it stands so.
pub(crate) async fn until_component(
    test: &Scenario<'_>,
    policy: &str,
    (what, component): (&str, &str),
    is_it: impl Fn(&ComponentStatus) -> bool,
) -> Result<ComponentStatus> {
    let policies: Api<ClusterHardeningPolicy> = Api::all(test.client.clone());
    // It is asked every half minute, and a status is written as often.
    wait::until_within(wait::LIMIT * 4, what, async || {
        let status = policies.get(policy).await?.status.context("no status yet")?;
        let named = |it: &&ComponentStatus| format!("{:?}", it.name) == component;
        let found = status.components.iter().find(named);
        let found = found.with_context(|| format!("no row of {component}"))?;
        ensure!(is_it(found), "{found:?}");
        Ok(*found)
    })
    .await
}

#[tokio::test]
async fn every_component_is_a_row_also_where_nothing_of_it_can_be_seen() -> Result<()> {
    scenario(async |test| {
        let scan_json = is_said(
            test,
            None,
            &[
                ("ETCD-001", "Unknown", "NotObservable"),
                ("SCHED-001", "Unknown", "NotObservable"),
                ("KCM-001", "Unknown", "NotObservable"),
                ("CCM-002", "Unknown", "NotObservable"),
                ("KUBELET-001", "Unknown", "NotAsked"),
                ("PROXY-001", "Unknown", "NotObservable"),
                ("DNS-001", "Unknown", "NotObservable"),
            ],
        )
        .await?;
        for component in COMPONENTS {
            let row = row(&scan_json, component)?;
            ensure!(row["passed"].is_u64() && row["unknown"].is_u64(), "{row}");
        }
        let scheduler = row(&scan_json, "KubeScheduler")?;
        ensure!(
            scheduler["coveragePercent"] == 0,
            "nothing of it is to be seen: {scheduler}"
        );
        let table = scan(test, None, "table").await?;
        for name in ["kube-apiserver", "etcd", "container-runtime", "cluster-dns"] {
            ensure!(
                table.lines().any(|line| line.starts_with(&format!("{name} "))),
                "{name}: {table}"
            );
        }
        ensure!(
            scan(test, None, "html").await?.contains("Components of the cluster"),
            "the page has them, too"
        );
        Ok(())
    })
    .await
}
