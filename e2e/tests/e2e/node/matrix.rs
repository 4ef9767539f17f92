//! Repair by need, on real containers: what a repair does to an image that cannot do without something. Either the workload is
//! repaired and healthy, or it is exactly as it was before; a client that asks all the time notices neither.
//!
//! Needs that a repair leaves alone are put into one image, which has to survive it as a whole; each need that it denies has an
//! image of its own, which has to be put back.
//!
//! What was predicted from the pods that run (`status.containerStatuses[].user.linux`, and whatever else holds a repair as
//! `WouldBreak`) is set against what happened, for all rows that have run so far.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, Result, ensure};
use futures::future::try_join_all;
use ironside_crds::{HardeningRemediation, Phase};
use ironside_e2e::node::ask;
use ironside_e2e::node::images::{NEEDS, NEEDS_101, NEEDS_WEB};
use ironside_e2e::progress::say;
use ironside_e2e::scenario::scenario_on_a_node;
use ironside_e2e::workloads::Workload;
use ironside_e2e::{Scenario, wait};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::ListParams;
use serde_json::{Value, json};

use super::{LONG, NODE, address, answers, few, rolled_out, running, server, service};
use crate::repair::{policy, template};

/// What a repair has to come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// Repaired and healthy.
    Kept,
    /// Put back and quarantined, for this symptom.
    Undone(&'static str),
    /// Not tried, because it is known to break.
    Foreseen,
}

use Outcome::{Foreseen, Kept, Undone};

