//! Keeps the community's reports what they should be: one for each namespace with results. The leader's alone, and only where the kind is installed.
//!
//! A namespace whose results did not change costs nothing; one that did is written at most every [`BETWEEN`]. What is stored is listed once a term.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kube::Api;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use tokio_util::sync::CancellationToken;

use super::community::{CONTENT, KINDS, OWNED, ReportKind, reports};
use crate::process::Context;
use crate::reconcile::View;
use crate::reconcile::results::NamespaceResults;

/// Least time between two writes to the reports of one namespace.
pub const BETWEEN: Duration = Duration::from_secs(10);

/// Changes are gathered for so long.
const GATHER: Duration = Duration::from_millis(500);

/// How often it is asked whether a report kind was installed meanwhile.
const LOOK_FOR_KIND: Duration = Duration::from_mins(10);

/// How long a namespace whose report was refused waits, so that the others come first.
const AFTER_REFUSAL: Duration = Duration::from_mins(1);

/// Time to answer one request.
const ANSWER: Duration = Duration::from_secs(10);

/// Writes reports.
pub struct CommunityWriter {
    context: Context,
    kind: Option<ReportKind>,
    looked: Option<Instant>,
    /// Nothing is sent before, whatever changes: the last request failed.
    not_before: Option<Instant>,
    /// The term in which `stored` was listed.
    term: Option<i64>,
    /// Hash of the content by namespace and name.
    stored: BTreeMap<(String, String), String>,
    written: BTreeMap<Arc<str>, Written>,
}

/// What was last written of a namespace.
struct Written {
    /// Nothing: it was refused.
    results: Option<Arc<NamespaceResults>>,
    at: Instant,
}

impl Written {
    fn wait(&self) -> Duration {
        let span = if self.results.is_some() { BETWEEN } else { AFTER_REFUSAL };
        span.saturating_sub(self.at.elapsed())
    }
}

impl CommunityWriter {
    /// A writer that has written nothing yet.
    pub fn new(context: Context) -> Self {
        Self {
            context,
            kind: None,
            looked: None,
            not_before: None,
            term: None,
            stored: BTreeMap::new(),
            written: BTreeMap::new(),
        }
    }

