//! Asks the API server about itself: the flags that it runs with, what it has counted, and whether it serves people without credentials. Evidence that no
//! object shows, or shows only as far as somebody may be believed who has a node.
//!
//! ```text
//! Asker (GET /flagz, /metrics; GET /api without credentials) -> Observed -> the writer's world, or the scan of a command line
//! ```
//!
//! Two paths, read only; the role for them is config/evidence, and the operator asks only where it is told to. Whatever goes wrong is a gap with its reason.

mod ask;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::{Duration, Instant};

use ironside_engine::components::{Anonymous, Answer, Counters, Distribution, Flags, Observed, Version};
use ironside_engine::controls::{Gap, Responsibility};
use kube::config::AuthInfo;
use kube::{Client, Config};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use self::ask::{LIMIT, Silence, anonymous, counters, flags};
use crate::process::Context;

pub use self::ask::PATHS;

/// Time between two questions.
const PERIOD: Duration = Duration::from_secs(30);

/// Time between two looks at the server's version: an upgrade takes hours.
const VERSION_PERIOD: Duration = Duration::from_hours(1);

/// What is not answered well is asked ever more rarely, up to this many periods.
const MOST_PERIODS: u32 = 16;

/// Asks one API server.
pub(crate) struct Asker {
    client: Client,
    /// The same server, with no credentials at all; `None` where its configuration cannot do without.
    bare: Option<Client>,
}

impl Asker {
    /// `config` is how `client` reaches the server.
    pub(crate) fn new(client: Client, config: &Config) -> Self {
        let mut bare = config.clone();
        bare.auth_info = AuthInfo::default();
        bare.default_retry = false;
        bare.connect_timeout = Some(LIMIT);
        Self {
            client,
            bare: Client::try_from(bare).ok(),
        }
    }

    /// Asks everything once.
    pub(crate) async fn ask(&self) -> Observed {
        let (version, flags, counters, anonymous) =
            tokio::join!(self.version(), self.flags(), self.counters(), self.anonymous());
        let version = version.unwrap_or_default();
        Observed {
            distribution: Distribution::of_version(&version),
            version: Version::parse(&version),
            flags: answer(flags),
            counters: answer(counters),
            anonymous: answer(anonymous),
            ..Observed::default()
        }
    }

    /// The version that the server names.
    async fn version(&self) -> Option<String> {
        let version = tokio::time::timeout(LIMIT, self.client.apiserver_version()).await;
        version.ok()?.ok().map(|version| version.git_version)
    }

    async fn flags(&self) -> Result<Flags, Silence> {
        flags(&self.client).await
    }

    async fn counters(&self) -> Result<Counters, Silence> {
        counters(&self.client).await
    }

    async fn anonymous(&self) -> Result<Anonymous, Silence> {
        match &self.bare {
            Some(client) => anonymous(client).await,
            None => Err(Silence::Unreachable("not without credentials".to_owned())),
        }
    }
}

fn answer<T>(answer: Result<T, Silence>) -> Answer<T> {
    match answer {
        Ok(said) => Answer::Said(said),
        Err(silence) => Answer::Silent(silence.gap()),
    }
}

/// When one thing is asked again.
#[derive(Debug, Default)]
struct Schedule {
    asked: Option<Instant>,
    failures: u32,
}

impl Schedule {
    fn is_due(&self, now: Instant) -> bool {
        let periods = 2_u32.saturating_pow(self.failures.saturating_sub(1)).min(MOST_PERIODS);
        self.asked
            .is_none_or(|asked| now.duration_since(asked) >= PERIOD * periods)
    }

    /// Notes what came of a question. An answer outlives one question that nobody answered: a server that starts again is asked before it listens.
    fn conclude<T>(&mut self, now: Instant, known: &mut Answer<T>, news: Result<T, Silence>) {
        self.asked = Some(now);
        self.failures = match &news {
            Ok(_) => 0,
            Err(_) => self.failures.saturating_add(1),
        };
        let is_passing = news.as_ref().is_err_and(Silence::may_pass) && self.failures == 1;
        if !(is_passing && known.said().is_some()) {
            *known = answer(news);
        }
    }
}

/// Asks, until `stop`. Every replica asks: who takes over must not know less. Where the operator is not told to ask, it looks at the server's version alone,
/// which everybody may.
pub(crate) async fn run(
    context: Context,
    config: Config,
    is_told_to: bool,
    observed: watch::Sender<Arc<Observed>>,
    stop: CancellationToken,
) {
    let asker = Asker::new(context.client.clone(), &config);
    let [mut flags, mut counters, mut anonymous] = [(); 3].map(|()| Schedule::default());
    let mut known = Observed::clone(&observed.borrow());
    let mut named: Option<Instant> = None;
    loop {
        let now = Instant::now();
        let question = async {
            let is_due = named.is_none_or(|named| now.duration_since(named) >= VERSION_PERIOD);
            if is_due && let Some(version) = asker.version().await {
                known.distribution = Distribution::of_version(&version);
                known.version = Version::parse(&version);
                named = Some(now);
            }
            if !is_told_to {
                return;
            }
            if flags.is_due(now) {
                flags.conclude(now, &mut known.flags, tell(&context, asker.flags().await));
            }
            if counters.is_due(now) {
                counters.conclude(now, &mut known.counters, tell(&context, asker.counters().await));
            }
            if anonymous.is_due(now) {
                anonymous.conclude(now, &mut known.anonymous, tell(&context, asker.anonymous().await));
            }
        };
        if stop.run_until_cancelled(question).await.is_none() {
            return;
        }
        observed.send_if_modified(|observed| {
            // Kubelets are asked by another.
            let next = Observed {
                kubelets: observed.kubelets.clone(),
                ..known.clone()
            };
            let changed = **observed != next;
            if changed {
                *observed = Arc::new(next);
            }
            changed
        });
        let pause = if named.is_some() && !is_told_to {
            VERSION_PERIOD
        } else {
            PERIOD
        };
        if stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
            return;
        }
    }
}

/// Counts what was not answered.
fn tell<T>(context: &Context, answer: Result<T, Silence>) -> Result<T, Silence> {
    if let Err(silence) = &answer {
        context.happenings.failed("components", silence.reason());
        tracing::info!(reason = %silence, "what the API server says of itself is not known");
    }
    answer
}

/// What is known before anything was answered.
pub(crate) fn nothing_yet(is_told_to: bool) -> Observed {
    if !is_told_to {
        return Observed::default();
    }
    let gap = Gap {
        reason: "NotAskedYet",
        message: "the API server has not answered yet".to_owned(),
        responsibility: Responsibility::SelfManaged,
    };
    Observed {
        distribution: Distribution::default(),
        flags: Answer::Silent(gap.clone()),
        counters: Answer::Silent(gap.clone()),
        anonymous: Answer::Silent(gap),
        ..Observed::default()
    }
}
