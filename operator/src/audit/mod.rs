//! The audit sink: takes the API server's audit events and tells what they show and no object does.
//!
//! ```text
//! API server --TLS, client certificate--> listener -> server (batch, room, leader only) -> judging (detect) -> detections
//! ```
//!
//! Off unless told where to listen. Memory is bounded everywhere: connections, bodies, batches that wait, what detections remember; whatever does not fit is
//! refused, so that the API server keeps it and tries again, and counted. Only the replica that leads takes events, because bursts and habits are remembered
//! in one place; the other sends the API server on.

mod batch;
mod certificates;
mod detect;
mod event;
mod listener;
mod server;
mod silence;
mod surroundings;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use jiff::Timestamp;
use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use kube::api::PostParams;
use kube::{Api, Client};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use self::certificates::Certificates;
pub use self::certificates::Files;
use self::detect::{Detector, Judged, Surroundings};
use self::listener::Listener;
use self::server::{Delivery, Intake, Standing, Standings, router};
use self::silence::Silence;
use self::surroundings::surroundings;
use crate::process::Context;

/// How the sink is set up.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where it listens.
    pub listen: SocketAddr,
    /// With which certificates.
    pub files: Files,
    /// How long no event may come before that is told; zero: it is not told.
    pub heartbeat: Duration,
    /// How long it only learns what administrators do.
    pub learning: Duration,
}

/// Time between two looks at the files of the certificates, at the cluster, and for silence.
const LOOK: Duration = Duration::from_secs(10);

/// A connection on which nothing comes for so long is given up. An API server closes its own after a minute and a half; one whose machine is gone never does.
const IDLE: Duration = Duration::from_mins(5);

/// A sink that listens.
pub struct Sink {
    listener: TcpListener,
    certificates: Arc<Certificates>,
    settings: Settings,
}

impl Sink {
    /// Reads the certificates and opens the port: what cannot work is said at once.
    pub async fn open(settings: Settings) -> anyhow::Result<Self> {
        let certificates = Arc::new(Certificates::read(settings.files.clone())?);
        let listener = TcpListener::bind(settings.listen)
            .await
            .with_context(|| format!("--audit-sink: cannot listen on {}", settings.listen))?;
        tracing::info!(address = %listener.local_addr()?, "taking audit events");
        Ok(Self {
            listener,
            certificates,
            settings,
        })
    }

    /// Takes events until `stop`; then judges what has come in, and ends.
    pub async fn run(self, context: Context, stop: CancellationToken) {
        let Self {
            listener,
            certificates,
            settings,
        } = self;
        let (intake, deliveries) = Intake::new(standings(&context), Arc::clone(&context.happenings));
        let looking = stop
            .clone()
            .run_until_cancelled_owned(look_at_files(Arc::clone(&certificates), context.clone()));
        let judging = Judging {
            detector: Detector::new(settings.learning),
            silence: Silence::new(settings.heartbeat, Instant::now()),
            around: Surroundings::default(),
            own: Arc::default(),
            context: context.clone(),
            accepted: 0,
        };
        let asking = stop
            .clone()
            .run_until_cancelled_owned(ask_own_name(context.client.clone(), Arc::clone(&judging.own)));
        let serving = async {
            let listener = Listener::start(
                listener,
                certificates,
                Arc::clone(&context.happenings),
                IDLE,
                stop.clone(),
            );
            let serving = async {
                axum::serve(listener?, router(intake))
                    .with_graceful_shutdown(stop.clone().cancelled_owned())
                    .await
            };
            if let Err(error) = serving.await {
                tracing::error!(error = %error, "cannot serve the audit sink");
            }
        };
        // The judging ends when nothing more can come in: after the last request was answered.
        tokio::join!(looking, asking, serving, judging.run(deliveries));
    }
}

/// Events are taken by the replica that leads, once it knows what policies say.
fn standings(context: &Context) -> Standings {
    let (leadership, views) = (context.leadership.clone(), context.views.clone());
    Arc::new(move || {
        if !leadership.leads() {
            Standing::NotLeading
        } else if !views.latest().complete {
            Standing::NotReady
        } else {
            Standing::Takes
        }
    })
}

