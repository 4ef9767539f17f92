//! Repair by need, on real containers: what a repair does to an image that cannot do without something. Either the workload is
//! repaired and healthy, or it is exactly as it was before; a client that asks all the time notices neither.
//!
//! Needs that a repair leaves alone are put into one image, which has to survive it as a whole; each need that it denies has an
//! image of its own, which has to be put back.
//!
//! Every repair waits for a human, so that what its plan says can be read before: the [`prediction`](super::prediction). Then it is approved, whatever the
//! risk; and where it is held because it would break, the test does by hand what Ironside would not, and sees it break.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail, ensure};
use futures::future::try_join_all;
use ironside_crds::{Phase, RemediationStatus};
use ironside_e2e::node::ask;
use ironside_e2e::node::images::{NEEDS, NEEDS_101, NEEDS_WEB};
use ironside_e2e::node::ironside::Overlay;
use ironside_e2e::progress::say;
use ironside_e2e::scenario::scenario_on_a_node;
use ironside_e2e::workloads::Workload;
use ironside_e2e::{Scenario, wait};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::ListParams;
use serde_json::{Value, json};

use super::prediction::{Prediction, confusion, note, statuses};
use super::{LONG, NODE, address, answers, few, rolled_out, running, server, service};
use crate::decisions::Person;
use crate::repair::{policy, template};

