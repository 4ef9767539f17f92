//! `crds/yaml` is what `definitions()` generates. `UPDATE=1 cargo test -p ironside-crds` rewrites it.

use std::fs;
use std::path::Path;

const HEADER: &str =
    "# Generated from the Rust types of this package; do not edit. UPDATE=1 cargo test -p ironside-crds rewrites it.\n";

#[test]
fn the_files_are_what_the_types_generate() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("yaml");
    let update = std::env::var_os("UPDATE").is_some();
    let mut expected = vec!["kustomization.yaml".to_owned()];
    for definition in ironside_crds::definitions() {
        let name = format!("{}.yaml", definition.spec.names.plural);
        let generated = format!("{HEADER}{}", serde_saphyr::to_string(&definition).unwrap());
        let path = folder.join(&name);
        if update {
            fs::write(&path, &generated).unwrap();
        }
        let stored = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            stored == generated,
            "{name} is out of date: run UPDATE=1 cargo test -p ironside-crds"
        );

        // What is written reads back as the same definition.
        let read: serde_json::Value = serde_saphyr::from_str(&stored).unwrap();
        assert_eq!(read, serde_json::to_value(&definition).unwrap(), "{name}");
        expected.push(name);
    }
    expected.sort();
    let mut stored: Vec<String> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    stored.sort();
    assert_eq!(
        stored, expected,
        "files of kinds that are gone, or kinds without a file"
    );

    let kustomization = fs::read_to_string(folder.join("kustomization.yaml")).unwrap();
    for name in expected.iter().filter(|name| *name != "kustomization.yaml") {
        assert!(
            kustomization.contains(&format!("- {name}\n")),
            "kustomization.yaml does not list {name}"
        );
    }
}

/// `kubectl apply` stores the whole object in an annotation, of which all together may have 256 KiB.
#[test]
fn definitions_fit_client_side_apply() {
    for definition in ironside_crds::definitions() {
        let size = serde_json::to_string(&definition).unwrap().len();
        assert!(size < 200 * 1024, "{}: {size} bytes", definition.spec.names.kind);
    }
}
