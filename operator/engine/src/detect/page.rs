//! The table of detections, as Markdown. Everything comes from the catalogue.

use std::fmt::Write as _;

use super::{Detection, Witness};

/// The table of the detections that this witness shows.
pub fn table(witness: Witness) -> String {
    let mut table = String::from(
        "| id | what happened | severity | threats | ATT&CK | triggered by |\n|---|---|---|---|---|---|\n",
    );
    for detection in Detection::ALL {
        let facts = detection.facts();
        if !facts.witnesses.contains(&witness) {
            continue;
        }
        let threats: Vec<&str> = facts.threats.iter().map(|threat| threat.as_str()).collect();
        let _ = writeln!(
            table,
            "| {} | {} | {} | {} | {} | {} |",
            facts.id,
            facts.title,
            facts.severity.as_str(),
            threats.join(", "),
            facts.technique,
            facts.trigger
        );
    }
    table
}
