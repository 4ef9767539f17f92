//! The components of the cluster: each is judged, by what can be seen of it, and is unknown where nothing can.

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use ironside_crds::ClusterHardeningPolicy;
use ironside_crds::policy::ComponentStatus;
use ironside_e2e::binaries::workspace_program;
use ironside_e2e::cluster::{Component, Options};
use ironside_e2e::install::{OPERATOR_USER, repository};
use ironside_e2e::node::ironside::Overlay;
use ironside_e2e::operator::{Operator, Start};
use ironside_e2e::scenario::{scenario_on_a_node, scenario_with};
use ironside_e2e::workloads::Workload;
use ironside_e2e::{Scenario, scenario, wait};
use kube::Api;
use serde_json::{Value, json};

/// The components that the guide names.
const COMPONENTS: [&str; 9] = [
    "KubeApiserver",
    "Etcd",
    "KubeScheduler",
    "KubeControllerManager",
    "CloudControllerManager",
    "ContainerRuntime",
    "Kubelet",
    "KubeProxy",
    "ClusterDns",
];

/// On by default since 1.36: older versions are emulated, too.
const FLAGZ: &str = "--feature-gates=ComponentFlagz=true";

/// A scan of the whole cluster, by somebody; `None` is the administrator.
async fn scan(test: &Scenario<'_>, somebody: Option<&str>, form: &str) -> Result<String> {
    let mut kubeconfig = test.cluster.kubeconfig().to_owned();
    if let Some(name) = somebody {
        kubeconfig = as_somebody(test, name)?;
    }
    let output = tokio::process::Command::new(workspace_program("ironside")?)
        .args(["scan", "--cluster", "--all", "-o", form])
        .env("KUBECONFIG", &kubeconfig)
        .output()
        .await?;
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(!output.stdout.is_empty(), "nothing was written: {told}");
    Ok(String::from_utf8(output.stdout)?)
}

fn as_somebody(test: &Scenario<'_>, name: &str) -> Result<PathBuf> {
    let written = std::fs::read_to_string(test.cluster.kubeconfig())?;
    let mut config: Value = serde_saphyr::from_str(&written).context("a kubeconfig")?;
    config["users"][0]["user"]["as"] = json!(name);
    let kubeconfig = test.folder().join(format!("{name}.kubeconfig"));
    std::fs::write(&kubeconfig, config.to_string())?;
    Ok(kubeconfig)
}

/// What a scan says of a control on the component that it belongs to: the result, and the reason why it is not known.
fn said<'s>(scan: &'s Value, control: &str) -> Result<(&'s str, &'s str)> {
    let mut results = scan["results"].as_array().context("results")?.iter();
    let of_it = results.find(|it| it["control"] == control && it["object"]["kind"] == "Component");
    let of_it = of_it.with_context(|| format!("nothing of {control} on a component"))?;
    let reason = of_it["gaps"][0]["reason"].as_str().unwrap_or_default();
    Ok((of_it["result"].as_str().unwrap_or_default(), reason))
}

async fn is_said(test: &Scenario<'_>, somebody: Option<&str>, expected: &[(&str, &str, &str)]) -> Result<Value> {
    let scan: Value = serde_json::from_str(&scan(test, somebody, "json").await?)?;
    for (control, result, reason) in expected {
        let said = said(&scan, control)?;
        ensure!(
            said == (*result, *reason),
            "{control}: {said:?}, not {result} ({reason})"
        );
    }
    Ok(scan)
}

fn row<'s>(scan: &'s Value, component: &str) -> Result<&'s Value> {
    let mut rows = scan["components"].as_array().context("components")?.iter();
    rows.find(|row| row["name"] == component)
        .with_context(|| format!("no row of {component}"))
}

/// A policy for the cluster that asks for some controls.
fn cluster_policy(name: &str, controls: &[&str]) -> Value {
    let controls: Vec<Value> = controls.iter().map(|id| json!({"id": id, "mode": "Audit"})).collect();
    json!({
        "apiVersion": "hardening.ironside.dev/v1alpha1", "kind": "ClusterHardeningPolicy", "metadata": {"name": name},
        "spec": {"profile": {"name": "None", "version": "v1"}, "controls": controls},
    })
}

/// How a component stands under a policy, once `is_it` says that it stands so.
async fn until_component(
    test: &Scenario<'_>,
    policy: &str,
    (what, component): (&str, &str),
    is_it: impl Fn(&ComponentStatus) -> bool,
) -> Result<ComponentStatus> {
    let policies: Api<ClusterHardeningPolicy> = Api::all(test.client.clone());
    // It is asked every half minute, and a status is written as often.
    wait::until_within(wait::LIMIT * 4, what, async || {
        let status = policies.get(policy).await?.status.context("no status yet")?;
        let named = |it: &&ComponentStatus| format!("{:?}", it.name) == component;
        let found = status.components.iter().find(named);
        let found = found.with_context(|| format!("no row of {component}"))?;
        ensure!(is_it(found), "{found:?}");
        Ok(*found)
    })
    .await
}

