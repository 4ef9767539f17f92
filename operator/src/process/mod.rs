//! The operator as a process: puts the parts together, watches over them, and stops them in the right order.
//!
//! Every part is a task. A part that ends by itself is a bug (or a panic), and a process without it would look alive and do nothing: the process then ends,
//! too, and is started again. On SIGTERM writers finish the request in flight, then the lease is given up, so that the next process leads at once.

mod args;
mod audit_args;
mod parts;
mod readiness;

pub mod log;

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::{Context as _, bail};
use ironside_engine::components::Observed;
use ironside_engine::model::layer::Layers;
use kube::Client;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use args::{Args, LogFormat};
pub use audit_args::AuditArgs;
use parts::Parts;

use crate::apply;
use crate::audit::Sink;
use crate::cluster::lease::{Terms, take_part};
use crate::cluster::requests::Requests;
use crate::cluster::{Leadership, Message, Watches, chain, client};
use crate::components;
use crate::detections::Detections;
use crate::http;
use crate::kubelet;
use crate::metrics::{Happenings, Metrics, State, state};
use crate::network::Keeper;
use crate::reconcile::{Feed, Views, Writer};
use crate::report::event_writer::send_events;
use crate::report::rights::keep_asking;
use crate::report::{CommunityWriter, Event, Reporter, StatusWriter, Stops};

/// Changes that may wait for the writer. Watches wait when it is full, which slows the API server's stream, not our memory.
const CHANGES: usize = 4096;

/// Time that writers get to finish the request in flight.
const FINISH: Duration = Duration::from_secs(15);

/// Pause between attempts to reach the API server at start.
const REACH: Duration = Duration::from_secs(2);

/// What a part that writes to the cluster is given. Cheap to clone.
#[derive(Clone)]
pub struct Context {
    /// Sends requests. It does not repeat refused ones.
    pub client: Client,
    /// What was seen of them; says how long the API server asked us to wait ([`Requests::wait`]).
    pub requests: Arc<Requests>,
    /// What is known, and what changes.
    pub views: Views,
    /// Asked before every write.
    pub leadership: Leadership,
    /// Takes events.
    pub reporter: Reporter,
    /// Counts.
    pub happenings: Arc<Happenings>,
    /// Takes sightings.
    pub detections: Detections,
    /// Emergency stops of policies.
    pub stops: Stops,
    /// The operator's own namespace.
    pub own_namespace: Arc<str>,
    /// Name of this replica.
    pub identity: Arc<str>,
}

/// Runs the operator until it is told to stop. An error means that it cannot work, or that a part of it failed.
pub async fn run(args: Args) -> anyhow::Result<()> {
    args.check().map_err(anyhow::Error::msg)?;
    let told_to_stop = told_to_stop()?;
    let mut operator = Operator::start(&args).await?;
    let ended = tokio::select! {
        () = told_to_stop => None,
        part = operator.sink.ended() => Some(part),
        part = operator.readers.ended() => Some(part),
        part = operator.writers.ended() => Some(part),
    };
    match &ended {
        None => tracing::info!("told to stop: finishing the requests in flight"),
        Some(part) => tracing::error!(part, "a part of the operator ended by itself; stopping all"),
    }
    operator.stop().await;
    match ended {
        None => Ok(()),
        Some(part) => bail!("{part} ended by itself"),
    }
}

/// What is asked beside what is watched.
struct Evidence {
    layers: watch::Receiver<Arc<Layers>>,
    observed: Option<watch::Receiver<Arc<Observed>>>,
}

/// The running parts.
struct Operator {
    /// What takes audit events. It ends first: what it has accepted is still told by the writers.
    sink: Parts,
    /// Parts that write to the cluster; they end before leadership does.
    writers: Parts,
    /// All other parts: watches' consumer, election, HTTP.
    readers: Parts,
    stop_taking: CancellationToken,
    stop_working: CancellationToken,
    stop_leading: CancellationToken,
}

