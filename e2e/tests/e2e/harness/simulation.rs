//! Simulated pods break when hardening takes what their image needs, stay broken, and heal when it is given back.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use ironside_e2e::workloads::{Workload, available_deployment, until_rolled_out, until_stuck};
use ironside_e2e::{Scenario, scenario, wait};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use kube::Api;
use kube::api::{ListParams, Patch, PatchParams};
use serde_json::{Value, json};

/// One way to break: what the image needs, the hardening that takes it, and what a pod then shows.
struct Case {
    name: &'static str,
    need: (&'static str, &'static str),
    hardening: fn() -> Value,
    shows: fn(&ContainerStatus) -> bool,
}

const CASES: [Case; 5] = [
    Case {
        name: "root",
        need: ("image-user", "root"),
        hardening: || json!({ "runAsNonRoot": true }),
        shows: |status| waits_for(status, "CreateContainerConfigError"),
    },
    Case {
        name: "rofs",
        need: ("writes-rootfs", "true"),
        hardening: || json!({ "readOnlyRootFilesystem": true }),
        shows: |status| waits_for(status, "CrashLoopBackOff") && exited(status) == Some(1),
    },
    Case {
        name: "caps",
        need: ("needs-caps", "NET_BIND_SERVICE"),
        hardening: || json!({ "capabilities": { "drop": ["ALL"] } }),
        shows: |status| waits_for(status, "CrashLoopBackOff") && exited(status) == Some(1),
    },
    Case {
        name: "seccomp",
        need: ("needs-syscalls", "true"),
        hardening: || json!({ "seccompProfile": { "type": "RuntimeDefault" } }),
        shows: |status| waits_for(status, "CrashLoopBackOff") && exited(status) == Some(159),
    },
    Case {
        name: "hang",
        need: ("writes-rootfs", "true"),
        hardening: || json!({ "readOnlyRootFilesystem": true }),
        shows: |status| !status.ready && status.state.as_ref().is_some_and(|state| state.running.is_some()),
    },
];

#[tokio::test]
async fn hardening_that_breaks_sticks_and_heals_upon_exact_revert() -> Result<()> {
    scenario(async |test| {
        let cases = CASES.iter().map(|case| breaks_and_heals(test, case));
        futures::future::try_join_all(cases).await.map(drop)
    })
    .await
}

async fn breaks_and_heals(test: &Scenario<'_>, case: &Case) -> Result<()> {
    let mut workload = Workload::named(case.name).sim(case.need.0, case.need.1);
    if case.name == "hang" {
        workload = workload.sim("never-ready", "broken");
    }
    let before = available_deployment(&test.client, &test.namespace, &workload).await?;
    harden(test, case.name, Some((case.hardening)())).await?;
    wait::until(&format!("a pod of {} is broken", case.name), async || {
        let statuses = statuses(test, case.name).await?;
        ensure!(statuses.iter().any(case.shows), "{statuses:#?}");
        Ok(())
    })
    .await?;
    let stuck = until_stuck(&test.client, &test.namespace, case.name, wait::LIMIT).await?;
    let available = stuck.status.as_ref().and_then(|status| status.available_replicas);
    ensure!(
        available == Some(3),
        "{}: the old pods go on serving, not {available:?} of 3",
        case.name
    );

    harden(test, case.name, None).await?;
    let after = until_rolled_out(&test.client, &test.namespace, case.name).await?;
    ensure!(
        before.spec.template == after.spec.template,
        "{}: the template is what it was",
        case.name
    );
    Ok(())
}

#[tokio::test]
async fn a_late_failure_lets_the_rollout_pass_first() -> Result<()> {
    scenario(async |test| {
        let crash = late(test, "crash", None);
        let hang = late(test, "hang", Some("broken"));
        futures::try_join!(crash, hang).map(drop)
    })
    .await
}

