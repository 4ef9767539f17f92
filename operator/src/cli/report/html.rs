//! One self-contained page: the JSON form inside, the ways that `ironside threats` tells, and a script that shows and filters it without any network.

use std::io::Write;

use ironside_engine::attack::ways;
use serde_json::{Value, json};

use crate::cli::case::Judged;

const PAGE: &str = include_str!("page.html");

/// Where the page expects the scan.
const SCAN: &str = "{{SCAN}}";
/// Where the page expects the ways.
const WAYS: &str = "{{WAYS}}";

pub(super) fn write(judged: &Judged, out: &mut dyn Write) -> anyhow::Result<()> {
    let mut scan = Vec::new();
    super::json::write(judged, true, &mut scan)?;
    let ways: Vec<Value> = ways(&judged.world)
        .iter()
        .map(|way| json!({ "outside": way.entry.is_some(), "way": way.to_string() }))
        .collect();
    let (before, rest) = PAGE.split_once(SCAN).unwrap_or((PAGE, ""));
    let (between, after) = rest.split_once(WAYS).unwrap_or((rest, ""));
    write!(out, "{before}{}{between}", inside_an_element(&String::from_utf8(scan)?))?;
    write!(out, "{}{after}", inside_an_element(&serde_json::to_string(&ways)?))?;
    Ok(())
}

/// `</script>` or `<!--` inside a string would end the element that holds the data (HTML, 4.12.1.3).
fn inside_an_element(json: &str) -> String {
    json.trim_end().replace('<', "\\u003c")
}
