//! How fast the engine judges, on one core and without a cluster: a world of 10,000 pods behind 230 Deployments.
//!
//! A plain program; it passes or fails by no figure. It prints rows for the table of `make bench`: what, figure, goal and what stands beside it, with tabs in between.
//! Called with `pass cold|warm NUMBER` it only judges everything so often: that is what an instruction counter is put on.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench: its input is its own, its output is for people"
)]

use std::collections::BTreeSet;
use std::hint::black_box;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ironside_crds::{API_VERSION, ClusterHardeningPolicy};
use ironside_engine::evaluate::{Evaluation, Evaluator};
use ironside_engine::model::{Kind, ObjectRef};
use ironside_engine::policy::{ExceptionSet, PolicySet};
use ironside_engine::world::{Delta, Object, Snapshot, World};
use jiff::Timestamp;
use serde_json::{Value, json};

const PODS: usize = 10_000;
const DEPLOYMENTS: usize = 230;
const NAMESPACES: usize = 20;
/// Whole passes that are timed; the median counts.
const PASSES: usize = 41;
/// Passes under an instruction counter, besides the first: the difference of two runs is free of the making of the world.
const COUNTED: usize = 4;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments
        .iter()
        .map(String::as_str)
        .filter(|it| *it != "--bench")
        .collect();
    match words.as_slice() {
        ["pass", memory, number] => {
            let case = Case::make();
            let number: usize = number.parse().unwrap();
            let mut evaluator = Evaluator::default();
            for _ in 0..number {
                if *memory == "cold" {
                    evaluator = Evaluator::default();
                }
                black_box(case.judge(&mut evaluator, &case.policies));
            }
        }
        _ => table(),
    }
}

/// What is judged, by what.
struct Case {
    world: Arc<Snapshot>,
    targets: BTreeSet<ObjectRef>,
    policies: PolicySet,
    exceptions: ExceptionSet,
    now: Timestamp,
}

impl Case {
    fn make() -> Self {
        let world = world();
        Self {
            targets: world.targets().collect(),
            world,
            policies: policies(None),
            exceptions: ExceptionSet::compile(&[], &[]),
            now: "2026-11-24T12:00:00Z".parse().unwrap(),
        }
    }

    fn judge(&self, evaluator: &mut Evaluator, policies: &PolicySet) -> Vec<Evaluation> {
        evaluator.evaluate_all(&self.world, policies, &self.exceptions, &self.targets, self.now)
    }
}

fn table() {
    let began = Instant::now();
    let case = Case::make();
    let made = began.elapsed();
    let objects = case.targets.len();
    let evaluations = case.judge(&mut Evaluator::default(), &case.policies);
    let findings: usize = evaluations.iter().map(|evaluation| evaluation.findings.len()).sum();
    drop(evaluations);

    let cold = median(|| {
        black_box(case.judge(&mut Evaluator::default(), &case.policies));
    });
    let mut evaluator = Evaluator::default();
    let warm = median(|| {
        black_box(case.judge(&mut evaluator, &case.policies));
    });
    // Each edit changes a parameter of one control; compiling the policy is part of the edit.
    let mut number = 0;
    let edited = median(|| {
        number += 1;
        let policies = policies(Some(number));
        black_box(case.judge(&mut evaluator, &policies));
    });

    let of = format!("{objects} objects, {findings} findings");
    row(
        &format!("all judged again after a policy edit, {PODS} pods (engine alone): p50 of {PASSES}"),
        &millis(edited),
        "<= 50 ms",
        &format!(
            "all judged with nothing remembered {}; decoding and indexing the same objects {}",
            millis(cold),
            millis(made)
        ),
    );
    row(
        "objects judged a second, one core: template new / seen before",
        &format!("{} / {}", rate(objects, cold), rate(objects, warm)),
        "",
        &format!(
            "{of}; findings a second {} / {}",
            rate(findings, cold),
            rate(findings, warm)
        ),
    );
    row(
        "instructions to judge one object: template new / seen before",
        &format!("{} / {}", instructions("cold", objects), instructions("warm", objects)),
        "",
        &format!(
            "processor time {} / {} an object",
            micros(cold, objects),
            micros(warm, objects)
        ),
    );
}

fn row(what: &str, figure: &str, goal: &str, beside: &str) {
    println!("{what}\t{figure}\t{goal}\t{beside}");
}

fn rate(number: usize, pass: Duration) -> String {
    let number = u32::try_from(number).unwrap();
    format!("{:.0} /s", f64::from(number) / pass.as_secs_f64())
}

fn millis(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1000.0)
}

fn micros(time: Duration, objects: usize) -> String {
    format!(
        "{:.1} us",
        time.as_secs_f64() * 1e6 / f64::from(u32::try_from(objects).unwrap())
    )
}

