//! What somebody does at a real API server is told, and what the cluster does every day is not.

use anyhow::{Context as _, Result, ensure};
use ironside_e2e::binaries::workspace_program;
use ironside_e2e::cluster::Component;
use ironside_e2e::install::repository;
use ironside_e2e::node::images::NEEDS;
use ironside_e2e::operator::Operator;
use ironside_e2e::scenario::{scenario_with, skipped_for};
use ironside_e2e::{Scenario, scenario};
use serde_json::{Value, json};

use super::deeds::what_people_do;
use super::sink::until;
use super::{Sink, policy_file};
use crate::operator::{READING, within};

/// A policy that judges next to nothing, so that somebody asks; Secrets may be read by one account.
fn policy(namespace: &str) -> Value {
    json!({
        "apiVersion": "hardening.ironside.dev/v1alpha1", "kind": "ClusterHardeningPolicy", "metadata": {"name": "watch"},
        "spec": {
            "profile": {"name": "None", "version": "v1"}, "controls": [{"id": "POD-001", "mode": "Audit"}],
            "detections": {"allowed": [{
                "name": "backup", "detections": ["D-03"], "users": [format!("system:serviceaccount:{namespace}:backup")],
            }]},
        },
    })
}

async fn count(operator: &Operator, metric: &str, detection: &str) -> Result<f64> {
    let metrics = operator.metrics().await?;
    metrics
        .sum(metric, &[("detection", detection)])
        .with_context(|| format!("no {metric} of {detection}"))
}

/// Every line that tells of a detection from the audit log: id, user, the whole line.
fn told(operator: &Operator) -> Result<Vec<(String, String, Value)>> {
    let lines = operator.log()?.into_iter();
    Ok(lines
        .filter_map(|line| {
            let text = |name: &str| line[name].as_str().map(str::to_owned);
            Some((text("detection")?, text("user").unwrap_or_default(), line.clone()))
        })
        .collect())
}

#[tokio::test]
async fn what_somebody_does_at_the_api_server_is_told_with_who_and_from_where() -> Result<()> {
    let sink = Sink::new("detections")?;
    let mut options = sink.options(&policy_file());
    options.nodes = 1;
    scenario_with(options, async |test| {
        test.operator_namespace().await?;
        test.apply(&[policy(&test.namespace)]).await?;
        let operator = sink
            .operator(test)
            .flag("--audit-learning=0s")
            .short_lease()
            .ready()
            .await?;
        until("events are taken", async || {
            let taken = operator
                .metrics()
                .await?
                .sum("ironside_audit_events_total", &[("outcome", "accepted")]);
            ensure!(taken > Some(0.0), "{taken:?}");
            Ok(())
        })
        .await?;
        what_people_do(test).await?;

        for detection in [
            "D-02", "D-03", "D-04", "D-06", "D-07", "D-08", "D-09", "D-10", "D-13", "D-19", "D-20", "D-27",
        ] {
            until(&format!("{detection} is counted"), async || {
                let seen = count(&operator, "ironside_detections_total", detection).await?;
                ensure!(seen > 0.0, "{seen}");
                Ok(())
            })
            .await?;
        }
        the_token_in_the_secret_is_told(test, &operator).await?;
        until("what a policy allows is counted apart", async || {
            let seen = count(&operator, "ironside_detections_allowed_total", "D-03").await?;
            ensure!(seen > 0.0, "{seen}");
            Ok(())
        })
        .await?;

        who_is_told_of(test, &operator)?;
        // The sink asks for nothing that the operator without it may not. Admission refuses an event about what goes with its namespace.
        let mut requests = operator.requests(test)?;
        requests.retain(|it| it.object_ref.as_ref().is_none_or(|object| object.namespace != "gone"));
        within(&requests, &READING)?;
        let metrics = operator.metrics().await?;
        ensure!(
            metrics.sum("ironside_audit_events_total", &[("outcome", "malformed")]) == Some(0.0),
            "it reads all that a real server writes"
        );
        ensure!(
            metrics.sum("ironside_audit_connections_refused_total", &[]) == Some(0.0),
            "nobody else connects"
        );
        ensure!(
            metrics.sum("ironside_audit_last_event_timestamp_seconds", &[]) > Some(0.0),
            "when the last came"
        );
        Ok(())
    })
    .await
}

/// The one that the controller manager put into it, of whoever made the Secret.
async fn the_token_in_the_secret_is_told(test: &Scenario<'_>, operator: &Operator) -> Result<()> {
    until(
        "the token that the controller manager put into the Secret is told, of whoever made the Secret",
        async || {
            let told = told(operator)?;
            let object = format!("Secret {}/endless", test.namespace);
            let found = told
                .iter()
                .find(|(id, _, line)| id == "D-10" && line.to_string().contains(&object));
            let (_, user, line) = found.with_context(|| format!("no D-10 of {object} in {told:#?}"))?;
            ensure!(
                *user == format!("system:serviceaccount:{}:eve", test.namespace),
                "{line}"
            );
            Ok(())
        },
    )
    .await
}

