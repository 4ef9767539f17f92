//! What people do to a cluster is told when they do it: each detection that watches show is triggered on a real API server, counted once and told by an Event.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use ironside_crds::ClusterHardeningPolicy;
use ironside_crds::policy::Threat;
use ironside_e2e::cluster::Options;
use ironside_e2e::kubectl::Kubectl;
use ironside_e2e::operator::{Operator, Start};
use ironside_e2e::scenario::scenario_with;
use ironside_e2e::{Scenario, wait};
use k8s_openapi::ByteString;
use k8s_openapi::api::events::v1::Event;
use kube::Api;
use kube::api::ListParams;
use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};

/// What stands in the cluster before anybody does anything.
const BEFORE: &str = r#"
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {pod-security.kubernetes.io/enforce: restricted}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: closed, namespace: shop}
spec: {podSelector: {}, policyTypes: [Ingress]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: narrow, namespace: shop}
spec: {podSelector: {}, policyTypes: [Ingress], ingress: [{from: [{podSelector: {}}]}]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader, namespace: shop}
rules: [{apiGroups: [""], resources: [pods], verbs: [get]}]
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: coredns, namespace: kube-system}
data: {Corefile: ".:53 {\n  forward . 10.0.0.1\n}\n"}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: guard}
webhooks:
- name: guard.example.com
  failurePolicy: Fail
  sideEffects: None
  admissionReviewVersions: [v1]
  clientConfig: {url: "https://127.0.0.1:1/"}
  rules: [{apiGroups: [example.com], apiVersions: [v1], resources: [nothing], operations: [CREATE]}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: 0
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: app
        image: registry.example.com/web:1
        securityContext: {allowPrivilegeEscalation: false, runAsNonRoot: true}
---
apiVersion: hardening.ironside.dev/v1alpha1
kind: ClusterHardeningPolicy
metadata: {name: detect}
spec:
  profile: {name: None, version: v1}
  detections: {allowed: [{name: gitops, detections: [D-23], namespaces: [shop], managers: [argocd-*]}]}
"#;

/// What somebody does, the detection that sees it, the object that it is about, and what is said of it.
const DEEDS: [(&[&str], &str, &str, &str); 9] = [
    (
        &[
            "label",
            "namespace",
            "shop",
            "pod-security.kubernetes.io/enforce=privileged",
            "--overwrite",
        ],
        "D-17",
        "shop",
        "enforce lowered from restricted to privileged",
    ),
    (
        &["delete", "networkpolicy", "closed", "-n", "shop"],
        "D-18",
        "closed",
        "NetworkPolicy shop/closed: is gone",
    ),
    (
        &[
            "patch",
            "clusterrolebinding",
            "eve",
            "--type=merge",
            "-p",
            r#"{"subjects":[{"kind":"User","apiGroup":"rbac.authorization.k8s.io","name":"eve"}]}"#,
        ],
        "D-05",
        "eve",
        "gives ClusterRole view to User eve",
    ),
    (
        &[
            "patch",
            "validatingwebhookconfiguration",
            "guard",
            "--type=json",
            "-p",
            r#"[{"op":"replace","path":"/webhooks/0/failurePolicy","value":"Ignore"}]"#,
        ],
        "D-16",
        "guard",
        "failurePolicy changed from Fail to Ignore",
    ),
    (
        &[
            "patch",
            "configmap",
            "coredns",
            "-n",
            "kube-system",
            "--type=merge",
            "-p",
            r#"{"data":{"Corefile":".:53 {\n  forward . 203.0.113.1\n}\n"}}"#,
        ],
        "D-22",
        "coredns",
        "its Corefile says something else",
    ),
    (
        &[
            "patch",
            "service",
            "web",
            "-n",
            "shop",
            "--type=merge",
            "-p",
            r#"{"spec":{"type":"NodePort"}}"#,
        ],
        "D-23",
        "web",
        "type changed from ClusterIP to NodePort",
    ),
    (
        &[
            "patch",
            "deployment",
            "web",
            "-n",
            "shop",
            "--type=json",
            "-p",
            r#"[{"op":"add","path":"/spec/template/spec/containers/0/securityContext/privileged","value":true},
            {"op":"remove","path":"/spec/template/spec/containers/0/securityContext/allowPrivilegeEscalation"}]"#,
        ],
        "D-24",
        "web",
        "do anything, privileged (app)",
    ),
    (
        &[
            "create",
            "deployment",
            "helper",
            "-n",
            "kube-system",
            "--image=registry.example.com/helper:1",
            "--replicas=0",
        ],
        "D-14",
        "helper",
        "is new in kube-system, with ServiceAccount default",
    ),
    (
        &[
            "create",
            "configmap",
            "settings",
            "-n",
            "shop",
            "--from-literal=DB_PASSWORD=hunter2-Xy7",
            "--from-literal=LOG_LEVEL=debug",
        ],
        "D-04",
        "settings",
        "now holds what looks like a credential at /data/DB_PASSWORD (",
    ),
];

