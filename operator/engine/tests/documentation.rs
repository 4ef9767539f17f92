//! `docs/controls/` and the tables of `docs/detections.md` and `docs/components.md` are generated. `UPDATE=1` rewrites them; without it this fails where a page is not what the code declares.

mod support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ironside_engine::components::channel;
use ironside_engine::controls::page::{self as control_page, ExampleLink, index};
use ironside_engine::controls::{CONTROLS, Control};
use ironside_engine::detect::{Witness, page};

#[test]
fn pages_are_what_the_controls_declare() {
    let folder = repository().join("docs/controls");
    let mut expected: BTreeMap<PathBuf, String> = CONTROLS
        .iter()
        .map(|control| {
            let text = control_page::page(control, &links(control, "good"), &links(control, "bad"));
            (folder.join(format!("{}.md", control.id)), text)
        })
        .collect();
    expected.insert(folder.join("README.md"), index(CONTROLS));

    if std::env::var_os("UPDATE").is_some() {
        update(&folder, &expected);
    }
    let found: Vec<PathBuf> = files(&folder);
    assert_eq!(found, expected.keys().cloned().collect::<Vec<_>>(), "run with UPDATE=1");
    for (path, text) in expected {
        let found = std::fs::read_to_string(&path).expect("it was listed");
        assert!(found == text, "{} is out of date: run with UPDATE=1", path.display());
        for link in found.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            assert!(folder.join(link).is_file(), "{}: {link} leads nowhere", path.display());
        }
    }
}

#[test]
fn the_tables_of_detections_are_what_the_catalogue_declares() {
    let tables = [Witness::Watch, Witness::AuditLog].map(|witness| (witness.as_str(), page::table(witness)));
    expect_tables("docs/detections.md", &tables);
}

#[test]
fn the_table_of_distributions_is_what_the_code_knows() {
    expect_tables("docs/components.md", &[("distributions", channel::table())]);
}

/// Expects that tables stand between their marks in a page.
fn expect_tables(page: &str, tables: &[(&str, String)]) {
    let path = repository().join(page);
    let found = std::fs::read_to_string(&path).expect("the page");
    let mut expected = found.clone();
    for (name, table) in tables {
        let (begin, end) = (format!("<!-- table: {name} -->\n"), "<!-- end -->");
        let start = expected.find(&begin).expect("the mark of the table") + begin.len();
        let length = expected[start..].find(end).expect("the end of the table");
        expected.replace_range(start..start + length, table);
    }
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &expected).expect("writable");
    }
    let found = std::fs::read_to_string(&path).expect("the page");
    assert!(
        found == expected,
        "{} is out of date: run with UPDATE=1",
        path.display()
    );
}

fn update(folder: &Path, expected: &BTreeMap<PathBuf, String>) {
    std::fs::create_dir_all(folder).expect("a folder");
    for stale in files(folder).iter().filter(|path| !expected.contains_key(*path)) {
        std::fs::remove_file(stale).expect("removable");
    }
    for (path, text) in expected {
        std::fs::write(path, text).expect("writable");
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(files) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut files: Vec<PathBuf> = files.map(|file| file.expect("readable").path()).collect();
    files.sort();
    files
}

fn links(control: &Control, side: &str) -> Vec<ExampleLink> {
    support::examples(control, side)
        .into_iter()
        .map(|example| ExampleLink {
            link: format!(
                "../../{}",
                example.path.strip_prefix(repository()).expect("inside").display()
            ),
            name: example.name,
            shows: example.shows,
        })
        .collect()
}

fn repository() -> PathBuf {
    let engine = Path::new(env!("CARGO_MANIFEST_DIR"));
    engine
        .ancestors()
        .nth(2)
        .expect("operator/engine lies two below the root")
        .to_owned()
}