/// Who did what is told with user and address; what a policy allows is not, nor what the cluster's own controllers do, whose events came all the same.
fn who_is_told_of(test: &Scenario<'_>, operator: &Operator) -> Result<()> {
    let namespace = test.namespace.as_str();
    let told = told(operator)?;
    let name = |account: &str| format!("system:serviceaccount:{namespace}:{account}");
    for (detection, user) in [
        ("D-03", name("eve")),
        ("D-07", name("tom")),
        ("D-09", name("eve")),
        ("D-06", "system:anonymous".to_owned()),
    ] {
        let line = told.iter().find(|(id, who, _)| id == detection && *who == user);
        let (.., line) = line.with_context(|| format!("no {detection} by {user} in {told:#?}"))?;
        ensure!(line.to_string().contains("127.0.0.1"), "from where: {line}");
    }
    let controllers = "system:serviceaccount:kube-system:";
    let entries = test.cluster.audit()?.entries()?;
    for (verb, resource) in [("deletecollection", "events"), ("create", "pods"), ("list", "secrets")] {
        let daily = entries
            .iter()
            .any(|it| it.verb == verb && it.resource() == resource && it.who().starts_with(controllers));
        ensure!(daily, "a controller does that every day: {verb} {resource}");
    }
    for (id, user, line) in &told {
        let allowed = *user == name("backup") && id == "D-03";
        let daily = user.starts_with(controllers) || user.starts_with("system:kube-");
        ensure!(!allowed && !daily && !user.contains(":ironside-system:"), "{line}");
        ensure!(*user != name("tom") || id == "D-07", "{line}");
    }
    Ok(())
}

/// The policy that users are given, as the API server understands it.
#[tokio::test]
async fn the_audit_policy_keeps_bodies_where_it_should_and_credentials_out() -> Result<()> {
    let sink = Sink::new("policy")?;
    let mut options = sink.options(&policy_file());
    (options.nodes, options.workloads) = (0, false);
    scenario_with(options, async |test| {
        test.apply(&[
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db"}, "stringData": {"password": "hunter2"}}),
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "db"}, "data": {"password": "hunter3"}}),
            json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "db"}}),
            json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "db"}, "rules": []}),
        ])
        .await?;
        test.cluster.kubectl()?.run(&["-n", &test.namespace, "create", "token", "db"]).await?;
        let entries = test.cluster.audit()?.entries()?;
        for (resource, request, response) in [
            ("secrets", false, false),
            ("configmaps", false, false),
            ("serviceaccounts/token", false, false),
            ("roles", true, true),
            ("serviceaccounts", true, true),
        ] {
            let of_it = entries.iter().filter(|entry| entry.is_write() && entry.resource() == resource);
            let of_it: Vec<_> = of_it.filter(|entry| entry.code() < 300).collect();
            ensure!(!of_it.is_empty(), "{resource} is audited");
            for entry in of_it {
                ensure!(entry.request_object.is_some() == request && entry.response_object.is_some() == response, "{entry:?}");
            }
        }
        let log = std::fs::read_to_string(&test.cluster.description()?.audit_log)?;
        ensure!(!log.contains("hunter2") && !log.contains("hunter3"), "no credentials");
        Ok(())
    })
    .await
}

