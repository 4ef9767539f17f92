//! The two admission policies on the real API server: who may decide on a repair, and what the operator's own account may change.

use anyhow::{Result, ensure};
use ironside_e2e::install::OPERATOR_USER;
use ironside_e2e::kubectl::Kubectl;
use ironside_e2e::workloads::{Workload, available_deployment};
use ironside_e2e::{Scenario, scenario, wait};
use serde_json::json;

/// Runs kubectl as somebody and says whether it was let through, or what it was told.
async fn as_user(kubectl: &Kubectl, user: &str, arguments: &[&str], input: &str) -> Result<(), String> {
    let mut all = vec!["--as", user];
    all.extend(arguments);
    kubectl
        .run_with_input(&all, input)
        .await
        .map(drop)
        .map_err(|error| format!("{error:#}"))
}

fn refused(outcome: Result<(), String>, what: &str, because: &str) -> Result<()> {
    match outcome {
        Ok(()) => anyhow::bail!("{what}: let through"),
        Err(told) => {
            ensure!(
                told.contains(because),
                "{what}: refused, but not because of `{because}`: {told}"
            );
            Ok(())
        }
    }
}

fn allowed(outcome: Result<(), String>, what: &str) -> Result<()> {
    outcome.map_err(|told| anyhow::anyhow!("{what}: {told}"))
}

fn remediation(namespace: &str, decision: &str) -> String {
    format!(
        "apiVersion: hardening.ironside.dev/v1alpha1\nkind: HardeningRemediation\nmetadata: {{name: deployment-web-0a1b2c3d, namespace: {namespace}}}\n\
         spec:\n  target: {{apiVersion: apps/v1, kind: Deployment, namespace: {namespace}, name: web}}\n{decision}"
    )
}

fn decision(action: &str, by: &str) -> String {
    json!({"spec": {"decision": {"action": action, "plan": "7f3a91c2d0e4", "by": by, "reason": "read it"}}}).to_string()
}

/// Gives a user a ClusterRole in one namespace.
async fn bind(kubectl: &Kubectl, namespace: &str, role: &str, user: &str) -> Result<()> {
    let name = format!("{user}-{role}");
    kubectl
        .run(&[
            "create",
            "rolebinding",
            &name,
            "-n",
            namespace,
            "--clusterrole",
            role,
            "--user",
            user,
        ])
        .await
        .map(drop)
}

#[tokio::test]
#[allow(clippy::too_many_lines)] // every attempt on one install
async fn only_approvers_decide_and_only_in_their_own_name() -> Result<()> {
    scenario(async |at: &Scenario<'_>| {
        at.operator_namespace().await?;
        let (kubectl, ns) = (at.cluster.kubectl()?, at.namespace.as_str());
        bind(&kubectl, ns, "ironside-approver", "alice").await?;
        // Carol may patch, and lacks nothing but the verb `approve`.
        kubectl
            .run(&[
                "create",
                "role",
                "patcher",
                "-n",
                ns,
                "--verb=get,list,patch,update,create",
                "--resource=hardeningremediations.hardening.ironside.dev",
            ])
            .await?;
        kubectl
            .run(&[
                "create",
                "rolebinding",
                "carol",
                "-n",
                ns,
                "--role=patcher",
                "--user=carol",
            ])
            .await?;

        let create = ["create", "-f", "-"];
        // A new admission policy takes a moment to be enforced.
        wait::until("the approval guard is enforced", async || {
            refused(
                as_user(
                    &kubectl,
                    "carol",
                    &["create", "--dry-run=server", "-f", "-"],
                    &remediation(ns, ""),
                )
                .await,
                "create by carol",
                "only the operator creates",
            )
        })
        .await?;
        refused(
            as_user(
                &kubectl,
                OPERATOR_USER,
                &create,
                &remediation(ns, "  decision: {action: Retry, by: alice}\n"),
            )
            .await,
            "a decision by the operator",
            "the operator never writes spec.decision",
        )?;
        allowed(
            as_user(&kubectl, OPERATOR_USER, &create, &remediation(ns, "")).await,
            "create by the operator",
        )?;

        let decide = async |user: &str, by: &str| {
            let patch = decision("Approve", by);
            as_user(
                &kubectl,
                user,
                &[
                    "patch",
                    "hrem",
                    "deployment-web-0a1b2c3d",
                    "-n",
                    ns,
                    "--type=merge",
                    "-p",
                    &patch,
                ],
                "",
            )
            .await
        };
        refused(decide("carol", "carol").await, "without the verb", "needs the verb")?;
        refused(
            decide("alice", "bob").await,
            "in somebody else's name",
            "must be the user who makes the decision",
        )?;
        refused(
            decide(OPERATOR_USER, OPERATOR_USER).await,
            "by the operator",
            "orbidden",
        )?;
        allowed(decide("alice", "alice").await, "alice approves")?;

        // kubectl reads before it patches a subresource, which the operator never does.
        kubectl
            .run(&[
                "create",
                "role",
                "read-status",
                "-n",
                ns,
                "--verb=get",
                "--resource=hardeningremediations.hardening.ironside.dev/status",
            ])
            .await?;
        kubectl
            .run(&[
                "create",
                "rolebinding",
                "read-status",
                "-n",
                ns,
                "--role=read-status",
                "--user",
                OPERATOR_USER,
            ])
            .await?;
        let status = r#"{"status":{"phase":"Succeeded"}}"#;
        let write = [
            "patch",
            "hrem",
            "deployment-web-0a1b2c3d",
            "-n",
            ns,
            "--subresource=status",
            "--type=merge",
            "-p",
            status,
        ];
        refused(
            kubectl.run(&write).await.map(drop).map_err(|e| format!("{e:#}")),
            "status by an administrator",
            "only the operator writes the status",
        )?;
        allowed(
            as_user(&kubectl, OPERATOR_USER, &write, "").await,
            "status by the operator",
        )
    })
    .await
}

