//! What is written, and to which objects.

use anyhow::{Context as _, Result, ensure};
use ironside_crds::Phase;
use ironside_e2e::audit::Entry;
use ironside_e2e::cluster::{Audit, Options};
use ironside_e2e::install::OPERATOR_USER;
use ironside_e2e::scenario::scenario_with;
use ironside_e2e::workloads::{available_deployment, until_rolled_out};
use ironside_e2e::{Scenario, scenario, wait};
use serde_json::{Value, json};

use super::until_of_it_stands;
use crate::fights::{operator, patient};
use crate::repair::{PATIENCE, deployment, nothing_starts, policy, remediation, steady, template, until_it_stands};

/// Below this place of a workload the controls POD-009 and POD-013 write, and nowhere else.
const CONTROL_PLACES: [&str; 2] = [
    "/securityContext/allowPrivilegeEscalation",
    "/securityContext/seccompProfile",
];

#[tokio::test]
async fn promise_03_a_foreign_object_is_changed_by_one_guarded_json_patch() -> Result<()> {
    let options = Options {
        audit: Audit::Request,
        nodes: 1,
        ..Options::default()
    };
    scenario_with(options, async |test| {
        let mut with_sidecar = steady("web").deployment();
        let containers = &mut with_sidecar["spec"]["template"]["spec"]["containers"];
        let mut sidecar = containers[0].clone();
        sidecar["name"] = json!("sidecar");
        containers.as_array_mut().context("containers")?.push(sidecar);
        test.deliver(&with_sidecar).await?;
        until_rolled_out(&test.client, &test.namespace, "web").await?;
        let operator = operator(test).await?;
        test.apply(&[patient(&["POD-009", "POD-013"])]).await?;
        until_it_stands(test, Phase::Probation, "Watching").await?;

        // What was sent: tests of identity, generation, names and old values; then changes at places of the controls and of our own annotation.
        let sent: Vec<_> = operator.requests(test)?.into_iter().filter(Entry::is_write).collect();
        let to_workloads: Vec<_> = sent.iter().filter(|entry| entry.resource() == "deployments").collect();
        ensure!(to_workloads.len() == 1, "{} writes of Deployments", to_workloads.len());
        let body = to_workloads[0].request_object.clone().context("a body")?;
        is_guarded_and_within_bounds(&body)?;
        // Server-side apply is for what is Ironside's own.
        for entry in sent.iter().filter(|entry| entry.uri.contains("force=true")) {
            let own = entry
                .object_ref
                .as_ref()
                .is_some_and(|it| it.api_group == "hardening.ironside.dev");
            ensure!(own, "applied: {}", entry.uri);
        }
        owns_as_updater_only(test, "web").await?;

        // The owner drops the container: nothing of ours keeps a ghost of it, and the owner's next syncs go on.
        let alone = steady("web").deployment();
        for _ in 0..2 {
            test.deliver(&alone).await?;
            let stored = template(test, "web").await?;
            let left = stored["spec"]["containers"].as_array().context("containers")?;
            ensure!(left.len() == 1 && left[0]["name"] == "app", "{stored}");
        }
        until_rolled_out(&test.client, &test.namespace, "web").await?;
        owns_as_updater_only(test, "web").await
    })
    .await
}

fn is_guarded_and_within_bounds(body: &Value) -> Result<()> {
    let operations = body.as_array().with_context(|| format!("no JSON Patch: {body}"))?;
    let tested: Vec<&str> = operations
        .iter()
        .take_while(|it| it["op"] == "test")
        .filter_map(|it| it["path"].as_str())
        .collect();
    for guard in [
        "/metadata/uid",
        "/metadata/generation",
        "/spec/template/spec/containers/0/name",
        "/spec/template/spec/containers/1/name",
    ] {
        ensure!(tested.contains(&guard), "no test of {guard}: {body}");
    }
    for change in operations.iter().filter(|it| it["op"] != "test") {
        let path = change["path"].as_str().unwrap_or_default();
        let ours = path.starts_with("/metadata/annotations/hardening.ironside.dev~1applied");
        let below = path.starts_with("/spec/template/spec/containers/");
        // A parent that was absent is added with what goes into it, and nothing else.
        let of_control = CONTROL_PLACES.iter().any(|place| path.contains(place))
            || (path.ends_with("/securityContext") && only_control_fields(&change["value"]));
        ensure!(ours || (below && of_control), "{change} is at no place of a control");
    }
    Ok(())
}

fn only_control_fields(value: &Value) -> bool {
    let known = ["allowPrivilegeEscalation", "seccompProfile"];
    value
        .as_object()
        .is_some_and(|fields| fields.keys().all(|field| known.contains(&field.as_str())))
}