/// What `kubectl apply --server-side -k config/overlays/audit` makes is taken by the API server, and its arguments by the operator.
#[tokio::test]
async fn the_overlay_fits_the_api_server_and_the_operator() -> Result<()> {
    scenario(async |test| {
        test.cluster.install().await?;
        let kubectl = test.cluster.kubectl()?;
        let overlay = repository().join("config/overlays/audit").display().to_string();
        let built = kubectl.run(&["kustomize", &overlay]).await?;
        let objects: Vec<Value> = serde_saphyr::from_multiple(&built)?;
        let find = |kind: &str, name: &str| {
            let mut found = objects
                .iter()
                .filter(|it| it["kind"] == kind && it["metadata"]["name"] == name);
            found.next().cloned().with_context(|| format!("no {kind} {name}"))
        };
        let (deployment, service) = (find("Deployment", "ironside")?, find("Service", "ironside-audit")?);
        for object in [&deployment, &service] {
            let dry_run = ["create", "--dry-run=server", "--validate=strict", "-f", "-"];
            kubectl.run_with_input(&dry_run, &object.to_string()).await?;
        }
        let container = &deployment["spec"]["template"]["spec"]["containers"][0];
        let ports = container["ports"].as_array().context("ports")?;
        let port = ports
            .iter()
            .find(|port| port["name"] == service["spec"]["ports"][0]["targetPort"]);
        let port = port.context("the Service leads to a port")?["containerPort"].to_string();

        // Each file below the mounted Secret, and there is no other argument than those that the program has.
        let mount = container["volumeMounts"][0]["mountPath"].as_str().context("a mount")?;
        let help = tokio::process::Command::new(workspace_program("ironside-operator")?)
            .arg("--help")
            .output()
            .await?;
        let help = String::from_utf8(help.stdout)?;
        let mut files = Vec::new();
        for argument in container["args"].as_array().context("args")? {
            let (name, value) = argument
                .as_str()
                .and_then(|it| it.split_once('='))
                .context("an argument")?;
            ensure!(help.contains(name), "{name} is no argument");
            if name == "--audit-sink" {
                ensure!(value.ends_with(&format!(":{port}")), "{value} is not the port {port}");
            }
            files.extend(value.strip_prefix(mount).map(str::to_owned));
        }
        ensure!(files == ["/tls.crt", "/tls.key", "/ca.crt"], "{files:?}");
        Ok(())
    })
    .await
}

/// On a real node: a command in a container, which only a kubelet can run.
#[tokio::test]
async fn a_command_in_a_container_is_told_and_its_words_are_not() -> Result<()> {
    if skipped_for(
        module_path!(),
        "a_command_in_a_container_is_told_and_its_words_are_not",
        None,
    ) {
        return Ok(());
    }
    let sink = Sink::new("exec")?;
    let mut options = sink.options(&policy_file());
    (options.real_nodes, options.nodes) = (1, 1);
    scenario_with(options, async |test| {
        test.operator_namespace().await?;
        test.apply(&[policy(&test.namespace)]).await?;
        let operator = sink.operator(test).short_lease().ready().await?;
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"},
            "spec": {"containers": [{"name": "web", "image": NEEDS}]},
        });
        test.apply(&[pod]).await?;
        let kubectl = test.cluster.kubectl()?;
        let here = test.namespace.as_str();
        kubectl
            .run(&["-n", here, "wait", "--for=condition=Ready", "pod/web", "--timeout=60s"])
            .await?;
        // WebSocket, by GET; that the command fails in the container is no reason not to tell.
        let _ = kubectl
            .run(&["-n", here, "exec", "web", "--", "/needs", "password"])
            .await;
        until("D-01 is counted", async || {
            let seen = count(&operator, "ironside_detections_total", "D-01").await?;
            ensure!(seen >= 1.0, "{seen}");
            Ok(())
        })
        .await?;
        let told = told(&operator)?;
        let (_, user, line) = told.iter().find(|(id, ..)| id == "D-01").context("it is told")?;
        ensure!(user == "admin" && !line.to_string().contains("password"), "{line}");
        Ok(())
    })
    .await
}

/// The operator renews its lease all the time: where nothing is heard of that, the log is silent.
#[tokio::test]
async fn a_log_that_falls_silent_is_told() -> Result<()> {
    let sink = Sink::new("silent")?;
    let silent = json!({"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": [{"level": "None"}]});
    let silent = sink.write("policy.yaml", &silent.to_string())?;
    let mut options = sink.options(&silent);
    (options.nodes, options.workloads) = (0, false);
    scenario_with(options, async |test| {
        test.operator_namespace().await?;
        test.apply(&[policy(&test.namespace)]).await?;
        let operator = sink
            .operator(test)
            .flag("--audit-heartbeat=15s")
            .short_lease()
            .ready()
            .await?;
        until("D-28 is counted", async || {
            let seen = count(&operator, "ironside_detections_total", "D-28").await?;
            ensure!(seen >= 1.0, "{seen}");
            Ok(())
        })
        .await?;
        // The policy that users are given is heard.
        let heard = format!("--audit-policy-file={}", policy_file().display());
        test.cluster.restart_with(Component::ApiServer, &[&heard]).await?;
        let mut last = 0.0;
        until("events are heard, and again", async || {
            let taken = operator
                .metrics()
                .await?
                .sum("ironside_audit_events_total", &[("outcome", "accepted")]);
            let (before, now) = (last, taken.unwrap_or_default());
            last = now;
            ensure!(before > 0.0 && now > before, "{before}, {now}");
            Ok(())
        })
        .await?;
        let seen = count(&operator, "ironside_detections_total", "D-28").await?;
        ensure!((seen - 1.0).abs() < 0.5, "once for each silence: {seen}");
        Ok(())
    })
    .await
}
