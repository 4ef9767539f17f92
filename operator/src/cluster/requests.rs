//! Looks on at what we ask of the API server: counts it by verb and answer, and remembers when it asked us to wait.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use http::{Method, Request, Response, Uri};
use parking_lot::Mutex;
use tower::{Layer, Service};

/// What was seen of our requests.
#[derive(Debug, Default)]
pub struct Requests {
    /// By verb (as RBAC names it) and HTTP status; status 0 means that no answer came.
    counts: Mutex<BTreeMap<(&'static str, u16), u64>>,
    /// Until when the API server asked us to wait. kube's errors do not carry the header.
    wait_until: Mutex<Option<Instant>>,
}

/// Longest wait that is taken at its word.
const LONGEST_WAIT: Duration = Duration::from_mins(5);

impl Requests {
    fn add(&self, verb: &'static str, code: u16, retry_after: Option<Duration>) {
        *self.counts.lock().entry((verb, code)).or_default() += 1;
        if let Some(wait) = retry_after {
            let until = Instant::now() + wait.min(LONGEST_WAIT);
            let mut wait_until = self.wait_until.lock();
            *wait_until = wait_until.max(Some(until));
        }
    }

    /// The counts so far, sorted: by verb and HTTP status; status 0 means that no answer came.
    pub fn read(&self) -> Vec<((&'static str, u16), u64)> {
        self.counts.lock().iter().map(|(key, count)| (*key, *count)).collect()
    }

    /// How long the API server still wants us to wait (`Retry-After` of an earlier 429 or 503); zero most of the time. Ask after a refusal, before trying again.
    pub fn wait(&self) -> Duration {
        let until = *self.wait_until.lock();
        until.map_or(Duration::ZERO, |until| until.saturating_duration_since(Instant::now()))
    }
}

/// Puts the onlooker around a client's service.
#[derive(Clone, Debug)]
pub struct Observe {
    requests: Arc<Requests>,
}

impl Observe {
    /// Notes what it sees in `requests`.
    pub const fn new(requests: Arc<Requests>) -> Self {
        Self { requests }
    }
}

impl<S> Layer<S> for Observe {
    type Service = Observed<S>;

    fn layer(&self, inner: S) -> Observed<S> {
        Observed {
            inner,
            requests: Arc::clone(&self.requests),
        }
    }
}

/// A service that is looked on at.
#[derive(Clone, Debug)]
pub struct Observed<S> {
    inner: S,
    requests: Arc<Requests>,
}

impl<S, B, R> Service<Request<B>> for Observed<S>
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
        let seen = Arc::clone(&self.requests);
        self.inner
            .call(request)
            .inspect(move |answer| match answer {
                Ok(answer) => seen.add(verb, answer.status().as_u16(), retry_after(answer)),
                Err(_) => seen.add(verb, 0, None),
            })
            .boxed()
    }
}

/// Seconds of the header `Retry-After`; the API server sends no dates.
fn retry_after<B>(answer: &Response<B>) -> Option<Duration> {
    let seconds = answer
        .headers()
        .get(http::header::RETRY_AFTER)?
        .to_str()
        .ok()?
        .parse()
        .ok()?;
    Some(Duration::from_secs(seconds))
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
    fn a_server_that_asks_for_time_gets_it() {
        let requests = Requests::default();
        requests.add("list", 200, None);
        assert_eq!(requests.wait(), Duration::ZERO);
        requests.add("list", 429, Some(Duration::from_mins(1)));
        requests.add("list", 429, Some(Duration::from_secs(1)));
        assert!(requests.wait() > Duration::from_secs(50), "the longest counts");
        requests.add("list", 429, Some(Duration::from_hours(24)));
        assert!(requests.wait() <= LONGEST_WAIT);
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
