//! What is answered to the API server. 200 means that every event of the batch that could be read has been judged: nothing that was accepted waits anywhere.
//!
//! The API server repeats a batch after any other answer: at once up to ten times where `Retry-After` says when, then after its own pauses
//! (`--audit-webhook-initial-backoff`), five times altogether; then it drops the batch and counts that (`apiserver_audit_error_total`).
//! Source: `plugin/pkg/audit/webhook` of k8s.io/apiserver and `rest/with_retry` of k8s.io/client-go.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::header::{CONNECTION, CONTENT_LENGTH, RETRY_AFTER};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use http_body_util::{BodyExt as _, Limited};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::timeout;

use super::batch::Batch;
use crate::metrics::Happenings;

/// The longest body that is read. The API server's own limit for a batch is 10 MiB where it is told to cut (`--audit-webhook-truncate-enabled`).
pub(super) const LONGEST: usize = 16 << 20;

/// Room for all bodies together, each until its events are judged.
pub(super) const ROOM: usize = 32 << 20;

/// Room is counted in these.
const UNIT: usize = 1 << 10;

/// Batches that may wait to be judged.
pub(super) const BATCHES: usize = 64;

/// Time to read a body. The API server itself gives up after 30 s.
const BODY: Duration = Duration::from_secs(20);

/// Whether events are taken now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// They are.
    Takes,
    /// Another replica takes them: what was learned of somebody must be in one place.
    NotLeading,
    /// The cluster was not looked at yet: nobody knows what policies say, and what is seen would be told nobody.
    NotReady,
}

/// Says whether events are taken now.
pub(super) type Standings = Arc<dyn Fn() -> Standing + Send + Sync>;

/// A batch on its way to be judged.
pub(super) struct Delivery {
    /// The events.
    pub batch: Batch,
    /// Told once all are judged.
    pub judged: oneshot::Sender<()>,
    /// The room that they take.
    _room: OwnedSemaphorePermit,
}

/// What a request needs.
#[derive(Clone)]
pub(super) struct Intake {
    queue: mpsc::Sender<Delivery>,
    room: Arc<Semaphore>,
    standing: Standings,
    happenings: Arc<Happenings>,
}

impl Intake {
    /// An intake, and the end at which batches come out.
    pub(super) fn new(standing: Standings, happenings: Arc<Happenings>) -> (Self, mpsc::Receiver<Delivery>) {
        let (queue, deliveries) = mpsc::channel(BATCHES);
        let room = Arc::new(Semaphore::new(ROOM / UNIT));
        let intake = Self {
            queue,
            room,
            standing,
            happenings,
        };
        (intake, deliveries)
    }
}

/// The routes: the API server posts to the address as its kubeconfig names it, whatever the path.
pub(super) fn router(intake: Intake) -> Router {
    Router::new()
        .route("/", post(receive))
        .route("/{*path}", post(receive))
        .with_state(intake)
}

async fn receive(State(intake): State<Intake>, request: Request) -> Response {
    let outcome = take(&intake, request).await;
    intake.happenings.audit().request(outcome.label());
    outcome.into_response()
}

/// How a request ended.
enum Outcome {
    Accepted,
    NotLeading,
    NotReady,
    /// No room now.
    Busy,
    TooLong,
    /// Without a length nobody knows how much room it needs.
    NoLength,
    Malformed(String),
    /// The body did not come.
    Broken,
    /// The sink stops.
    Stopping,
}

impl Outcome {
    const fn label(&self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::NotLeading => "not_leading",
            Self::NotReady => "not_ready",
            Self::Busy => "busy",
            Self::TooLong => "too_long",
            Self::NoLength => "no_length",
            Self::Malformed(_) => "malformed",
            Self::Broken => "broken",
            Self::Stopping => "stopping",
        }
    }
}

impl IntoResponse for Outcome {
    fn into_response(self) -> Response {
        const SOON: [(axum::http::HeaderName, &str); 1] = [(RETRY_AFTER, "1")];
        // The next connection may be to the replica that leads.
        const ELSEWHERE: [(axum::http::HeaderName, &str); 2] = [(RETRY_AFTER, "1"), (CONNECTION, "close")];
        match self {
            Self::Accepted => StatusCode::OK.into_response(),
            Self::NotLeading => (
                StatusCode::SERVICE_UNAVAILABLE,
                ELSEWHERE,
                "another replica leads and takes events\n",
            )
                .into_response(),
            Self::NotReady => (
                StatusCode::SERVICE_UNAVAILABLE,
                ELSEWHERE,
                "the cluster was not looked at yet\n",
            )
                .into_response(),
            Self::Stopping => (StatusCode::SERVICE_UNAVAILABLE, ELSEWHERE, "the sink stops\n").into_response(),
            Self::Busy => (StatusCode::TOO_MANY_REQUESTS, SOON, "too many events wait\n").into_response(),
            Self::TooLong => {
                let text = format!(
                    "a batch may have {LONGEST} bytes: set --audit-webhook-truncate-enabled, or a lower --audit-webhook-batch-max-size\n"
                );
                (StatusCode::PAYLOAD_TOO_LARGE, text).into_response()
            }
            Self::NoLength => (StatusCode::LENGTH_REQUIRED, "a body needs a Content-Length\n").into_response(),
            Self::Malformed(why) => (StatusCode::BAD_REQUEST, format!("{why}\n")).into_response(),
            Self::Broken => (
                StatusCode::REQUEST_TIMEOUT,
                [(CONNECTION, "close")],
                "the body did not come\n",
            )
                .into_response(),
        }
    }
}

async fn take(intake: &Intake, request: Request) -> Outcome {
    match (intake.standing)() {
        Standing::Takes => {}
        Standing::NotLeading => return Outcome::NotLeading,
        Standing::NotReady => return Outcome::NotReady,
    }
    let Some(length) = length(request.headers()) else {
        return Outcome::NoLength;
    };
    if length > LONGEST {
        return Outcome::TooLong;
    }
    let units = u32::try_from(length.div_ceil(UNIT)).unwrap_or(u32::MAX);
    let Ok(room) = Arc::clone(&intake.room).try_acquire_many_owned(units) else {
        return Outcome::Busy;
    };
    let Some(body) = body(request).await else {
        return Outcome::Broken;
    };
    let batch = match Batch::decode(&body) {
        Ok(batch) => batch,
        Err(why) => {
            tracing::warn!(why, "a batch of audit events cannot be read");
            return Outcome::Malformed(why);
        }
    };
    drop(body);
    let (judged, is_judged) = oneshot::channel();
    let delivery = Delivery {
        batch,
        judged,
        _room: room,
    };
    match intake.queue.try_send(delivery) {
        Ok(()) => {}
        Err(mpsc::error::TrySendError::Full(_)) => return Outcome::Busy,
        Err(mpsc::error::TrySendError::Closed(_)) => return Outcome::Stopping,
    }
    match is_judged.await {
        Ok(()) => Outcome::Accepted,
        Err(_) => Outcome::Stopping,
    }
}

fn length(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

async fn body(request: Request) -> Option<Bytes> {
    let body = Limited::new(request.into_body(), LONGEST);
    let read = timeout(BODY, body.collect()).await.ok()?;
    Some(read.ok()?.to_bytes())
}