/// `ironside/workload` owns its fields by one Update, and they are fields of the controls and our annotation.
async fn owns_as_updater_only(test: &Scenario<'_>, name: &str) -> Result<()> {
    let object = serde_json::to_value(deployment(test, name).await?)?;
    let entries = object["metadata"]["managedFields"]
        .as_array()
        .context("managedFields")?;
    let ours: Vec<&Value> = entries
        .iter()
        .filter(|it| it["manager"].as_str().is_some_and(|name| name.starts_with("ironside/")))
        .collect();
    ensure!(ours.len() == 1, "{ours:?}");
    ensure!(
        ours[0]["manager"] == "ironside/workload" && ours[0]["operation"] == "Update",
        "{ours:?}"
    );
    let mut paths = Vec::new();
    leaves(&ours[0]["fieldsV1"], String::new(), &mut paths);
    for path in &paths {
        let annotation = path == "/f:metadata/f:annotations/f:hardening.ironside.dev/applied";
        let of_control = [
            "/f:securityContext/f:allowPrivilegeEscalation",
            "/f:securityContext/f:seccompProfile",
        ];
        let control = path.starts_with("/f:spec/f:template/f:spec/f:containers/k:")
            && (of_control.iter().any(|it| path.contains(it)) || path.ends_with("/f:securityContext"));
        ensure!(annotation || control, "ironside/workload owns {path}");
    }
    Ok(())
}

/// Paths of the leaves of managed fields, and of the items that are owned themselves (`.`).
fn leaves(fields: &Value, path: String, into: &mut Vec<String>) {
    match fields.as_object() {
        Some(fields) if !fields.is_empty() => {
            for (step, below) in fields {
                let path = if step == "." {
                    path.clone()
                } else {
                    format!("{path}/{step}")
                };
                leaves(below, path, into);
            }
        }
        _ => into.push(path),
    }
}

#[tokio::test]
async fn promise_04_children_are_never_patched_and_owners_are_asked() -> Result<()> {
    scenario(async |test| {
        let kubectl = test.cluster.kubectl()?;
        available_deployment(&test.client, &test.namespace, &steady("web")).await?;
        // An operator's custom resource, and a Deployment that it generated.
        let owner = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "orders" } });
        test.deliver(&owner).await?;
        let uid = [
            "get",
            "configmap",
            "orders",
            "-n",
            &test.namespace,
            "-o",
            "jsonpath={.metadata.uid}",
        ];
        let uid = kubectl.run(&uid).await?;
        let reference =
            json!([{ "apiVersion": "v1", "kind": "ConfigMap", "name": "orders", "uid": uid, "controller": true }]);
        let mut generated = steady("orders-db").deployment();
        generated["metadata"]["ownerReferences"] = reference.clone();
        test.deliver(&generated).await?;
        let mut tracked = steady("shop").deployment();
        tracked["metadata"]["annotations"] =
            json!({ "argocd.argoproj.io/tracking-id": "shop:apps/Deployment:default/shop" });
        test.deliver(&tracked).await?;
        for name in ["orders-db", "shop"] {
            until_rolled_out(&test.client, &test.namespace, name).await?;
        }
        let operator = operator(test).await?;
        // Owners are proposed to, which is the default.
        test.apply(&[policy(&["POD-009", "POD-013"])]).await?;

        until_of_it_stands(test, "web", Phase::Succeeded, "Verified").await?;
        let held = until_of_it_stands(test, "orders-db", Phase::Held, "OwnedBy").await?;
        let message = held.status.unwrap_or_default().message;
        ensure!(message.contains("ConfigMap orders"), "{message}");
        let held = until_of_it_stands(test, "shop", Phase::Held, "OwnedBy").await?;
        let message = held.status.unwrap_or_default().message;
        ensure!(message.contains("Application shop"), "{message}");
        wait::throughout(PATIENCE, "owners are not written past", async || {
            let requests = operator.requests(test)?;
            let foreign: Vec<(String, String)> = requests
                .iter()
                .filter(|entry| entry.is_write())
                .filter_map(|entry| Some((entry.resource(), entry.object_ref.as_ref()?)))
                .filter(|(_, it)| !matches!(it.api_group.as_str(), "hardening.ironside.dev" | "events.k8s.io"))
                .filter(|(resource, _)| resource != "leases" && !resource.starts_with("selfsubject"))
                .map(|(resource, it)| (resource, it.name.clone()))
                .collect();
            ensure!(foreign == [("deployments".to_owned(), "web".to_owned())], "{foreign:?}");
            Ok(())
        })
        .await
    })
    .await
}

