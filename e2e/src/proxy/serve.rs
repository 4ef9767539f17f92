//! One request on its way: rules first, then the server, then strikes, then the client.

use std::sync::{Arc, PoisonError};

use http::{HeaderMap, HeaderValue, Request, Response, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;

use super::Shared;
use super::attributes::Attributes;
use super::rules::{Answer, Fault};
use super::streams::{self, Flow, Turn};
use super::strikes::{Moment, Strike};
use super::upstream::Lane;

/// Why there is no answer: the connection closes, which is all that a client can learn.
#[derive(Debug, Clone, Copy)]
pub(super) struct Closed;

impl std::fmt::Display for Closed {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("the fault proxy closes the connection")
    }
}

impl std::error::Error for Closed {}

pub(super) type Body = UnsyncBoxBody<Bytes, Closed>;

pub(super) async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(connection(stream, Arc::clone(&shared)));
    }
}

async fn connection(stream: TcpStream, shared: Arc<Shared>) {
    // Small answers must not wait for the next packet; if it cannot be set they do.
    let _ = stream.set_nodelay(true);
    let lane = Arc::new(Mutex::new(Lane::default()));
    let service = service_fn(move |request| {
        let (shared, lane) = (Arc::clone(&shared), Arc::clone(&lane));
        async move { handle(&shared, &lane, request).await }
    });
    // An error here is a client that went away or a connection that a fault closed.
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn handle(
    shared: &Arc<Shared>,
    lane: &Mutex<Lane>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Closed> {
    let (mut head, body) = request.into_parts();
    let attributes = Attributes::of(&head.method, head.uri.path(), head.uri.query().unwrap_or_default());
    let body = body.collect().await.map_err(|_| Closed)?.to_bytes();
    let number = shared
        .journal
        .enter(attributes.clone(), serde_json::from_slice(&body).ok());

    let mut lose_answer = false;
    let mut turn = None;
    for rule in shared.rules() {
        match rule.applies(&attributes) {
            None => {}
            Some(Fault::Answer(answer)) => {
                shared.journal.answered(number, answer.code);
                return Ok(made_up(&answer));
            }
            Some(Fault::Delay(time)) => tokio::time::sleep(time).await,
            Some(Fault::Hold) => rule.until_removed().await,
            Some(Fault::Drop) => return Err(Closed),
            Some(Fault::LoseAnswer) => lose_answer = true,
            Some(Fault::CutAfter(after)) => turn = Some(Turn { after, to: Flow::Cut }),
            Some(Fault::StallAfter(after)) => {
                turn = Some(Turn {
                    after,
                    to: Flow::Stalled,
                });
            }
            Some(Fault::ExpireWatch) => {
                shared.journal.answered(number, 200);
                return Ok(expired_watch());
            }
        }
    }
    let strike = if attributes.is_effect() {
        shared.due_strike(&attributes)
    } else {
        None
    };
    if let Some(strike) = &strike
        && strike.moment == Moment::BeforeForwarding
    {
        strike.falls(attributes);
        return Err(Closed);
    }

    without_hop_headers(&mut head.headers);
    shared.journal.forwarded(number);
    let response = lane
        .lock()
        .await
        .send(&shared.upstream, Request::from_parts(head, Full::new(body)))
        .await;
    let (mut head, body) = response.map_err(|_| Closed)?.into_parts();
    without_hop_headers(&mut head.headers);

    if attributes.is_watch() && head.status.is_success() {
        shared.journal.answered(number, head.status.as_u16());
        let (sender, stream) = streams::body();
        let told = shared.streams.add(number, attributes);
        let shared = Arc::clone(shared);
        tokio::spawn(async move {
            streams::pump(body, sender, told, turn).await;
            shared.streams.remove(number);
        });
        return Ok(Response::from_parts(head, stream));
    }
    let body = body.collect().await.map_err(|_| Closed)?.to_bytes();
    if let Some(strike) = strike {
        strike.falls(attributes);
        return Err(Closed);
    }
    if lose_answer {
        return Err(Closed);
    }
    shared.journal.answered(number, head.status.as_u16());
    Ok(Response::from_parts(head, whole(body)))
}

impl Shared {
    /// The strike that falls at this effect, if any; each effect counts once for each strike.
    fn due_strike(&self, effect: &Attributes) -> Option<Arc<Strike>> {
        let strikes = self.strikes.lock().unwrap_or_else(PoisonError::into_inner);
        let mut due = None;
        for strike in strikes.iter() {
            if strike.is_due(effect) {
                due = Some(Arc::clone(strike));
            }
        }
        due
    }
}

/// Headers that are about one connection only; hyper writes its own.
fn without_hop_headers(headers: &mut HeaderMap) {
    headers.remove(header::CONNECTION);
    headers.remove(header::TRANSFER_ENCODING);
}

fn made_up(answer: &Answer) -> Response<Body> {
    let mut response = Response::new(whole(Bytes::from(answer.body.clone())));
    *response.status_mut() = http::StatusCode::from_u16(answer.code).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(answer.content_type));
    if let Some(seconds) = answer.retry_after {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

fn expired_watch() -> Response<Body> {
    let mut response = Response::new(whole(streams::expired()));
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn whole(body: Bytes) -> Body {
    Full::new(body).map_err(|never| match never {}).boxed_unsync()
}
