//! Mutated objects against every control, the repairs, the planner and the graph of rights: nothing panics, hangs or takes memory without bound.
//!
//! Seeds are the controls' own examples and, where it is present (`IRONSIDE_CORPUS`, else `../shared/corpus` beside the repository), the corpus. A fixed small
//! number of cases runs in the tests; `IRONSIDE_FUZZ_MINUTES=60` goes on with new ones for an hour.

#![allow(clippy::print_stdout)] // how much was tried is the point

mod mutate;
#[path = "../support/mod.rs"]
mod support;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ironside_engine::controls::{CONTROLS, Parameters};
use ironside_engine::model::{Kind, ObjectRef};
use ironside_engine::plan::lint;
use ironside_engine::rbac::{Identity, Request, way_to_admin};
use ironside_engine::world::{Object, Snapshot};
use mutate::{Mutation, mutate, mutation};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};
use serde_json::Value;

/// Cases without `IRONSIDE_FUZZ_MINUTES`.
const CASES: u32 = 96;

/// Most memory that the process may have taken at any time, in MiB. The seeds alone are about 60 of them.
const MOST_MEMORY: u64 = 1024;

/// One case: two files of seeds, mixed and changed.
type Case = (Index, Index, bool, Vec<Mutation>);

#[test]
fn mutated_objects_are_judged_planned_and_asked_for_rights() {
    let seeds = seeds();
    let strategy = (any::<Index>(), any::<Index>(), any::<bool>(), vec(mutation(), 0..8));
    let minutes: u64 =
        std::env::var("IRONSIDE_FUZZ_MINUTES").map_or(0, |minutes| minutes.parse().expect("a number of minutes"));
    let config = Config {
        cases: CASES,
        failure_persistence: None,
        max_shrink_iters: 2_000,
        ..Config::default()
    };
    let end = Instant::now() + Duration::from_secs(60 * minutes);
    let mut runner = TestRunner::new_with_rng(config.clone(), TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let mut cases = 0;
    loop {
        match runner.run(&strategy, |case| one(&seeds, &case)) {
            Ok(()) => cases += CASES,
            Err(TestError::Fail(why, case)) => {
                panic!(
                    "{why}\n{}",
                    serde_json::to_string(&objects(&seeds, &case)).unwrap_or_default()
                )
            }
            Err(error) => panic!("{error}"),
        }
        if Instant::now() >= end {
            break;
        }
        runner = TestRunner::new(config.clone());
    }
    println!(
        "{cases} cases of {} files, at most {:?} MiB",
        seeds.len(),
        peak_memory()
    );
    assert!(
        peak_memory().is_none_or(|peak| peak < MOST_MEMORY),
        "{:?} MiB",
        peak_memory()
    );
}

/// The objects of each file.
fn seeds() -> Vec<Vec<Value>> {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/controls");
    let corpus = std::env::var_os("IRONSIDE_CORPUS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus"),
        PathBuf::from,
    );
    if !corpus.is_dir() {
        println!("no corpus at IRONSIDE_CORPUS or ../shared/corpus: the seeds are the controls' examples alone");
    }
    let mut folders = vec![examples, corpus];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let is_manifest = path
                .extension()
                .is_some_and(|ending| ["yaml", "yml", "json"].iter().any(|known| ending == *known));
            match (path.is_dir(), is_manifest) {
                (true, _) => folders.push(path),
                (false, true) => files.push(path),
                (false, false) => {}
            }
        }
    }
    files.sort();
    let texts = files
        .iter()
        .filter_map(|file| std::fs::read_to_string(file).ok())
        .filter(|text| text.len() < 1 << 16);
    texts
        .filter_map(|text| support::documents(&text).ok())
        .filter(|objects| !objects.is_empty())
        .collect()
}

fn objects(seeds: &[Vec<Value>], (first, second, mixed, mutations): &Case) -> Vec<Value> {
    let (first, second) = (&seeds[first.index(seeds.len())], &seeds[second.index(seeds.len())]);
    let mut objects = first.clone();
    if *mixed {
        objects.extend(second.iter().cloned());
    }
    for mutation in mutations {
        mutate(&mut objects, second, mutation);
    }
    objects
}

