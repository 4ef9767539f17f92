//! `docs/metrics.md` lists every metric. `UPDATE=1 cargo test -p ironside --test metrics` rewrites it.

#![allow(clippy::unwrap_used)] // a test

use std::fmt::Write as _;
use std::path::PathBuf;

use ironside::metrics::{Happenings, definitions::DEFINITIONS};

fn render() -> String {
    let state = DEFINITIONS.iter().map(|definition| {
        let labels = definition.labels.iter().map(|label| (*label).to_owned()).collect();
        (definition.name.to_owned(), definition.help.to_owned(), labels)
    });
    let mut all: Vec<(String, String, Vec<String>)> = state.chain(Happenings::new().unwrap().describe()).collect();
    all.sort();
    let mut text = String::from(
        "# Metrics\n\n\
         Served on `/metrics` (port 8080, Service port `metrics`). Gauges are computed from memory at the scrape; a scrape starts nothing. Labels are closed\n\
         sets or names of policies and namespaces, never of other objects. A policy of a namespace is named `namespace/name`, a cluster policy `name`.\n\
         Names that end in `_seconds` and are described as a time to do something are histograms.\n\n\
         | metric | labels | meaning |\n|---|---|---|\n",
    );
    for (name, help, labels) in all {
        let labels: Vec<String> = labels.iter().map(|label| format!("`{label}`")).collect();
        writeln!(text, "| `{name}` | {} | {help} |", labels.join(", ")).unwrap();
    }
    text
}

#[test]
fn the_list_of_metrics_is_complete() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/metrics.md");
    let expected = render();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &expected).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == expected,
        "docs/metrics.md is not what the code declares: run UPDATE=1 cargo test -p ironside --test metrics"
    );
}
