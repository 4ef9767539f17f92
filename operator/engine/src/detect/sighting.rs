//! One occurrence of a detection.

use std::fmt;

use jiff::Timestamp;

use super::Detection;
use crate::model::ObjectRef;

/// One occurrence of a detection: what was done to what, by whom as far as it shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// What it is.
    pub detection: Detection,
    /// The object, for people: `Namespace shop`; a path where there is no object.
    pub object: String,
    /// The object, where it is of a kind that the engine knows.
    pub regarding: Option<ObjectRef>,
    /// UID of the object, where it is known.
    pub uid: Option<String>,
    /// Namespace of the object, its own name for a Namespace, empty for others that are in none.
    pub namespace: String,
    /// Who asked, authenticated by the API server. Only the audit log tells.
    pub user: Option<String>,
    /// From which address. Only the audit log tells.
    pub source: Option<String>,
    /// The field manager that wrote last: what a client says of itself, no proof.
    pub manager: Option<String>,
    /// When.
    pub at: Option<Timestamp>,
    /// What was done, as the end of a sentence: `enforce lowered from restricted to privileged`.
    pub what: String,
}

/// `Namespace shop: enforce lowered from restricted to privileged; by user eve from 10.0.0.7`.
impl fmt::Display for Sighting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.object, self.what)?;
        if let Some(user) = &self.user {
            write!(f, "; by user {user}")?;
        }
        if let Some(source) = &self.source {
            write!(f, " from {source}")?;
        }
        if let Some(manager) = &self.manager {
            write!(f, "; last written by {manager}")?;
        }
        match self.at {
            Some(at) => write!(f, " at {at:.0}"),
            None => Ok(()),
        }
    }
}