/// Reads the certificates' files again and again.
async fn look_at_files(certificates: Arc<Certificates>, context: Context) {
    loop {
        tokio::time::sleep(LOOK).await;
        let reading = Arc::clone(&certificates);
        match tokio::task::spawn_blocking(move || reading.refresh()).await {
            Ok(Ok(true)) => tracing::info!("the audit sink uses new certificates"),
            Ok(Ok(false)) => {}
            Ok(Err(error)) => {
                context.happenings.failed("audit", "CertificateUnusable");
                tracing::warn!(error = %error, "the audit sink keeps its certificates: the new ones cannot be used");
            }
            Err(error) => tracing::error!(error = %error, "looking at certificates failed"),
        }
    }
}

/// Judges what comes in, one batch after the other.
struct Judging {
    detector: Detector,
    silence: Silence,
    around: Surroundings,
    /// Ironside's own user name, once the API server has said it.
    own: Arc<OnceLock<String>>,
    context: Context,
    accepted: u64,
}

impl Judging {
    async fn run(mut self, mut deliveries: mpsc::Receiver<Delivery>) {
        let mut looks = tokio::time::interval(LOOK);
        loop {
            tokio::select! {
                delivery = deliveries.recv() => match delivery {
                    Some(delivery) => self.judge(delivery),
                    None => break,
                },
                _ = looks.tick() => self.look(),
            }
        }
        tracing::info!(
            accepted = self.accepted,
            "the audit sink has judged everything that it accepted"
        );
    }

    fn judge(&mut self, delivery: Delivery) {
        let Delivery { batch, judged, .. } = delivery;
        let counts = self.context.happenings.audit();
        counts.malformed(batch.malformed);
        if let Some(complaint) = batch.complaint {
            tracing::warn!(
                malformed = batch.malformed,
                first = complaint,
                "audit events cannot be read and are dropped"
            );
        }
        if !batch.events.is_empty() {
            counts.heard(Timestamp::now());
            self.silence.heard(Instant::now());
        }
        for event in batch.events {
            self.accepted += 1;
            // An event that no detection survives must not come again and again, and take the process with it each time.
            let judged = catch_unwind(AssertUnwindSafe(|| self.detector.judge(&event, &self.around)));
            let judged = judged.unwrap_or_else(|_| {
                self.context.happenings.panicked();
                Judged::Told(Vec::new())
            });
            match judged {
                Judged::Again => counts.repeated(),
                Judged::Told(told) => {
                    counts.accepted();
                    for sighting in told {
                        self.context.detections.saw(&sighting);
                    }
                }
            }
        }
        for (memory, count) in self.detector.forgotten() {
            counts.forgotten(memory, count);
        }
        // Nobody waits for it if the connection broke off: then the batch comes again, and counts once.
        let _ = judged.send(());
    }

    fn look(&mut self) {
        let view = self.context.views.latest();
        if view.complete {
            self.around = surroundings(&view.world);
        }
        self.around.own = self.own.get().cloned();
        if !self.context.leadership.leads() {
            self.silence.is_not_ours(Instant::now());
        }
        if let Some(sighting) = self.silence.look(Instant::now(), Timestamp::now()) {
            self.context.detections.saw(&sighting);
        }
    }
}

/// Asks what the API server calls us, until it says so.
async fn ask_own_name(client: Client, own: Arc<OnceLock<String>>) {
    loop {
        if let Some(name) = own_name(&client).await {
            // Nobody else sets it.
            let _ = own.set(name);
            return;
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn own_name(client: &Client) -> Option<String> {
    /// Time to answer.
    const ANSWER: Duration = Duration::from_secs(5);
    let reviews: Api<SelfSubjectReview> = Api::all(client.clone());
    let (parameters, review) = (PostParams::default(), SelfSubjectReview::default());
    let asked = reviews.create(&parameters, &review);
    let review = tokio::time::timeout(ANSWER, asked).await.ok()?.ok()?;
    review.status?.user_info?.username
}
