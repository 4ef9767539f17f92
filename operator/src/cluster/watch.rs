//! One task per watched kind (and namespace): lists, watches, decodes, and hands changes to the single writer.
//!
//! The loop is our own rather than kube's `watcher`, whose states are not visible from outside: it cannot tell that a broken watch works again until an
//! object changes, does not show bookmarks (so a stalled connection looks like a quiet kind), and waits without limit for the answer to a request.
//!
//! A list is gathered page by page and handed over as one `Replaced`; a list that breaks off leaves no trace.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use ironside_engine::detect::Writer;
use jiff::Timestamp;
use kube::api::{ListParams, WatchEvent, WatchParams};
use kube::{Api, Client};
use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::author;
use super::failure::{End, Failure, Patience};
use super::item::{Item, Unreadable};
use super::requests::Requests;
use super::{Raw, Source, Standing, Trouble, WatchHealth};

/// Objects per page of a list. Two pages are held while one of them is decoded; with pods of 9 kB 250 keeps that below 5 MB at the price of 40 requests for 10,000 pods.
const PAGE: u32 = 250;

/// How long the server keeps a watch open. Longer means fewer requests when idle; dead connections are found by silence, not by this.
const WATCH_SECONDS: u32 = 600;

/// Silence after which a connection counts as dead. API servers send a bookmark about every minute to whoever asks for them.
const SILENCE: Duration = Duration::from_secs(150);

/// Time to answer: a page of a list, the head of a watch.
const ANSWER: Duration = Duration::from_secs(30);

/// The namespace a watch is limited to, or the whole cluster.
pub type Scope = Option<Arc<str>>;

/// What a watch saw.
#[derive(Debug)]
pub struct Message {
    /// Which watch.
    pub source: Source,
    /// Its namespace.
    pub scope: Scope,
    /// What it saw.
    pub seen: Seen,
}

/// One thing that a watch saw.
#[derive(Debug)]
pub enum Seen {
    /// Everything there is, in place of everything seen before.
    Replaced(Vec<Result<Item, Unreadable>>),
    /// An object is new or changed; by whom, where that is asked.
    Applied(Box<Result<Item, Unreadable>>, Option<Writer>),
    /// An object is gone.
    Deleted {
        /// Namespace, empty for cluster-scoped objects.
        namespace: String,
        /// Name.
        name: String,
        /// UID: which object of that name.
        uid: String,
    },
    /// The standing of the watch changed; what it saw before stays as it is.
    Standing(Standing),
}

/// One watch and how it fares.
#[derive(Clone, Debug)]
pub struct Watch {
    /// What is watched.
    pub source: Source,
    /// Where.
    pub scope: Scope,
    /// How it fares.
    pub health: Arc<Mutex<WatchHealth>>,
}

/// All watches of the process.
#[derive(Clone, Debug, Default)]
pub struct Watches(Arc<[Watch]>);

impl Watches {
    /// Starts the watches of the whole cluster, or of `namespaces` if there are any. They end with `stop`, or when the receiving end is dropped.
    pub fn start(
        client: &Client,
        requests: &Arc<Requests>,
        own_namespace: &str,
        namespaces: &[String],
        messages: &mpsc::Sender<Message>,
        tasks: &tokio_util::task::TaskTracker,
        stop: &tokio_util::sync::CancellationToken,
    ) -> Self {
        let watches: Vec<Watch> = places(own_namespace, namespaces)
            .into_iter()
            .map(|(source, scope)| Watch {
                source,
                scope,
                health: Arc::new(Mutex::new(WatchHealth::new(Instant::now()))),
            })
            .collect();
        for watch in &watches {
            let task = Task {
                api: api(client, watch.source, watch.scope.as_deref()),
                requests: Arc::clone(requests),
                watch: watch.clone(),
                messages: messages.clone(),
            };
            let stop = stop.clone();
            tasks.spawn(async move { stop.run_until_cancelled_owned(Box::pin(task.run())).await });
        }
        Self(watches.into())
    }

    /// Every watch.
    pub fn iter(&self) -> impl Iterator<Item = &Watch> {
        self.0.iter()
    }
}