fn one(seeds: &[Vec<Value>], case: &Case) -> Result<(), TestCaseError> {
    let objects = objects(seeds, case);
    for minor in [0, 33] {
        let (world, _) = support::readable_snapshot(&objects, minor);
        for control in CONTROLS {
            support::judge(control, &world, &Parameters::default());
        }
        repaired(&world);
        asked(&world);
    }
    planned(&objects)
}

fn repaired(world: &Snapshot) {
    // A template that is none (the API server refuses it) is nobody's to repair: no plan gets that far.
    let templates = support::repair::workloads(world).filter(|it| it.template.json()["spec"].is_object());
    for workload in templates {
        for control in CONTROLS {
            let proposal = support::repair::propose(control, workload, world);
            if let Some(proposal) = proposal.filter(|_| has_shape(&workload.template.json())) {
                support::repair::apply(workload, &proposal.edits);
            }
        }
    }
}

/// Whether a template has mappings and lists where a repair writes. Others are judged as they were meant, and no API server stores them; in a file they are refused
/// by the editor, which the command line's own fuzz test shows.
fn has_shape(template: &Value) -> bool {
    let mapping = |value: &Value| value.is_object() || value.is_null();
    let list = |value: &Value| value.is_array() || value.is_null();
    let spec = &template["spec"];
    let containers = ["containers", "initContainers"]
        .iter()
        .flat_map(|field| spec[*field].as_array().into_iter().flatten());
    template.is_object()
        && mapping(spec)
        && ["containers", "initContainers", "volumes"]
            .iter()
            .all(|field| list(&spec[*field]))
        && containers.into_iter().all(|container| {
            let context = &container["securityContext"];
            let nested = ["capabilities", "seccompProfile"];
            container.is_object()
                && list(&container["volumeMounts"])
                && mapping(context)
                && nested.iter().all(|field| mapping(&context[*field]))
        })
}

fn planned(objects: &[Value]) -> Result<(), TestCaseError> {
    let live: Vec<_> = objects.iter().cloned().filter_map(support::plans::as_live).collect();
    let decoded = live
        .iter()
        .filter_map(|(kind, object)| Object::decode(*kind, object).ok());
    let world = Snapshot::of(decoded);
    for (at, (kind, object)) in live.iter().enumerate() {
        let target = reference(*kind, object);
        // Of several objects of one name the world has the last that can be read.
        let again = live[at + 1..]
            .iter()
            .any(|(other, later)| reference(*other, later) == target);
        let Some(workload) = world
            .workload(&target)
            .filter(|_| !again && Object::decode(*kind, object).is_ok())
        else {
            continue;
        };
        if let Some(plan) = support::plans::planned(&world, workload) {
            prop_assert_eq!(lint(&plan, &world), [""; 0]);
            if !plan.patch.is_empty() && has_shape(&workload.template.json()) {
                support::plans::check(&plan, object, &plan.target.to_string());
            }
        }
    }
    Ok(())
}

/// What names an object; a name that is absent is empty.
fn reference(kind: Kind, object: &Value) -> ObjectRef {
    let text = |pointer| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    ObjectRef::new(kind, text("/metadata/namespace"), text("/metadata/name"))
}

/// Every subject that some binding names, and one that none does.
fn asked(world: &Snapshot) {
    let graph = world.rights();
    let mut subjects: Vec<_> = graph
        .grants()
        .flat_map(ironside_engine::rbac::Grant::subjects)
        .cloned()
        .collect();
    subjects.push(ironside_engine::model::rbac::Subject::default());
    for subject in &subjects {
        way_to_admin(graph, &Identity::of(subject));
        for (verb, group, resource) in [
            ("get", "", "secrets"),
            ("create", "", "pods/exec"),
            ("*", "*", "*"),
            ("", "", ""),
        ] {
            graph.can(subject, &Request::any(verb, group, resource), None);
            graph.can(subject, &Request::any(verb, group, resource), Some("default"));
        }
    }
}

/// What the process took at most, in MiB, where the system says so.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? / 1024)
}
