//! Stories of harm that concern network policies, each on the pure engine.

use serde_json::{Value, json};

use super::naive::{Blocks, End, allows};
use super::{after_all, isolate, objects, plan, plan_with};
use crate::controls::net::net_002;
use crate::controls::{Judgement, NamespaceScope, Parameters, Verdict};
use crate::network::{Decision, Memory, NetworkPlan, Step};
use crate::plan::{Disposition, Held};

const NAMESPACE: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: shop, uid: u1}
";

fn world(yaml: &str) -> Vec<Value> {
    objects(&format!("{NAMESPACE}---{yaml}"))
}

/// A bare pod with a label `app` and one declared port.
fn pod(app: &str, port: u16) -> String {
    format!(
        "
apiVersion: v1
kind: Pod
metadata: {{name: {app}, namespace: shop, labels: {{app: {app}}}}}
spec: {{containers: [{{name: c, image: i, ports: [{{containerPort: {port}}}]}}]}}
---"
    )
}

fn end(app: &str) -> End {
    End::Pod {
        namespace: "shop".to_owned(),
        namespace_labels: json!({"kubernetes.io/metadata.name": "shop"}),
        labels: json!({"app": app}),
        ports: Vec::new(),
        host_network: false,
    }
}

fn elsewhere() -> End {
    End::Pod {
        namespace: "other".to_owned(),
        namespace_labels: json!({"kubernetes.io/metadata.name": "other"}),
        labels: json!({}),
        ports: Vec::new(),
        host_network: false,
    }
}

/// Sources that no policy can name by labels, and one that every namespaceSelector can.
fn everyone() -> [End; 4] {
    [elsewhere(), End::Node, End::V4([203, 0, 113, 9]), End::V6]
}

fn isolated(world: &[Value]) -> Vec<Value> {
    let plan = plan(world);
    assert_eq!(plan.disposition, Disposition::Ready);
    policies(&after_all(world, &plan.steps))
}

fn policies(world: &[Value]) -> Vec<Value> {
    world
        .iter()
        .filter(|object| object["kind"] == "NetworkPolicy")
        .cloned()
        .collect()
}

/// Whether a TCP port is let in, whatever address blocks mean on the network.
fn reaches(policies: &[Value], from: &End, to: &str, port: u16) -> bool {
    [Blocks::OutsideOnly, Blocks::Everything]
        .into_iter()
        .all(|blocks| allows(policies, true, from, &end(to), ("TCP", port), blocks))
}

fn held(plan: &NetworkPlan) -> Vec<&'static str> {
    match &plan.disposition {
        Disposition::Held(held) => held.iter().map(Held::reason).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn story_38_a_restricted_pod_gains_nothing_from_our_allows() {
    let world = world(&format!(
        "{}{}
apiVersion: v1
kind: Service
metadata: {{name: db, namespace: shop}}
spec: {{type: NodePort, selector: {{app: db}}, ports: [{{port: 5432}}]}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {{name: db-only-from-api, namespace: shop}}
spec: {{podSelector: {{matchLabels: {{app: db}}}}, ingress: [{{from: [{{podSelector: {{matchLabels: {{app: api}}}}}}]}}]}}
",
        pod("db", 5432),
        pod("api", 80)
    ));
    let after = isolated(&world);
    assert!(reaches(&after, &end("api"), "db", 5432), "as the team says");
    for source in [end("db"), elsewhere(), End::Node, End::V4([203, 0, 113, 9])] {
        assert!(!reaches(&after, &source, "db", 5432), "{source:?}");
    }
}

#[test]
fn story_38_labels_that_cannot_tell_pods_apart_hold() {
    // The Deployment's selector is all that lasts, and it selects the pod that the team restricts as well.
    let world = world(
        "
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: i}]}
---
apiVersion: v1
kind: Pod
metadata: {name: canary, namespace: shop, labels: {app: web, track: canary}}
spec: {containers: [{name: c, image: i}]}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: canary-closed, namespace: shop}
spec: {podSelector: {matchLabels: {track: canary}}, policyTypes: [Ingress]}
",
    );
    assert_eq!(held(&plan(&world)), ["WouldOpen"]);
}

#[test]
fn story_39_no_generated_policy_speaks_of_addresses() {
    let world = world(&format!(
        "{}
apiVersion: v1
kind: Service
metadata: {{name: web, namespace: shop}}
spec: {{type: LoadBalancer, selector: {{app: web}}, ports: [{{port: 80}}]}}
",
        pod("web", 80)
    ));
    for policy in plan(&world).wanted {
        assert!(!policy.object.to_string().contains("ipBlock"), "{}", policy.object);
    }
}