#[tokio::test]
async fn every_component_is_a_row_also_where_nothing_of_it_can_be_seen() -> Result<()> {
    scenario(async |test| {
        let scan_json = is_said(
            test,
            None,
            &[
                ("ETCD-001", "Unknown", "NotObservable"),
                ("SCHED-001", "Unknown", "NotObservable"),
                ("KCM-001", "Unknown", "NotObservable"),
                ("CCM-002", "Unknown", "NotObservable"),
                ("KUBELET-001", "Unknown", "NotAsked"),
                ("PROXY-001", "Unknown", "NotObservable"),
                ("DNS-001", "Unknown", "NotObservable"),
            ],
        )
        .await?;
        for component in COMPONENTS {
            let row = row(&scan_json, component)?;
            ensure!(row["passed"].is_u64() && row["unknown"].is_u64(), "{row}");
        }
        let scheduler = row(&scan_json, "KubeScheduler")?;
        ensure!(
            scheduler["coveragePercent"] == 0,
            "nothing of it is to be seen: {scheduler}"
        );
        let table = scan(test, None, "table").await?;
        for name in ["kube-apiserver", "etcd", "container-runtime", "cluster-dns"] {
            ensure!(
                table.lines().any(|line| line.starts_with(&format!("{name} "))),
                "{name}: {table}"
            );
        }
        ensure!(
            scan(test, None, "html").await?.contains("Components of the cluster"),
            "the page has them, too"
        );
        Ok(())
    })
    .await
}

#[tokio::test]
async fn the_api_server_is_judged_by_what_it_says_of_itself() -> Result<()> {
    let options = Options {
        nodes: 0,
        workloads: false,
        apiserver_flags: vec![FLAGZ.to_owned(), "--profiling=true".to_owned()],
        ..Options::default()
    };
    scenario_with(options, async |test| {
        let everybody = [
            ("API-002", "Pass", ""),
            ("API-005", "Pass", ""),
            ("SEC-005", "Fail", ""),
            ("ETCD-001", "Unknown", "NotObservable"),
        ];
        is_said(test, None, &everybody).await?;
        is_said(test, None, &[("API-001", "Fail", ""), ("API-008", "Fail", "")]).await?;

        // Whoever may read objects and not ask the server sees nothing of it, and is told why.
        let kubectl = test.cluster.kubectl()?;
        let role = ["create", "clusterrole", "objects", "--verb=get,list", "--resource=*.*"];
        kubectl.run(&role).await?;
        let binding = [
            "create",
            "clusterrolebinding",
            "objects",
            "--clusterrole=objects",
            "--user=olga",
        ];
        kubectl.run(&binding).await?;
        let refused = is_said(
            test,
            Some("olga"),
            &[
                ("API-002", "Unknown", "PermissionDenied"),
                ("API-005", "Unknown", "PermissionDenied"),
                // A request without credentials is everybody's.
                ("API-001", "Fail", ""),
            ],
        )
        .await?;

        let encryption = format!("--encryption-provider-config={}", encryption(test)?.display());
        let health = format!("--authentication-config={}", health_only(test)?.display());
        let flags = ["--profiling=false", &encryption, &health];
        test.cluster.restart_with(Component::ApiServer, &flags).await?;
        wait::until("the flags that were changed show", async || {
            is_said(
                test,
                None,
                &[
                    ("API-008", "Pass", ""),
                    ("API-001", "Pass", ""),
                    ("SEC-005", "Pass", ""),
                ],
            )
            .await
            .map(drop)
        })
        .await?;
        // What the provider is stands in a file; what it writes is counted.
        kubectl
            .run(&[
                "create",
                "secret",
                "generic",
                "first",
                "-n",
                &test.namespace,
                "--from-literal=a=b",
            ])
            .await?;
        let seen = is_said(test, None, &[("SEC-006", "Pass", ""), ("SEC-005", "Pass", "")]).await?;
        let coverage = |scan: &Value| row(scan, "KubeApiserver").map(|row| row["coveragePercent"].as_u64());
        ensure!(coverage(&refused)? < coverage(&seen)?, "{refused} {seen}");
        Ok(())
    })
    .await
}