/// What a repair has to come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// Repaired and healthy.
    Kept,
    /// Put back and quarantined, for this symptom.
    Undone(&'static str),
    /// Not tried, because it is known to break; done by hand, it breaks like this.
    Foreseen(&'static str),
}

use Outcome::{Foreseen, Kept, Undone};

use Prediction::{CannotTell, Doubtful, Fails, Succeeds};

/// One image with its needs, what is said of the repair beforehand, and what it comes to.
struct Cell {
    name: &'static str,
    image: &'static str,
    needs: &'static str,
    /// Its container's security context before.
    security: &'static str,
    predicted: Prediction,
    outcome: Outcome,
}

const fn cell(
    name: &'static str,
    image: &'static str,
    needs: &'static str,
    predicted: Prediction,
    outcome: Outcome,
) -> Cell {
    Cell {
        name,
        image,
        needs,
        security: "{}",
        predicted,
        outcome,
    }
}

impl Cell {
    const fn with(self, security: &'static str) -> Self {
        Self { security, ..self }
    }
}

const CRASHES: Outcome = Undone("CrashLoopBackOff");

#[tokio::test]
async fn run_as_non_root() -> Result<()> {
    const CELLS: &[Cell] = &[
        cell("others", NEEDS_101, "write=/tmp,keyctl,iouring,token", CannotTell, Kept),
        cell("stated", NEEDS, "write=/tmp,token", Succeeds, Kept).with(r#"{"runAsUser": 101}"#),
        cell("root", NEEDS, "root", Fails, Foreseen("RunAsNonRoot")),
        cell("named-user", NEEDS_WEB, "", CannotTell, Undone("RunAsNonRoot")),
    ];
    row("POD-007", &[], CELLS).await
}

#[tokio::test]
async fn no_privilege_escalation() -> Result<()> {
    const ALL: &str = "root,write=/,write=/tmp,chown=/data,netraw,keyctl,iouring,token,setuid";
    const CELLS: &[Cell] = &[cell("all", NEEDS, ALL, CannotTell, Kept)];
    row("POD-009", &[], CELLS).await
}

#[tokio::test]
async fn no_capabilities() -> Result<()> {
    const CELLS: &[Cell] = &[
        cell(
            "others",
            NEEDS,
            "root,write=/,write=/tmp,keyctl,iouring,token",
            CannotTell,
            Kept,
        ),
        cell("confined", NEEDS_101, "write=/tmp,token", Succeeds, Kept).with(r#"{"allowPrivilegeEscalation": false}"#),
        cell("chown", NEEDS, "chown=/data", CannotTell, CRASHES),
        cell("setuid", NEEDS, "setuid", CannotTell, CRASHES),
        cell("netraw", NEEDS, "netraw", CannotTell, CRASHES),
    ];
    row("POD-011", &[], CELLS).await
}

#[tokio::test]
async fn read_only_root() -> Result<()> {
    const TMP: &str = "root,write=/tmp,chown=/tmp,netraw,keyctl,iouring,token,setuid";
    const CELLS: &[Cell] = &[
        cell(
            "quiet",
            NEEDS,
            "root,netraw,keyctl,iouring,token,setuid",
            Succeeds,
            Kept,
        ),
        cell("tmp", NEEDS, TMP, Doubtful, Kept),
        cell("write", NEEDS, "write=/", Doubtful, CRASHES),
        cell("chown", NEEDS, "chown=/data", Doubtful, CRASHES),
    ];
    // A week is for clusters.
    row("POD-012", &[("quietFor", "1s")], CELLS).await
}

#[tokio::test]
async fn seccomp() -> Result<()> {
    const OTHERS: &str = "root,write=/,write=/tmp,chown=/data,netraw,token,setuid";
    const CELLS: &[Cell] = &[
        cell("others", NEEDS, OTHERS, CannotTell, Kept),
        cell("keyctl", NEEDS, "keyctl", CannotTell, CRASHES),
        cell("iouring", NEEDS, "iouring", CannotTell, CRASHES),
    ];
    row("POD-013", &[], CELLS).await
}

#[tokio::test]
async fn no_token() -> Result<()> {
    const OTHERS: &str = "root,write=/,write=/tmp,chown=/data,netraw,keyctl,iouring,setuid";
    const CELLS: &[Cell] = &[
        cell("others", NEEDS, OTHERS, CannotTell, Kept),
        cell("token", NEEDS, "token", CannotTell, CRASHES),
    ];
    row("SA-001", &[], CELLS).await
}

async fn row(control: &'static str, parameters: &[(&str, &str)], cells: &'static [Cell]) -> Result<()> {
    let _turn = NODE.lock().await;
    scenario_on_a_node(async |test| {
        test.cluster.install_as_pods(Overlay::Evidence).await?;
        try_join_all(cells.iter().map(|cell| settled(test, cell))).await?;
        let mut before = BTreeMap::new();
        let mut clients = Vec::new();
        for cell in cells {
            before.insert(cell.name, template(test, cell.name).await?);
            let (dial, address) = (
                test.cluster.node()?.dial.clone(),
                address(&test.client, &test.namespace, cell.name).await?,
            );
            answers(&dial, &address).await?;
            clients.push((cell.name, ask::Client::start(dial, address)));
        }

        let mut policy = policy(&[control]);
        policy["spec"]["remediation"]["maxConcurrentPerNamespace"] = json!(20);
        policy["spec"]["remediation"]["autoApprove"] = json!("None");
        for (name, value) in parameters {
            policy["spec"]["controls"][0]["parameters"][name] = json!([value]);
        }
        test.apply(&[policy]).await?;
        let ended = repaired(test, control, cells).await;

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
        for cell in cells {
            let (name, outcome) = (cell.name, cell.outcome);
            say(&format!(
                "{control} x {name} ({}): {}, {outcome:?}",
                cell.needs, cell.predicted
            ));
            note(&format!("{control} x {name}"), cell.predicted, outcome == Kept);
            let same = template(test, name).await? == before[name];
            ensure!(
                same == (outcome != Kept),
                "{name}: the template {} what it was",
                if same { "is" } else { "is not" }
            );
            if outcome == Kept {
                let history = &ended[name].history;
                ensure!(history.iter().any(|it| it.phase == Phase::Verifying), "{history:?}");
            }
            rolled_out(&test.client, &test.namespace, name).await?;
        }
        let (table, right) = confusion();
        say(&format!("prediction against outcome, so far:\n{table}"));
        right?;
        ensure!(
            few(lost.len(), asked),
            "{} of {asked} requests were lost: {lost:#?}",
            lost.len()
        );
        Ok(())
    })
    .await
}

/// Reads what every plan says, has it carried out, and waits until all have come to rest.
async fn repaired(test: &Scenario<'_>, control: &str, cells: &[Cell]) -> Result<BTreeMap<String, RemediationStatus>> {
    let said = wait::until_within(LONG, "every plan says what is expected of it", async || {
        let statuses = statuses(test).await?;
        let mut said = Vec::new();
        for cell in cells {
            let status = statuses.get(cell.name).context("no status yet")?;
            let (prediction, hash) = Prediction::of(control, status).with_context(|| cell.name)?;
            ensure!(
                prediction == cell.predicted,
                "{}: {prediction}, and {} was expected: {:?}",
                cell.name,
                cell.predicted,
                status.plan.as_ref().map(|plan| &plan.risk_reasons)
            );
            said.push((cell, hash));
        }
        Ok(said)
    })
    .await?;
    let person = Person::admin(test);
    for (cell, hash) in said {
        let target = format!("deployment/{}", cell.name);
        match hash {
            Some(hash) => person.decides(&["approve", &target, "--plan", &hash]).await?,
            None => by_hand(test, cell).await?,
        }
    }
    wait::until_within(
        LONG,
        &format!("the repairs of {control} have come to rest"),
        async || at_rest(test, cells).await,
    )
    .await
}

/// Does what Ironside would not, sees it break as it was said, and puts it back.
async fn by_hand(test: &Scenario<'_>, cell: &Cell) -> Result<()> {
    let Foreseen(symptom) = cell.outcome else {
        bail!("{} is held", cell.name);
    };
    ensure!(symptom == "RunAsNonRoot", "nothing is known of {symptom}");
    let kubectl = test.cluster.kubectl()?;
    let target = format!("deployment/{}", cell.name);
    let hardened = json!([{
        "op": "add", "path": "/spec/template/spec/containers/0/securityContext", "value": { "runAsNonRoot": true },
    }]);
    let hardened = hardened.to_string();
    let namespace = ["--namespace", &test.namespace];
    let patch = ["patch", &target, "--type=json", "--patch", &hardened];
    kubectl.run(&[&patch[..], &namespace].concat()).await?;
    wait::until_within(LONG, "the kubelet refuses it", async || {
        let pods: Api<Pod> = Api::namespaced(test.client.clone(), &test.namespace);
        let label = format!("app={}", cell.name);
        let pods = pods.list(&ListParams::default().labels(&label)).await?;
        let statuses = serde_json::to_string(&pods.items)?;
        ensure!(statuses.contains("image will run as root"), "{statuses}");
        Ok(())
    })
    .await?;
    let undo = ["rollout", "undo", &target];
    kubectl.run(&[&undo[..], &namespace].concat()).await.map(drop)
}

async fn settled(test: &Scenario<'_>, cell: &Cell) -> Result<()> {
    let security: Value = serde_json::from_str(cell.security)?;
    let workload: Workload = server(cell.name, cell.needs).template(|template| {
        let container = &mut template["spec"]["containers"][0];
        container["image"] = json!(cell.image);
        if security != json!({}) {
            container["securityContext"] = security;
        }
    });
    running(&test.client, &test.namespace, &workload).await?;
    test.apply(&[service(cell.name)]).await
}

/// The status of each cell's remediation, once all are as they have to be.
async fn at_rest(test: &Scenario<'_>, cells: &[Cell]) -> Result<BTreeMap<String, RemediationStatus>> {
    let all = statuses(test).await?;
    for cell in cells {
        let status = all.get(cell.name).context("no status yet")?;
        let seen = (status.phase.unwrap_or_default(), status.reason.as_str());
        let wanted = match cell.outcome {
            Kept => (Phase::Succeeded, "Verified"),
            Undone(_) => (Phase::Held, "Quarantined"),
            Foreseen(_) => (Phase::Held, "WouldBreak"),
        };
        ensure!(seen == wanted, "{} is {seen:?}: {}", cell.name, status.message);
        if let Undone(symptom) = cell.outcome {
            let failures = &status.memory.failures;
            ensure!(
                failures.len() == 1 && failures[0].reason == symptom,
                "{}: {failures:?}",
                cell.name
            );
        }
    }
    Ok(all)
}
