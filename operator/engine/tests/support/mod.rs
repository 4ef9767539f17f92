//! What the engine's integration tests share: reading manifests into a snapshot, judging what is in it, and the examples that lie beside the controls.

#![allow(dead_code, unreachable_pub)] // every test binary takes a part of it

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ironside_engine::controls::{CONTROLS, Control, Judgement, NamespaceScope, Parameters, Verdict, WorkloadScope};
use ironside_engine::model::{Kind, Namespace, Workload};
use ironside_engine::world::{Shard, Snapshot};
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

/// Puts objects into a snapshot; those that have no namespace are in `default`. Kinds that the engine does not know are left out.
pub fn snapshot(objects: &[Value], minor: u32) -> Snapshot {
    let mut shards: BTreeMap<String, Shard> = BTreeMap::new();
    for object in objects {
        insert(&mut shards, object);
    }
    Snapshot {
        shards: shards
            .into_iter()
            .map(|(name, shard)| (name.into(), Arc::new(shard)))
            .collect(),
        minor,
        ..Snapshot::default()
    }
}

fn insert(shards: &mut BTreeMap<String, Shard>, object: &Value) {
    let text = |pointer| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let Some(kind) = Kind::from_manifest(text("/apiVersion"), text("/kind")) else {
        return;
    };
    let name: Arc<str> = text("/metadata/name").into();
    let namespace = match text("/metadata/namespace") {
        _ if kind == Kind::Namespace => name.to_string(),
        "" => "default".to_owned(),
        namespace => namespace.to_owned(),
    };
    let mut object = object.clone();
    if kind.namespaced() {
        object["metadata"]["namespace"] = namespace.clone().into();
    }
    let shard = shards.entry(namespace).or_default();
    let decode = || object.clone();
    match kind {
        Kind::Namespace => {
            shard.namespace = serde_json::from_value::<Namespace>(decode()).ok().map(Arc::new);
        }
        Kind::ServiceAccount => {
            if let Ok(account) = serde_json::from_value(decode()) {
                shard.service_accounts.insert(name, Arc::new(account));
            }
        }
        Kind::NetworkPolicy => {
            if let Ok(policy) = serde_json::from_value(decode()) {
                shard.network_policies.insert(name, Arc::new(policy));
            }
        }
        kind if kind.is_workload() => {
            if kind == Kind::Pod
                && let Ok(pod) = serde_json::from_value(decode())
            {
                shard.pods.insert(Arc::clone(&name), Arc::new(pod));
            }
            let owned = object.pointer("/metadata/ownerReferences/0").is_some();
            if kind != Kind::Pod || !owned {
                let workload = Workload::decode(kind, object).unwrap_or_else(|error| panic!("{error}"));
                shard.workloads.insert((kind, name), Arc::new(workload));
            }
        }
        _ => {}
    }
}

/// Every workload and every namespace of a snapshot, judged by one control.
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
    of_workloads.chain(of_namespaces).collect()
}

/// Ids of the controls that fail on at least one object.
pub fn failing(world: &Snapshot) -> BTreeSet<&'static str> {
    CONTROLS
        .iter()
        .filter(|control| {
            judge(control, world, &Parameters::default())
                .iter()
                .any(|(_, judgement)| judgement.verdict() == Verdict::Fail)
        })
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
        objects: documents(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display())),
    }
}