impl Operator {
    async fn start(args: &Args) -> anyhow::Result<Self> {
        let identity: Arc<str> = args.identity().into();
        tracing::info!(
            version = env!("CARGO_PKG_VERSION"),
            identity = &*identity,
            namespace = args.namespace,
            watch_namespaces = args.watch_namespaces.join(","),
            "starting"
        );
        let listener = TcpListener::bind(args.listen)
            .await
            .with_context(|| format!("cannot listen on {}", args.listen))?;
        tracing::info!(address = %listener.local_addr()?, "serving /healthz, /readyz and /metrics");
        let sink = match args.audit.settings() {
            Some(settings) => Some(Sink::open(settings).await?),
            None => None,
        };
        let requests = Arc::<Requests>::default();
        let (client, config) = client::connect(Arc::clone(&requests)).await?;
        tracing::info!(server = %config.cluster_url, "asking the API server");
        let (feed, views) = Feed::new();
        let (reporter, events) = Reporter::new();
        let happenings = Arc::new(Happenings::new()?);
        let detections = Detections::new(
            views.clone(),
            reporter.clone(),
            Arc::clone(&happenings),
            &args.namespace,
        );
        let context = Context {
            client,
            requests,
            views,
            leadership: Leadership::default(),
            reporter,
            happenings,
            detections,
            stops: Stops::default(),
            own_namespace: args.namespace.as_str().into(),
            identity,
        };
        let mut operator = Self {
            sink: Parts::default(),
            writers: Parts::default(),
            readers: Parts::default(),
            stop_taking: CancellationToken::new(),
            stop_working: CancellationToken::new(),
            stop_leading: CancellationToken::new(),
        };
        let observed = operator.start_asking_components(args, &context, config.clone());
        let layers = operator.start_asking_kubelets(args, &context, config);
        let watches = operator.start_reading(args, &context, feed, Evidence { layers, observed });
        let (answer, missing) = watch::channel(Arc::default());
        let old_definitions = Arc::new(AtomicBool::new(false));
        let state = State {
            views: context.views.clone(),
            watches,
            leadership: context.leadership.clone(),
            requests: Arc::clone(&context.requests),
            missing: missing.clone(),
            happenings: Arc::clone(&context.happenings),
            descs: state::descs()?,
        };
        let metrics = Arc::new(Metrics::new(state, &context.happenings)?);
        let readiness = readiness::of(context.views.clone(), Arc::clone(&old_definitions));
        let serving = serve(
            listener,
            http::router(metrics, readiness),
            operator.stop_leading.clone(),
        );
        operator.readers.start("http", serving);
        if let Some(sink) = sink {
            let taking = sink.run(context.clone(), operator.stop_taking.clone());
            operator.sink.start("audit sink", taking);
        }
        operator.start_writing(context, events, answer, missing, old_definitions);
        Ok(operator)
    }

    /// Starts what looks at the cluster and takes part in the election.
    fn start_reading(&mut self, args: &Args, context: &Context, feed: Feed, evidence: Evidence) -> Watches {
        let (sender, changes) = mpsc::channel(CHANGES);
        let watches = Watches::start(
            &context.client,
            &context.requests,
            &args.namespace,
            &args.watch_namespaces,
            &sender,
            &TaskTracker::new(),
            &self.stop_working,
        );
        let judging = judge(
            context.clone(),
            watches.clone(),
            (feed, evidence),
            changes,
            self.stop_working.clone(),
        );
        self.readers.start("writer", judging);
        let terms = Terms {
            identity: context.identity.to_string(),
            duration: args.lease_duration,
            renew: args.lease_renew,
        };
        let election = take_part(
            context.client.clone(),
            Arc::clone(&context.own_namespace),
            terms,
            context.leadership.clone(),
            self.stop_leading.clone(),
        );
        self.readers.start("election", election);
        watches
    }

    /// Starts looking at the components of the cluster; `None` where the operator looks after some namespaces only.
    fn start_asking_components(
        &mut self,
        args: &Args,
        context: &Context,
        config: kube::Config,
    ) -> Option<watch::Receiver<Arc<Observed>>> {
        if !args.watch_namespaces.is_empty() {
            return None;
        }
        let is_told_to = args.ask_api_server;
        let (sender, observed) = watch::channel(Arc::new(components::nothing_yet(is_told_to)));
        let stop = self.stop_working.clone();
        if let Some(account) = args.kubelet_account.clone() {
            let asking = kubelet::configz::run(context.clone(), account, config.clone(), sender.clone(), stop.clone());
            self.readers.start("kubelet configurations", asking);
        }
        let asking = components::run(context.clone(), config, is_told_to, sender, stop);
        self.readers.start("components", asking);
        Some(observed)
    }

