//! What objects show of components.

use anyhow::{Context as _, Result, ensure};
use ironside_e2e::cluster::Options;
use ironside_e2e::scenario::scenario_with;
use ironside_e2e::workloads::Workload;
use serde_json::{Value, json};

use super::{FLAGZ, is_said, scan};

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

/// CoreDNS, of which no pod has to run.
fn cluster_dns() -> Value {
    let mut dns = Workload::named("cluster-dns").replicas(0).deployment();
    dns["metadata"]["namespace"] = json!("kube-system");
    let spec = &mut dns["spec"]["template"]["spec"];
    spec["containers"][0]["image"] = json!("registry.k8s.io/coredns/coredns:v1.12.1");
    spec["containers"][0]["command"] = json!(["/coredns"]);
    spec["containers"][0]["args"] = json!(["-conf", "/etc/coredns/Corefile"]);
    dns
}

fn dns_labels() -> Value {
    cluster_dns()["spec"]["template"]["metadata"]["labels"].clone()
}

fn dns_service(kind: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "cluster-dns", "namespace": "kube-system"},
        "spec": {"type": kind, "selector": dns_labels(), "ports": [{"port": 53, "protocol": "UDP"}]},
    })
}

/// Names for everybody, and nothing else.
fn dns_policy() -> Value {
    let ports = json!([{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]);
    json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": {"name": "cluster-dns", "namespace": "kube-system"},
        "spec": {"podSelector": {"matchLabels": dns_labels()}, "policyTypes": ["Ingress"],
            "ingress": [{"from": [{"namespaceSelector": {}}], "ports": ports}]},
    })
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

        // Who reaches CoreDNS.
        is_said(test, None, &[("DNS-003", "Unknown", "NotObservable")]).await?;
        kubectl.apply(&cluster_dns().to_string()).await?;
        kubectl.apply(&dns_service("NodePort").to_string()).await?;
        is_said(test, None, &[("DNS-003", "Fail", "")]).await?;
        kubectl.apply(&dns_policy().to_string()).await?;
        let scan = is_said(test, None, &[("DNS-003", "Fail", "")]).await?;
        let mut results = scan["results"].as_array().context("results")?.iter();
        let dns = results.find(|it| it["control"] == "DNS-003").context("the finding")?;
        ensure!(dns["evidence"].as_array().is_some_and(|all| all.len() == 1), "{dns}");
        ensure!(
            dns["evidence"][0]["pointer"] == "/objects/Service/kube-system/cluster-dns/spec/type",
            "{dns}"
        );
        kubectl.apply(&dns_service("ClusterIP").to_string()).await?;
        is_said(test, None, &[("DNS-003", "Pass", "")]).await?;

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

/// Programs that have ended, and Services that select nothing.
#[tokio::test]
async fn what_has_ended_and_what_selects_nothing_is_told_where_it_is() -> Result<()> {
    let options = Options {
        nodes: 0,
        ..Options::default()
    };
    scenario_with(options, async |test| {
        let of = |scan: &Value, kind: &str| -> Result<Value> {
            let mut results = scan["results"].as_array().context("results")?.iter();
            let found = results.find(|it| {
                it["control"] == "VER-003"
                    && it["object"]["kind"] == kind
                    && it["object"]["namespace"] == *test.namespace
            });
            Ok(found.cloned().unwrap_or_default())
        };
        let service = json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": "dashboard"},
            "spec": {"selector": {"app": "dashboard"}, "ports": [{"port": 443}]},
        });
        test.apply(&[service]).await?;
        let before: Value = serde_json::from_str(&scan(test, None, "json").await?)?;
        let alone = of(&before, "Service")?;
        ensure!(
            alone["result"] == "Fail" && alone["evidence"][0]["pointer"] == "/spec/selector",
            "{alone}"
        );
        let ended = Workload::named("dashboard").replicas(0).template(|template| {
            template["spec"]["containers"][0]["image"] = json!("docker.io/kubernetesui/dashboard:v2.7.0");
        });
        test.apply(&[ended.deployment()]).await?;
        let after: Value = serde_json::from_str(&scan(test, None, "json").await?)?;
        let found = of(&after, "Deployment")?;
        ensure!(found["result"] == "Fail", "{found}");
        let expected = found["evidence"][0]["expected"].as_str().unwrap_or_default();
        ensure!(expected.contains("Headlamp"), "{found}");
        ensure!(
            of(&after, "Service")?["result"] != "Fail",
            "it selects what is scaled to nothing: {after}"
        );
        Ok(())
    })
    .await
}