/// A pod that shows other flags than the process runs with: nothing runs it, but it says so.
fn pod(flags: &[&str]) -> String {
    let mut command = vec!["kube-apiserver"];
    command.extend(flags);
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "kube-apiserver-node-1", "namespace": "kube-system"},
        "spec": {"containers": [{"name": "kube-apiserver", "image": "registry.k8s.io/kube-apiserver:v1.37.2", "command": command}]},
    })
    .to_string()
}

#[tokio::test]
async fn what_objects_show_of_components_is_evidence_beside_what_these_say() -> Result<()> {
    let options = Options {
        nodes: 1,
        apiserver_flags: vec![FLAGZ.to_owned()],
        ..Options::default()
    };
    scenario_with(options, async |test| {
        let kubectl = test.cluster.kubectl()?;
        kubectl
            .apply(&pod(&["--authorization-mode=Node,RBAC", "--profiling=true"]))
            .await?;
        is_said(test, None, &[("API-013", "Pass", ""), ("API-008", "Fail", "")]).await?;
        let gone = [
            "delete",
            "pod",
            "kube-apiserver-node-1",
            "-n",
            "kube-system",
            "--force",
            "--grace-period=0",
        ];
        kubectl.run(&gone).await?;
        kubectl
            .apply(&pod(&["--authorization-mode=Node,RBAC", "--profiling=false"]))
            .await?;
        let scan = is_said(test, None, &[("API-013", "Fail", ""), ("API-008", "Fail", "")]).await?;
        let mut results = scan["results"].as_array().context("results")?.iter();
        let drift = results.find(|it| it["control"] == "API-013").context("the finding")?;
        ensure!(drift["evidence"][0]["pointer"] == "/flagz/profiling", "{drift}");

        // What CoreDNS is given.
        is_said(test, None, &[("DNS-001", "Unknown", "NotObservable")]).await?;
        let corefile = ".:53 {\n errors\n cache\n kubernetes cluster.local {\n  pods insecure\n }\n}\n";
        let map = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "coredns", "namespace": "kube-system"},
            "data": {"Corefile": corefile},
        });
        kubectl.apply(&map.to_string()).await?;
        let scan = is_said(test, None, &[("DNS-001", "Fail", "")]).await?;
        let mut results = scan["results"].as_array().context("results")?.iter();
        let dns = results.find(|it| it["control"] == "DNS-001").context("the finding")?;
        ensure!(dns["evidence"][0]["observed"] == "pods insecure", "{dns}");
        let mended = map.to_string().replace("pods insecure", "pods verified");
        kubectl.apply(&mended).await?;
        is_said(test, None, &[("DNS-001", "Pass", "")]).await?;

        // A workload that has the socket of the runtime.
        is_said(test, None, &[("RT-002", "Unknown", "NotObservable")]).await?;
        let mut agent = Workload::named("agent").replicas(0).deployment();
        let socket = json!([{"name": "socket", "hostPath": {"path": "/run/containerd/containerd.sock"}}]);
        agent["spec"]["template"]["spec"]["volumes"] = socket;
        test.apply(&[agent]).await?;
        is_said(test, None, &[("RT-002", "Fail", "NotObservable")]).await?;
        Ok(())
    })
    .await
}

/// Lets nobody without credentials ask anything but health.
fn health_only(test: &Scenario<'_>) -> Result<PathBuf> {
    let file = test.folder().join("authentication.yaml");
    let conditions = ["/livez", "/readyz", "/healthz", "/version"].map(|path| json!({"path": path}));
    let document = json!({
        "apiVersion": "apiserver.config.k8s.io/v1", "kind": "AuthenticationConfiguration",
        "anonymous": {"enabled": true, "conditions": conditions},
    });
    std::fs::write(&file, document.to_string())?;
    Ok(file)
}

/// Encrypts Secrets.
fn encryption(test: &Scenario<'_>) -> Result<PathBuf> {
    let file = test.folder().join("encryption.yaml");
    // 32 bytes, in base64.
    let key = json!({"name": "key1", "secret": "aXJvbnNpZGUgaXJvbnNpZGUgaXJvbnNpZGUgaXJvISE="});
    let document = json!({
        "apiVersion": "apiserver.config.k8s.io/v1", "kind": "EncryptionConfiguration",
        "resources": [{"resources": ["secrets"], "providers": [{"secretbox": {"keys": [key]}}, {"identity": {}}]}],
    });
    std::fs::write(&file, document.to_string())?;
    Ok(file)
}

async fn operator(test: &Scenario<'_>) -> Result<Operator> {
    Start::new(test)
        .watch_everything()
        .flag("--ask-api-server")
        .ready()
        .await
}