/// What no subcommand of kubectl makes: the object, the detection and what is said of it.
fn made() -> Result<[(Value, &'static str, &'static str); 2]> {
    let key = KeyPair::generate()?;
    let request = CertificateParams::default().serialize_request(&key)?.pem()?;
    let spec = json!({"signerName": "kubernetes.io/kube-apiserver-client", "request": ByteString(request.into_bytes()), "usages": ["client auth"]});
    let metadata = |name: &str| json!({ "name": name });
    Ok([
        (
            json!({"apiVersion": "v1", "kind": "Node", "metadata": metadata("stranger")}),
            "D-21",
            "joined the cluster",
        ),
        (
            json!({"apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest", "metadata": metadata("login"), "spec": spec}),
            "D-11",
            "a client certificate of kubernetes.io/kube-apiserver-client is asked for; by user admin",
        ),
    ])
}

#[tokio::test]
async fn what_people_do_to_a_cluster_is_counted_and_told() -> Result<()> {
    let options = Options {
        nodes: 0,
        workloads: false,
        ..Options::default()
    };
    scenario_with(options, async |test| {
        let kubectl = test.cluster.kubectl()?;
        test.operator_namespace().await?;
        kubectl.apply(BEFORE).await?;
        kubectl
            .run(&[
                "create",
                "clusterrolebinding",
                "eve",
                "--clusterrole=view",
                "--user=adam",
            ])
            .await?;
        let operator = Start::new(test).watch_everything().ready().await?;
        // What was there before the operator came is nobody's deed.
        ensure!(
            counted(&operator, None).await? < 0.5,
            "something was seen of what was there before"
        );

        for (command, detection, object, what) in DEEDS {
            kubectl.run(command).await.with_context(|| format!("{command:?}"))?;
            is_told(test, &operator, detection, object, what).await?;
        }
        let made = made()?;
        for (manifest, detection, what) in &made {
            let name = manifest["metadata"]["name"].as_str().unwrap_or_default();
            kubectl
                .run_with_input(&["create", "-f", "-"], &manifest.to_string())
                .await?;
            is_told(test, &operator, detection, name, what).await?;
        }
        let total = f64::from(u32::try_from(DEEDS.len() + made.len())?);
        let all = counted(&operator, None).await?;
        ensure!((all - total).abs() < 0.5, "{all} sightings of {total} deeds");

        let event = about(test, "web")
            .await?
            .context("an event about the Service or the Deployment")?;
        let note = event.note.unwrap_or_default();
        ensure!(
            note.contains("last written by kubectl"),
            "who wrote last is named: {note}"
        );
        the_way_in_is_shown(test, &operator).await?;
        allowed_is_counted_apart(&kubectl, &operator).await
    })
    .await
}

