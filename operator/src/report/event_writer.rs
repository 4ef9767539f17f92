//! Sends events, one after the other, through one shared recorder, so that repetitions become a series of one event. The leader's alone.

use std::time::Duration;

use kube::runtime::events::{Recorder, Reporter as Who};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::Event;
use crate::process::Context;

/// Time to answer.
const ANSWER: Duration = Duration::from_secs(10);

/// Sends what comes in until `stop`, and then what waits: it may be the last that somebody learns of what was seen. An event that cannot be sent is dropped and counted: it only tells of what status and metrics show anyway.
pub async fn send_events(context: Context, mut events: mpsc::Receiver<Event>, stop: CancellationToken) {
    let Context {
        client,
        leadership,
        happenings,
        identity,
        ..
    } = context;
    let who = Who {
        controller: "ironside".to_owned(),
        instance: Some(identity.to_string()),
    };
    let recorder = Recorder::new(client, who);
    loop {
        let event = match stop.run_until_cancelled(events.recv()).await {
            Some(event) => event,
            None => events.try_recv().ok(),
        };
        let Some(event) = event else { return };
        if !leadership.leads() {
            continue;
        }
        let reason = event.reason.as_str();
        let (event, regarding) = event.into_parts();
        let outcome = match timeout(ANSWER, recorder.publish(&event, &regarding)).await {
            Ok(Ok(())) => "ok",
            Ok(Err(error)) => {
                tracing::debug!(reason, error = %error, "an event was not sent");
                "failed"
            }
            Err(_) => "timeout",
        };
        happenings.event(reason, outcome);
    }
}
