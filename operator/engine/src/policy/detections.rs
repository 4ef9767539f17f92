//! Who may do what without being told of.

use std::collections::BTreeSet;

use ironside_crds::conditions::reasons;
use ironside_crds::policy as wire;

use super::Problem;
use crate::detect::{Detection, Sighting};

/// What one policy says of detections.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Allowed(Vec<Entry>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    /// `None` for all.
    detections: Option<BTreeSet<Detection>>,
    namespaces: BTreeSet<String>,
    users: BTreeSet<String>,
    managers: BTreeSet<String>,
}

impl Allowed {
    pub(super) fn parse(settings: &wire::DetectionSettings, problems: &mut Vec<Problem>) -> Self {
        let entries = settings.allowed.iter().map(|entry| {
            let mut detections = BTreeSet::new();
            for id in &entry.detections {
                match Detection::find(id) {
                    Some(detection) => _ = detections.insert(detection),
                    None => problems.push(Problem {
                        field: format!("spec.detections.allowed[{}].detections", entry.name),
                        message: format!(
                            "{id:?} is not a detection that this version of Ironside knows; docs/detections.md lists them"
                        ),
                        reason: reasons::INVALID_PARAMETER,
                    }),
                }
            }
            Entry {
                // An entry whose ids are all unknown allows nothing, not everything.
                detections: (!entry.detections.is_empty()).then_some(detections),
                namespaces: entry.namespaces.clone(),
                users: entry.users.clone(),
                managers: entry.managers.clone(),
            }
        });
        Self(entries.collect())
    }

    pub(super) fn allows(&self, sighting: &Sighting) -> bool {
        self.0.iter().any(|entry| entry.allows(sighting))
    }
}

impl Entry {
    fn allows(&self, sighting: &Sighting) -> bool {
        let is_meant = |detections: &BTreeSet<Detection>| detections.contains(&sighting.detection);
        self.detections.as_ref().is_none_or(is_meant)
            && (self.namespaces.is_empty() || self.namespaces.contains(&sighting.namespace))
            && (is_one_of(&self.users, sighting.user.as_deref())
                || is_one_of(&self.managers, sighting.manager.as_deref()))
    }
}

fn is_one_of(patterns: &BTreeSet<String>, name: Option<&str>) -> bool {
    let Some(name) = name else { return false };
    patterns.iter().any(|pattern| match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => pattern == name,
    })
}