fn median(mut pass: impl FnMut()) -> Duration {
    let mut times: Vec<Duration> = (0..PASSES)
        .map(|_| {
            let began = Instant::now();
            pass();
            began.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[PASSES / 2]
}

/// Instructions for one object, by callgrind, where valgrind is on the machine.
fn instructions(memory: &str, objects: usize) -> String {
    let (Some(one), Some(more)) = (collected(memory, 1), collected(memory, 1 + COUNTED)) else {
        return "no valgrind".to_owned();
    };
    format!("{}", (more - one) / u64::try_from(COUNTED * objects).unwrap())
}

/// Instructions of this program in a run of so many passes.
fn collected(memory: &str, passes: usize) -> Option<u64> {
    let own = std::env::current_exe().unwrap();
    let run = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(own)
        .args(["pass", memory, &passes.to_string()])
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&run.stderr).into_owned();
    let line = text.lines().find(|line| line.contains("Collected :"))?;
    line.rsplit(' ').next()?.parse().ok()
}

/// The whole profile; the number of an edit is in a parameter.
fn policies(edit: Option<usize>) -> PolicySet {
    let mut object = json!({
        "apiVersion": API_VERSION, "kind": "ClusterHardeningPolicy",
        "metadata": { "name": "bench" }, "spec": { "mode": "Audit" },
    });
    if let Some(edit) = edit {
        let parameters = json!({ "writablePaths": [format!("/bench-{edit}")] });
        object["spec"]["controls"] = json!([{ "id": "POD-012", "mode": "Audit", "parameters": parameters }]);
    }
    let policy: ClusterHardeningPolicy = serde_json::from_value(object).unwrap();
    let set = PolicySet::compile(std::slice::from_ref(&policy), &[], "ironside-system");
    assert!(
        set.policies().all(|policy| set.problems(&policy.id).is_empty()),
        "the bench's policy is in order"
    );
    set
}

fn world() -> Arc<Snapshot> {
    let mut world = World::new(37);
    let mut put = |kind, object| world.apply(Delta::Apply(Object::decode(kind, &object).unwrap()));
    for number in 0..NAMESPACES {
        put(Kind::Namespace, json!({ "metadata": { "name": namespace(number) } }));
    }
    for number in 0..DEPLOYMENTS {
        put(Kind::Deployment, deployment(number));
        put(Kind::ReplicaSet, replica_set(number));
    }
    for number in 0..PODS {
        put(Kind::Pod, pod(number));
    }
    world.drain().0
}

fn namespace(number: usize) -> String {
    format!("team-{:02}", number % NAMESPACES)
}

fn deployment(number: usize) -> Value {
    let name = format!("app-{number}");
    json!({
        "metadata": { "name": name, "namespace": namespace(number), "uid": format!("d-{number}"), "generation": 1 },
        "spec": { "replicas": 43, "selector": { "matchLabels": { "app": name } }, "template": template(number) },
    })
}

fn replica_set(number: usize) -> Value {
    let owner = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "name": format!("app-{number}"), "uid": format!("d-{number}"), "controller": true,
    });
    json!({
        "metadata": {
            "name": format!("app-{number}-1"), "namespace": namespace(number), "uid": format!("r-{number}"), "ownerReferences": [owner],
        },
        "spec": { "replicas": 43, "selector": { "matchLabels": { "app": format!("app-{number}") } }, "template": template(number) },
    })
}

fn pod(number: usize) -> Value {
    let of = number % DEPLOYMENTS;
    let owner = json!({
        "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": format!("app-{of}-1"), "uid": format!("r-{of}"), "controller": true,
    });
    let mut pod = template(of);
    pod["metadata"]["name"] = json!(format!("app-{of}-1-{number}"));
    pod["metadata"]["namespace"] = json!(namespace(of));
    pod["metadata"]["ownerReferences"] = json!([owner]);
    pod["status"] = json!({ "phase": "Running" });
    pod
}

/// Every third one is hardened in full, every third in part, and no two are equal.
fn template(number: usize) -> Value {
    let context = match number % 3 {
        0 => json!({
            "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "runAsNonRoot": true,
            "capabilities": { "drop": ["ALL"] }, "seccompProfile": { "type": "RuntimeDefault" },
        }),
        1 => json!({ "allowPrivilegeEscalation": false, "runAsNonRoot": true }),
        _ => json!({}),
    };
    let container = |name: &str| {
        json!({
            "name": name, "image": format!("registry.example.com/app-{number}:1.{number}"), "securityContext": context,
            "env": [{ "name": "MODE", "value": "production" }],
            "ports": [{ "containerPort": 8080 }],
            "resources": { "limits": { "cpu": "1", "memory": "256Mi" } },
        })
    };
    json!({
        "metadata": { "labels": { "app": format!("app-{number}") } },
        "spec": { "containers": [container("app"), container("sidecar")], "serviceAccountName": "default" },
    })
}
