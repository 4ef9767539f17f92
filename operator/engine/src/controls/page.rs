//! The documentation page of a control, and the list of all pages, as Markdown. Everything comes from what controls declare and from their examples.

use std::fmt::Write as _;

use super::{Control, Framework, RepairBy, Risk};

/// An example beside a control, as its page shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExampleLink {
    /// File name without its ending.
    pub name: String,
    /// What it shows: one sentence.
    pub shows: String,
    /// Link to the file, relative to the page.
    pub link: String,
}

/// The page of one control.
pub fn page(control: &Control, good: &[ExampleLink], bad: &[ExampleLink]) -> String {
    let mut page = String::new();
    let docs = &control.docs;
    heading(&mut page, control);
    section(&mut page, "Why", docs.why);
    section(&mut page, "What is read", docs.reads);
    section(&mut page, "What passes", docs.allowed);
    section(&mut page, "Repair", docs.repair);
    if !control.writes.is_empty() {
        let places: Vec<String> = control.writes.iter().map(|place| format!("`{place}`")).collect();
        line(&mut page, &format!("It writes nothing but {}.\n", places.join(", ")));
    }
    section(&mut page, "What it can break", docs.breaks);
    parameters(&mut page, control);
    frameworks(&mut page, control);
    examples(&mut page, "Examples that fail", bad);
    examples(&mut page, "Examples that pass", good);
    line(&mut page, "## Sources\n");
    for source in docs.sources {
        line(&mut page, &format!("- {source}"));
    }
    page
}

/// The table of contents of the pages.
pub fn index(controls: &[&Control]) -> String {
    let mut page = String::from(
        "# Controls\n\nGenerated from what the controls declare: `UPDATE=1 cargo test -p ironside-engine --test documentation`.\n\n\
         | id | fails when | severity | component | repair |\n|---|---|---|---|---|\n",
    );
    for control in controls {
        let (id, title) = (control.id, control.title);
        let (severity, component) = (control.severity.as_str(), control.component.as_str());
        line(
            &mut page,
            &format!(
                "| [{id}]({id}.md) | {title} | {severity} | {component} | {} |",
                repair(control)
            ),
        );
    }
    page
}

fn heading(page: &mut String, control: &Control) {
    let threats: Vec<&str> = control.threats.iter().map(|threat| threat.as_str()).collect();
    line(page, &format!("# {} {}\n", control.id, control.title));
    line(page, "| | |\n|---|---|");
    line(page, &format!("| Severity | {} |", control.severity.as_str()));
    line(page, &format!("| Component | {} |", control.component.as_str()));
    line(page, &format!("| Counters | {} |", threats.join(", ")));
    line(page, &format!("| Repair | {} |", repair(control)));
    if control.since > 0 {
        line(page, &format!("| Kubernetes | 1.{} and newer |", control.since));
    }
    let kinds: Vec<&str> = control.needs.iter().map(|need| need.kind.name()).collect();
    if !kinds.is_empty() {
        line(page, &format!("| Also reads | {} |", kinds.join(", ")));
    }
    page.push('\n');
}

fn repair(control: &Control) -> &'static str {
    match control.repair {
        None => "none",
        Some(repair) if matches!(repair.by, RepairBy::NetworkPolicies) => "generates NetworkPolicies",
        Some(repair) => match repair.risk {
            Risk::Low => "restarts pods; Low, or more where evidence says so",
            Risk::Medium => "restarts pods; Medium, or more where evidence says so",
            Risk::High => "restarts pods; High",
        },
    }
}

fn parameters(page: &mut String, control: &Control) {
    if control.parameters.is_empty() {
        return;
    }
    line(page, "## Parameters\n\n| name | default | |\n|---|---|---|");
    for parameter in control.parameters {
        let default: Vec<String> = parameter.default.iter().map(|value| format!("`{value}`")).collect();
        line(
            page,
            &format!("| `{}` | {} | {} |", parameter.name, default.join(", "), parameter.help),
        );
    }
    page.push('\n');
}

fn frameworks(page: &mut String, control: &Control) {
    line(page, "## In other catalogues\n\n| catalogue | ids |\n|---|---|");
    for mapping in control.frameworks {
        line(
            page,
            &format!("| {} | {} |", title(mapping.framework), mapping.ids.join(", ")),
        );
    }
    page.push('\n');
}

const fn title(framework: Framework) -> &'static str {
    match framework {
        Framework::NsaCisa => "NSA/CISA Kubernetes Hardening Guide 1.2",
        Framework::PssBaseline => "Pod Security Standards, baseline",
        Framework::PssRestricted => "Pod Security Standards, restricted",
        Framework::Cis => "CIS Kubernetes Benchmark 1.12",
        Framework::Kubescape => "Kubescape",
        Framework::Trivy => "Trivy",
        Framework::Mitre => "MITRE ATT&CK",
    }
}

fn examples(page: &mut String, title: &str, examples: &[ExampleLink]) {
    if examples.is_empty() {
        return;
    }
    line(page, &format!("## {title}\n"));
    for example in examples {
        line(
            page,
            &format!("- [{}]({}): {}", example.name, example.link, example.shows),
        );
    }
    page.push('\n');
}

fn section(page: &mut String, title: &str, text: &str) {
    line(page, &format!("## {title}\n\n{text}\n"));
}

fn line(page: &mut String, text: &str) {
    let _ = writeln!(page, "{text}"); // writing to a String cannot fail
}
