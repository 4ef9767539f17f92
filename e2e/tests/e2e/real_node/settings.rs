//! What a real kubelet and a real kube-proxy are started with turns the verdicts on them: each setting wrong, then right.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use ironside_e2e::node::ironside::Overlay;
use ironside_e2e::node::{Daemon, Place, relay};
use ironside_e2e::scenario::scenario_on_own_nodes;
use ironside_e2e::{Scenario, wait};
use serde_json::{Value, json};

use super::NODE;
use crate::posture::{cluster_policy, until_component};

const KUBELET: [&str; 9] = [
    "KUBELET-001",
    "KUBELET-002",
    "KUBELET-003",
    "KUBELET-004",
    "KUBELET-005",
    "KUBELET-006",
    "KUBELET-007",
    "KUBELET-008",
    "KUBELET-009",
];

/// Where kube-proxy serves metrics and, where it profiles, what is in its memory.
const PROXY_PORT: u16 = 10249;

#[tokio::test]
async fn each_setting_of_a_kubelet_and_of_kube_proxy_turns_its_verdict() -> Result<()> {
    let _turn = NODE.lock().await;
    scenario_on_own_nodes(1, async |test| {
        test.cluster.install_as_pods(Overlay::Evidence).await?;
        let controls = [&KUBELET[..], &["PROXY-001"]].concat();
        test.apply(&[cluster_policy("nodes", &controls)]).await?;
        kubelet(test).await?;
        kube_proxy(test).await
    })
    .await
}

/// It is asked what it runs with (`/configz`), in the name of an account that may nothing else.
async fn kubelet(test: &Scenario<'_>) -> Result<()> {
    let all = u32::try_from(KUBELET.len())?;
    let handlers =
        |on: bool| json!({"enableProfilingHandler": on, "enableDebugFlagsHandler": on, "enableSystemLogHandler": on});
    let mut wrong = json!({
        "authentication": {"anonymous": {"enabled": true}}, "authorization": {"mode": "AlwaysAllow"}, "readOnlyPort": 10255,
        "rotateCertificates": false, "seccompDefault": false, "allowedUnsafeSysctls": ["kernel.msg*"],
    });
    merge(&mut wrong, handlers(true));
    start(test, Daemon::Kubelet, wrong).await?;
    let row = until_component(test, "nodes", ("every setting is wrong", "Kubelet"), |it| {
        it.failed == all
    })
    .await?;
    ensure!(row.coverage_percent == Some(100), "{row:?}");

    let mut right = json!({
        "authentication": {"anonymous": {"enabled": false}}, "authorization": {"mode": "Webhook"}, "readOnlyPort": 0,
        "tlsMinVersion": "VersionTLS13", "rotateCertificates": true, "podPidsLimit": 4096, "systemReserved": {"pid": "1000"},
        "seccompDefault": true, "allowedUnsafeSysctls": [],
    });
    merge(&mut right, handlers(false));
    start(test, Daemon::Kubelet, right).await?;
    until_component(test, "nodes", ("every setting is right", "Kubelet"), |it| {
        it.passed == all
    })
    .await?;
    Ok(())
}

/// What it runs with is in a ConfigMap, as kubeadm puts it there; that it does run with it, the process shows.
async fn kube_proxy(test: &Scenario<'_>) -> Result<()> {
    let dial = &test.cluster.node()?.dial;
    let elsewhere = format!("{}:{PROXY_PORT}", Place::FIRST.address());
    let here = format!("127.0.0.1:{PROXY_PORT}");

    let wrong = json!({"metricsBindAddress": format!("0.0.0.0:{PROXY_PORT}"), "enableProfiling": true});
    publish(test, &start(test, Daemon::KubeProxy, wrong).await?).await?;
    wait::until("other hosts reach it, memory included", async || {
        let (status, _) = relay::get(dial, &elsewhere, "/debug/pprof/").await?;
        ensure!(status == 200, "{status}");
        Ok(())
    })
    .await?;
    until_component(test, "nodes", ("that is wrong", "KubeProxy"), |it| it.failed == 1).await?;

    let right = json!({"metricsBindAddress": here, "enableProfiling": false});
    publish(test, &start(test, Daemon::KubeProxy, right).await?).await?;
    wait::until("it serves its own host, and no memory", async || {
        ensure!(relay::get(dial, &here, "/metrics").await?.0 == 200, "no metrics");
        let (status, _) = relay::get(dial, &here, "/debug/pprof/").await?;
        ensure!(status == 404, "{status}");
        Ok(())
    })
    .await?;
    ensure!(
        relay::get(dial, &elsewhere, "/metrics").await.is_err(),
        "other hosts reach it"
    );
    until_component(test, "nodes", ("that is right", "KubeProxy"), |it| it.passed == 1).await?;
    Ok(())
}

/// Starts a program again with these settings in place of its own, and returns all that it is started with.
async fn start(test: &Scenario<'_>, daemon: Daemon, settings: Value) -> Result<Value> {
    let path = test.cluster.node()?.settings(daemon).context("it has a file")?;
    let mut all = read(&path)?;
    merge(&mut all, settings);
    std::fs::write(&path, all.to_string())?;
    test.cluster.restart_daemon(Place::FIRST, daemon).await?;
    Ok(all)
}

fn read(path: &Path) -> Result<Value> {
    let text = std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
    Ok(serde_json::from_str(&text)?)
}

/// JSON merge patch, of what is here.
fn merge(into: &mut Value, patch: Value) {
    match patch {
        Value::Object(patch) if into.is_object() => {
            for (key, value) in patch {
                merge(&mut into[key], value);
            }
        }
        other => *into = other,
    }
}

async fn publish(test: &Scenario<'_>, configuration: &Value) -> Result<()> {
    let map = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "kube-proxy", "namespace": "kube-system"},
        "data": {"config.conf": configuration.to_string()},
    });
    test.cluster.kubectl()?.apply(&map.to_string()).await.map(drop)
}
