//! What befalls a node in the middle of a repair changes nothing about how the repair ends, and no control is blamed for it: a kubelet that ends and comes
//! back, Ironside itself rolled out anew, a node that is drained, a node that is lost with everything on it.
//!
//! Each time two repairs are under way, one that its workload survives and one that it dies of, with pods on both nodes; Ironside's own pods are on both, too.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use futures::future::try_join_all;
use ironside_crds::{Phase, RemediationStatus};
use ironside_e2e::install::SYSTEM_NAMESPACE;
use ironside_e2e::node::ironside::Overlay;
use ironside_e2e::node::{Daemon, Place, ask};
use ironside_e2e::progress::say;
use ironside_e2e::scenario::scenario_on_own_nodes;
use ironside_e2e::workloads::Workload;
use ironside_e2e::{Scenario, wait};
use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use kube::{Api, ResourceExt as _};
use serde_json::{Value, json};

use super::prediction::statuses;
use super::{LONG, NODE, address, answers, few, on_each_node, rolled_out, running, server, service};
use crate::decisions::Person;
use crate::repair::{deployment, policy, template};

/// What the repair takes away: one of the two workloads cannot do without raw sockets.
const CONTROL: &str = "POD-011";
const RECORD: &str = "hardening.ironside.dev/applied";
/// A lost node is noticed after most of a minute, then its pods are put out and others have to start.
const LOSS: Duration = Duration::from_mins(8);

/// One repair that is disturbed.
struct Repair {
    name: String,
    survives: bool,
    before: Value,
}

#[tokio::test]
async fn what_befalls_a_node_in_the_middle_of_a_repair_changes_no_end() -> Result<()> {
    let _turn = NODE.lock().await;
    scenario_on_own_nodes(2, async |test| {
        test.cluster.install_as_pods(Overlay::Evidence).await?;
        let mut policy = policy(&[CONTROL]);
        policy["spec"]["remediation"]["maxConcurrentPerNamespace"] = json!(20);
        // Everything waits for an approval, so that the disturbance finds both repairs under way.
        policy["spec"]["remediation"]["autoApprove"] = json!("None");
        test.apply(&[policy]).await?;
        let cluster = test.cluster;
        let second = Place::SECOND.name();

        let mut ended = disturbed(test, "kubelet", true, async || {
            for place in Place::ALL {
                cluster.restart_daemon(place, Daemon::Kubelet).await?;
            }
            Ok(())
        })
        .await?;
        // As a new version comes: within the quota of the namespace, whoever leads hands over in the middle.
        let own = "deployment/ironside";
        ended.extend(
            disturbed(test, "upgrade", true, async || {
                let kubectl = cluster.kubectl()?;
                kubectl
                    .run(&["rollout", "restart", own, "-n", SYSTEM_NAMESPACE])
                    .await?;
                let status = ["rollout", "status", own, "-n", SYSTEM_NAMESPACE, "--timeout=5m"];
                kubectl.run(&status).await.map(drop)
            })
            .await?,
        );
        ended.extend(
            disturbed(test, "drain", true, async || {
                let drain = ["drain", &second, "--ignore-daemonsets", "--delete-emptydir-data"];
                cluster.kubectl()?.run(&drain).await?;
                Ok(())
            })
            .await?,
        );
        cluster.kubectl()?.run(&["uncordon", &second]).await?;
        ended.extend(disturbed(test, "loss", false, async || cluster.lose_node(Place::SECOND).await).await?);
        // Whoever came to its end before stays there, whatever befalls the nodes later.
        let all: Vec<&Repair> = ended.iter().collect();
        as_undisturbed(test, &all).await.map(drop)
    })
    .await
}

/// Has both repairs started, does something to a node, and waits until they have ended as they would have without. A client asks both workloads all the time;
/// where `lossless` it must notice nothing.
async fn disturbed(
    test: &Scenario<'_>,
    how: &str,
    lossless: bool,
    disturb: impl AsyncFnOnce() -> Result<()>,
) -> Result<Vec<Repair>> {
    let settled = [true, false].map(async |survives| {
        let name = format!("{how}-{}", if survives { "serves" } else { "breaks" });
        running(&test.client, &test.namespace, &workload(&name, survives)).await?;
        test.apply(&[service(&name), budget(&name)]).await?;
        let before = template(test, &name).await?;
        anyhow::Ok(Repair { name, survives, before })
    });
    let repairs = try_join_all(settled).await?;
    let mut clients = Vec::new();
    for repair in &repairs {
        let nodes = nodes_of(test, &repair.name).await?;
        ensure!(nodes.contains_key(&Place::SECOND.name()), "{}: {nodes:?}", repair.name);
        let (dial, address) = (
            test.cluster.node()?.dial.clone(),
            address(&test.client, &test.namespace, &repair.name).await?,
        );
        answers(&dial, &address).await?;
        clients.push((&repair.name, ask::Client::start(dial, address)));
    }
    start(test, &repairs).await?;
    in_the_middle(test, &repairs).await?;
    say(&format!("{how}: in the middle of two repairs"));
    disturb().await.with_context(|| how.to_owned())?;

    let all: Vec<&Repair> = repairs.iter().collect();
    let ended = as_undisturbed(test, &all).await.with_context(|| how.to_owned());
    for (name, client) in clients {
        let tally = client.tally().await?;
        say(&format!("{name}: {} requests, {} lost", tally.asked, tally.lost.len()));
        ensure!(
            !lossless || few(tally.lost.len(), tally.asked),
            "{name}: {} of {} lost: {:#?}",
            tally.lost.len(),
            tally.asked,
            tally.lost
        );
    }
    for (name, status) in ended? {
        say(&format!("{name}: {:?} ({})", status.phase, status.reason));
    }
    Ok(repairs)
}

