//! The API server's audit log: exactly what a user did.
//!
//! The log is written before the answer is sent, so what a client has seen is in it. Components of the control plane and
//! the simulated nodes are not logged.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use serde::Deserialize;

/// One audit log.
#[derive(Debug, Clone)]
pub struct AuditLog {
    path: PathBuf,
}

/// One request, as far as tests ask for it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// The same for all entries of one request.
    #[serde(rename = "auditID")]
    pub audit_id: String,
    /// `ResponseStarted` (watches only), `ResponseComplete` or `Panic`.
    pub stage: String,
    /// Path and query.
    #[serde(rename = "requestURI")]
    pub uri: String,
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`.
    pub verb: String,
    /// Who asked.
    pub user: User,
    /// Whom the user spoke for, if it was somebody else.
    pub impersonated_user: Option<User>,
    /// The client's name for itself.
    #[serde(default)]
    pub user_agent: String,
    /// What it was about; absent for paths that are no resources.
    pub object_ref: Option<ObjectRef>,
    /// How it ended.
    pub response_status: Option<ResponseStatus>,
    /// When it came in, RFC 3339 with microseconds.
    pub request_received_timestamp: String,
    /// When this stage was reached, in the same form: for `ResponseComplete`, when the answer was ready.
    pub stage_timestamp: String,
    /// The body of a write, if the policy keeps it.
    pub request_object: Option<serde_json::Value>,
    /// The body of the answer, if the policy keeps it.
    pub response_object: Option<serde_json::Value>,
}

/// The user of a request.
#[derive(Debug, Clone, Deserialize)]
pub struct User {
    /// `system:serviceaccount:<namespace>:<name>` for a ServiceAccount.
    #[serde(default)]
    pub username: String,
    /// What else the server knows of the user; `authentication.kubernetes.io/credential-id` is which token it was.
    #[serde(default)]
    pub extra: BTreeMap<String, Vec<String>>,
}

impl User {
    /// Whether the request was made with this credential (`JTI=...`).
    pub fn has_credential(&self, id: &str) -> bool {
        let ids = self.extra.get("authentication.kubernetes.io/credential-id");
        ids.is_some_and(|ids| ids.iter().any(|known| known == id))
    }
}

/// The object of a request.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ObjectRef {
    /// Plural name, such as `deployments`.
    pub resource: String,
    /// Such as `status`.
    pub subresource: String,
    /// Empty for cluster-scoped ones.
    pub namespace: String,
    /// Empty for lists and creations with a generated name.
    pub name: String,
    /// Empty for the core group.
    pub api_group: String,
}

/// How a request ended.
#[derive(Debug, Clone, Deserialize)]
pub struct ResponseStatus {
    /// HTTP status.
    pub code: u16,
}

impl Entry {
    /// The user whose rights counted: the impersonated one, if there is one.
    pub fn who(&self) -> &str {
        &self.impersonated_user.as_ref().unwrap_or(&self.user).username
    }

    /// Whether the request changes something: a writing verb, and not a dry run.
    pub fn is_write(&self) -> bool {
        let writes = matches!(
            self.verb.as_str(),
            "create" | "update" | "patch" | "delete" | "deletecollection"
        );
        writes && !self.is_dry_run()
    }

    /// Whether it only asks what a write would do.
    pub fn is_dry_run(&self) -> bool {
        self.uri.contains("dryRun=All")
    }

    /// Resource and subresource, as RBAC spells them: `deployments`, `deployments/status`; the path if it is none.
    pub fn resource(&self) -> String {
        match &self.object_ref {
            Some(object) if object.subresource.is_empty() => object.resource.clone(),
            Some(object) => format!("{}/{}", object.resource, object.subresource),
            None => self.uri.split('?').next().unwrap_or_default().to_owned(),
        }
    }

    /// HTTP status of the answer; 0 while there is none.
    pub fn code(&self) -> u16 {
        self.response_status.as_ref().map_or(0, |status| status.code)
    }
}

impl AuditLog {
    /// The log in this file.
    pub fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// All requests so far, each once, in the order in which they first appear. A watch appears when it starts.
    ///
    /// # Errors
    /// The file cannot be read, or a line is no audit entry.
    pub fn entries(&self) -> Result<Vec<Entry>> {
        let text = std::fs::read_to_string(&self.path).with_context(|| format!("read {}", self.path.display()))?;
        let mut entries: Vec<Entry> = Vec::new();
        let mut places: BTreeMap<String, usize> = BTreeMap::new();
        // The last line may be only half written.
        let complete = text.rfind('\n').map_or("", |end| &text[..end]);
        for line in complete.lines() {
            let entry: Entry = serde_json::from_str(line).with_context(|| format!("an audit entry: {line}"))?;
            if let Some(place) = places.get(&entry.audit_id) {
                entries[*place] = entry;
            } else {
                places.insert(entry.audit_id.clone(), entries.len());
                entries.push(entry);
            }
        }
        Ok(entries)
    }

    /// All requests of one user so far, by [`Entry::who`].
    ///
    /// # Errors
    /// As [`AuditLog::entries`].
    pub fn by(&self, user: &str) -> Result<Vec<Entry>> {
        Ok(self
            .entries()?
            .into_iter()
            .filter(|entry| entry.who() == user)
            .collect())
    }
}

/// Counts requests by verb and resource: the budget of an operator at a glance, and a readable difference in a failing
/// assertion.
pub fn tally<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> BTreeMap<(String, String), usize> {
    let mut counts = BTreeMap::new();
    for entry in entries {
        *counts.entry((entry.verb.clone(), entry.resource())).or_default() += 1;
    }
    counts
}
