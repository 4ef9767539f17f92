//! D-04, what objects show of it: a credential is written into a ConfigMap, which more people may read than Secrets. Where it stands is told, never what it says.

use std::collections::BTreeSet;

use super::Detection;
use super::change::{Change, brief};
use crate::model::Resource;
use crate::model::config::ConfigMap;

pub(super) fn config_put(change: &mut Change<'_>, new: &ConfigMap) {
    let known = change.before.resource(&change.reference).cloned();
    let old: BTreeSet<&str> = match known.as_deref() {
        Some(Resource::ConfigMap(old)) => old.suspicious.iter().map(|entry| &*entry.pointer).collect(),
        _ => BTreeSet::new(),
    };
    let gained = new.suspicious.iter().filter(|entry| !old.contains(&*entry.pointer));
    let gained: Vec<String> = gained
        .map(|entry| format!("{} ({})", entry.pointer, entry.what))
        .collect();
    if !gained.is_empty() {
        change.saw(
            Detection::D04,
            format!("now holds what looks like a credential at {}", brief(&gained)),
        );
    }
}
