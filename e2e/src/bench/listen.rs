//! What a plain kube client hears by watching, with the moment at which it heard it: the alternative to the operator's own reaction.

use std::fmt::Debug;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use futures::StreamExt as _;
use jiff::Timestamp;
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// A watch that runs until this is dropped.
pub(super) struct Ear<K> {
    heard: mpsc::UnboundedReceiver<Heard<K>>,
    task: JoinHandle<()>,
}

/// One object, and when it was heard of on both clocks: the wall clock is the one that the audit log has too.
pub(super) struct Heard<K> {
    pub(super) at: Instant,
    pub(super) time: Timestamp,
    pub(super) object: K,
}

impl<K> Ear<K>
where
    K: Resource + Clone + Debug + DeserializeOwned + Send + 'static,
{
    pub(super) fn open(api: Api<K>) -> Self {
        let (tell, heard) = mpsc::unbounded_channel();
        let task = tokio::spawn(async move {
            let mut objects = std::pin::pin!(watcher(api, watcher::Config::default()).applied_objects());
            while let Some(object) = objects.next().await {
                let (at, time) = (Instant::now(), Timestamp::now());
                // After an error the watcher tries again by itself.
                if let Ok(object) = object
                    && tell.send(Heard { at, time, object }).is_err()
                {
                    return;
                }
            }
        });
        Self { heard, task }
    }

    /// The first object from here on that fits.
    pub(super) async fn first(&mut self, limit: Duration, what: &str, fits: impl Fn(&K) -> bool) -> Result<Heard<K>> {
        let search = async {
            while let Some(heard) = self.heard.recv().await {
                if fits(&heard.object) {
                    return Some(heard);
                }
            }
            None
        };
        let found = tokio::time::timeout(limit, search).await;
        found
            .with_context(|| format!("waited {limit:?} until {what}"))?
            .context("the watch ended")
    }

    /// All that was heard since the last question.
    pub(super) fn all(&mut self) -> Vec<Heard<K>> {
        let mut all = Vec::new();
        while let Ok(heard) = self.heard.try_recv() {
            all.push(heard);
        }
        all
    }
}

impl<K> Drop for Ear<K> {
    fn drop(&mut self) {
        self.task.abort();
    }
}