#[tokio::test]
async fn the_fence_lets_repairs_and_their_undo_through_and_nothing_else() -> Result<()> {
    scenario(async |at: &Scenario<'_>| {
        at.operator_namespace().await?;
        let (kubectl, ns) = (at.cluster.kubectl()?, at.namespace.as_str());
        available_deployment(&at.client, ns, &Workload::named("web")).await?;
        let patch = async |operations: serde_json::Value| {
            let text = operations.to_string();
            as_user(&kubectl, OPERATOR_USER, &["patch", "deployment", "web", "-n", ns, "--type=json", "-p", &text], "").await
        };
        let template = |path: &str| format!("/spec/template/spec/{path}");
        let add = |path: &str, value: serde_json::Value| json!([{"op": "add", "path": path, "value": value}]);
        wait::until("the fence is enforced", async || {
            let text = add("/spec/replicas", json!(7)).to_string();
            let dry = ["patch", "deployment", "web", "-n", ns, "--type=json", "--dry-run=server", "-p", &text];
            refused(as_user(&kubectl, OPERATOR_USER, &dry, "").await, "replicas", "only spec.template")
        })
        .await?;

        for (what, operations, because) in [
            ("replicas", add("/spec/replicas", json!(7)), "only spec.template"),
            ("paused", add("/spec/paused", json!(true)), "only spec.template"),
            ("label", add("/metadata/labels/x", json!("y")), "only the annotation"),
            ("another annotation", add("/metadata/annotations", json!({"x": "y"})), "only the annotation"),
            ("template label", add("/spec/template/metadata/labels/x", json!("y")), "only the annotation"),
            ("image", add(&template("containers/0/image"), json!("evil.example.com/x:1")), "only securityContext and volumeMounts"),
            ("command", add(&template("containers/0/command"), json!(["sh"])), "only securityContext and volumeMounts"),
            ("env", add(&template("containers/0/env"), json!([{"name": "A", "value": "b"}])), "only securityContext and volumeMounts"),
            ("privileged", add(&template("containers/0/securityContext"), json!({"privileged": true})), "only securityContext and volumeMounts"),
            ("another container", add(&template("containers/-"), json!({"name": "x", "image": "x"})), "only securityContext and volumeMounts"),
            ("an init container", add(&template("initContainers"), json!([{"name": "x", "image": "x"}])), "of an init container"),
            ("service account", add(&template("serviceAccountName"), json!("root")), "frozen"),
            ("host network", add(&template("hostNetwork"), json!(true)), "frozen"),
            ("host process ids", add(&template("hostPID"), json!(true)), "frozen"),
            ("node name", add(&template("nodeName"), json!("n")), "frozen"),
            ("run as root", add(&template("containers/0/securityContext"), json!({"runAsUser": 0})), "may not become 0"),
            ("root's group", add(&template("containers/0/securityContext"), json!({"runAsGroup": 0})), "may not become 0"),
            ("capability", add(&template("containers/0/securityContext"), json!({"capabilities": {"add": ["SYS_ADMIN"]}})), "no capability"),
            ("hostPath", add(&template("volumes"), json!([{"name": "ironside-x", "hostPath": {"path": "/"}}])), "volumes are frozen"),
            ("foreign emptyDir", add(&template("volumes"), json!([{"name": "x", "emptyDir": {}}])), "volumes are frozen"),
        ] {
            refused(patch(operations).await, what, because)?;
        }

        let hardened = json!({
            "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "runAsNonRoot": true, "runAsUser": 1000, "runAsGroup": 1000,
            "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}, "seccompProfile": {"type": "RuntimeDefault"},
        });
        let repair = json!([
            {"op": "add", "path": "/metadata/annotations/hardening.ironside.dev~1applied", "value": "{}"},
            {"op": "add", "path": template("containers/0/securityContext"), "value": hardened},
            {"op": "add", "path": template("automountServiceAccountToken"), "value": false},
            {"op": "add", "path": template("volumes"), "value": [{"name": "ironside-tmp", "emptyDir": {}}]},
            {"op": "add", "path": template("containers/0/volumeMounts"), "value": [{"name": "ironside-tmp", "mountPath": "/tmp"}]},
        ]);
        allowed(patch(repair).await, "a repair")?;
        let undo = json!([
            {"op": "remove", "path": "/metadata/annotations/hardening.ironside.dev~1applied"},
            {"op": "remove", "path": template("containers/0/securityContext")},
            {"op": "remove", "path": template("automountServiceAccountToken")},
            {"op": "remove", "path": template("volumes")},
            {"op": "remove", "path": template("containers/0/volumeMounts")},
        ]);
        allowed(patch(undo).await, "its undo")?;

        let delete = as_user(&kubectl, OPERATOR_USER, &["delete", "deployment", "web", "-n", ns, "--dry-run=server"], "").await;
        refused(delete, "delete a Deployment", "orbidden")
    })
    .await
}

