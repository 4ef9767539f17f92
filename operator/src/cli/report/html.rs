//! One self-contained page: the JSON form inside, and a script that shows and filters it without any network.

use std::io::Write;

use crate::cli::case::Judged;

const PAGE: &str = include_str!("page.html");

/// Where the page expects the scan.
const SCAN: &str = "{{SCAN}}";

pub(super) fn write(judged: &Judged, out: &mut dyn Write) -> anyhow::Result<()> {
    let mut scan = Vec::new();
    super::json::write(judged, true, &mut scan)?;
    // `</script>` or `<!--` inside a string would end the element that holds the data (HTML, 4.12.1.3).
    let scan = String::from_utf8(scan)?.replace('<', "\\u003c");
    let (before, after) = PAGE.split_once(SCAN).unwrap_or((PAGE, ""));
    write!(out, "{before}{}{after}", scan.trim_end())?;
    Ok(())
}
