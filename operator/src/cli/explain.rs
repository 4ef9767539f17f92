//! `ironside explain` and `ironside controls`: the catalogue, from what the controls declare about themselves.

use std::io::Write;

use anyhow::bail;
use clap::Args;
use ironside_engine::controls::{CONTROLS, Component, Control, Framework, Threat, find};

use super::Outcome;
use super::style::Style;

#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    /// Id of the control, such as POD-009.
    id: String,
}

#[derive(Debug, Args)]
pub(super) struct ControlsArgs {
    /// Only controls of this framework: NsaCisa, PssBaseline, PssRestricted, Cis, Kubescape, Trivy, Mitre.
    #[arg(long)]
    framework: Option<String>,
    /// Only controls of this component, such as Workloads.
    #[arg(long)]
    component: Option<String>,
    /// Only controls that counter this threat: SupplyChain, MaliciousActor, InsiderThreat.
    #[arg(long)]
    threat: Option<String>,
}

impl ExplainArgs {
    pub(super) fn run(self, out: &mut dyn Write) -> anyhow::Result<Outcome> {
        let id = self.id.to_uppercase();
        let Some(control) = find(&id) else {
            bail!("there is no control {}; `ironside controls` lists them", self.id);
        };
        write_page(control, Style::of_stdout(), out)?;
        Ok(Outcome::Clean)
    }
}

impl ControlsArgs {
    pub(super) fn run(self, out: &mut dyn Write) -> anyhow::Result<Outcome> {
        check(
            "framework",
            self.framework.as_deref(),
            FRAMEWORKS.map(Framework::as_str).as_slice(),
        )?;
        check(
            "component",
            self.component.as_deref(),
            Component::ALL.map(Component::as_str).as_slice(),
        )?;
        check(
            "threat",
            self.threat.as_deref(),
            Threat::ALL.map(Threat::as_str).as_slice(),
        )?;
        let style = Style::of_stdout();
        for control in CONTROLS.iter().filter(|control| self.wants(control)) {
            let repair = control.repair.map_or("report only", |_| "repair");
            writeln!(
                out,
                "{}  {}  {repair:<11}  {}",
                style.bold(control.id.as_str()),
                style.severity(control.severity),
                control.title
            )?;
        }
        Ok(Outcome::Clean)
    }

    fn wants(&self, control: &Control) -> bool {
        let same = |wanted: &Option<String>, name: &str| wanted.as_deref().is_none_or(|w| w.eq_ignore_ascii_case(name));
        same(&self.component, control.component.as_str())
            && (self.threat.is_none() || control.threats.iter().any(|threat| same(&self.threat, threat.as_str())))
            && (self.framework.is_none()
                || control
                    .frameworks
                    .iter()
                    .any(|mapping| same(&self.framework, mapping.framework.as_str())))
    }
}

const FRAMEWORKS: [Framework; 7] = [
    Framework::NsaCisa,
    Framework::PssBaseline,
    Framework::PssRestricted,
    Framework::Cis,
    Framework::Kubescape,
    Framework::Trivy,
    Framework::Mitre,
];

fn check(what: &str, given: Option<&str>, known: &[&str]) -> anyhow::Result<()> {
    match given {
        Some(given) if !known.iter().any(|name| name.eq_ignore_ascii_case(given)) => {
            bail!("--{what} {given}: write one of {}", known.join(", "))
        }
        _ => Ok(()),
    }
}

fn write_page(control: &Control, style: Style, out: &mut dyn Write) -> std::io::Result<()> {
    let docs = &control.docs;
    writeln!(out, "{}", style.bold(&format!("{}  {}", control.id, control.title)))?;
    let threats: Vec<&str> = control.threats.iter().map(|threat| threat.as_str()).collect();
    writeln!(
        out,
        "{} severity, component {}, counters {}\n",
        control.severity.as_str(),
        control.component.as_str(),
        threats.join(", ")
    )?;
    writeln!(out, "{}\n", docs.why)?;
    for (name, text) in [
        ("Reads", docs.reads),
        ("Passes", docs.allowed),
        ("Repair", docs.repair),
        ("Breaks", docs.breaks),
    ] {
        if !text.is_empty() {
            writeln!(out, "{}  {text}", style.bold(&format!("{name:<7}")))?;
        }
    }
    for parameter in control.parameters {
        writeln!(
            out,
            "{}  {}: {} (default: {})",
            style.bold("Setting"),
            parameter.name,
            parameter.help,
            parameter.default.join(", ")
        )?;
    }
    writeln!(out)?;
    for mapping in control.frameworks {
        writeln!(out, "  {:<14} {}", mapping.framework.as_str(), mapping.ids.join(", "))?;
    }
    for source in docs.sources {
        writeln!(out, "  {}", style.faint(source))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_control_has_a_page_that_names_it() {
        for control in CONTROLS {
            let mut page = Vec::new();
            write_page(control, Style::plain(), &mut page).unwrap();
            let page = String::from_utf8(page).unwrap();
            assert!(
                page.starts_with(control.id.as_str()) && page.contains(control.docs.why),
                "{page}"
            );
        }
    }

    #[test]
    fn an_unknown_framework_is_refused_with_the_known_ones() {
        let args = ControlsArgs {
            framework: Some("nist".into()),
            component: None,
            threat: None,
        };
        let error = args.run(&mut Vec::new()).unwrap_err().to_string();
        assert!(error.contains("write one of NsaCisa"), "{error}");
    }
}
