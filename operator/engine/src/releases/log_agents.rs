//! Programs that take the logs of a node elsewhere.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use jiff::civil::Date;
use serde::Deserialize;

use crate::model::image::Image;

/// Agents by the names of their images, as they were known on a day. It is no worse when it is old: an agent that it does not know is unknown, not missing.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LogAgents {
    /// The day on which it was true.
    pub as_of: Date,
    /// Where it is from.
    pub sources: Vec<String>,
    /// How the repositories of its images end, by agent.
    pub agents: BTreeMap<String, Vec<String>>,
}

/// The agents that are known.
pub fn log_agents() -> &'static LogAgents {
    static AGENTS: LazyLock<LogAgents> =
        LazyLock::new(|| serde_json::from_str(include_str!("log_agents.json")).unwrap_or_default());
    &AGENTS
}

impl LogAgents {
    /// The agent whose image this is.
    pub fn of_image(&self, reference: &str) -> Option<&str> {
        let image = Image::parse(reference);
        let is_it = |parts: &String| image.ends_in(parts);
        let found = self.agents.iter().find(|(_, images)| images.iter().any(is_it));
        found.map(|(agent, _)| agent.as_str())
    }
}