async fn late(test: &Scenario<'_>, name: &str, never_ready: Option<&str>) -> Result<()> {
    // One pod: of several the first would fail before the last is there on a busy machine, and the rollout would never have passed.
    let mut workload = Workload::named(name)
        .replicas(1)
        .sim("writes-rootfs", "true")
        .sim("fail-after", "8s");
    if let Some(never_ready) = never_ready {
        workload = workload.sim("never-ready", never_ready);
    }
    available_deployment(&test.client, &test.namespace, &workload).await?;
    harden(test, name, Some(json!({ "readOnlyRootFilesystem": true }))).await?;
    until_rolled_out(&test.client, &test.namespace, name).await?;
    let deployments: Api<Deployment> = Api::namespaced(test.client.clone(), &test.namespace);
    wait::until("the hardened pods fail after all", async || {
        let status = deployments.get(name).await?.status.unwrap_or_default();
        ensure!(
            status.available_replicas.unwrap_or(0) == 0,
            "{:?} available",
            status.available_replicas
        );
        Ok(())
    })
    .await?;
    harden(test, name, None).await?;
    until_rolled_out(&test.client, &test.namespace, name).await.map(drop)
}

#[tokio::test]
async fn a_slow_start_is_slow_and_never_ready_is_never_ready() -> Result<()> {
    scenario(async |test| {
        let slow = async {
            let workload = Workload::named("slow").replicas(1).sim("ready-after", "3s");
            let begun = std::time::Instant::now();
            available_deployment(&test.client, &test.namespace, &workload).await?;
            ensure!(
                begun.elapsed() >= Duration::from_secs(3),
                "ready after {:?} already",
                begun.elapsed()
            );
            Ok(())
        };
        let never = async {
            let deployments: Api<Deployment> = Api::namespaced(test.client.clone(), &test.namespace);
            let workload = Workload::named("never").replicas(1).sim("never-ready", "true");
            let object: Deployment = serde_json::from_value(workload.deployment())?;
            deployments.create(&kube::api::PostParams::default(), &object).await?;
            let stuck = until_stuck(&test.client, &test.namespace, "never", wait::LIMIT).await?;
            let status = stuck.status.unwrap_or_default();
            ensure!(status.updated_replicas == Some(1), "it runs: {status:?}");
            ensure!(status.ready_replicas.unwrap_or(0) == 0, "it is not ready: {status:?}");
            let removal = json!({ "spec": { "template": { "metadata": { "annotations": null } } } });
            deployments
                .patch("never", &PatchParams::default(), &Patch::Merge(removal))
                .await?;
            until_rolled_out(&test.client, &test.namespace, "never").await.map(drop)
        };
        futures::try_join!(slow, never).map(drop)
    })
    .await
}

/// Sets the container's security context, or takes it away so that the template is exactly what it was.
async fn harden(test: &Scenario<'_>, name: &str, context: Option<Value>) -> Result<()> {
    let deployments: Api<Deployment> = Api::namespaced(test.client.clone(), &test.namespace);
    let path = "/spec/template/spec/containers/0/securityContext";
    let change = match context {
        Some(context) => json!([{ "op": "add", "path": path, "value": context }]),
        None => json!([{ "op": "remove", "path": path }]),
    };
    let change: json_patch::Patch = serde_json::from_value(change)?;
    let patched = deployments
        .patch(name, &PatchParams::default(), &Patch::<()>::Json(change))
        .await;
    patched.map(drop).with_context(|| format!("patch {name}"))
}

async fn statuses(test: &Scenario<'_>, name: &str) -> Result<Vec<ContainerStatus>> {
    let pods: Api<Pod> = Api::namespaced(test.client.clone(), &test.namespace);
    let pods = pods
        .list(&ListParams::default().labels(&format!("app={name}")))
        .await?
        .items;
    let statuses = pods.into_iter().filter_map(|pod| pod.status?.container_statuses);
    Ok(statuses.flatten().collect())
}

fn waits_for(status: &ContainerStatus, reason: &str) -> bool {
    let waiting = status.state.as_ref().and_then(|state| state.waiting.as_ref());
    waiting.and_then(|waiting| waiting.reason.as_deref()) == Some(reason)
}

fn exited(status: &ContainerStatus) -> Option<i32> {
    let terminated = status.last_state.as_ref().and_then(|state| state.terminated.as_ref());
    terminated.map(|terminated| terminated.exit_code)
}
