//! What is planned for realistic namespaces: the objects, the words, the reasons.

use serde_json::{Value, json};

use super::shop::{closed, held, shop, spec_of, with};
use super::{after, after_all, as_stored, isolate, plan, plan_with, snapshot};
use crate::controls::Risk;
use crate::network::restore::{Hold, HoldReason};
use crate::network::{Decision, Memory, Role, Settings, Start, Step, plan_namespace};
use crate::plan::{Disposition, Held};

#[test]
fn the_shop_keeps_what_it_declares() {
    let plan = plan(&shop());
    assert_eq!(plan.decision, Decision::Isolate);
    assert_eq!(plan.start, Start::WhenApproved);
    assert_eq!(plan.disposition, Disposition::Ready);
    assert_eq!(plan.risk, Risk::Medium);
    let anyone_http = json!({"ports": [{"protocol": "TCP", "port": 8080}, {"protocol": "TCP", "port": "http"}]});
    let itself = |app: &str| json!({"from": [{"podSelector": {"matchLabels": {"app": app}}}]});
    assert_eq!(
        spec_of(&plan, "ironside-allow-web-")["ingress"],
        json!([anyone_http, itself("web")])
    );
    let invoices = json!({
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "billing"}},
        "podSelector": {"matchLabels": {"app": "invoices"}},
    });
    let https = json!([{"protocol": "TCP", "port": 8443}]);
    assert_eq!(
        spec_of(&plan, "ironside-allow-api-")["ingress"],
        json!([
            {"ports": [{"protocol": "TCP", "port": 9102}]},
            {"from": [{"podSelector": {}}], "ports": https},
            itself("api"),
            {"from": [invoices], "ports": https},
        ])
    );
    assert_eq!(
        spec_of(&plan, "ironside-allow-db-")["ingress"],
        json!([{"from": [{"podSelector": {}}]}])
    );
    assert_eq!(
        *spec_of(&plan, "ironside-default-deny-ingress"),
        json!({"podSelector": {}, "policyTypes": ["Ingress"]})
    );
    let lines: Vec<String> = plan.exposures.iter().map(ToString::to_string).collect();
    assert_eq!(
        lines,
        [
            "Deployment api: stays open: TCP 9102 for everyone; TCP 8443 for pods of the namespace; all ports among its own pods; TCP 8443 for pods of billing labelled app=invoices. Everything else is cut",
            "Deployment web: stays open: TCP 8080 for everyone; all ports among its own pods. Everything else is cut",
            "StatefulSet db: stays open: all ports for pods of the namespace. Everything else is cut for addresses outside the cluster, nodes, pods of other namespaces",
        ]
    );
}

#[test]
fn generated_objects_carry_our_labels_and_nobody_elses() {
    for policy in plan(&shop()).wanted {
        assert_eq!(
            policy.object["metadata"],
            json!({
                "name": policy.name,
                "namespace": "shop",
                "labels": {
                    "app.kubernetes.io/managed-by": "ironside",
                    "hardening.ironside.dev/policy": "team",
                    "hardening.ironside.dev/control": "NET-002",
                },
            })
        );
    }
}

#[test]
fn allows_come_first_and_the_deny_last() {
    let plan = plan(&shop());
    let applied = plan.steps.iter().map(|step| match step {
        Step::Apply(policy) => policy.role,
        Step::Delete { name, .. } => panic!("nothing to delete: {name}"),
    });
    let roles: Vec<Role> = applied.collect();
    let (last, allows) = roles.split_last().unwrap();
    assert!(
        *last == Role::Deny && allows.iter().all(|role| *role == Role::Allow),
        "{roles:?}"
    );
}

#[test]
fn pods_under_two_allows_stay_open_while_both_are_applied() {
    // The second Service selects the same pods by another label: neither allow alone has all that is needed.
    let two = with(
        shop(),
        "
apiVersion: v1
kind: Service
metadata: {name: web-v1, namespace: shop}
spec: {selector: {version: v1}, ports: [{port: 9000}]}
",
    );
    let plan = plan(&two);
    let names: Vec<&str> = plan.steps.iter().map(Step::name).collect();
    assert_eq!(names.first(), Some(&"ironside-open-during-change"));
    assert_eq!(names.last(), Some(&"ironside-open-during-change"));
    assert!(matches!(plan.steps.last(), Some(Step::Delete { .. })));
    assert!(
        plan.wanted.iter().all(|policy| policy.role != Role::Opening),
        "it does not stay"
    );
}

