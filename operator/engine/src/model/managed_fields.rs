//! Field ownership (`metadata.managedFields`): who wrote a field, and when.
//!
//! Source: Kubernetes documentation, "Server-Side Apply", section "Field management".

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::null_as_default;

/// One `managedFields` entry.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ManagedFields {
    /// Name of the field manager.
    #[serde(deserialize_with = "null_as_default")]
    pub manager: String,
    /// `Apply` (server-side apply) or `Update` (everything else).
    #[serde(deserialize_with = "null_as_default")]
    pub operation: String,
    /// Subresource the fields were written through, empty for the object itself.
    #[serde(deserialize_with = "null_as_default")]
    pub subresource: String,
    /// Last time the entry changed.
    pub time: Option<Timestamp>,
    /// The field set, in the `f:`, `k:`, `v:` notation.
    #[serde(rename = "fieldsV1")]
    pub fields: Value,
}

impl ManagedFields {
    /// Whether this entry was written by server-side apply.
    pub fn is_apply(&self) -> bool {
        self.operation == "Apply"
    }

    /// Whether the entry owns the field at `path`. Steps are field names, or `k:{"name":"web"}` for the item of an associative list.
    pub fn owns(&self, path: &[&str]) -> bool {
        let mut at = &self.fields;
        for step in path {
            let next = if step.starts_with("k:") {
                at.get(*step)
            } else {
                at.get(format!("f:{step}"))
            };
            match next {
                Some(value) => at = value,
                None => return false,
            }
        }
        true
    }
}

/// Who wrote a field last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldOwner {
    /// Field manager.
    pub manager: String,
    /// Whether it used server-side apply.
    pub apply: bool,
    /// When its entry changed last.
    pub time: Option<Timestamp>,
}

/// The latest writer among the managers that own `path`. The status subresource does not count: it cannot write a spec field.
pub fn owner_of(entries: &[ManagedFields], path: &[&str]) -> Option<FieldOwner> {
    entries
        .iter()
        .filter(|entry| entry.subresource.is_empty() && entry.owns(path))
        .max_by_key(|entry| entry.time)
        .map(|entry| FieldOwner {
            manager: entry.manager.clone(),
            apply: entry.is_apply(),
            time: entry.time,
        })
}