#[tokio::test]
async fn promise_02_a_forged_plan_is_never_executed() -> Result<()> {
    scenario(async |test| {
        available_deployment(&test.client, &test.namespace, &steady("web")).await?;
        let before = template(test, "web").await?;
        let operator = operator(test).await?;
        let mut asking = policy(&["POD-009"]);
        asking["spec"]["remediation"]["autoApprove"] = json!("None");
        test.apply(&[asking]).await?;
        let waits = until_it_stands(test, Phase::Pending, "AwaitingApproval").await?;
        let name = waits.metadata.name.context("a name")?;
        let honest = waits.status.and_then(|status| status.plan).context("a plan")?.hash;

        let forged = "f".repeat(64);
        let image = "/spec/template/spec/containers/0/image";
        forge(test, &name, &forged, image).await?;
        let (role, user) = ("--clusterrole=ironside-approver", "--user=alice");
        let bind = ["create", "rolebinding", "alice", "-n", &test.namespace, role, user];
        test.cluster.kubectl()?.run(&bind).await?;
        // An approver falls for it.
        wait::until("alice may approve", async || approve(test, &name, &forged).await).await?;

        wait::until("the plan that is shown is the honest one again", async || {
            let status = remediation(test).await?.status.unwrap_or_default();
            let shown = status.plan.context("a plan")?;
            ensure!(shown.hash == honest, "{}", shown.hash);
            ensure!(
                shown.changes.iter().all(|change| change.path != image),
                "{:?}",
                shown.changes
            );
            ensure!(
                status.reason == "AwaitingApproval",
                "{}: {}",
                status.reason,
                status.message
            );
            ensure!(status.message.contains("was for another one"), "{}", status.message);
            Ok(())
        })
        .await?;
        nothing_starts(test, &operator).await?;
        ensure!(template(test, "web").await? == before, "it was changed");

        // The honest plan, approved, is done exactly as shown.
        let shown = remediation(test)
            .await?
            .status
            .and_then(|status| status.plan)
            .context("a plan")?;
        approve(test, &name, &honest).await?;
        until_it_stands(test, Phase::Succeeded, "Verified").await?;
        let after = json!({ "spec": { "template": template(test, "web").await? } });
        let mut expected = json!({ "spec": { "template": before } });
        for change in &shown.changes {
            let value: Value = serde_json::from_str(change.to.as_deref().context("a value")?)?;
            set(&mut expected, &change.path, value);
        }
        ensure!(after == expected, "what was shown: {expected}; what was done: {after}");
        Ok(())
    })
    .await
}

/// Whoever has the operator's account writes another plan, under another hash.
async fn forge(test: &Scenario<'_>, name: &str, hash: &str, image: &str) -> Result<()> {
    let kubectl = test.cluster.kubectl()?;
    let stored = kubectl
        .run(&["get", "hrem", name, "-n", &test.namespace, "-o", "json"])
        .await?;
    let mut stored: Value = serde_json::from_str(&stored)?;
    stored["status"]["plan"]["hash"] = json!(hash);
    stored["status"]["plan"]["changes"] =
        json!([{ "path": image, "op": "Replace", "to": "\"registry.example.com/evil:1.0\"", "control": "POD-009" }]);
    let path = format!(
        "/apis/hardening.ironside.dev/v1alpha1/namespaces/{}/hardeningremediations/{name}/status",
        test.namespace
    );
    let forge = ["--as", OPERATOR_USER, "replace", "--raw", &path, "-f", "-"];
    kubectl.run_with_input(&forge, &stored.to_string()).await.map(drop)
}

async fn approve(test: &Scenario<'_>, name: &str, hash: &str) -> Result<()> {
    let decision = json!({ "action": "Approve", "plan": &hash[..12], "by": "alice", "reason": "read it" });
    let patch = format!("--patch={}", json!({ "spec": { "decision": decision } }));
    let arguments = [
        "--as",
        "alice",
        "-n",
        &test.namespace,
        "patch",
        "hrem",
        name,
        "--type=merge",
        &patch,
    ];
    test.cluster.kubectl()?.run(&arguments).await.map(drop)
}

/// Sets a field, with the objects on the way to it.
fn set(object: &mut Value, pointer: &str, value: Value) {
    let mut at = object;
    for step in pointer.split('/').skip(1) {
        at = match step.parse::<usize>() {
            Ok(index) => &mut at[index],
            Err(_) => &mut at[step],
        };
    }
    *at = value;
}
