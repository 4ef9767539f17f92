//! Repair by need, on real containers: what a repair does to an image that cannot do without something. Either the workload is
//! repaired and healthy, or it is exactly as it was before; a client that asks all the time notices neither.
//!
//! Needs that a repair leaves alone are put into one image, which has to survive it as a whole; each need that it denies has an
//! image of its own, which has to be put back.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use futures::future::try_join_all;
use ironside_crds::{HardeningRemediation, Phase};
use ironside_e2e::node::ask;
use ironside_e2e::node::images::{NEEDS, NEEDS_101, NEEDS_WEB};
use ironside_e2e::progress::say;
use ironside_e2e::scenario::scenario_on_a_node;
use ironside_e2e::{Scenario, wait};
use k8s_openapi::api::apps::v1::Deployment;
use kube::Api;
use kube::api::ListParams;
use serde_json::{Value, json};

use super::{LONG, address, answers, rolled_out, running, server, service};
use crate::repair::policy;

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

const REST: &str = "root,write=/,write=/tmp,chown=/data,netraw,keyctl,iouring,token,setuid";

/// Control, cells.
const ROWS: [(&str, &[Cell]); 6] = [
    (
        "POD-007",
        &[
            ("others", NEEDS_101, "write=/tmp,keyctl,iouring,token", Kept),
            ("root", NEEDS, "root", Foreseen),
            ("named-user", NEEDS_WEB, "", Undone("RunAsNonRoot")),
        ],
    ),
    ("POD-009", &[("all", NEEDS, REST, Kept)]),
    (
        "POD-011",
        &[
            ("others", NEEDS, "root,write=/,write=/tmp,keyctl,iouring,token", Kept),
            ("chown", NEEDS, "chown=/data", CRASHES),
            ("setuid", NEEDS, "setuid", CRASHES),
            ("netraw", NEEDS, "netraw", CRASHES),
        ],
    ),
    (
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
    ),
    (
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
    ),
    (
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
    ),
];

#[tokio::test]
async fn every_repair_meets_every_need() -> Result<()> {
    scenario_on_a_node(async |test| {
        test.cluster.install_as_pods().await?;
        // At once: most of the time is the kubelet's back-off.
        try_join_all(ROWS.iter().map(|(control, cells)| row(test, control, cells)))
            .await
            .map(drop)
    })
    .await
}

async fn row(test: &Scenario<'_>, control: &str, cells: &[Cell]) -> Result<()> {
    let place = Place {
        test,
        namespace: test.cluster.namespace(&test.client, &control.to_lowercase()).await?,
    };
    try_join_all(cells.iter().map(|cell| place.settle(cell))).await?;
    let mut before = BTreeMap::new();
    let mut clients = Vec::new();
    for (name, ..) in cells {
        before.insert(*name, place.template(name).await?);
        let dial = test.cluster.node()?.dial.clone();
        let address = address(&test.client, &place.namespace, name).await?;
        answers(&dial, &address).await?;
        clients.push((*name, ask::Client::start(dial, address)));
    }

    let mut policy = policy(&[control]);
    policy["spec"]["remediation"]["maxConcurrentPerNamespace"] = json!(20);
    place.apply(&policy).await?;
    let ended = wait::until_within(
        LONG,
        &format!("the repairs of {control} have come to rest"),
        async || place.at_rest(cells).await,
    )
    .await;

    let (mut asked, mut lost) = (0, Vec::new());
    for (name, client) in clients {
        let tally = client.tally().await?;
        asked += tally.asked;
        lost.extend(tally.lost.into_iter().map(|line| format!("{control} x {name}: {line}")));
    }
    ended?;
    for (name, _, needs, outcome) in cells {
        let same = place.template(name).await? == before[name];
        let found = if same { "is" } else { "is not" };
        ensure!(same == (*outcome != Kept), "{name}: the template {found} what it was");
        rolled_out(&test.client, &place.namespace, name).await?;
        say(&format!("{control} x {name} ({needs}): {outcome:?}"));
    }
    say(&format!("{control}: {asked} requests, {} lost", lost.len()));
    ensure!(lost.is_empty(), "requests were lost: {lost:#?}");
    test.cluster.drop_namespace(&test.client, &place.namespace).await
}

/// The namespace of one row.
struct Place<'a> {
    test: &'a Scenario<'a>,
    namespace: String,
}

impl Place<'_> {
    async fn settle(&self, (name, image, needs, _): &Cell) -> Result<()> {
        let workload = server(name, needs).template(|template| {
            template["spec"]["containers"][0]["image"] = json!(image);
        });
        running(&self.test.client, &self.namespace, &workload).await?;
        self.apply(&service(name)).await
    }

    async fn apply(&self, object: &Value) -> Result<()> {
        let arguments = ["apply", "--server-side", "--namespace", &self.namespace, "-f", "-"];
        let kubectl = self.test.cluster.kubectl()?;
        kubectl.run_with_input(&arguments, &object.to_string()).await.map(drop)
    }

    async fn template(&self, name: &str) -> Result<Value> {
        let api: Api<Deployment> = Api::namespaced(self.test.client.clone(), &self.namespace);
        let deployment = serde_json::to_value(api.get(name).await?)?;
        Ok(deployment["spec"]["template"].clone())
    }

    /// Whether each cell's remediation is as it has to be.
    async fn at_rest(&self, cells: &[Cell]) -> Result<()> {
        let api: Api<HardeningRemediation> = Api::namespaced(self.test.client.clone(), &self.namespace);
        let all = api.list(&ListParams::default()).await?.items;
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
        }
        Ok(())
    }
}
