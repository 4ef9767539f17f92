//! What the engine's integration tests share: reading manifests into a snapshot, judging what is in it, and the examples that lie beside the controls.

#![allow(dead_code, unreachable_pub)] // every test binary takes a part of it

pub mod plans;
pub mod repair;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ironside_engine::components::{Answer, Flags, Observed};
use ironside_engine::controls::{
    CONTROLS, Control, Judgement, NamespaceScope, ObjectScope, Parameters, Verdict, WorkloadScope,
};
use ironside_engine::model::Kind;
use ironside_engine::world::{Delta, Object, Snapshot, World};
use jiff::Timestamp;
use serde_json::Value;

/// Reads every document of a YAML text; lists are taken apart.
pub fn documents(text: &str) -> Result<Vec<Value>, String> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(text).map_err(|error| error.to_string())?;
    Ok(documents.into_iter().flat_map(items).collect())
}

fn items(document: Value) -> Vec<Value> {
    let is_list = document
        .get("kind")
        .and_then(Value::as_str)
        .is_some_and(|kind| kind.ends_with("List"));
    match document.get("items").and_then(Value::as_array) {
        Some(items) if is_list => items.clone(),
        _ if document.is_null() => Vec::new(),
        _ => vec![document],
    }
}

/// What these objects make up. If an answer of `/flagz` is among them it is a whole cluster that has no others, with what its API server says of its flags;
/// else they are files. Those that name no namespace are in `default`. Kinds that the engine does not know are left out.
pub fn snapshot(objects: &[Value], minor: u32) -> Arc<Snapshot> {
    let mut world = World::new(minor);
    for object in objects {
        put(&mut world, object).unwrap_or_else(|error| panic!("{error}"));
    }
    if let Some(flags) = objects
        .iter()
        .find_map(|object| Flags::decode(object.to_string().as_bytes()))
    {
        let all: Vec<Object> = objects.iter().filter_map(|object| decode(object).ok()?).collect();
        read_whole(&mut world, &all);
        world.observe(&Arc::new(Observed {
            flags: Answer::Said(flags),
            ..Observed::default()
        }));
    }
    world.drain().0
}

/// As a watch of every kind finds these objects.
fn read_whole(world: &mut World, objects: &[Object]) {
    for kind in Kind::ALL {
        let of_kind = objects.iter().filter(|object| object.reference().kind == kind);
        world.apply(Delta::Replace {
            kind,
            namespace: None,
            objects: of_kind.cloned().collect(),
        });
    }
}

/// The same without the objects that cannot be decoded; whether there are such.
pub fn readable_snapshot(objects: &[Value], minor: u32) -> (Arc<Snapshot>, bool) {
    let mut world = World::new(minor);
    let mut refused = false;
    for object in objects {
        refused |= put(&mut world, object).is_err();
    }
    (world.drain().0, refused)
}

/// A cluster that has these objects and no others, as a watch of every kind finds it; whether some cannot be decoded.
pub fn whole_cluster(objects: &[Value], minor: u32) -> (Arc<Snapshot>, bool) {
    let mut world = World::new(minor);
    let decoded: Vec<_> = objects.iter().map(decode).collect();
    let refused = decoded.iter().any(Result::is_err);
    let readable: Vec<Object> = decoded.into_iter().flatten().flatten().collect();
    read_whole(&mut world, &readable);
    (world.drain().0, refused)
}

fn put(world: &mut World, object: &Value) -> Result<(), String> {
    if let Some(object) = decode(object)? {
        world.apply(Delta::Apply(object));
    }
    Ok(())
}

/// An object of a manifest; `None` for a kind that the engine does not know.
fn decode(object: &Value) -> Result<Option<Object>, String> {
    let text = |pointer| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let Some(kind) = Kind::from_manifest(text("/apiVersion"), text("/kind")) else {
        return Ok(None);
    };
    let mut object = object.clone();
    if object.get("metadata").is_some_and(|metadata| !metadata.is_object()) {
        return Err("metadata is not an object".to_owned());
    }
    if kind.namespaced() && text("/metadata/namespace").is_empty() {
        object["metadata"]["namespace"] = "default".into();
    }
    Object::decode(kind, &object)
        .map(Some)
        .map_err(|error| error.to_string())
}

