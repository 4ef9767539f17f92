//! A repair that breaks its workload: from the first pod that says so to the patch that undoes it.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use ironside_crds::{HardeningRemediation, Phase};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use kube::{Api, ResourceExt as _};
use serde_json::json;

use super::listen::Ear;
use super::statistics::Times;
use super::subject::Subject;
use super::table::{Part, Row};
use super::world::{PATIENCE, World};
use crate::audit::Entry;
use crate::wait;
use crate::workloads::Workload;

const NAMESPACE: &str = "bench-rollback";
/// Workloads that break, all at once.
const WORKLOADS: usize = 5;

pub(super) async fn measure(world: &World<'_>) -> Result<Part> {
    world.namespace(NAMESPACE).await?;
    for number in 0..WORKLOADS {
        // Its image runs as root: POD-007 breaks it before its container starts.
        world
            .deploy(NAMESPACE, &Workload::named(&name(number)).sim("image-user", "root"))
            .await?;
    }
    world.until_rolled_out().await?;
    let subject = Subject::start(world, "rollback").await?;
    let taken = take(world, &subject).await;
    subject.stop().await?;
    let times = taken?;
    let rows = vec![Row::new(
        format!(
            "first bad pod status to rollback accepted, {} workloads: p50 / p99",
            times.count()
        ),
        times.both(),
        "<= 1 s / 2 s",
        "the Deployment controller says ProgressDeadlineExceeded after 600 s (its default) and undoes nothing",
    )];
    Ok(Part {
        rows,
        note: "Bad rollout: runAsNonRoot on an image that runs as root, five workloads at once. The bad status is when a kube client's watch in the bench's \
               process hears of CreateContainerConfigError; the rollback is the audit log's time of the answer to the PATCH. One clock.",
    })
}

async fn take(world: &World<'_>, subject: &Subject) -> Result<Times> {
    let mut pods = Ear::<Pod>::open(Api::namespaced(world.client.clone(), NAMESPACE));
    let verify = json!({ "soak": "1s", "minDeadline": "600s", "probation": "10s" });
    let remediation = json!({
        "autoApprove": "Medium", "settle": "0s", "maxConcurrentPerNamespace": 20, "verify": verify,
        "stopAfter": { "rollbacks": 100, "within": "1h" },
    });
    let spec = json!({
        "mode": "Enforce", "profile": { "name": "None" }, "controls": [{ "id": "POD-007" }], "remediation": remediation,
    });
    world.policy(NAMESPACE, spec).await?;
    let remediations: Api<HardeningRemediation> = Api::namespaced(world.client.clone(), NAMESPACE);
    wait::until_within(PATIENCE, "every broken workload was put back", async || {
        let all = remediations.list(&ListParams::default()).await?.items;
        let phases: Vec<_> = all
            .iter()
            .filter_map(|r| {
                r.status
                    .as_ref()
                    .map(|s| (s.phase, s.reason.clone(), s.message.clone()))
            })
            .collect();
        let back = phases.iter().filter(|(phase, ..)| {
            matches!(
                phase,
                Some(Phase::RollingBack | Phase::RolledBack | Phase::RollbackFailed)
            )
        });
        ensure!(back.count() == WORKLOADS, "{phases:?}");
        Ok(())
    })
    .await?;

    let mut bad: BTreeMap<String, Timestamp> = BTreeMap::new();
    for heard in pods.all().into_iter().filter(|heard| is_bad(&heard.object)) {
        let pod = heard.object.name_any();
        if let Some(workload) = (0..WORKLOADS).map(name).find(|name| pod.starts_with(name.as_str())) {
            bad.entry(workload).or_insert(heard.time);
        }
    }
    let entries = subject.requests(world)?;
    let mut times = Times::default();
    for workload in (0..WORKLOADS).map(name) {
        let seen = bad.get(&workload).with_context(|| format!("{workload} never broke"))?;
        let is_patch = |entry: &&Entry| {
            let object = entry.object_ref.as_ref();
            let concerns =
                object.is_some_and(|o| o.resource == "deployments" && o.name == workload && o.namespace == NAMESPACE);
            concerns && entry.is_write() && entry.code() == 200
        };
        let undone = entries
            .iter()
            .filter(is_patch)
            .nth(1)
            .context("no second patch in the audit log")?;
        let undone: Timestamp = undone.stage_timestamp.parse()?;
        let span = undone.duration_since(*seen);
        times.add(Duration::try_from(span).unwrap_or_default());
    }
    Ok(times)
}

fn name(number: usize) -> String {
    format!("rooted-{number}")
}

fn is_bad(pod: &Pod) -> bool {
    let statuses = pod
        .status
        .iter()
        .flat_map(|status| status.container_statuses.iter().flatten());
    statuses
        .filter_map(|status| status.state.as_ref()?.waiting.as_ref()?.reason.as_deref())
        .any(|reason| reason == "CreateContainerConfigError")
}
