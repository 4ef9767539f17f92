//! Waiting for something to become true: by asking again and again, never by sleeping a fixed time.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

/// How long a test waits for something that usually takes a second or two: enough for a machine ten times as slow.
pub const LIMIT: Duration = Duration::from_mins(1);
/// Questions are cheap (one request each), so asking follows the event closely; a longer wait is asked about more seldom.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
pub(crate) const LONGEST_PAUSE: Duration = Duration::from_millis(200);

/// Asks until the answer is `Ok`, at most [`LIMIT`]. An error means "not yet"; the last one is part of the final error,
/// so let it say what was seen.
///
/// # Errors
/// Time is up.
pub async fn until<T>(what: &str, probe: impl AsyncFnMut() -> Result<T>) -> Result<T> {
    until_within(LIMIT, what, probe).await
}

/// As [`until`], with another limit.
///
/// # Errors
/// Time is up.
pub async fn until_within<T>(limit: Duration, what: &str, mut probe: impl AsyncFnMut() -> Result<T>) -> Result<T> {
    let began = Instant::now();
    let mut pause = FIRST_PAUSE;
    let mut last = None;
    loop {
        let left = limit.saturating_sub(began.elapsed());
        match tokio::time::timeout(left, probe()).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => last = Some(error),
            Err(_) if last.is_none() => last = Some(anyhow::anyhow!("the first question was never answered")),
            Err(_) => {}
        }
        if began.elapsed() + pause >= limit {
            let last = last.unwrap_or_else(|| anyhow::anyhow!("there was no time to ask"));
            return Err(last).with_context(|| format!("waited {limit:?} until {what}"));
        }
        tokio::time::sleep(pause).await;
        pause = LONGEST_PAUSE.min(pause * 2);
    }
}

/// Watches that something stays true for a while; an error of the probe ends it at once.
///
/// # Errors
/// The probe's first error.
pub async fn throughout(time: Duration, what: &str, mut probe: impl AsyncFnMut() -> Result<()>) -> Result<()> {
    let began = Instant::now();
    while began.elapsed() < time {
        let after = began.elapsed();
        probe()
            .await
            .with_context(|| format!("{what}: no longer so after {after:?} of {time:?}"))?;
        tokio::time::sleep(LONGEST_PAUSE / 2).await;
    }
    Ok(())
}
