//! Open watch streams: event by event from the server to the client, until somebody cuts, stalls or expires them.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use futures::StreamExt as _;
use http_body_util::{BodyExt as _, BodyStream, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use serde_json::json;
use tokio::sync::{mpsc, watch};

use super::attributes::Attributes;
use super::rules::{Match, status_object};
use super::serve::{Body, Closed};

/// What an open stream does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// Passes everything on.
    Open,
    /// Stays connected and passes nothing on; what comes meanwhile waits.
    Stalled,
    /// Breaks: the connection closes in the middle of the answer.
    Cut,
    /// Ends as the server ends a watch whose time is up.
    Ended,
    /// Ends with the error event that a server sends when the version is too old (410).
    Expired,
}

/// All open streams of a proxy.
#[derive(Default)]
pub(super) struct Streams(Mutex<BTreeMap<usize, (Attributes, watch::Sender<Flow>)>>);

impl Streams {
    pub(super) fn open(&self) -> Vec<Attributes> {
        self.lock().values().map(|(request, _)| request.clone()).collect()
    }

    /// Tells matching streams; returns how many there were.
    pub(super) fn tell(&self, on: &Match, flow: Flow) -> usize {
        let streams = self.lock();
        let told = streams.values().filter(|(request, _)| on.matches(request));
        let tell = |(_, stream): &&(Attributes, watch::Sender<Flow>)| {
            stream.send_replace(flow);
        };
        told.inspect(tell).count()
    }

    pub(super) fn add(&self, number: usize, request: Attributes) -> watch::Receiver<Flow> {
        let (sender, receiver) = watch::channel(Flow::Open);
        self.lock().insert(number, (request, sender));
        receiver
    }

    pub(super) fn remove(&self, number: usize) {
        self.lock().remove(&number);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<usize, (Attributes, watch::Sender<Flow>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A turn that a stream takes by itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Turn {
    /// After so many chunks.
    pub(super) after: usize,
    pub(super) to: Flow,
}

/// The body that the client gets: fed by [`pump`] with room for one chunk, so that a slow client slows the server.
pub(super) fn body() -> (mpsc::Sender<Result<Bytes, Closed>>, Body) {
    let (sender, receiver) = mpsc::channel(1);
    let frames = futures::stream::unfold(receiver, async |mut receiver| Some((receiver.recv().await?, receiver)));
    (
        sender,
        StreamBody::new(frames.map(|chunk| chunk.map(Frame::data))).boxed_unsync(),
    )
}

/// Moves chunks until either side ends or the flow says so.
pub(super) async fn pump(
    from: Incoming,
    to: mpsc::Sender<Result<Bytes, Closed>>,
    mut told: watch::Receiver<Flow>,
    mut turn: Option<Turn>,
) {
    let mut from = BodyStream::new(from);
    let mut flow = Flow::Open;
    let mut passed = 0;
    loop {
        if let Some(due) = turn.take_if(|turn| passed >= turn.after) {
            flow = due.to;
        }
        match flow {
            Flow::Open => tokio::select! {
                () = to.closed() => return,
                Ok(()) = told.changed() => flow = *told.borrow_and_update(),
                frame = from.next() => match frame {
                    Some(Ok(frame)) => {
                        let Ok(chunk) = frame.into_data() else { continue };
                        passed += 1;
                        if to.send(Ok(chunk)).await.is_err() {
                            return;
                        }
                    }
                    Some(Err(_)) => flow = Flow::Cut,
                    None => flow = Flow::Ended,
                },
            },
            Flow::Stalled => tokio::select! {
                () = to.closed() => return,
                Ok(()) = told.changed() => flow = *told.borrow_and_update(),
            },
            Flow::Cut => {
                // The client may be gone already, which is what this is for.
                let _ = to.send(Err(Closed)).await;
                return;
            }
            Flow::Expired => {
                let _ = to.send(Ok(expired())).await;
                return;
            }
            Flow::Ended => return,
        }
    }
}

/// The event in question, on one line like every other.
pub(super) fn expired() -> Bytes {
    let object = status_object(410, "Expired", "too old resource version: 1 (2)");
    Bytes::from(format!("{}\n", json!({ "type": "ERROR", "object": object })))
}