#[test]
fn story_40_and_44_exposed_services_stay_open_to_both_families_pods_and_nodes() {
    for exposed in ["type: NodePort", "type: LoadBalancer", "externalIPs: [198.51.100.7]"] {
        let world = world(&format!(
            "{}{}
apiVersion: v1
kind: Service
metadata: {{name: web, namespace: shop}}
spec: {{{exposed}, selector: {{app: web}}, ports: [{{port: 80, targetPort: 8080}}]}}
",
            pod("web", 8080),
            pod("other", 8080)
        ));
        let after = isolated(&world);
        for source in everyone() {
            assert!(reaches(&after, &source, "web", 8080), "{exposed}: {source:?}");
            assert!(
                !reaches(&after, &source, "web", 80),
                "the Service's own port is not the pod's"
            );
            assert!(!reaches(&after, &source, "other", 8080), "{source:?}");
        }
    }
}

#[test]
fn story_43_namespaces_that_the_api_server_calls_are_never_automatic() {
    let callers = [
        json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration", "metadata": {"name": "guard"},
            "webhooks": [{"name": "a", "clientConfig": {"service": {"namespace": "shop", "name": "web"}}}],
        }),
        json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration", "metadata": {"name": "inject"},
            "webhooks": [{"name": "a", "clientConfig": {"service": {"namespace": "shop", "name": "web"}}}],
        }),
        json!({
            "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": {"name": "v1.things"},
            "spec": {"service": {"namespace": "shop", "name": "web"}},
        }),
        json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "things.example"},
            "spec": {"conversion": {"webhook": {"clientConfig": {"service": {"namespace": "shop", "name": "web"}}}}},
        }),
    ];
    let quiet = world(&format!(
        "{}
apiVersion: v1
kind: Service
metadata: {{name: web, namespace: shop}}
spec: {{selector: {{app: web}}, ports: [{{port: 443, targetPort: 9443}}]}}
",
        pod("web", 9443)
    ));
    for caller in callers {
        let mut called = quiet.clone();
        called.push(caller.clone());
        let plan_of_called = plan(&called);
        assert_eq!(held(&plan_of_called), ["CalledByApiServer"], "{caller}");
        // One that was isolated before somebody put a webhook there is opened for the API server at once.
        let first = plan(&quiet);
        let mut closed = after_all(&quiet, &first.steps);
        let memory = plan_with(&closed, &isolate(), &first.memory).memory;
        closed.push(caller);
        let opened = plan_with(&closed, &isolate(), &memory);
        assert_eq!(opened.decision, Decision::Keep);
        let after = policies(&after_all(&closed, &opened.steps));
        for source in everyone() {
            assert!(reaches(&after, &source, "web", 9443), "{source:?}");
        }
    }
}

#[test]
fn story_45_pods_of_one_workload_reach_each_other_on_any_port() {
    let world = world(
        "
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: queue, namespace: shop}
spec:
  selector: {matchLabels: {app: queue}}
  template:
    metadata: {labels: {app: queue}}
    spec: {containers: [{name: c, image: i}]}
",
    );
    let after = isolated(&world);
    assert!(reaches(&after, &end("queue"), "queue", 4369));
    assert!(!reaches(&after, &end("web"), "queue", 4369));
}

#[test]
fn story_45_headless_services_limit_no_port() {
    let world = world(&format!(
        "{}
apiVersion: v1
kind: Service
metadata: {{name: db, namespace: shop}}
spec: {{clusterIP: None, selector: {{app: db}}, ports: [{{port: 5432}}]}}
",
        pod("db", 5432)
    ));
    let after = isolated(&world);
    assert!(reaches(&after, &end("web"), "db", 5433));
    assert!(!reaches(&after, &elsewhere(), "db", 5432));
}

#[test]
fn story_45_scraping_goes_on() {
    let scraped = [
        (
            "metadata: {name: web, namespace: shop, labels: {app: web}, annotations: {prometheus.io/scrape: 'true', prometheus.io/port: '9102'}}",
            "{}",
            9102,
        ),
        (
            "metadata: {name: web, namespace: shop, labels: {app: web}, annotations: {prometheus.io/scrape: 'true'}}",
            "{containerPort: 8080}",
            8080,
        ),
        (
            "metadata: {name: web, namespace: shop, labels: {app: web}}",
            "{name: http-metrics, containerPort: 9090}",
            9090,
        ),
    ];
    for (metadata, port, number) in scraped {
        let ports = if port == "{}" {
            String::new()
        } else {
            format!(", ports: [{port}]")
        };
        let pod =
            format!("\napiVersion: v1\nkind: Pod\n{metadata}\nspec: {{containers: [{{name: c, image: i{ports}}}]}}\n");
        let after = isolated(&world(&pod));
        for source in everyone() {
            assert!(reaches(&after, &source, "web", number), "{metadata}: {source:?}");
        }
        assert!(!reaches(&after, &elsewhere(), "web", 1), "{metadata}");
    }
}