/// What is watched where.
fn places(own_namespace: &str, namespaces: &[String]) -> Vec<(Source, Scope)> {
    if namespaces.is_empty() {
        return Source::all()
            .into_iter()
            .map(|source| (source, (source == Source::PauseSwitch).then(|| own_namespace.into())))
            .collect();
    }
    let mut places = Vec::new();
    for source in Source::of_namespaces() {
        match source {
            Source::PauseSwitch => places.push((source, Some(own_namespace.into()))),
            _ if !source.namespaced() => places.push((source, None)),
            _ => places.extend(
                namespaces
                    .iter()
                    .map(|namespace| (source, Some(namespace.as_str().into()))),
            ),
        }
    }
    places
}

fn api(client: &Client, source: Source, scope: Option<&str>) -> Api<Raw> {
    match scope {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &source),
        None => Api::all_with(client.clone(), &source),
    }
}

struct Task {
    api: Api<Raw>,
    requests: Arc<Requests>,
    watch: Watch,
    messages: mpsc::Sender<Message>,
}

impl Task {
    async fn run(self) {
        let mut patience = Patience::new(self.watch.source);
        let mut position: Option<String> = None;
        let mut expired = false;
        loop {
            let end = match position.take() {
                None => match self.list().await {
                    Ok(version) => {
                        patience.reset();
                        position = Some(version);
                        expired = false;
                        continue;
                    }
                    Err(end) => end,
                },
                Some(version) => {
                    let mut version = version;
                    let end = self.follow(&mut version, &mut patience).await;
                    if !matches!(end, End::Expired) {
                        position = Some(version);
                    }
                    end
                }
            };
            match end {
                End::Closed => return,
                End::Expired => {
                    tracing::debug!(source = %self.watch.source, "resource version expired, listing anew");
                    // A list so slow that its own pages expire must not become a storm of lists.
                    if std::mem::replace(&mut expired, true) {
                        tokio::time::sleep(patience.next(&Failure::expired())).await;
                    }
                }
                End::Failed(failure) => {
                    if self.report(&failure).await.is_err() {
                        return;
                    }
                    if self.watch.health.lock().standing() == Standing::Denied {
                        // After a permission comes back, what happened in between is unknown.
                        position = None;
                    }
                    let pause = patience.next(&failure).max(self.requests.wait());
                    tokio::time::sleep(pause).await;
                }
            }
        }
    }

    /// Lists everything and hands it over. Returns the resource version to watch from.
    async fn list(&self) -> Result<String, End> {
        let mut items = Vec::new();
        let mut parameters = ListParams::default().limit(PAGE);
        parameters.field_selector = self.field_selector();
        let mut page = answered(self.api.list(&parameters)).await?;
        loop {
            let decoded = page.items.iter().map(|raw| Item::decode(self.watch.source, raw));
            let Some(token) = page.metadata.continue_.clone().filter(|token| !token.is_empty()) else {
                items.extend(decoded);
                self.watch.health.lock().listed(Instant::now());
                self.send(Seen::Replaced(items)).await?;
                return Ok(page.metadata.resource_version.unwrap_or_default());
            };
            self.watch.health.lock().heard(Instant::now());
            parameters = parameters.continue_token(&token);
            // The server works on the next page while this one is decoded.
            let (next, ()) = futures::join!(answered(self.api.list(&parameters)), async { items.extend(decoded) });
            page = next?;
        }
    }

    /// Watches from `version` on, keeping it up to date.
    async fn follow(&self, version: &mut String, patience: &mut Patience) -> End {
        match self.try_follow(version, patience).await {
            Ok(never) => match never {},
            Err(end) => end,
        }
    }

