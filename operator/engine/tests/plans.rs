//! Planning of real manifests: every workload of the controls' examples and of the corpus is planned with all controls enforced. Every plan is sound, and its
//! record takes it back exactly. The corpus is no part of the repository: `IRONSIDE_CORPUS` says where it is, else `../shared/corpus` beside the repository.

#![allow(clippy::print_stdout)] // the report is the point

mod support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ironside_engine::model::{Kind, ObjectRef};
use ironside_engine::plan::{Disposition, Plan, lint};
use ironside_engine::world::{Object, Snapshot};
use serde_json::Value;
use support::plans::{as_live, check, planned};

#[test]
fn examples_are_planned_soundly() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/controls");
    let tally = Tally::of(&root);
    tally.print("examples");
    assert!(tally.patched > 20, "{tally:?}");
}

#[test]
fn the_corpus_is_planned_soundly() {
    let Some(corpus) = corpus() else {
        println!("skipped: no corpus at IRONSIDE_CORPUS or ../shared/corpus");
        return;
    };
    let tally = Tally::of(&corpus);
    tally.print("corpus");
    assert!(tally.patched > 100, "{tally:?}");
}

fn corpus() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus");
    std::env::var_os("IRONSIDE_CORPUS").map_or_else(
        || beside.is_dir().then_some(beside.clone()),
        |path| Some(PathBuf::from(path)),
    )
}

/// What was planned, for the report.
#[derive(Debug, Default)]
struct Tally {
    files: usize,
    workloads: usize,
    planned: usize,
    patched: usize,
    ready: usize,
    not_repairable: usize,
    changes: usize,
    held: BTreeMap<&'static str, usize>,
}

impl Tally {
    fn of(root: &Path) -> Self {
        let mut tally = Self::default();
        let mut folders = vec![root.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).expect("a folder").flatten() {
                let path = entry.path();
                if path.is_dir() {
                    folders.push(path);
                } else if path
                    .extension()
                    .is_some_and(|ext| ext == "yaml" || ext == "yml" || ext == "json")
                {
                    tally.file(&path);
                }
            }
        }
        tally
    }

    fn file(&mut self, path: &Path) {
        let Ok(text) = std::fs::read_to_string(path) else {
            return;
        };
        let Ok(documents) = support::documents(&text) else {
            return;
        };
        self.files += 1;
        let objects: Vec<(Kind, Value)> = documents.into_iter().filter_map(as_live).collect();
        let decoded = objects
            .iter()
            .filter_map(|(kind, object)| Object::decode(*kind, object).ok());
        let world = Snapshot::of(decoded);
        for (kind, object) in &objects {
            let text = |pointer| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
            let target = ObjectRef::new(*kind, text("/metadata/namespace"), text("/metadata/name"));
            let last = objects
                .iter()
                .rfind(|(other, of)| other == kind && named(of) == named(object));
            let is_last = last.is_some_and(|(_, last)| std::ptr::eq(last, object));
            if let Some(workload) = world.workload(&target).filter(|_| is_last) {
                self.workloads += 1;
                if let Some(plan) = planned(&world, workload) {
                    self.plan(&plan, &world, object, path);
                }
            }
        }
    }

    fn plan(&mut self, plan: &Plan, world: &Snapshot, object: &Value, path: &Path) {
        let at = format!("{} in {}", plan.target, path.display());
        // `plan` lints what it returns where debug assertions are on.
        if cfg!(not(debug_assertions)) {
            assert_eq!(lint(plan, world), [""; 0], "{at}");
        }
        self.planned += 1;
        self.changes += plan.changes.len();
        match &plan.disposition {
            Disposition::Ready => self.ready += 1,
            Disposition::NotRepairable(_) => self.not_repairable += 1,
            Disposition::Held(held) => {
                for held in held {
                    *self.held.entry(held.reason()).or_default() += 1;
                }
            }
        }
        if plan.patch.is_empty() {
            return;
        }
        self.patched += 1;
        check(plan, object, &at);
    }

    fn print(&self, what: &str) {
        let Self {
            files,
            workloads,
            planned,
            patched,
            ready,
            not_repairable,
            changes,
            held,
        } = self;
        println!(
            "{what}: {files} files, {workloads} workloads, {planned} plans, {patched} with a patch, {changes} changes; \
             {ready} ready, {not_repairable} not repairable, held: {held:?}"
        );
    }
}

/// A file may hold several versions of one object; the world has the last.
fn named(object: &Value) -> [Option<&Value>; 2] {
    [object.pointer("/metadata/namespace"), object.pointer("/metadata/name")]
}
