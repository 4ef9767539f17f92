//! Workloads for tests, said in a line or two, with the behaviour of their simulated pods.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use k8s_openapi::api::apps::v1::Deployment;
use kube::api::PostParams;
use kube::{Api, Client};
use serde_json::{Value, json};

use crate::wait;

/// A workload in the making: a template with one container `app`, three replicas, labels `app: <name>`.
#[derive(Debug, Clone)]
pub struct Workload {
    name: String,
    replicas: i32,
    template: Value,
    annotations: serde_json::Map<String, Value>,
}

impl Workload {
    /// A workload with nothing special about it, and nothing hardened.
    pub fn named(name: &str) -> Self {
        let template = json!({
            "metadata": { "labels": { "app": name } },
            "spec": { "containers": [{ "name": "app", "image": format!("registry.example.com/{name}:1.0") }] },
        });
        Self {
            name: name.to_owned(),
            replicas: 3,
            template,
            annotations: serde_json::Map::new(),
        }
    }

    /// How many replicas.
    #[must_use]
    pub fn replicas(mut self, replicas: i32) -> Self {
        self.replicas = replicas;
        self
    }

    /// One that may be restarted without a human: its image is named by digest, and it says when it is ready.
    #[must_use]
    pub fn steady(self) -> Self {
        let digest = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";
        let image = format!("registry.example.com/{}@sha256:{digest}", self.name);
        self.template(|template| {
            let container = &mut template["spec"]["containers"][0];
            container["image"] = json!(image);
            container["readinessProbe"] = json!({ "tcpSocket": { "port": 8080 }, "periodSeconds": 1 });
        })
    }

    /// What its image needs or does, as in [`crate::nodes::stages`]: `sim("writes-rootfs", "true")`.
    #[must_use]
    pub fn sim(mut self, need: &str, value: &str) -> Self {
        self.template["metadata"]["annotations"][format!("sim.ironside.dev/{need}")] = json!(value);
        self
    }

    /// The security context of its container.
    #[must_use]
    pub fn security_context(mut self, context: Value) -> Self {
        self.template["spec"]["containers"][0]["securityContext"] = context;
        self
    }

    /// Anything else about its pod template.
    #[must_use]
    pub fn template(mut self, edit: impl FnOnce(&mut Value)) -> Self {
        edit(&mut self.template);
        self
    }

    /// An annotation on the workload itself.
    #[must_use]
    pub fn annotation(mut self, key: &str, value: &str) -> Self {
        self.annotations.insert(key.to_owned(), json!(value));
        self
    }

    /// As a Deployment. Its deadline for progress is 10 s: a stuck rollout is what tests wait for.
    pub fn deployment(&self) -> Value {
        let mut object = self.object("apps/v1", "Deployment");
        object["spec"]["progressDeadlineSeconds"] = json!(10);
        object
    }

    /// As a StatefulSet whose pods start all at once.
    pub fn stateful_set(&self) -> Value {
        let mut object = self.object("apps/v1", "StatefulSet");
        object["spec"]["serviceName"] = json!(self.name);
        object["spec"]["podManagementPolicy"] = json!("Parallel");
        object
    }

    /// As a DaemonSet.
    pub fn daemon_set(&self) -> Value {
        let mut object = self.object("apps/v1", "DaemonSet");
        if let Some(spec) = object["spec"].as_object_mut() {
            spec.remove("replicas");
        }
        object
    }

    /// As a pod of its own.
    pub fn pod(&self) -> Value {
        let mut pod = self.template.clone();
        pod["apiVersion"] = json!("v1");
        pod["kind"] = json!("Pod");
        pod["metadata"]["name"] = json!(self.name);
        pod
    }

    /// As a Job.
    pub fn job(&self) -> Value {
        let mut template = self.template.clone();
        template["spec"]["restartPolicy"] = json!("Never");
        json!({
            "apiVersion": "batch/v1", "kind": "Job",
            "metadata": { "name": self.name, "annotations": self.annotations },
            "spec": { "template": template },
        })
    }

    /// As a CronJob.
    pub fn cron_job(&self, schedule: &str) -> Value {
        json!({
            "apiVersion": "batch/v1", "kind": "CronJob",
            "metadata": { "name": self.name, "annotations": self.annotations },
            "spec": { "schedule": schedule, "jobTemplate": { "spec": self.job()["spec"] } },
        })
    }

    fn object(&self, api_version: &str, kind: &str) -> Value {
        json!({
            "apiVersion": api_version, "kind": kind,
            "metadata": { "name": self.name, "labels": { "app": self.name }, "annotations": self.annotations },
            "spec": {
                "replicas": self.replicas,
                "selector": { "matchLabels": { "app": self.name } },
                "template": self.template,
            },
        })
    }
}

/// Creates a Deployment and waits until all of it is available.
///
/// # Errors
/// It is refused, or does not become available.
pub async fn available_deployment(client: &Client, namespace: &str, workload: &Workload) -> Result<Deployment> {
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), namespace);
    let object: Deployment = serde_json::from_value(workload.deployment()).context("a Deployment")?;
    deployments
        .create(&PostParams::default(), &object)
        .await
        .context("create the Deployment")?;
    until_rolled_out(client, namespace, &workload.name).await
}

/// Waits until a Deployment is rolled out: its controller has seen the newest template, and all replicas are new and
/// available.
///
/// # Errors
/// It does not get there.
pub async fn until_rolled_out(client: &Client, namespace: &str, name: &str) -> Result<Deployment> {
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), namespace);
    wait::until(&format!("Deployment {namespace}/{name} is rolled out"), async || {
        let deployment = deployments.get(name).await?;
        let (seen, updated, available, all) = rollout(&deployment);
        let wanted = deployment.spec.replicas.unwrap_or(1);
        ensure!(
            seen && updated == wanted && available == wanted && all == wanted,
            "{updated} of {wanted} updated, {available} available, {all} pods, newest template seen: {seen}"
        );
        Ok(deployment)
    })
    .await
}

/// Waits until a Deployment's rollout is given up by its controller (`ProgressDeadlineExceeded`).
///
/// # Errors
/// It progresses after all.
pub async fn until_stuck(client: &Client, namespace: &str, name: &str, limit: Duration) -> Result<Deployment> {
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), namespace);
    wait::until_within(
        limit,
        &format!("the rollout of Deployment {namespace}/{name} is stuck"),
        async || {
            let deployment = deployments.get(name).await?;
            let conditions = deployment
                .status
                .as_ref()
                .and_then(|status| status.conditions.clone())
                .unwrap_or_default();
            let stuck = conditions
                .iter()
                .any(|it| it.reason.as_deref() == Some("ProgressDeadlineExceeded"));
            ensure!(stuck, "{conditions:?}");
            Ok(deployment)
        },
    )
    .await
}

fn rollout(deployment: &Deployment) -> (bool, i32, i32, i32) {
    let status = deployment.status.clone().unwrap_or_default();
    let seen = status.observed_generation >= deployment.metadata.generation;
    let count = |number: Option<i32>| number.unwrap_or(0);
    (
        seen,
        count(status.updated_replicas),
        count(status.available_replicas),
        count(status.replicas),
    )
}