/// Two replicas on two nodes, slow enough that there is a middle.
fn workload(name: &str, survives: bool) -> Workload {
    let (needs, slow, long) = if survives {
        ("write=/tmp", "READY_AFTER", "9s")
    } else {
        ("netraw", "START_AFTER", "6s")
    };
    on_each_node(server(name, needs)).template(|template| {
        if let Some(environment) = template["spec"]["containers"][0]["env"].as_array_mut() {
            environment.push(json!({ "name": slow, "value": long }));
        }
        // Kubernetes' own five minutes are for clusters.
        template["spec"]["tolerations"] = ["not-ready", "unreachable"]
            .map(|state| {
                json!({
                    "key": format!("node.kubernetes.io/{state}"), "operator": "Exists",
                    "effect": "NoExecute", "tolerationSeconds": 2,
                })
            })
            .as_slice()
            .into();
    })
}

/// Who is drained goes one by one.
fn budget(name: &str) -> Value {
    json!({
        "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": { "name": name },
        "spec": { "minAvailable": 1, "selector": { "matchLabels": { "app": name } } },
    })
}

/// Names of a workload's pods that are not on their way out, by node.
async fn nodes_of(test: &Scenario<'_>, name: &str) -> Result<BTreeMap<String, Vec<String>>> {
    let pods: Api<Pod> = Api::namespaced(test.client.clone(), &test.namespace);
    let pods = pods.list(&ListParams::default().labels(&format!("app={name}"))).await?;
    let mut nodes: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for pod in pods
        .items
        .iter()
        .filter(|pod| pod.metadata.deletion_timestamp.is_none())
    {
        let node = pod.spec.as_ref().and_then(|spec| spec.node_name.clone());
        nodes.entry(node.unwrap_or_default()).or_default().push(pod.name_any());
    }
    Ok(nodes)
}

/// Approves both plans at the same time, once they wait for it: neither is to end before the other begins.
async fn start(test: &Scenario<'_>, repairs: &[Repair]) -> Result<()> {
    let person = &Person::admin(test);
    let starting = repairs.iter().map(async |repair| {
        let target = format!("deployment/{}", repair.name);
        wait::until_within(LONG, &format!("the repair of {target} starts"), async || {
            let status = statuses(test).await?.remove(&repair.name).context("no status yet")?;
            let stands = (status.phase, status.reason.as_str());
            if stands == (Some(Phase::Pending), "AwaitingApproval") {
                let plan = status.plan.context("a plan")?;
                person
                    .decides(&["approve", &target, "--plan", &plan.hash[..12]])
                    .await?;
            }
            ensure!(
                !matches!(status.phase, None | Some(Phase::Pending)),
                "{stands:?}: {}",
                status.message
            );
            Ok(())
        })
        .await
    });
    try_join_all(starting).await.map(drop)
}

/// Waits until a pod of the new template is on its way and not ready yet.
async fn in_the_middle(test: &Scenario<'_>, repairs: &[Repair]) -> Result<()> {
    for repair in repairs.iter().filter(|repair| repair.survives) {
        wait::until("the repair is under way", async || {
            let status = statuses(test).await?.remove(&repair.name).context("no status")?;
            ensure!(status.phase == Some(Phase::Verifying), "{:?}", status.phase);
            let rollout = deployment(test, &repair.name).await?.status.unwrap_or_default();
            ensure!(rollout.unavailable_replicas.unwrap_or(0) > 0, "{rollout:?}");
            Ok(())
        })
        .await?;
    }
    Ok(())
}

/// Waits until every repair has ended as without a disturbance: verified; or taken back exactly, with the one control that broke it on record.
async fn as_undisturbed(test: &Scenario<'_>, repairs: &[&Repair]) -> Result<Vec<(String, RemediationStatus)>> {
    let ended = wait::until_within(LOSS, "the repairs end as if nothing had happened", async || {
        let mut all = statuses(test).await?;
        let mut ended = Vec::new();
        for repair in repairs {
            let status = all.remove(&repair.name).context("no status")?;
            let wanted = if repair.survives {
                (Some(Phase::Succeeded), "Verified")
            } else {
                (Some(Phase::Held), "Quarantined")
            };
            let stands = (status.phase, status.reason.as_str());
            ensure!(stands == wanted, "{} is {stands:?}: {}", repair.name, status.message);
            ended.push((repair.name.clone(), status));
        }
        Ok(ended)
    })
    .await?;
    for (repair, (name, status)) in repairs.iter().zip(&ended) {
        let failures = &status.memory.failures;
        let target = deployment(test, name).await?;
        let recorded = target.annotations().contains_key(RECORD);
        if repair.survives {
            ensure!(failures.is_empty(), "{name}: {failures:?}");
            ensure!(recorded, "{name}: the record is gone");
            let undone = status.history.iter().any(|it| it.phase == Phase::RollingBack);
            ensure!(!undone, "{name} was rolled back in between: {:?}", status.history);
        } else {
            let own = |symptom: &str| matches!(symptom, "CrashLoopBackOff" | "Exited");
            ensure!(failures.len() == 1 && own(&failures[0].reason), "{name}: {failures:?}");
            ensure!(failures[0].controls.iter().eq([CONTROL]), "{name}: {failures:?}");
            ensure!(!recorded, "{name}: a record of what was taken back");
        }
        let same = template(test, name).await? == repair.before;
        ensure!(same != repair.survives, "{name}: the template is not what it should be");
        rolled_out(&test.client, &test.namespace, name).await?;
    }
    Ok(ended)
}
