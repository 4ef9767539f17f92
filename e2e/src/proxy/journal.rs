//! What went through the proxy: every request with its outcome, for budgets and for "did it write that".

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use super::attributes::Attributes;

/// One request.
#[derive(Debug, Clone)]
pub struct Seen {
    /// What it asked for.
    pub request: Attributes,
    /// When it came in.
    pub at: Instant,
    /// HTTP status that the client was given; none while it waits or if the connection was closed instead.
    pub code: Option<u16>,
    /// Whether the server saw it.
    pub forwarded: bool,
    /// Body of a write, if it is JSON.
    pub body: Option<serde_json::Value>,
}

/// All requests since the proxy started, in the order in which they came in.
#[derive(Default)]
pub(super) struct Journal(Mutex<Vec<Seen>>);

impl Journal {
    pub(super) fn enter(&self, request: Attributes, body: Option<serde_json::Value>) -> usize {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(Seen {
            request,
            at: Instant::now(),
            code: None,
            forwarded: false,
            body,
        });
        all.len() - 1
    }

    pub(super) fn forwarded(&self, number: usize) {
        self.change(number, |seen| seen.forwarded = true);
    }

    pub(super) fn answered(&self, number: usize, code: u16) {
        self.change(number, |seen| seen.code = Some(code));
    }

    pub(super) fn all(&self) -> Vec<Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn change(&self, number: usize, change: impl FnOnce(&mut Seen)) {
        if let Some(seen) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get_mut(number) {
            change(seen);
        }
    }
}

/// Counts requests by verb and resource (with subresource), leaving out paths that are no resources.
pub fn tally<'a>(requests: impl IntoIterator<Item = &'a Seen>) -> BTreeMap<(String, String), usize> {
    let mut counts = BTreeMap::new();
    for Seen { request, .. } in requests {
        if request.resource.is_empty() {
            continue;
        }
        let resource = match request.subresource.as_str() {
            "" => request.resource.clone(),
            subresource => format!("{}/{subresource}", request.resource),
        };
        *counts.entry((request.verb.clone(), resource)).or_default() += 1;
    }
    counts
}