/// A field that this repository's Kubernetes types do not know yet would not be frozen: the live server's schema is the judge.
#[tokio::test]
async fn the_fence_knows_every_field_of_the_live_server() -> Result<()> {
    scenario(async |at: &Scenario<'_>| {
        let schema = at
            .cluster
            .kubectl()?
            .run(&["get", "--raw", "/openapi/v3/apis/apps/v1"])
            .await?;
        let schema: serde_json::Value = serde_json::from_str(&schema)?;
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/admission/fence/fence.yaml");
        let fence = std::fs::read_to_string(path)?;
        // What a rule of its own bounds, as operator/tests/fence.rs lists it.
        let open = [
            "automountServiceAccountToken",
            "containers",
            "initContainers",
            "volumes",
            "securityContext",
            "volumeMounts",
            "allowPrivilegeEscalation",
            "capabilities",
            "readOnlyRootFilesystem",
            "runAsGroup",
            "runAsNonRoot",
            "runAsUser",
            "seccompProfile",
        ];
        for kind in ["PodSpec", "Container", "SecurityContext"] {
            let properties = &schema["components"]["schemas"][format!("io.k8s.api.core.v1.{kind}")]["properties"];
            let properties = properties
                .as_object()
                .ok_or_else(|| anyhow::anyhow!("the server has no schema of {kind}"))?;
            ensure!(properties.len() > 8, "{kind} has hardly any fields");
            for field in properties.keys().filter(|field| !open.contains(&field.as_str())) {
                ensure!(
                    fence.contains(&format!(".?{field} ==")),
                    "{kind}.{field} is not frozen by the fence"
                );
            }
        }
        Ok(())
    })
    .await
}
