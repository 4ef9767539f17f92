//! From a change of a Deployment to the finding in the metrics, and to the plan in the cluster.

use std::time::{Duration, Instant};

use anyhow::Result;
use ironside_crds::{HardeningRemediation, Phase};
use k8s_openapi::api::apps::v1::Deployment;
use kube::Api;
use serde_json::json;

use super::listen::Ear;
use super::statistics::Times;
use super::subject::Subject;
use super::table::{Part, Row};
use super::world::{POLICY, World};
use crate::workloads::Workload;

const NAMESPACE: &str = "bench-drift";
const NAME: &str = "drifter";
const CONTROL: &str = "POD-009";
const LIMIT: Duration = Duration::from_secs(20);

pub(super) async fn measure(world: &World<'_>) -> Result<Part> {
    world.namespace(NAMESPACE).await?;
    let closed = json!({ "allowPrivilegeEscalation": false });
    let drifter = Workload::named(NAME).replicas(0).security_context(closed);
    world.deploy(NAMESPACE, &drifter).await?;
    let spec =
        json!({ "mode": "Preview", "profile": { "name": "None" }, "controls": [{ "id": CONTROL, "mode": "Preview" }] });
    world.policy(NAMESPACE, spec).await?;
    let subject = Subject::start(world, "drift").await?;
    let taken = take(world, &subject).await;
    subject.stop().await?;
    let taken = taken?;
    world.no_policy(NAMESPACE).await?;
    Ok(taken.part())
}

#[derive(Default)]
struct Taken {
    metric: Times,
    plan: Times,
    watch: Times,
    answer: Times,
    scrape: Times,
}

async fn take(world: &World<'_>, subject: &Subject) -> Result<Taken> {
    let mut scraper = subject.scraper().await?;
    let policy = format!("{NAMESPACE}/{POLICY}");
    let result = |result: &'static str| {
        [
            ("policy", policy.clone()),
            ("control", CONTROL.to_owned()),
            ("result", result.to_owned()),
        ]
    };
    let counts = |metrics: &crate::operator::Metrics, wanted: &'static str| {
        let labels = result(wanted);
        let labels: Vec<(&str, &str)> = labels.iter().map(|(name, value)| (*name, value.as_str())).collect();
        metrics.sum("ironside_findings", &labels) == Some(1.0)
    };
    scraper
        .until("the drifter passes", |metrics| counts(metrics, "Pass"))
        .await?;
    let mut deployments = Ear::<Deployment>::open(world.deployments(NAMESPACE));
    let remediations: Api<HardeningRemediation> = Api::namespaced(world.client.clone(), NAMESPACE);
    let mut remediations = Ear::open(remediations);
    deployments.first(LIMIT, "the watch works", |_| true).await?;

    let mut taken = Taken::default();
    for number in 0..world.size.changes {
        let open = number % 2 == 0;
        remediations.all();
        let began = Instant::now();
        let (generation, shown) = tokio::join!(
            async {
                let generation = world.set_escalation(NAMESPACE, NAME, open).await;
                (generation, began.elapsed())
            },
            scraper.until("the change is in the metrics", |metrics| counts(
                metrics,
                if open { "Fail" } else { "Pass" }
            )),
        );
        let (generation, answered) = (Some(generation.0?), generation.1);
        taken.answer.add(answered);
        taken.metric.add(shown?.saturating_duration_since(began));
        let heard = deployments.first(LIMIT, "the change is heard", |d| d.metadata.generation >= generation);
        taken.watch.add(heard.await?.at.saturating_duration_since(began));
        let is_closed = |r: &HardeningRemediation| r.status.as_ref().and_then(|s| s.phase) == Some(Phase::Closed);
        let has_plan = |r: &HardeningRemediation| r.status.as_ref().is_some_and(|s| s.plan.is_some());
        if open {
            let heard = remediations.first(LIMIT, "there is a plan", |r| has_plan(r) && !is_closed(r));
            taken.plan.add(heard.await?.at.saturating_duration_since(began));
        } else {
            remediations.first(LIMIT, "the plan is closed", is_closed).await?;
        }
        let scrape = Instant::now();
        scraper.scrape().await?;
        taken.scrape.add(scrape.elapsed());
    }
    Ok(taken)
}

impl Taken {
    fn part(self) -> Part {
        let (changes, opened) = (self.metric.count(), self.plan.count());
        let beside = format!(
            "kube client's watch {}; PATCH answered {}; one scrape {}",
            self.watch.both(),
            self.answer.both(),
            self.scrape.both()
        );
        let rows = vec![
            Row::new(
                format!("change to finding in metrics, {changes} changes: p50 / p99"),
                self.metric.both(),
                "<= 15 / 50 ms",
                beside,
            ),
            Row::new(
                format!("drift to plan stored in the cluster, {opened} drifts: p50 / p99"),
                self.plan.both(),
                "<= 15 / 50 ms",
                "(a status write of the operator, seen by a kube client's watch)",
            ),
        ];
        Part {
            rows,
            note: "Drift: allowPrivilegeEscalation of a Deployment without replicas (so that no rollout is in the way), opened and closed in turn. From \
                   before the PATCH is sent to the end of the first scrape that shows it, /metrics being scraped without a pause over one connection; nothing is \
                   subtracted. The watch beside it runs in the bench's process from the same moment.",
        }
    }
}
