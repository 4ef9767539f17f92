//! The cloud-controller-manager by what one really runs with: its flags, and what its account may do.

use anyhow::{Context as _, Result, ensure};
use ironside_e2e::Scenario;
use ironside_e2e::cloud::CloudControllerManager;
use ironside_e2e::cluster::Options;
use ironside_e2e::install::credential;
use ironside_e2e::scenario::scenario_with;
use serde_json::{Value, json};

use super::{is_said, row, scan};

const NAME: &str = "cloud-controller-manager";
const NAMESPACE: &str = "kube-system";
/// Answers with what its threads do, where profiling is on.
const PROFILING: &str = "/debug/pprof/goroutine?debug=1";

#[tokio::test]
async fn flags_and_account_of_a_cloud_controller_manager_turn_its_verdicts() -> Result<()> {
    let options = Options {
        nodes: 0,
        ..Options::default()
    };
    scenario_with(options, async |test| {
        let unknown = ["CCM-001", "CCM-002"].map(|control| (control, "Unknown", "NotObservable"));
        is_said(test, None, &unknown).await?;

        let kubectl = test.cluster.kubectl()?;
        let account = ["create", "serviceaccount", NAME, "-n", NAMESPACE];
        kubectl.run(&account).await?;
        let subject = format!("--serviceaccount={NAMESPACE}:{NAME}");
        let everything = [
            "create",
            "clusterrolebinding",
            NAME,
            "--clusterrole=cluster-admin",
            &subject,
        ];
        kubectl.run(&everything).await?;
        let file = test.folder().join("account.kubeconfig");
        credential(test.cluster, &test.client, (NAMESPACE, NAME), None, &file).await?;

        // As it comes: every address, and profiling.
        let server = CloudControllerManager::start(test.cluster, &file, test.folder(), &[]).await?;
        ensure!(server.get(PROFILING).await?.starts_with("goroutine profile"));
        show(test, &server).await?;
        is_said(test, None, &[("CCM-001", "Fail", ""), ("CCM-002", "Fail", "")]).await?;
        drop(server);

        kubectl.run(&["delete", "clusterrolebinding", NAME]).await?;
        bound(test, &subject).await?;
        let flags = ["--bind-address=127.0.0.1", "--profiling=false"];
        let server = CloudControllerManager::start(test.cluster, &file, test.folder(), &flags).await?;
        let refused = server.get(PROFILING).await.map(drop).unwrap_err();
        let not_found = matches!(refused.downcast_ref(), Some(kube::Error::Api(status)) if status.code == 404);
        ensure!(not_found, "profiling is off: {refused:#}");
        show(test, &server).await?;
        let seen = is_said(test, None, &[("CCM-001", "Pass", ""), ("CCM-002", "Pass", "")]).await?;
        let row = row(&seen, "CloudControllerManager")?;
        ensure!(row["coveragePercent"] == 100, "{row}");

        // Whoever may not look learns that nobody knows.
        let told: Value = serde_json::from_str(&scan(test, Some("nobody"), "json").await?)?;
        let result = super::said(&told, "CCM-002")?;
        ensure!(result == ("Unknown", "PermissionDenied"), "{result:?}");
        Ok(())
    })
    .await
}

/// What its controllers need and no more.
async fn bound(test: &Scenario<'_>, subject: &str) -> Result<()> {
    let role = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": NAME},
        "rules": [
            {"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "list", "watch", "patch", "update", "delete"]},
            {"apiGroups": [""], "resources": ["nodes/status", "services/status"], "verbs": ["patch", "update"]},
            {"apiGroups": [""], "resources": ["services"], "verbs": ["get", "list", "watch", "patch", "update"]},
            {"apiGroups": ["", "events.k8s.io"], "resources": ["events"], "verbs": ["create", "patch", "update"]},
        ],
    });
    let kubectl = test.cluster.kubectl()?;
    kubectl.apply(&role.to_string()).await?;
    for (kind, name, role) in [
        ("clusterrolebinding", NAME, NAME),
        ("clusterrolebinding", "cloud-asks-who-asks", "system:auth-delegator"),
    ] {
        let role = format!("--clusterrole={role}");
        kubectl.run(&["create", kind, name, &role, subject]).await?;
    }
    let reader = "--role=extension-apiserver-authentication-reader";
    let binding = ["create", "rolebinding", NAME, "-n", NAMESPACE, reader, subject];
    kubectl.run(&binding).await.map(drop)
}

/// Publishes its command line as the pod that a provider's manifest makes.
async fn show(test: &Scenario<'_>, server: &CloudControllerManager) -> Result<()> {
    let kubectl = test.cluster.kubectl()?;
    let gone = ["delete", "pod", NAME, "-n", NAMESPACE, "--ignore-not-found", "--force"];
    kubectl.run(&gone).await?;
    let program = server.command().first().context("a program")?;
    ensure!(program.ends_with(NAME), "{program}");
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": NAME, "namespace": NAMESPACE},
        // Nobody runs it.
        "spec": {"schedulerName": "nobody", "serviceAccountName": NAME, "hostNetwork": true,
            "containers": [{"name": NAME, "image": "registry.example.com/cloud:1", "command": server.command()}]},
    });
    kubectl.apply(&pod.to_string()).await.map(drop)
}
