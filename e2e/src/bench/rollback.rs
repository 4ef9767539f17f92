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

pub(super) async fn measure(world: &World<'_>) -> Result<Part> {
    world.namespace(NAMESPACE).await?;
    for number in 0..world.size.broken {
        // Its image runs as root: POD-007 breaks it before its container starts.
        world
            .deploy(
                NAMESPACE,
                &Workload::named(&name(number)).steady().sim("image-user", "root"),
            )
            .await?;
    }
    world.until_rolled_out().await?;
    let subject = Subject::start(world, "rollback").await?;
    let taken = take(world, &subject).await;
    subject.stop().await?;
    let (detected, undone) = taken?;
    world.no_policy(NAMESPACE).await?;
    let rows = vec![
        Row::new(
            format!(
                "bad rollout: first bad pod status to its detection, {} workloads: p50 / p99",
                detected.count()
            ),
            detected.both(),
            "<= 1 s",
            "the Deployment controller says ProgressDeadlineExceeded after 600 s (its default)",
        ),
        Row::new(
            format!(
                "bad rollout: first bad pod status to rollback accepted, {} workloads: p50 / p99",
                undone.count()
            ),
            undone.both(),
            "<= 2 s",
            "the Deployment controller undoes nothing",
        ),
    ];
    Ok(Part {
        rows,
        note: "Bad rollout: runAsNonRoot on images that run as root, all workloads at once. The bad status is when a kube client's watch in the bench's \
               process hears of CreateContainerConfigError; detection is when such a watch hears of a remediation in phase RollingBack, the rollback is the \
               audit log's time of the answer to the PATCH. One clock.",
    })
}

async fn take(world: &World<'_>, subject: &Subject) -> Result<(Times, Times)> {
    let mut pods = Ear::<Pod>::open(Api::namespaced(world.client.clone(), NAMESPACE));
    let verify = json!({ "soak": "1s", "minDeadline": "600s", "probation": "10s" });
    let remediation = json!({
        "autoApprove": "Medium", "settle": "0s", "maxConcurrentPerNamespace": 20, "verify": verify,
        "stopAfter": { "rollbacks": 100, "within": "1h" },
    });
    let spec = json!({
        "mode": "Enforce", "profile": { "name": "None" }, "controls": [{ "id": "POD-007", "mode": "Enforce" }], "remediation": remediation,
    });
    world.policy(NAMESPACE, spec).await?;
    let remediations: Api<HardeningRemediation> = Api::namespaced(world.client.clone(), NAMESPACE);
    let mut records = Ear::open(remediations.clone());
    wait::until_within(PATIENCE, "every broken workload was put back", async || {
        let all = remediations.list(&ListParams::default()).await?.items;
        let statuses: Vec<_> = all
            .iter()
            .filter_map(|remediation| remediation.status.as_ref())
            .collect();
        let back = statuses.iter().filter(|status| status.reason == "Quarantined").count();
        let some = statuses
            .iter()
            .take(4)
            .map(|status| (status.phase, &status.reason, &status.message));
        ensure!(
            back == world.size.broken,
            "{back} are; some stand at {:?}",
            some.collect::<Vec<_>>()
        );
        Ok(())
    })
    .await?;

    let mut bad: BTreeMap<String, Timestamp> = BTreeMap::new();
    for heard in pods.all().into_iter().filter(|heard| is_bad(&heard.object)) {
        let pod = heard.object.name_any();
        if let Some(workload) = (0..world.size.broken)
            .map(name)
            .find(|name| pod.starts_with(name.as_str()))
        {
            bad.entry(workload).or_insert(heard.time);
        }
    }
    let mut known: BTreeMap<String, Timestamp> = BTreeMap::new();
    for heard in records.all() {
        if heard
            .object
            .status
            .is_some_and(|status| status.phase == Some(Phase::RollingBack))
        {
            known.entry(heard.object.spec.target.name).or_insert(heard.time);
        }
    }
    let entries = subject.requests(world)?;
    let (mut detected, mut undone) = (Times::default(), Times::default());
    for workload in (0..world.size.broken).map(name) {
        let seen = bad.get(&workload).with_context(|| format!("{workload} never broke"))?;
        let since = |at: Timestamp| Duration::try_from(at.duration_since(*seen)).unwrap_or_default();
        let record = known
            .get(&workload)
            .with_context(|| format!("no record says that {workload} is put back"))?;
        detected.add(since(*record));
        let mut accepted = entries.iter().filter(|entry| is_accepted_patch(entry, &workload));
        let second = accepted.nth(1).context("no second patch in the audit log")?;
        undone.add(since(second.stage_timestamp.parse()?));
    }
    Ok((detected, undone))
}

fn is_accepted_patch(entry: &Entry, workload: &str) -> bool {
    let object = entry.object_ref.as_ref();
    let concerns =
        object.is_some_and(|o| o.resource == "deployments" && o.name == workload && o.namespace == NAMESPACE);
    concerns && entry.is_write() && entry.code() == 200
}

fn name(number: usize) -> String {
    format!("rooted-{number:02}")
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