/// An exposed Service before a privileged container is a way to the node.
async fn the_way_in_is_shown(test: &Scenario<'_>, operator: &Operator) -> Result<()> {
    wait::until("the way is counted", async || {
        let labels = [("entry", "outside"), ("end", "node")];
        let ways = operator.metrics().await?.sum("ironside_attack_ways", &labels);
        ensure!(ways == Some(1.0), "{ways:?}");
        Ok(())
    })
    .await?;
    let policies: Api<ClusterHardeningPolicy> = Api::all(test.client.clone());
    let longer_than_status_waits = Duration::from_mins(1);
    wait::until_within(longer_than_status_waits, "the way is in status", async || {
        let status = policies.get("detect").await?.status.unwrap_or_default();
        let threat = status
            .threats
            .iter()
            .find(|threat| threat.name == Threat::MaliciousActor);
        let ways = threat.and_then(|threat| threat.ways.clone()).context("no ways yet")?;
        let way =
            "Service shop/web (a port of every node) -> Deployment shop/web -> its node (container app is privileged)";
        ensure!(ways.open == 1 && ways.shortest == [way], "{ways:?}");
        Ok(())
    })
    .await
}

/// Somebody whom the policy allows it opens a Service.
async fn allowed_is_counted_apart(kubectl: &Kubectl, operator: &Operator) -> Result<()> {
    let before = counted(operator, Some("D-23")).await?;
    let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"externalIPs": ["203.0.113.9"], "ports": [{"port": 80}]}});
    let arguments = [
        "apply",
        "--server-side",
        "--field-manager=argocd-controller",
        "--force-conflicts",
        "-f",
        "-",
    ];
    kubectl.run_with_input(&arguments, &service.to_string()).await?;
    wait::until("the allowed change is counted apart", async || {
        let allowed = operator
            .metrics()
            .await?
            .sum("ironside_detections_allowed_total", &[("detection", "D-23")]);
        ensure!(allowed == Some(1.0), "{allowed:?}");
        Ok(())
    })
    .await?;
    let after = counted(operator, Some("D-23")).await?;
    ensure!((after - before).abs() < 0.5, "what is allowed is not among the others");
    Ok(())
}

async fn counted(operator: &Operator, detection: Option<&str>) -> Result<f64> {
    let metrics = operator.metrics().await?;
    let one = detection.map(|id| ("detection", id));
    let labels: Vec<(&str, &str)> = one.into_iter().collect();
    metrics.sum("ironside_detections_total", &labels).context("the counter")
}

async fn is_told(test: &Scenario<'_>, operator: &Operator, detection: &str, object: &str, what: &str) -> Result<()> {
    wait::until(&format!("{detection} is counted"), async || {
        let count = counted(operator, Some(detection)).await?;
        ensure!((count - 1.0).abs() < 0.1, "{count}");
        Ok(())
    })
    .await?;
    wait::until(&format!("{detection} is told"), async || {
        let all: Api<Event> = Api::all(test.client.clone());
        let events = all
            .list(&ListParams::default().fields("reason=SuspiciousActivity"))
            .await?;
        let notes = || {
            events
                .items
                .iter()
                .map(|event| (name(event), event.note.as_deref().unwrap_or_default()))
        };
        let is_it = |(name, note): (&str, &str)| name == object && note.starts_with(detection) && note.contains(what);
        ensure!(notes().any(is_it), "{:?}", notes().collect::<Vec<_>>());
        Ok(())
    })
    .await
}

fn name(event: &Event) -> &str {
    event
        .regarding
        .as_ref()
        .and_then(|of| of.name.as_deref())
        .unwrap_or_default()
}

async fn about(test: &Scenario<'_>, object: &str) -> Result<Option<Event>> {
    let all: Api<Event> = Api::all(test.client.clone());
    let events = all
        .list(&ListParams::default().fields("reason=SuspiciousActivity"))
        .await?;
    Ok(events.items.into_iter().find(|event| name(event) == object))
}