    /// Starts asking kubelets, if that is wanted. Every replica asks: who takes over must not know less.
    fn start_asking_kubelets(
        &mut self,
        args: &Args,
        context: &Context,
        config: kube::Config,
    ) -> watch::Receiver<Arc<Layers>> {
        let asked = args.kubelet_account.is_some();
        let (sender, layers) = watch::channel(Arc::new(Layers {
            asked,
            ..Layers::default()
        }));
        if let Some(account) = args.kubelet_account.clone() {
            let stop = self.stop_working.clone();
            let asking = kubelet::run(context.clone(), account, config, sender, stop);
            self.readers.start("kubelets", asking);
        }
        layers
    }

    /// Starts what writes to the cluster while we lead.
    fn start_writing(
        &mut self,
        context: Context,
        events: mpsc::Receiver<Event>,
        answer: watch::Sender<Arc<crate::cluster::permissions::Missing>>,
        missing: watch::Receiver<Arc<crate::cluster::permissions::Missing>>,
        old_definitions: Arc<AtomicBool>,
    ) {
        let stop = &self.stop_working;
        let (repairs_missing, networks_missing) = (missing.clone(), missing.clone());
        let status = StatusWriter::new(context.clone(), missing, old_definitions);
        self.writers.start("status", status.run(stop.clone()));
        self.writers
            .start("events", send_events(context.clone(), events, stop.clone()));
        self.writers
            .start("repairs", apply::run(context.clone(), repairs_missing, stop.clone()));
        let reports = CommunityWriter::new(context.clone());
        self.writers.start("reports", reports.run(stop.clone()));
        let network = Keeper::new(context.clone(), networks_missing);
        self.writers.start("network", network.run(stop.clone()));
        self.writers.start("rights", keep_asking(context, answer, stop.clone()));
    }

    async fn stop(mut self) {
        self.stop_taking.cancel();
        if tokio::time::timeout(FINISH, self.sink.finished()).await.is_err() {
            tracing::warn!("audit events in flight were not judged in time; the API server sends them again");
        }
        self.stop_working.cancel();
        if tokio::time::timeout(FINISH, self.writers.finished()).await.is_err() {
            tracing::warn!("requests in flight did not finish in time");
        }
        self.stop_leading.cancel();
        if tokio::time::timeout(FINISH, self.readers.finished()).await.is_err() {
            tracing::warn!("not every part stopped in time");
        }
        tracing::info!("stopped");
    }
}

/// The single writer, once the API server's version is known.
async fn judge(
    context: Context,
    watches: Watches,
    (feed, evidence): (Feed, Evidence),
    changes: mpsc::Receiver<Message>,
    stop: CancellationToken,
) {
    let Some(minor) = stop.run_until_cancelled(minor(&context.client)).await else {
        return;
    };
    let places: Vec<_> = watches
        .iter()
        .map(|watch| (watch.source, watch.scope.clone()))
        .collect();
    let writer = Writer::new(
        &context.own_namespace,
        minor,
        places,
        feed,
        Arc::clone(&context.happenings),
        context.reporter.clone(),
    )
    .with_detections(context.detections)
    .with_layers(evidence.layers)
    .with_observed(evidence.observed);
    writer.run(changes, stop).await;
}

async fn serve(listener: TcpListener, router: axum::Router, stop: CancellationToken) {
    if let Err(error) = http::serve(listener, router, stop).await {
        tracing::error!(error = %error, "cannot serve HTTP");
    }
}

/// The minor version of the API server, asked until it answers.
async fn minor(client: &Client) -> u32 {
    loop {
        match client.apiserver_version().await {
            Ok(version) => {
                let digits: String = version.minor.chars().take_while(char::is_ascii_digit).collect();
                tracing::info!(version = version.git_version, "reached the API server");
                return digits.parse().unwrap_or(0);
            }
            Err(error) => tracing::warn!(
                error = chain(&error),
                "cannot reach the API server, trying again (which ports pods here reach: docs/install.md)"
            ),
        }
        tokio::time::sleep(REACH).await;
    }
}

/// Resolves on SIGTERM or SIGINT.
fn told_to_stop() -> anyhow::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for SIGINT")?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