#[test]
fn a_deleted_allow_comes_back_with_one_write() {
    let (closed, memory) = closed(&shop());
    let allow = plan(&shop()).wanted[0].clone();
    let cut: Vec<Value> = closed
        .iter()
        .filter(|object| object["metadata"]["name"] != allow.name)
        .cloned()
        .collect();
    let restore = plan_with(&cut, &isolate(), &memory);
    assert_eq!(restore.decision, Decision::Keep);
    assert_eq!(restore.start, Start::AtOnce);
    assert_eq!(restore.steps, [Step::Apply(Box::new(allow))]);
}

#[test]
fn an_altered_allow_comes_back_with_one_write() {
    let (mut closed, memory) = closed(&shop());
    let name = plan(&shop()).wanted[0].name.clone();
    let altered = closed
        .iter_mut()
        .find(|object| object["metadata"]["name"] == name)
        .unwrap();
    altered["spec"]["ingress"] = json!([{}]);
    let edit = json!({"manager": "kubectl-edit", "operation": "Update", "fieldsV1": {"f:spec": {"f:ingress": {}}}});
    altered["metadata"]["managedFields"].as_array_mut().unwrap().push(edit);
    let restore = plan_with(&closed, &isolate(), &memory);
    assert_eq!(restore.start, Start::AtOnce);
    assert_eq!(
        restore.steps.iter().map(Step::name).collect::<Vec<_>>(),
        [name.as_str()]
    );
    assert_eq!(restore.intruders, [(name, "kubectl-edit".to_owned())]);
}

#[test]
fn what_the_api_server_adds_is_no_difference() {
    let (mut closed, memory) = closed(&shop());
    for object in &mut closed {
        if object["kind"] == "NetworkPolicy" {
            object["metadata"]["labels"]["team"] = json!("added by somebody");
            object["metadata"]["annotations"] = json!({"note": "x"});
            if let Some(rules) = object["spec"]["ingress"].as_array_mut() {
                rules.reverse();
            }
        }
    }
    assert_eq!(plan_with(&closed, &isolate(), &memory).steps, []);
}

#[test]
fn a_new_service_is_opened_at_once_and_a_gone_one_closed_later() {
    let (closed, memory) = closed(&shop());
    let grown = with(
        closed.clone(),
        "
apiVersion: v1
kind: Service
metadata: {name: admin, namespace: shop}
spec: {selector: {app: web}, ports: [{port: 9000}]}
",
    );
    let wider = plan_with(&grown, &isolate(), &memory);
    assert_eq!((wider.start, wider.steps.len()), (Start::AtOnce, 1));
    let grown = after(&grown, &wider.steps[0]);
    let shrunk: Vec<Value> = grown
        .iter()
        .filter(|object| object["metadata"]["name"] != "admin")
        .cloned()
        .collect();
    let narrower = plan_with(&shrunk, &isolate(), &memory);
    assert_eq!((narrower.start, narrower.steps.len()), (Start::WhenSettled, 1));
}

#[test]
fn a_team_that_rules_a_pod_itself_gets_our_allow_out_of_the_way_at_once() {
    let (closed, memory) = closed(&shop());
    let theirs = with(
        closed,
        "
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: only-api, namespace: shop}
spec:
  podSelector: {matchLabels: {app: db}}
  ingress: [{from: [{podSelector: {matchLabels: {app: api}}}], ports: [{port: 5432}]}]
",
    );
    let plan = plan_with(&theirs, &isolate(), &memory);
    assert_eq!(plan.start, Start::AtOnce);
    let [Step::Delete { name, .. }] = plan.steps.as_slice() else {
        panic!("{:?}", plan.steps);
    };
    assert!(name.starts_with("ironside-allow-db-"));
}

#[test]
fn a_policy_that_is_gone_takes_the_deny_first() {
    let (closed, memory) = closed(&shop());
    let gone = plan_with(&closed, &Settings::default(), &memory);
    assert_eq!((gone.decision, gone.start), (Decision::Withdraw, Start::AtOnce));
    assert_eq!(
        gone.steps.first().map(Step::name),
        Some("ironside-default-deny-ingress")
    );
    assert!(
        gone.steps
            .iter()
            .all(|step| matches!(step, Step::Delete { uid, .. } if !uid.is_empty()))
    );
    assert!(!gone.memory.closed);
}

#[test]
fn a_suspended_policy_takes_nothing_away() {
    let (closed, memory) = closed(&shop());
    let suspended = Settings {
        suspended: true,
        ..Settings::default()
    };
    let plan = plan_with(&closed, &suspended, &memory);
    assert_eq!(
        (plan.decision, plan.steps, plan.memory),
        (Decision::Leave, vec![], memory)
    );
}

