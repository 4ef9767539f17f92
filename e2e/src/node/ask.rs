//! A client that never stops asking: it counts the requests that got no good answer.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::task::JoinHandle;

use super::relay;

/// A pause between two requests: some ten a second, each over a connection of its own.
const PAUSE: Duration = Duration::from_millis(80);

/// What was asked and what was lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    /// Requests.
    pub asked: usize,
    /// What went wrong, one line for each request without a good answer.
    pub lost: Vec<String>,
}

/// A client at work.
pub struct Client {
    stop: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
    task: JoinHandle<Tally>,
}

impl Client {
    /// Starts to ask `address` (`host:port`) from the node.
    pub fn start(dial: PathBuf, address: String) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let asked = Arc::new(AtomicUsize::new(0));
        let (told, count) = (Arc::clone(&stop), Arc::clone(&asked));
        let task = tokio::spawn(async move {
            let mut lost = Vec::new();
            while !told.load(Ordering::Relaxed) {
                let number = count.fetch_add(1, Ordering::Relaxed) + 1;
                match relay::get(&dial, &address, "/").await {
                    Ok((200, _)) => {}
                    Ok((status, body)) => lost.push(format!("request {number}: {status} {}", body.trim())),
                    Err(error) => lost.push(format!("request {number}: {error:#}")),
                }
                tokio::time::sleep(PAUSE).await;
            }
            Tally {
                asked: count.load(Ordering::Relaxed),
                lost,
            }
        });
        Self { stop, asked, task }
    }

    /// How many requests so far.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }

    /// Stops it.
    ///
    /// # Errors
    /// It panicked.
    pub async fn tally(self) -> Result<Tally> {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.context("the client ended by itself")
    }
}