#[tokio::test]
async fn the_operator_asks_the_api_server_and_says_when_it_may_not() -> Result<()> {
    let options = Options {
        nodes: 0,
        workloads: false,
        apiserver_flags: vec![FLAGZ.to_owned(), "--profiling=true".to_owned()],
        ..Options::default()
    };
    scenario_with(options, async |test| {
        test.operator_namespace().await?;
        let kubectl = test.cluster.kubectl()?;
        let role = repository().join("config/evidence/role.yaml").display().to_string();
        kubectl.run(&["apply", "-f", &role]).await?;
        test.apply(&[cluster_policy(
            "posture",
            &["API-005", "API-008", "ETCD-001", "CCM-002"],
        )])
        .await?;
        let operator = operator(test).await?;
        let seen = until_component(test, "posture", ("the flags show", "KubeApiserver"), |it| {
            it.passed == 1 && it.failed == 1
        })
        .await?;
        ensure!(
            seen.coverage_percent == Some(100) && seen.score_percent == Some(50),
            "{seen:?}"
        );
        for component in ["Etcd", "CloudControllerManager"] {
            let row = until_component(test, "posture", ("it is unknown", component), |it| it.unknown == 1).await?;
            ensure!(row.coverage_percent == Some(0) && row.passed == 0, "{row:?}");
        }
        let metrics = operator.metrics().await?;
        for (component, result) in [
            ("KubeApiserver", "Pass"),
            ("KubeApiserver", "Fail"),
            ("Etcd", "Unknown"),
        ] {
            let labels = [("dimension", "component"), ("value", component), ("result", result)];
            ensure!(metrics.sum("ironside_controls", &labels) == Some(1.0), "{labels:?}");
        }

        // One flag changed shows after the server's restart.
        test.cluster
            .restart_with(Component::ApiServer, &["--profiling=false"])
            .await?;
        until_component(test, "posture", ("the changed flag shows", "KubeApiserver"), |it| {
            it.passed == 2
        })
        .await?;

        // The right taken away: nothing is known, and coverage falls.
        kubectl
            .run(&["delete", "clusterrolebinding", "ironside-evidence"])
            .await?;
        let refused = until_component(test, "posture", ("the refusal shows", "KubeApiserver"), |it| {
            it.unknown == 2
        });
        let refused = refused.await?;
        ensure!(refused.coverage_percent == Some(0), "{refused:?}");
        let denied = [("controller", "components"), ("reason", "PermissionDenied")];
        let metrics = operator.metrics().await?;
        ensure!(
            metrics.sum("ironside_reconcile_errors_total", &denied) > Some(0.0),
            "it is a metric"
        );
        Ok(())
    })
    .await
}

#[tokio::test]
async fn an_operator_that_is_not_told_to_ask_asks_nothing() -> Result<()> {
    let options = Options {
        nodes: 0,
        workloads: false,
        ..Options::default()
    };
    scenario_with(options, async |test| {
        test.operator_namespace().await?;
        test.apply(&[cluster_policy("posture", &["API-005"])]).await?;
        let _operator = Start::new(test).watch_everything().ready().await?;
        until_component(test, "posture", ("it is unknown", "KubeApiserver"), |it| {
            it.unknown == 1
        })
        .await?;
        let entries = test.cluster.audit()?.entries()?;
        let own: Vec<&str> = entries
            .iter()
            .filter(|entry| entry.who() == OPERATOR_USER)
            .map(|entry| entry.uri.as_str())
            .collect();
        ensure!(!own.is_empty(), "its requests are in the log");
        for uri in own {
            ensure!(!uri.starts_with("/flagz") && !uri.starts_with("/metrics"), "{uri}");
        }
        Ok(())
    })
    .await
}

/// On a real node: what a kubelet runs with is asked of it directly, in the name of an account that may do nothing else; what CoreDNS is given is in its
/// ConfigMap.
#[tokio::test]
async fn kubelets_and_the_cluster_dns_are_judged_by_what_they_run_with() -> Result<()> {
    scenario_on_a_node(async |test| {
        test.cluster.install_as_pods(Overlay::Evidence).await?;
        let controls = ["KUBELET-001", "KUBELET-002", "KUBELET-003", "KUBELET-007", "DNS-001"];
        test.apply(&[cluster_policy("nodes", &controls)]).await?;
        let row = until_component(test, "nodes", ("the kubelet says what it runs with", "Kubelet"), |it| {
            it.passed == 3 && it.failed == 1
        });
        let row = row.await?;
        ensure!(row.coverage_percent == Some(100), "{row:?}");
        until_component(test, "nodes", ("the Corefile is judged", "ClusterDns"), |it| {
            it.passed == 1
        })
        .await?;
        test.cluster
            .kubectl()?
            .run(&["delete", "clusterhardeningpolicy", "nodes"])
            .await?;
        Ok(())
    })
    .await
}