    /// Works until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut views = self.context.views.subscribe();
        let mut epochs = self.context.leadership.epochs();
        let mut next = LOOK_FOR_KIND;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                changed = views.changed() => if changed.is_none() { return },
                changed = epochs.changed() => if changed.is_err() { return },
                () = tokio::time::sleep(next) => {}
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(GATHER) => {}
            }
            next = self.flush().await;
        }
    }

    /// Writes what is due; says when to come again.
    async fn flush(&mut self) -> Duration {
        let view = self.context.views.latest();
        let Some(term) = self.context.leadership.term().filter(|_| view.complete) else {
            return LOOK_FOR_KIND;
        };
        let wait = self.not_before.map(|at| at.saturating_duration_since(Instant::now()));
        if let Some(wait) = wait.filter(|wait| !wait.is_zero()) {
            return wait;
        }
        let due = self.looked.is_none_or(|looked| looked.elapsed() >= LOOK_FOR_KIND);
        if self.term != Some(term.epoch) || (self.kind.is_none() && due) {
            self.begin(term.epoch).await;
        }
        let Some(kind) = self.kind else {
            return if self.term == Some(term.epoch) {
                LOOK_FOR_KIND
            } else {
                BETWEEN
            };
        };
        let mut next = LOOK_FOR_KIND;
        for (namespace, results) in view.results.namespaces() {
            if namespace.is_empty() {
                continue; // cluster-scoped objects live in no namespace
            }
            match self.written.get(namespace) {
                Some(written) if written.results.as_ref().is_some_and(|of| Arc::ptr_eq(of, results)) => {}
                Some(written) if !written.wait().is_zero() => next = next.min(written.wait()),
                _ => {
                    let done = self.write(kind, namespace, results).await;
                    let results = done.then(|| Arc::clone(results));
                    let at = Instant::now();
                    self.written.insert(Arc::clone(namespace), Written { results, at });
                    if !done {
                        return BETWEEN;
                    }
                }
            }
        }
        self.forget(kind, &view).await;
        next
    }

    /// A term begins, or it is time to look again: which kind there is, and what of ours is stored.
    async fn begin(&mut self, epoch: i64) {
        self.looked = Some(Instant::now());
        self.written.clear();
        self.stored.clear();
        self.kind = None;
        for kind in KINDS {
            let group = format!("{}/{}", kind.group, kind.version);
            let served = self.context.client.list_api_group_resources(&group).await;
            if served.is_ok_and(|served| served.resources.iter().any(|resource| resource.name == kind.plural)) {
                self.kind = Some(kind);
                break;
            }
        }
        let Some(kind) = self.kind else {
            self.term = Some(epoch);
            return;
        };
        let ours = ListParams::default().labels(&format!("{}={}", OWNED.0, OWNED.1));
        let api: Api<DynamicObject> = Api::all_with(self.context.client.clone(), &resource(kind));
        match api.list_metadata(&ours).await {
            Ok(list) => {
                self.term = Some(epoch);
                tracing::info!(
                    kind = kind.kind,
                    group = kind.group,
                    stored = list.items.len(),
                    "results are reported"
                );
                self.stored = list
                    .items
                    .into_iter()
                    .filter_map(|object| {
                        let metadata = object.metadata;
                        let hash = metadata.annotations?.remove(CONTENT).unwrap_or_default();
                        Some(((metadata.namespace?, metadata.name?), hash))
                    })
                    .collect();
            }
            Err(error) => {
                self.kind = None;
                self.failed("list", &error);
            }
        }
    }

    /// Writes the reports of a namespace whose content changed. Whether it went well.
    async fn write(&mut self, kind: ReportKind, namespace: &Arc<str>, results: &Arc<NamespaceResults>) -> bool {
        let api = self.api(kind, namespace);
        let judged = results.outcomes.values().map(|outcome| &outcome.evaluation);
        let reports = reports(kind, namespace, judged, |_, _| None);
        for report in &reports {
            let name = report["metadata"]["name"].as_str().unwrap_or_default().to_owned();
            let hash = report["metadata"]["annotations"][CONTENT]
                .as_str()
                .unwrap_or_default()
                .to_owned();
            let key = (namespace.to_string(), name);
            if self.stored.get(&key) == Some(&hash) {
                continue;
            }
            if !self.context.leadership.leads() {
                return false;
            }
            let parameters = PatchParams::apply("ironside/owned").force();
            let patch = Patch::Apply(report);
            let sent = tokio::time::timeout(ANSWER, api.patch(&key.1, &parameters, &patch)).await;
            match sent {
                Ok(Ok(_)) => {
                    self.stored.insert(key, hash);
                }
                Ok(Err(kube::Error::Api(status))) if status.code == 404 => break, // namespace or kind gone meanwhile
                Ok(Err(error)) => {
                    self.failed("apply", &error);
                    return false;
                }
                Err(_) => {
                    self.failed("apply", &kube::Error::Service("no answer in time".into()));
                    return false;
                }
            }
        }
        let of_namespace = (namespace.to_string(), String::new())..;
        let further: Vec<(String, String)> = self
            .stored
            .range(of_namespace)
            .map(|(key, _)| key)
            .take_while(|(of, _)| **of == **namespace)
            .filter(|(_, name)| !reports.iter().any(|report| report["metadata"]["name"] == name.as_str()))
            .cloned()
            .collect();
        for key in further {
            self.delete(kind, key).await;
        }
        true
    }

    /// Deletes reports of namespaces in which nothing is judged any more.
    async fn forget(&mut self, kind: ReportKind, view: &View) {
        let judged: Vec<&Arc<str>> = view.results.namespaces().map(|(namespace, _)| namespace).collect();
        let stale: Vec<(String, String)> = self
            .stored
            .keys()
            .filter(|(namespace, _)| !judged.iter().any(|judged| ***judged == **namespace))
            .cloned()
            .collect();
        for key in stale {
            self.delete(kind, key).await;
        }
        self.written.retain(|namespace, _| judged.contains(&namespace));
    }

    async fn delete(&mut self, kind: ReportKind, key: (String, String)) {
        if !self.context.leadership.leads() {
            return;
        }
        match self.api(kind, &key.0).delete(&key.1, &DeleteParams::default()).await {
            Ok(_) => {
                self.stored.remove(&key);
            }
            Err(kube::Error::Api(status)) if status.code == 404 => {
                self.stored.remove(&key);
            }
            Err(error) => self.failed("delete", &error),
        }
    }

    fn api(&self, kind: ReportKind, namespace: &str) -> Api<DynamicObject> {
        Api::namespaced_with(self.context.client.clone(), namespace, &resource(kind))
    }

    fn failed(&mut self, verb: &str, error: &kube::Error) {
        self.not_before = Some(Instant::now() + BETWEEN);
        tracing::warn!(verb, error = %error, "a report was not written");
        let reason = match error {
            kube::Error::Api(status) if status.code == 403 => "forbidden",
            kube::Error::Api(_) => "refused",
            _ => "connection",
        };
        self.context.happenings.failed("reports", reason);
    }
}

fn resource(kind: ReportKind) -> ApiResource {
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(kind.group, kind.version, kind.kind), kind.plural)
}
