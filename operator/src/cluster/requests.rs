//! Counts what we ask of the API server, by verb and answer.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use http::{Method, Request, Response, Uri};
use parking_lot::Mutex;
use tower::{Layer, Service};

/// Requests by verb (as RBAC names it) and HTTP status; status 0 means that no answer came.
#[derive(Debug, Default)]
pub struct RequestCounts(Mutex<BTreeMap<(&'static str, u16), u64>>);

impl RequestCounts {
    fn add(&self, verb: &'static str, code: u16) {
        *self.0.lock().entry((verb, code)).or_default() += 1;
    }

    /// The counts so far, sorted.
    pub fn read(&self) -> Vec<((&'static str, u16), u64)> {
        self.0.lock().iter().map(|(key, count)| (*key, *count)).collect()
    }
}

/// Puts the counter around a client's service.
#[derive(Clone, Debug)]
pub struct CountRequests {
    counts: Arc<RequestCounts>,
}

impl CountRequests {
    /// Counts in `counts`.
    pub const fn new(counts: Arc<RequestCounts>) -> Self {
        Self { counts }
    }
}

impl<S> Layer<S> for CountRequests {
    type Service = Counted<S>;

    fn layer(&self, inner: S) -> Counted<S> {
        Counted {
            inner,
            counts: Arc::clone(&self.counts),
        }
    }
}

/// A service that counts.
#[derive(Clone, Debug)]
pub struct Counted<S> {
    inner: S,
    counts: Arc<RequestCounts>,
}

impl<S, B, R> Service<Request<B>> for Counted<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
    S::Error: Send,
    R: Send,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<S::Response, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let verb = verb(request.method(), request.uri());
        let counts = Arc::clone(&self.counts);
        self.inner
            .call(request)
            .inspect(move |answer| counts.add(verb, answer.as_ref().map_or(0, |response| response.status().as_u16())))
            .boxed()
    }
}

/// The verb as RBAC names it. Source: Kubernetes documentation, "Authorization", "Request verbs".
fn verb(method: &Method, uri: &Uri) -> &'static str {
    let watches = uri
        .query()
        .is_some_and(|query| query.split('&').any(|pair| pair == "watch=true" || pair == "watch=1"));
    match *method {
        Method::GET | Method::HEAD if watches => "watch",
        Method::GET | Method::HEAD if names_an_object(uri.path()) => "get",
        Method::GET | Method::HEAD => "list",
        Method::POST => "create",
        Method::PUT => "update",
        Method::PATCH => "patch",
        Method::DELETE => "delete",
        _ => "other",
    }
}

/// Whether a path names one object, not a collection. Discovery and health paths count as objects.
fn names_an_object(path: &str) -> bool {
    let mut steps: Vec<&str> = path.split('/').filter(|step| !step.is_empty()).collect();
    let prefix = match steps.first().copied() {
        Some("api") => 2,
        Some("apis") => 3,
        _ => return true,
    };
    if steps.len() <= prefix {
        return true;
    }
    steps.drain(..prefix);
    if steps.len() >= 3 && steps[0] == "namespaces" {
        steps.drain(..2);
    }
    steps.len() >= 2
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(method: &Method, uri: &str) -> &'static str {
        verb(method, &uri.parse().unwrap())
    }

    #[test]
    fn verbs_are_those_of_rbac() {
        assert_eq!(seen(&Method::GET, "/api/v1/pods?limit=500"), "list");
        assert_eq!(seen(&Method::GET, "/api/v1/namespaces"), "list");
        assert_eq!(seen(&Method::GET, "/api/v1/namespaces/shop"), "get");
        assert_eq!(seen(&Method::GET, "/api/v1/namespaces/shop/pods"), "list");
        assert_eq!(
            seen(&Method::GET, "/apis/apps/v1/namespaces/shop/deployments/web"),
            "get"
        );
        assert_eq!(
            seen(&Method::GET, "/apis/apps/v1/deployments?watch=true&timeoutSeconds=290"),
            "watch"
        );
        assert_eq!(seen(&Method::GET, "/version"), "get");
        assert_eq!(seen(&Method::GET, "/apis/apps/v1"), "get");
        assert_eq!(
            seen(
                &Method::PATCH,
                "/apis/hardening.ironside.dev/v1alpha1/namespaces/a/hardeningpolicies/b/status"
            ),
            "patch"
        );
    }
}