#[test]
fn story_45_acme_solvers_are_reached_beside_an_ingress() {
    let ingress = "
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web, namespace: shop}
spec: {rules: []}
";
    let after = isolated(&world(ingress));
    let solver = End::Pod {
        namespace: "shop".to_owned(),
        namespace_labels: json!({}),
        labels: json!({"acme.cert-manager.io/http01-solver": "true", "acme.cert-manager.io/http-domain": "1"}),
        ports: Vec::new(),
        host_network: false,
    };
    for source in everyone() {
        assert!(
            allows(&after, true, &source, &solver, ("TCP", 8089), Blocks::OutsideOnly),
            "{source:?}"
        );
    }
}

#[test]
fn story_46_pods_on_the_nodes_network_are_shown_as_uncovered() {
    let world = world(&format!(
        "{}
apiVersion: v1
kind: Pod
metadata: {{name: agent, namespace: shop, labels: {{app: agent}}}}
spec: {{hostNetwork: true, containers: [{{name: c, image: i}}]}}
---
apiVersion: v1
kind: Service
metadata: {{name: web, namespace: shop}}
spec: {{selector: {{app: web}}, ports: [{{port: 80}}]}}
",
        pod("web", 80)
    ));
    let plan = plan(&world);
    assert_eq!(
        plan.uncovered.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["Pod shop/agent"]
    );
    assert!(
        plan.risk_reasons
            .iter()
            .any(|reason| reason.contains("enforces NetworkPolicies is not known"))
    );
    // The agent is a pod of the namespace, and its traffic comes from the node.
    let after = after_all(&world, &plan.steps);
    assert!(reaches(&policies(&after), &End::Node, "web", 80));
    let judgement = judge(&after);
    assert_eq!(judgement.verdict(), Verdict::Unknown);
    assert_eq!(judgement.gaps()[0].reason, "HostNetworkPods");
}

fn judge(world: &[Value]) -> Judgement {
    let world = super::snapshot(world);
    let parameters = Parameters::default();
    net_002::CONTROL.judge_namespace(&NamespaceScope {
        namespace: world.namespace("shop").unwrap(),
        world: &world,
        parameters: &parameters,
    })
}

#[test]
fn story_47_a_deny_that_a_human_deletes_takes_our_allows_with_it() {
    let world = world(&format!(
        "{}
apiVersion: v1
kind: Service
metadata: {{name: web, namespace: shop}}
spec: {{selector: {{app: web}}, ports: [{{port: 80}}]}}
",
        pod("web", 80)
    ));
    let first = plan(&world);
    let closed = after_all(&world, &first.steps);
    let memory = plan_with(&closed, &isolate(), &first.memory).memory;
    let incident: Vec<Value> = closed
        .into_iter()
        .filter(|object| object["metadata"]["name"] != "ironside-default-deny-ingress")
        .collect();
    let answer = plan_with(&incident, &isolate(), &memory);
    assert!(matches!(answer.decision, Decision::Hold(_)));
    assert!(
        answer.steps.iter().all(|step| matches!(step, Step::Delete { .. })),
        "nothing is put back"
    );
    // An allow isolates the pods it selects: only without it the network is open.
    let open = after_all(&incident, &answer.steps);
    assert!(reaches(&policies(&open), &elsewhere(), "web", 22));
    let rest = plan_with(&open, &isolate(), &answer.memory);
    assert_eq!((rest.steps, rest.memory), (vec![], answer.memory));
}

#[test]
fn story_47_namespaces_on_their_way_out_are_left_alone() {
    let mut world = world(&pod("web", 80));
    let first = plan(&world);
    world = after_all(&world, &first.steps[..1]);
    world[0]["metadata"]["deletionTimestamp"] = json!("2026-03-01T11:00:00Z");
    let memory = Memory {
        closed: true,
        ..Memory::default()
    };
    let going = plan_with(&world, &isolate(), &memory);
    assert_eq!((going.decision, going.steps), (Decision::Leave, vec![]));
    assert_eq!(judge(&world).verdict(), Verdict::NotApplicable);
}