#[test]
fn a_preview_is_a_plan_and_no_more() {
    let preview = Settings {
        enforce: false,
        ..isolate()
    };
    let plan = plan_with(&shop(), &preview, &Memory::default());
    assert!(plan.preview && !plan.steps.is_empty());
    assert_eq!((plan.decision, plan.start), (Decision::Isolate, Start::WhenApproved));
}

#[test]
fn a_name_that_is_taken_holds() {
    let taken = with(
        shop(),
        "
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: ironside-default-deny-ingress, namespace: shop}
spec: {podSelector: {matchLabels: {app: none}}}
",
    );
    assert_eq!(held(&plan(&taken)), ["NameTaken"]);
}

#[test]
fn pods_that_an_operator_runs_are_high_risk() {
    let run = with(
        shop(),
        "
apiVersion: v1
kind: Pod
metadata:
  name: kafka-0
  namespace: shop
  labels: {app: kafka}
  ownerReferences: [{apiVersion: core.strimzi.io/v1, kind: StrimziPodSet, name: kafka, uid: k, controller: true}]
spec: {containers: [{name: c, image: i}]}
",
    );
    let plan = plan(&run);
    assert_eq!(plan.risk, Risk::High);
    assert!(
        plan.risk_reasons
            .iter()
            .any(|reason| reason.contains("StrimziPodSet kafka"))
    );
}

#[test]
fn an_object_that_could_not_be_read_holds() {
    let mut world = shop();
    world.push(json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "odd", "namespace": "shop"}, "spec": {"ports": "none"}}));
    let readable = world.pop().unwrap();
    let mut snapshot = snapshot(&world);
    let reference = crate::model::ObjectRef::new(crate::model::Kind::Service, "shop", "odd");
    assert!(crate::world::Object::decode(crate::model::Kind::Service, &readable).is_err());
    snapshot.unreadable = std::sync::Arc::new([(reference, "spec.ports is no list".to_owned())].into());
    let plan = plan_namespace(&snapshot, "shop", &isolate(), &Memory::default(), super::now()).unwrap();
    assert_eq!(held(&plan), ["Unclear"]);
}

#[test]
fn an_approval_survives_rollouts_and_dies_with_the_content() {
    let hash = |objects: &[Value]| plan(objects).hash;
    let mut rolled = shop();
    for object in &mut rolled {
        if object["kind"] == "Deployment" {
            object["spec"]["template"]["spec"]["containers"][0]["image"] = json!("image:2");
            object["spec"]["template"]["metadata"]["labels"]["version"] = json!("v2");
        }
    }
    assert_eq!(hash(&shop()), hash(&rolled));
    let mut moved = shop();
    for object in &mut moved {
        if object["kind"] == "Service" && object["metadata"]["name"] == "api" {
            object["spec"]["ports"][0]["targetPort"] = json!(9443);
        }
    }
    assert_ne!(hash(&shop()), hash(&moved));
}

#[test]
fn a_held_namespace_says_until_when() {
    let (closed, memory) = closed(&shop());
    let gone: Vec<Value> = closed
        .into_iter()
        .filter(|object| object["metadata"]["name"] != "ironside-default-deny-ingress")
        .collect();
    let plan = plan_with(&gone, &isolate(), &memory);
    let until = super::now() + jiff::SignedDuration::from_hours(24);
    let why = HoldReason::DenyDeleted;
    assert_eq!(plan.decision, Decision::Hold(Hold { until, why }));
    assert_eq!(held(&plan), ["ByHuman"]);
}

#[test]
fn labels_alone_do_not_make_a_policy_ours() {
    let mut copy = as_stored(&plan(&shop()).wanted[0].object);
    copy["metadata"]["name"] = json!("copied-by-a-person");
    copy["metadata"]["managedFields"] =
        json!([{"manager": "kubectl", "operation": "Update", "fieldsV1": {"f:spec": {}}}]);
    let mut world = shop();
    world.push(copy);
    let gone = plan_with(&world, &Settings::default(), &Memory::default());
    assert_eq!((gone.decision, gone.steps), (Decision::Leave, vec![]));
}

#[test]
fn a_half_done_isolation_that_may_not_go_on_is_taken_back() {
    let first = plan(&shop());
    let half = after_all(&shop(), &first.steps[..2]);
    let forbidden = Settings {
        held: vec![Held::Denied {
            message: "quota".to_owned(),
        }],
        ..isolate()
    };
    let back = plan_with(&half, &forbidden, &first.memory);
    assert_eq!((&back.decision, back.start), (&Decision::Withdraw, Start::AtOnce));
    assert_eq!(after_all(&half, &back.steps), shop());
}