/// One image with its needs, and what the repair comes to.
type Cell = (&'static str, &'static str, &'static str, Outcome);

const CRASHES: Outcome = Undone("CrashLoopBackOff");

#[tokio::test]
async fn run_as_non_root() -> Result<()> {
    row(
        "POD-007",
        &[
            ("others", NEEDS_101, "write=/tmp,keyctl,iouring,token", Kept),
            ("root", NEEDS, "root", Foreseen),
            ("named-user", NEEDS_WEB, "", Undone("RunAsNonRoot")),
        ],
    )
    .await
}

#[tokio::test]
async fn no_privilege_escalation() -> Result<()> {
    const ALL: &str = "root,write=/,write=/tmp,chown=/data,netraw,keyctl,iouring,token,setuid";
    row("POD-009", &[("all", NEEDS, ALL, Kept)]).await
}

#[tokio::test]
async fn no_capabilities() -> Result<()> {
    row(
        "POD-011",
        &[
            ("others", NEEDS, "root,write=/,write=/tmp,keyctl,iouring,token", Kept),
            ("chown", NEEDS, "chown=/data", CRASHES),
            ("setuid", NEEDS, "setuid", CRASHES),
            ("netraw", NEEDS, "netraw", CRASHES),
        ],
    )
    .await
}

#[tokio::test]
async fn read_only_root() -> Result<()> {
    row(
        "POD-012",
        &[
            (
                "others",
                NEEDS,
                "root,write=/tmp,chown=/tmp,netraw,keyctl,iouring,token,setuid",
                Kept,
            ),
            ("write", NEEDS, "write=/", CRASHES),
            ("chown", NEEDS, "chown=/data", CRASHES),
        ],
    )
    .await
}

#[tokio::test]
async fn seccomp() -> Result<()> {
    row(
        "POD-013",
        &[
            (
                "others",
                NEEDS,
                "root,write=/,write=/tmp,chown=/data,netraw,token,setuid",
                Kept,
            ),
            ("keyctl", NEEDS, "keyctl", CRASHES),
            ("iouring", NEEDS, "iouring", CRASHES),
        ],
    )
    .await
}

#[tokio::test]
async fn no_token() -> Result<()> {
    row(
        "SA-001",
        &[
            (
                "others",
                NEEDS,
                "root,write=/,write=/tmp,chown=/data,netraw,keyctl,iouring,setuid",
                Kept,
            ),
            ("token", NEEDS, "token", CRASHES),
        ],
    )
    .await
}

async fn row(control: &'static str, cells: &'static [Cell]) -> Result<()> {
    let _turn = NODE.lock().await;
    scenario_on_a_node(async |test| {
        test.cluster.install_as_pods().await?;
        try_join_all(cells.iter().map(|cell| settled(test, cell))).await?;
        let mut before = BTreeMap::new();
        let mut clients = Vec::new();
        let mut users = BTreeMap::new();
        for (name, ..) in cells {
            before.insert(*name, template(test, name).await?);
            users.insert(*name, uid(test, name).await?);
            let (dial, address) = (
                test.cluster.node()?.dial.clone(),
                address(&test.client, &test.namespace, name).await?,
            );
            answers(&dial, &address).await?;
            clients.push((*name, ask::Client::start(dial, address)));
        }

        let mut policy = policy(&[control]);
        policy["spec"]["remediation"]["maxConcurrentPerNamespace"] = json!(20);
        test.apply(&[policy]).await?;
        let ended = wait::until_within(
            LONG,
            &format!("the repairs of {control} have come to rest"),
            async || at_rest(test, cells).await,
        )
        .await;

        let (mut lost, mut asked) = (Vec::new(), 0);
        for (name, client) in clients {
            let tally = client.tally().await?;
            asked += tally.asked;
            say(&format!(
                "{control} x {name}: {} requests, {} lost",
                tally.asked,
                tally.lost.len()
            ));
            lost.extend(tally.lost.into_iter().map(|line| format!("{name}: {line}")));
        }
        let ended = ended?;
        for (name, _, needs, outcome) in cells {
            say(&format!(
                "{control} x {name} ({needs}): runs as uid {}, {outcome:?}",
                users[*name]
            ));
            predicted(&format!("{control} x {name}"), *outcome);
            // The one repair for which the user tells: it is tried exactly where that is not root.
            let foretold = control == "POD-007" && users[*name] == 0;
            ensure!(
                foretold == (*outcome == Foreseen),
                "{name} runs as uid {}",
                users[*name]
            );
            let same = template(test, name).await? == before[name];
            ensure!(
                same == (*outcome != Kept),
                "{name}: the template {} what it was",
                if same { "is" } else { "is not" }
            );
            if *outcome == Kept {
                let status = &ended[*name];
                ensure!(status["history"].to_string().contains("Verifying"), "{status}");
            }
            rolled_out(&test.client, &test.namespace, name).await?;
        }
        say(&confusion());
        ensure!(
            few(lost.len(), asked),
            "{} of {asked} requests were lost: {lost:#?}",
            lost.len()
        );
        Ok(())
    })
    .await
}

/// Cells by what was predicted of them and what happened.
static PREDICTIONS: Mutex<BTreeMap<(&str, &str), Vec<String>>> = Mutex::new(BTreeMap::new());

/// A repair that is known to break is not tried; every other one is expected to be survived.
fn predicted(cell: &str, outcome: Outcome) {
    let pair = match outcome {
        Kept => ("survives", "survived"),
        Undone(_) => ("survives", "broke, undone"),
        Foreseen => ("breaks", "not tried"),
    };
    let mut all = PREDICTIONS.lock().unwrap_or_else(PoisonError::into_inner);
    all.entry(pair).or_default().push(cell.to_owned());
}

/// The prediction matrix of the rows that have run.
fn confusion() -> String {
    let all = PREDICTIONS.lock().unwrap_or_else(PoisonError::into_inner);
    let lines = all.iter().map(|((predicted, happened), cells)| {
        format!(
            "\n  predicted {predicted}, {happened}: {} ({})",
            cells.len(),
            cells.join(", ")
        )
    });
    format!("prediction against outcome, so far:{}", lines.collect::<String>())
}

/// The user that the kernel reports for a workload's containers.
async fn uid(test: &Scenario<'_>, name: &str) -> Result<u64> {
    let pods: Api<Pod> = Api::namespaced(test.client.clone(), &test.namespace);
    let pods = pods
        .list(&ListParams::default().labels(&format!("app={name}")))
        .await?
        .items;
    let status = serde_json::to_value(&pods.first().context("a pod")?.status)?;
    status["containerStatuses"][0]["user"]["linux"]["uid"]
        .as_u64()
        .with_context(|| format!("no user in {status}"))
}

async fn settled(test: &Scenario<'_>, (name, image, needs, _): &Cell) -> Result<()> {
    let workload: Workload = server(name, needs).template(|template| {
        template["spec"]["containers"][0]["image"] = json!(image);
    });
    running(&test.client, &test.namespace, &workload).await?;
    test.apply(&[service(name)]).await
}

/// The status of each cell's remediation, once all are as they have to be.
async fn at_rest(test: &Scenario<'_>, cells: &[Cell]) -> Result<BTreeMap<String, Value>> {
    let api: Api<HardeningRemediation> = Api::namespaced(test.client.clone(), &test.namespace);
    let all = api.list(&ListParams::default()).await?.items;
    let mut found = BTreeMap::new();
    for (name, _, _, expected) in cells {
        let remediation = all.iter().find(|it| it.spec.target.name == *name);
        let status = remediation.and_then(|it| it.status.clone()).context("no status yet")?;
        let seen = (status.phase.unwrap_or_default(), status.reason.as_str());
        let wanted = match expected {
            Kept => (Phase::Succeeded, "Verified"),
            Undone(_) => (Phase::Held, "Quarantined"),
            Foreseen => (Phase::Held, "WouldBreak"),
        };
        ensure!(seen == wanted, "{name} is {seen:?}: {}", status.message);
        if let Undone(symptom) = expected {
            let failures = &status.memory.failures;
            ensure!(
                failures.len() == 1 && failures[0].reason == *symptom,
                "{name}: {failures:?}"
            );
        }
        found.insert((*name).to_owned(), serde_json::to_value(&status)?);
    }
    Ok(found)
}
