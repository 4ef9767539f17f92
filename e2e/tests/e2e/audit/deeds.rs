//! What people do in the tests of what is told: eve may do everything, backup may read Secrets, tom may do nothing.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use ironside_e2e::Scenario;
use ironside_e2e::install::credential;
use ironside_e2e::kubectl::Kubectl;
use serde_json::{Value, json};

use super::sink::until;

/// An account of the test's namespace with these rights everywhere, and its kubeconfig.
async fn account(test: &Scenario<'_>, name: &str, rules: Value) -> Result<Kubectl> {
    let rules = rules.as_array().context("rules")?.clone();
    test.apply(&[
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}}),
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": name}, "rules": rules}),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": test.namespace}],
        }),
    ])
    .await?;
    let kubeconfig: PathBuf = test.folder().join(format!("{name}.kubeconfig"));
    credential(test.cluster, &test.client, (&test.namespace, name), None, &kubeconfig).await?;
    Ok(test.cluster.kubectl()?.with_kubeconfig(&kubeconfig))
}

/// Everything of which something is told, and what the cluster does of itself for it.
pub(super) async fn what_people_do(test: &Scenario<'_>) -> Result<()> {
    let admin = test.cluster.kubectl()?;
    let namespace = test.namespace.as_str();
    let everything = json!([{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]);
    let eve = account(test, "eve", everything).await?;
    let backup = account(
        test,
        "backup",
        json!([{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "list"]}]),
    )
    .await?;
    let tom = account(test, "tom", json!([])).await?;
    what_eve_does(test, &eve, &backup).await?;
    what_the_cluster_does(&admin).await?;
    let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "decoy"}});
    admin.apply(&node.to_string()).await?;
    // There is no kubelet: what counts is that eve may reach one.
    let _ = eve.run(&["get", "--raw", "/api/v1/nodes/decoy/proxy/pods"]).await;
    for _ in 0..25 {
        let refused = tom.run(&["-n", namespace, "get", "--raw", "/api/v1/secrets"]).await;
        refused.err().context("tom may not")?;
    }
    let open = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "open"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "system:discovery"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "system:anonymous"}],
    });
    admin.apply(&open.to_string()).await?;
    let (server, _) = test.cluster.server().await?;
    until("somebody without credentials is served", async || {
        let mut config = kube::Config::new(server.parse()?);
        config.accept_invalid_certs = true;
        let client = kube::Client::try_from(config)?;
        client
            .request_text(http::Request::get("/apis").body(Vec::new())?)
            .await?;
        Ok(())
    })
    .await
}

async fn what_eve_does(test: &Scenario<'_>, eve: &Kubectl, backup: &Kubectl) -> Result<()> {
    let namespace = test.namespace.as_str();
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "namespace": namespace},
        "spec": {"containers": [{"name": "web", "image": "registry.example/web:1"}]},
    });
    let run = async |who: &Kubectl, arguments: &[&str]| {
        let arguments = [&["-n", namespace], arguments].concat();
        who.run(&arguments).await
    };
    run(eve, &["create", "secret", "generic", "db", "--from-literal=a=b"]).await?;
    run(eve, &["get", "secret", "db", "-o", "name"]).await?;
    run(eve, &["get", "secrets", "-A", "-o", "name"]).await?;
    run(backup, &["get", "secret", "db", "-o", "name"]).await?;
    run(eve, &["delete", "secret", "db"]).await?;
    eve.run_with_input(&["create", "-f", "-"], &pod.to_string()).await?;
    let debug = json!([{"op": "add", "path": "/spec/ephemeralContainers", "value": [{"name": "debug", "image": "registry.example/debug:1"}]}]);
    run(
        eve,
        &[
            "patch",
            "pod",
            "web",
            "--subresource=ephemeralcontainers",
            "--type=json",
            "-p",
            &debug.to_string(),
        ],
    )
    .await?;
    run(eve, &["auth", "can-i", "--list"]).await?;
    run(eve, &["--as=olga", "--as-group=ops", "get", "pods"])
        .await
        .err()
        .context("olga may not")?;
    run(
        eve,
        &[
            "--as=system:serviceaccount:kube-system:namespace-controller",
            "get",
            "namespaces",
        ],
    )
    .await?;
    run(eve, &["create", "token", "backup"]).await?;
    let endless = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/service-account-token",
        "metadata": {"name": "endless", "namespace": namespace, "annotations": {"kubernetes.io/service-account.name": "backup"}},
    });
    eve.run_with_input(&["create", "-f", "-"], &endless.to_string()).await?;
    run(eve, &["delete", "events", "--all"]).await?;
    Ok(())
}

/// Its own controllers do that for an administrator, which is nobody's deed but hers.
async fn what_the_cluster_does(admin: &Kubectl) -> Result<()> {
    admin.run(&["create", "namespace", "gone"]).await?;
    admin
        .run(&["-n", "gone", "create", "secret", "generic", "db", "--from-literal=a=b"])
        .await?;
    admin
        .run(&[
            "-n",
            "gone",
            "create",
            "deployment",
            "web",
            "--image=registry.example/web:1",
            "--replicas=2",
        ])
        .await?;
    admin
        .run(&["-n", "gone", "rollout", "status", "deployment/web", "--timeout=60s"])
        .await?;
    admin.run(&["delete", "namespace", "gone", "--timeout=60s"]).await?;
    Ok(())
}
