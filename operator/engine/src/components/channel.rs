//! By what something is seen of a component, and the table of what shows which component where.

use std::fmt::Write as _;

use super::Distribution;
use crate::controls::Component;

/// By what something is seen of a component.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Channel {
    /// The flags in effect, asked of the API server.
    Flagz,
    /// What the API server has counted.
    Metrics,
    /// A request to the API server without credentials.
    Anonymous,
    /// Arguments of pods among the cluster's own.
    Arguments,
    /// The configuration in effect, asked of each kubelet.
    Configz,
    /// A document in a ConfigMap among the cluster's own.
    ConfigMap,
    /// Node objects.
    Nodes,
    /// Workloads of all namespaces.
    Workloads,
}

impl Channel {
    /// Name in documentation.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Flagz => "`/flagz`",
            Self::Metrics => "`/metrics`",
            Self::Anonymous => "request without credentials",
            Self::Arguments => "arguments of pods",
            Self::Configz => "`/configz`",
            Self::ConfigMap => "ConfigMap",
            Self::Nodes => "Nodes",
            Self::Workloads => "workloads",
        }
    }
}

/// The table of distributions, and of what shows which component in a plain installation of each, as Markdown.
pub fn table() -> String {
    let mut table = String::from("| distribution | recognised by |\n|---|---|\n");
    for distribution in Distribution::ALL {
        let _ = writeln!(table, "| {} | {} |", distribution.name(), distribution.recognised_by());
    }
    table.push_str("\n| component |");
    for distribution in Distribution::ALL {
        let _ = write!(table, " {} |", distribution.name());
    }
    table.push_str("\n|---|");
    table.push_str(&"---|".repeat(Distribution::ALL.len()));
    table.push('\n');
    for component in Component::ALL
        .into_iter()
        .filter(|component| *component != Component::Workloads)
    {
        let _ = write!(table, "| {} |", component.as_str());
        for distribution in Distribution::ALL {
            let channels = distribution.channels(component);
            let names: Vec<&str> = channels.iter().map(|channel| channel.as_str()).collect();
            let _ = match names.as_slice() {
                [] => write!(table, " Unknown({}) |", distribution.responsibility(component).as_str()),
                names => write!(table, " {} |", names.join(", ")),
            };
        }
        table.push('\n');
    }
    table
}
