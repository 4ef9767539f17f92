//! What people and other controllers do meanwhile: drift and its repair by hand, releases, scaling, pods and Deployments that go, edits of the policy.

use anyhow::{Context as _, Result};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, ListParams, Patch};
use kube::{Api, ResourceExt as _};
use serde_json::{Value, json};

use crate::bench::world::{LABEL, PIPELINE, World, as_manager};
use crate::chance::Chance;

/// The name of what came to nothing because its object was gone, or not yet gone.
pub(super) const LOST_RACE: &str = "lost race";

/// The policy that is in force before and after. Of two edits of it one is always harmless: what it repairs stays the same.
pub(super) fn policy() -> Value {
    let selector = json!({ "matchLabels": { LABEL: "true" } });
    json!({
        "mode": "Enforce", "profile": { "name": "None" }, "namespaceSelector": selector,
        "controls": [
            { "id": "POD-009", "mode": "Enforce" }, { "id": "POD-011", "mode": "Audit" }, { "id": "POD-013", "mode": "Audit" },
        ],
        "remediation": {
            "namespaceSelector": selector, "autoApprove": "Medium", "settle": "0s", "maxConcurrent": 20,
            "maxConcurrentPerNamespace": 5, "verify": { "soak": "1s", "minDeadline": "600s", "probation": "5s" },
            "stopAfter": { "rollbacks": 100, "within": "1h" },
        },
    })
}

/// One thing that somebody does, and its name.
pub(super) async fn act(world: &World<'_>, chance: &mut Chance) -> Result<&'static str> {
    let (namespace, name) = world.target(chance.below(world.size.deployments));
    let (done, outcome) = match chance.below(20) {
        0..7 => ("drift", world.set_escalation(&namespace, &name, true).await.map(drop)),
        7 => ("drift by hand", by_hand(world, &namespace, &name, true).await),
        8..10 => ("closed by hand", by_hand(world, &namespace, &name, false).await),
        10..12 => ("release", release(world, &namespace, &name, chance.below(1000)).await),
        12..14 => (
            "scale",
            scale(world, &namespace, &name, chance.below(world.size.replicas / 2)).await,
        ),
        14..17 => ("pod deleted", delete_pod(world, &namespace, chance).await),
        17 => ("recreated", recreate(world, &namespace, &name).await),
        _ => ("policy edit", edit(world, chance.below(4)).await),
    };
    match outcome {
        Err(error) if is_a_lost_race(&error) => Ok(LOST_RACE),
        outcome => outcome.map(|()| done),
    }
}

/// Somebody else was there first: the object is gone, or not yet gone. Or the API server was too busy to say; on a loaded machine that is no finding.
fn is_a_lost_race(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| match cause.downcast_ref::<kube::Error>() {
        Some(kube::Error::Api(status)) => matches!(status.code, 404 | 409 | 429 | 504),
        _ => false,
    })
}

/// What a person edits is left alone for a day.
async fn by_hand(world: &World<'_>, namespace: &str, name: &str, open: bool) -> Result<()> {
    world
        .set_escalation_as("kubectl-edit", namespace, name, open)
        .await
        .map(drop)
}

async fn release(world: &World<'_>, namespace: &str, name: &str, number: usize) -> Result<()> {
    let annotations = json!({ "release": number.to_string() });
    merge(
        world,
        namespace,
        name,
        json!({ "spec": { "template": { "metadata": { "annotations": annotations } } } }),
    )
    .await
}

async fn scale(world: &World<'_>, namespace: &str, name: &str, fewer: usize) -> Result<()> {
    merge(
        world,
        namespace,
        name,
        json!({ "spec": { "replicas": world.size.replicas - fewer } }),
    )
    .await
}

async fn merge(world: &World<'_>, namespace: &str, name: &str, patch: Value) -> Result<()> {
    let deployments = world.deployments(namespace);
    let patched = deployments
        .patch(name, &as_manager(PIPELINE), &Patch::Merge(patch))
        .await;
    patched.map(drop).context("patch a Deployment")
}

async fn delete_pod(world: &World<'_>, namespace: &str, chance: &mut Chance) -> Result<()> {
    let pods: Api<Pod> = Api::namespaced(world.client.clone(), namespace);
    let all = pods.list_metadata(&ListParams::default()).await?.items;
    if all.is_empty() {
        return Ok(());
    }
    let name = all[chance.below(all.len())].name_any();
    pods.delete(&name, &DeleteParams::default())
        .await
        .map(drop)
        .context("delete a pod")
}

async fn recreate(world: &World<'_>, namespace: &str, name: &str) -> Result<()> {
    let deployments = world.deployments(namespace);
    deployments
        .delete(name, &DeleteParams::background())
        .await
        .context("delete a Deployment")?;
    world.create_named(namespace, name).await
}

async fn edit(world: &World<'_>, which: usize) -> Result<()> {
    let mut spec = policy();
    match which {
        0 => spec["controls"][1]["mode"] = json!("Disabled"),
        1 => spec["profile"] = json!({ "name": "NsaCisa" }),
        2 => spec["suspend"] = json!(true),
        _ => {}
    }
    world.cluster_policy(spec).await
}