    async fn try_follow(&self, version: &mut String, patience: &mut Patience) -> Result<std::convert::Infallible, End> {
        let mut parameters = WatchParams::default().timeout(WATCH_SECONDS);
        parameters.field_selector = self.field_selector();
        loop {
            let mut events = answered(self.api.watch(&parameters, version)).await?.boxed();
            let came_back = self.watch.health.lock().opened(Instant::now());
            if came_back {
                self.send(Seen::Standing(Standing::Live)).await?;
            }
            while let Some(event) = timeout(SILENCE, events.next())
                .await
                .map_err(|_| End::Failed(Failure::silence(SILENCE)))?
            {
                self.watch.health.lock().heard(Instant::now());
                patience.reset();
                match event.map_err(|error| End::of(&error))? {
                    WatchEvent::Added(raw) | WatchEvent::Modified(raw) => {
                        remember(version, raw_version(&raw));
                        let item = Item::decode(self.watch.source, &raw);
                        let writer = author::of(self.watch.source, &raw, &item, Timestamp::now());
                        self.send(Seen::Applied(Box::new(item), writer)).await?;
                    }
                    WatchEvent::Deleted(raw) => {
                        remember(version, raw_version(&raw));
                        self.send(Seen::Deleted {
                            namespace: raw.namespace().to_owned(),
                            name: raw.name().to_owned(),
                            uid: kube::Resource::meta(&raw).uid.clone().unwrap_or_default(),
                        })
                        .await?;
                    }
                    WatchEvent::Bookmark(bookmark) => remember(version, Some(&bookmark.metadata.resource_version)),
                    WatchEvent::Error(status) => return Err(End::of(&kube::Error::Api(status))),
                }
            }
            // The server ends every watch after its time: go on from where we are.
        }
    }

    fn field_selector(&self) -> Option<String> {
        self.watch.source.only().map(|name| format!("metadata.name={name}"))
    }

    async fn send(&self, seen: Seen) -> Result<(), End> {
        self.messages
            .send(Message {
                source: self.watch.source,
                scope: self.watch.scope.clone(),
                seen,
            })
            .await
            .map_err(|_| End::Closed)
    }

    /// Notes a failure, and tells the writer if the standing changed.
    async fn report(&self, failure: &Failure) -> Result<(), End> {
        let (changed, standing) = {
            let mut health = self.watch.health.lock();
            (health.failed(failure.trouble, Instant::now()), health.standing())
        };
        let source = self.watch.source;
        let namespace = self.watch.scope.as_deref().unwrap_or_default();
        if !changed {
            tracing::debug!(%source, namespace, error = %failure.message, "watch failed again");
            return Ok(());
        }
        match standing {
            Standing::NotServed if source.is_own() => tracing::error!(
                %source,
                "the API server does not know {}: install Ironside's custom resource definitions (config/crd); trying again",
                source.resource()
            ),
            _ => {
                tracing::warn!(%source, namespace, standing = standing.as_str(), error = %failure.message, "watch failed");
            }
        }
        self.send(Seen::Standing(standing)).await
    }
}

fn remember(position: &mut String, version: Option<&str>) {
    if let Some(version) = version.filter(|version| !version.is_empty()) {
        version.clone_into(position);
    }
}

fn raw_version(raw: &Raw) -> Option<&str> {
    kube::Resource::meta(raw).resource_version.as_deref()
}

/// Waits for an answer, but not for ever.
async fn answered<T>(request: impl Future<Output = kube::Result<T>>) -> Result<T, End> {
    match timeout(ANSWER, request).await {
        Ok(answer) => answer.map_err(|error| End::of(&error)),
        Err(_) => Err(End::Failed(Failure {
            trouble: Trouble::Failed,
            message: format!("no answer within {} s", ANSWER.as_secs()),
        })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_a_namespaced_operator_cluster_policies_are_not_watched() {
        let places = places("ironside-system", &["a".to_owned(), "b".to_owned()]);
        let of = |source: Source| -> Vec<Option<&str>> {
            places
                .iter()
                .filter(|(found, _)| *found == source)
                .map(|(_, scope)| scope.as_deref())
                .collect()
        };
        assert_eq!(of(Source::Policy), [Some("a"), Some("b")]);
        assert!(of(Source::ClusterPolicy).is_empty());
        assert_eq!(of(Source::PauseSwitch), [Some("ironside-system")]);
        assert_eq!(of(Source::Cluster(ironside_engine::model::Kind::Namespace)), [None]);
    }
}