/// The time at which examples are judged: 2026-11-24T12:00:00Z.
const NOW: Timestamp = Timestamp::constant(1_795_521_600, 0);

/// Every object of a snapshot that is judged, by one control.
pub fn judge(control: &Control, world: &Snapshot, parameters: &Parameters) -> Vec<(String, Judgement)> {
    let of_workloads = world
        .shards
        .values()
        .flat_map(|shard| shard.workloads.values())
        .map(|workload| {
            let scope = WorkloadScope {
                workload,
                world,
                parameters,
            };
            (workload.reference().to_string(), control.judge_workload(&scope))
        });
    let of_namespaces = world.shards.values().filter_map(|shard| {
        let namespace = shard.namespace.as_ref()?;
        let scope = NamespaceScope {
            namespace,
            world,
            parameters,
        };
        Some((
            format!("Namespace {}", namespace.metadata.name),
            control.judge_namespace(&scope),
        ))
    });
    let of_others = world
        .targets()
        .filter(|target| target.kind.is_judged_alone())
        .map(|target| {
            let scope = ObjectScope {
                target: &target,
                world,
                now: Some(NOW),
                parameters,
            };
            (target.to_string(), control.judge_object(&scope))
        });
    of_workloads.chain(of_namespaces).chain(of_others).collect()
}

/// Whether a control fails on at least one object.
pub fn fails(control: &Control, world: &Snapshot, parameters: &Parameters) -> bool {
    judge(control, world, parameters)
        .iter()
        .any(|(_, judgement)| judgement.verdict() == Verdict::Fail)
}

/// Ids of the controls that fail on at least one object.
pub fn failing(world: &Snapshot) -> BTreeSet<&'static str> {
    CONTROLS
        .iter()
        .filter(|control| fails(control, world, &Parameters::default()))
        .map(|control| control.id.as_str())
        .collect()
}

/// An example manifest beside a control.
pub struct Example {
    /// Where it lies.
    pub path: PathBuf,
    /// File name without `.yaml`: what it shows, in short.
    pub name: String,
    /// First line of its comment: what it shows.
    pub shows: String,
    /// Other controls that fail on it, from the comment line `also:`.
    pub also: BTreeSet<String>,
    /// Reason that holds its repair, from the comment line `held:`.
    pub held: Option<String>,
    /// Settings of its control, from comment lines `with: name=value`.
    pub parameters: Parameters,
    /// Its objects.
    pub objects: Vec<Value>,
}

/// Examples of a control: `side` is `good` or `bad`. Sorted by name.
pub fn examples(control: &Control, side: &str) -> Vec<Example> {
    let id = control.id.as_str().to_lowercase();
    let (family, _) = id.split_once('-').expect("ids are FAMILY-NUMBER");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("src/controls")
        .join(family)
        .join(id.replace('-', "_"))
        .join(side);
    let Ok(files) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = files.map(|file| file.expect("readable folder").path()).collect();
    paths.sort();
    paths.into_iter().map(|path| read_example(&path)).collect()
}

fn read_example(path: &Path) -> Example {
    let text = std::fs::read_to_string(path).expect("readable file");
    let header: Vec<&str> = text.lines().map_while(|line| line.strip_prefix("# ")).collect();
    let value = |key: &str| header.iter().find_map(|line| line.strip_prefix(key)).map(str::trim);
    Example {
        path: path.to_owned(),
        name: path.file_stem().expect("a name").to_string_lossy().into_owned(),
        shows: header.first().copied().unwrap_or_default().to_owned(),
        also: value("also:")
            .into_iter()
            .flat_map(|ids| ids.split(", "))
            .map(str::to_owned)
            .collect(),
        held: value("held:").map(str::to_owned),
        parameters: Parameters(
            header
                .iter()
                .filter_map(|line| line.strip_prefix("with: ")?.split_once('='))
                .map(|(name, value)| (name.to_owned(), vec![value.to_owned()]))
                .collect(),
        ),
        objects: documents(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display())),
    }
}
