//! Which requests meet which fault, and how often.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use tokio::sync::watch;

use super::attributes::Attributes;

/// A condition on requests.
#[derive(Clone)]
pub struct Match(Arc<dyn Fn(&Attributes) -> bool + Send + Sync>);

impl Match {
    /// Whatever the closure says.
    pub fn when(condition: impl Fn(&Attributes) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(condition))
    }

    /// Every request.
    pub fn any() -> Self {
        Self::when(|_| true)
    }

    /// Writes that change what a user can see, as [`Attributes::is_effect`] says.
    pub fn effects() -> Self {
        Self::when(Attributes::is_effect)
    }

    /// Watch requests.
    pub fn watches() -> Self {
        Self::verb("watch")
    }

    /// Requests with this verb.
    pub fn verb(verb: &'static str) -> Self {
        Self::when(move |request| request.verb == verb)
    }

    /// Requests for this resource, given as `deployments` or `deployments/status`.
    pub fn resource(resource: &'static str) -> Self {
        let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
        Self::when(move |request| request.resource == resource && request.subresource == subresource)
    }

    /// Both conditions.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self::when(move |request| self.matches(request) && other.matches(request))
    }

    /// Whether the request fulfils it.
    pub fn matches(&self, request: &Attributes) -> bool {
        (self.0)(request)
    }
}

/// What happens to a request.
#[derive(Debug, Clone)]
pub enum Fault {
    /// Is answered by the proxy; the server never sees it.
    Answer(Answer),
    /// Is forwarded only after this time.
    Delay(Duration),
    /// Is neither forwarded nor answered: the connection closes.
    Drop,
    /// Is forwarded, but the connection closes instead of passing on the answer: done, and the client cannot know.
    LoseAnswer,
    /// Waits until the rule is removed, then is forwarded.
    Hold,
    /// A watch whose connection breaks after so many bytes-carrying chunks (one chunk is one event, mostly).
    CutAfter(usize),
    /// A watch that goes silent after so many chunks, until its stream is resumed.
    StallAfter(usize),
    /// A watch that is answered, as the server does for a version that is too old, by a 410 in the stream.
    ExpireWatch,
}

/// An answer made up by the proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub code: u16,
    /// Seconds for the header `Retry-After`.
    pub retry_after: Option<u32>,
    /// Content type of the body.
    pub content_type: &'static str,
    /// The body.
    pub body: String,
}

impl Fault {
    /// 429 as API Priority and Fairness sends it: `Retry-After`, and plain text instead of a `Status`.
    pub fn too_many_requests(retry_after: u32) -> Self {
        Self::Answer(Answer {
            code: 429,
            retry_after: Some(retry_after),
            content_type: "text/plain; charset=utf-8",
            body: "Too many requests, please try again later.\n".to_owned(),
        })
    }

    /// 409: the object was changed by somebody else.
    pub fn conflict() -> Self {
        Self::status(
            409,
            "Conflict",
            "the object has been modified; please apply your changes to the latest version",
        )
    }

    /// 410: the version that was asked for is no longer known.
    pub fn gone() -> Self {
        Self::status(410, "Expired", "The provided continue parameter is too old")
    }

    /// 403.
    pub fn forbidden() -> Self {
        Self::status(403, "Forbidden", "forbidden by the fault proxy")
    }

    /// The answer to a `SelfSubjectRulesReview` of an account that may nothing.
    pub fn no_rights() -> Self {
        let review = json!({
            "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview", "metadata": {}, "spec": {},
            "status": { "resourceRules": [], "nonResourceRules": [], "incomplete": false },
        });
        Self::Answer(Answer {
            code: 201,
            retry_after: None,
            content_type: "application/json",
            body: review.to_string(),
        })
    }

    /// 500.
    pub fn internal_error() -> Self {
        Self::status(
            500,
            "InternalError",
            "Internal error occurred: injected by the fault proxy",
        )
    }

    /// Any other `Status`.
    pub fn status(code: u16, reason: &str, message: &str) -> Self {
        Self::Answer(Answer {
            code,
            retry_after: None,
            content_type: "application/json",
            body: status_object(code, reason, message).to_string(),
        })
    }
}

pub(super) fn status_object(code: u16, reason: &str, message: &str) -> serde_json::Value {
    json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "code": code,
    })
}

/// A fault for some requests, for a while.
#[derive(Clone)]
pub struct Rule {
    on: Match,
    fault: Fault,
    skip: usize,
    times: usize,
}

impl Rule {
    /// The fault for every request that fulfils the condition.
    pub fn new(on: Match, fault: Fault) -> Self {
        Self {
            on,
            fault,
            skip: 0,
            times: usize::MAX,
        }
    }

    /// Leaves the first `skip` matching requests alone.
    #[must_use]
    pub fn after(self, skip: usize) -> Self {
        Self { skip, ..self }
    }

    /// For so many requests at most.
    #[must_use]
    pub fn times(self, times: usize) -> Self {
        Self { times, ..self }
    }
}

/// A rule in force; shared by the proxy and whoever injected it.
pub(super) struct InForce {
    rule: Rule,
    matched: AtomicUsize,
    removed: watch::Sender<bool>,
}

impl InForce {
    pub(super) fn new(rule: Rule) -> Self {
        Self {
            rule,
            matched: AtomicUsize::new(0),
            removed: watch::Sender::new(false),
        }
    }

    /// The fault for this request, if it is its turn. Counts it.
    pub(super) fn applies(&self, request: &Attributes) -> Option<Fault> {
        if *self.removed.borrow() || !self.rule.on.matches(request) {
            return None;
        }
        let number = self.matched.fetch_add(1, Ordering::Relaxed);
        let until = self.rule.skip.saturating_add(self.rule.times);
        (self.rule.skip..until)
            .contains(&number)
            .then(|| self.rule.fault.clone())
    }

    pub(super) fn hits(&self) -> usize {
        self.matched
            .load(Ordering::Relaxed)
            .saturating_sub(self.rule.skip)
            .min(self.rule.times)
    }

    pub(super) fn remove(&self) {
        self.removed.send_replace(true);
    }

    pub(super) async fn until_removed(&self) {
        // The sender lives as long as the rule, so this ends by the value alone.
        let _ = self.removed.subscribe().wait_for(|removed| *removed).await;
    }
}
