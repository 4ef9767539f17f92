//! Leadership by a Lease: one process writes, the others stay warm.
//!
//! Holding the lease is renewed with one PUT that names the resource version it replaces, so two processes can never both believe that the API server
//! made them the holder. How long we may write is counted on our own monotonic clock from the moment a successful renewal was *sent*; how long somebody
//! else's lease is respected, from the moment we *saw* its last renewal. No clock of another machine is compared with ours (the same reasoning as client-go's
//! leader election). A leader costs one request per renewal, a follower one watch.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use futures::stream::BoxStream;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{ObjectMeta, PostParams, WatchEvent, WatchParams};
use kube::{Api, Client};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{Leadership, Term, chain};

/// Name of the Lease in the operator's namespace.
pub const LEASE: &str = "ironside-operator";

/// Pause after a failed attempt.
const RETRY: Duration = Duration::from_secs(1);

/// How leadership is shared.
#[derive(Clone, Debug)]
pub struct Terms {
    /// Who we are; distinct for each process.
    pub identity: String,
    /// How long a lease lasts without renewal.
    pub duration: Duration,
    /// How often it is renewed; shorter than `duration`.
    pub renew: Duration,
}

impl Terms {
    /// Writers stop this long before the lease ends.
    fn margin(&self) -> Duration {
        (self.duration / 10).max(Duration::from_millis(200))
    }
}

/// Takes part in the election until `stop`, then gives the lease up. Ends early only by a panic.
pub async fn take_part(
    client: Client,
    namespace: Arc<str>,
    terms: Terms,
    leadership: Leadership,
    stop: CancellationToken,
) {
    let mut election = Election {
        api: Api::namespaced(client, &namespace),
        terms,
        leadership,
        held: None,
    };
    stop.run_until_cancelled(election.run()).await;
    election.give_up().await;
}

struct Election {
    api: Api<Lease>,
    terms: Terms,
    leadership: Leadership,
    /// The lease as we wrote it last, while we hold it.
    held: Option<Lease>,
}

/// Somebody else's lease, and when we saw it change.
struct Seen {
    lease: Lease,
    at: Instant,
}

impl Election {
    async fn run(&mut self) {
        loop {
            let lease = self.follow().await;
            self.lead(lease).await;
            self.held = None;
            self.leadership.end();
        }
    }

    /// Waits until the lease is ours.
    async fn follow(&self) -> Lease {
        loop {
            match self.try_follow().await {
                Ok(Some(lease)) => return lease,
                Ok(None) => {} // somebody was faster: look again
                Err(error) => {
                    tracing::warn!(error = chain(&error), "cannot read or take the lease, trying again");
                    sleep(RETRY).await;
                }
            }
        }
    }

    async fn try_follow(&self) -> kube::Result<Option<Lease>> {
        let Some(lease) = self.within(self.api.get_opt(LEASE)).await? else {
            return self.create().await;
        };
        if self.is_ours(&lease) || is_free(&lease) {
            return self.take(lease).await;
        }
        tracing::info!(holder = holder(&lease), "another process leads, following");
        let mut seen = Seen {
            lease,
            at: Instant::now(),
        };
        let mut changes = self.changes(&seen.lease).await?;
        loop {
            let patience = duration(&seen.lease).saturating_sub(seen.at.elapsed());
            match timeout(patience, changes.next()).await {
                Err(_) => {
                    tracing::info!(
                        holder = holder(&seen.lease),
                        "the leader does not renew its lease, taking over"
                    );
                    return self.take(seen.lease).await;
                }
                Ok(Some(Ok(WatchEvent::Added(lease) | WatchEvent::Modified(lease)))) if is_free(&lease) => {
                    return self.take(lease).await;
                }
                Ok(Some(Ok(WatchEvent::Added(lease) | WatchEvent::Modified(lease)))) => {
                    seen = Seen {
                        lease,
                        at: Instant::now(),
                    };
                }
                Ok(Some(Ok(WatchEvent::Bookmark(_)))) => {}
                Ok(Some(Ok(WatchEvent::Deleted(_) | WatchEvent::Error(_))) | None) => return Ok(None),
                Ok(Some(Err(error))) => return Err(error),
            }
        }
    }

    async fn changes(&self, lease: &Lease) -> kube::Result<BoxStream<'static, kube::Result<WatchEvent<Lease>>>> {
        let parameters = WatchParams::default().fields(&format!("metadata.name={LEASE}"));
        let version = lease.metadata.resource_version.as_deref().unwrap_or("0");
        Ok(self.within(self.api.watch(&parameters, version)).await?.boxed())
    }

    async fn create(&self) -> kube::Result<Option<Lease>> {
        let lease = Lease {
            metadata: ObjectMeta {
                name: Some(LEASE.to_owned()),
                ..ObjectMeta::default()
            },
            spec: Some(self.spec(1)),
        };
        let sent = Instant::now();
        let answer = self.within(self.api.create(&parameters(), &lease)).await;
        self.won(answer, sent)
    }

    async fn take(&self, lease: Lease) -> kube::Result<Option<Lease>> {
        let transitions = lease.spec.as_ref().and_then(|spec| spec.lease_transitions).unwrap_or(0);
        let lease = Lease {
            spec: Some(self.spec(transitions + 1)),
            ..lease
        };
        let sent = Instant::now();
        let answer = self.within(self.api.replace(LEASE, &parameters(), &lease)).await;
        self.won(answer, sent)
    }

    /// A conflict means that somebody was faster.
    fn won(&self, answer: kube::Result<Lease>, sent: Instant) -> kube::Result<Option<Lease>> {
        match answer {
            Ok(lease) => {
                self.begin(&lease, sent);
                Ok(Some(lease))
            }
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Renews until the lease is lost.
    async fn lead(&mut self, lease: Lease) {
        tracing::info!(identity = self.terms.identity, epoch = epoch(&lease), "leading");
        self.held = Some(lease);
        let mut due = Instant::now() + self.terms.renew;
        while let Some(lease) = self.held.clone() {
            sleep(due.saturating_duration_since(Instant::now())).await;
            match self.renew(lease).await {
                Ok(Some(lease)) => {
                    self.held = Some(lease);
                    due = Instant::now() + self.terms.renew;
                }
                Ok(None) => {
                    tracing::warn!("another process took the lease");
                    return;
                }
                Err(error) if self.leadership.leads() => {
                    tracing::warn!(error = %error, "cannot renew the lease, trying again");
                    due = Instant::now() + RETRY.min(self.terms.margin());
                }
                Err(error) => {
                    tracing::warn!(error = %error, "the lease ran out before it could be renewed");
                    return;
                }
            }
        }
    }

    /// The renewed lease; `None` if it is somebody else's.
    async fn renew(&self, lease: Lease) -> kube::Result<Option<Lease>> {
        let sent = Instant::now();
        let renewed = Lease {
            spec: lease.spec.map(|spec| LeaseSpec {
                renew_time: Some(now()),
                ..spec
            }),
            ..lease
        };
        match self.within(self.api.replace(LEASE, &parameters(), &renewed)).await {
            Ok(lease) => {
                self.begin(&lease, sent);
                Ok(Some(lease))
            }
            Err(kube::Error::Api(status)) if status.code == 409 || status.code == 404 => {
                // Our own earlier renewal may have arrived although its answer did not, or somebody labelled the object.
                match self.within(self.api.get_opt(LEASE)).await? {
                    Some(lease) if self.is_ours(&lease) => Box::pin(self.renew(lease)).await,
                    _ => Ok(None),
                }
            }
            Err(error) => Err(error),
        }
    }

    fn begin(&self, lease: &Lease, sent: Instant) {
        self.leadership.begin(Term {
            epoch: epoch(lease),
            until: sent + self.terms.duration.saturating_sub(self.terms.margin()),
        });
    }

    /// Lets the next process lead at once.
    async fn give_up(&mut self) {
        self.leadership.end();
        let Some(lease) = self.held.take() else { return };
        let free = Lease {
            spec: lease.spec.map(|spec| LeaseSpec {
                holder_identity: None,
                lease_duration_seconds: Some(1),
                renew_time: Some(now()),
                ..spec
            }),
            ..lease
        };
        match self.within(self.api.replace(LEASE, &parameters(), &free)).await {
            Ok(_) => tracing::info!("gave up the lease"),
            Err(error) => tracing::warn!(error = %error, "could not give up the lease; it runs out by itself"),
        }
    }

    fn spec(&self, transitions: i32) -> LeaseSpec {
        let now = now();
        LeaseSpec {
            holder_identity: Some(self.terms.identity.clone()),
            lease_duration_seconds: Some(i32::try_from(self.terms.duration.as_secs()).unwrap_or(i32::MAX).max(1)),
            acquire_time: Some(now.clone()),
            renew_time: Some(now),
            lease_transitions: Some(transitions),
            ..LeaseSpec::default()
        }
    }

    fn is_ours(&self, lease: &Lease) -> bool {
        holder(lease) == self.terms.identity
    }

    /// A request must not outlast what is left between renewal and end.
    async fn within<T>(&self, request: impl Future<Output = kube::Result<T>>) -> kube::Result<T> {
        let limit = self.terms.duration.saturating_sub(self.terms.renew).max(RETRY);
        timeout(limit, request)
            .await
            .unwrap_or_else(|_| Err(kube::Error::Service("no answer in time".into())))
    }
}

fn parameters() -> PostParams {
    PostParams {
        field_manager: Some(crate::report::FIELD_MANAGER.to_owned()),
        ..PostParams::default()
    }
}

fn now() -> MicroTime {
    MicroTime(jiff::Timestamp::now())
}

fn holder(lease: &Lease) -> &str {
    lease
        .spec
        .as_ref()
        .and_then(|spec| spec.holder_identity.as_deref())
        .unwrap_or_default()
}

fn is_free(lease: &Lease) -> bool {
    holder(lease).is_empty()
}

fn epoch(lease: &Lease) -> i64 {
    lease
        .spec
        .as_ref()
        .and_then(|spec| spec.lease_transitions)
        .unwrap_or(0)
        .into()
}

fn duration(lease: &Lease) -> Duration {
    let seconds = lease
        .spec
        .as_ref()
        .and_then(|spec| spec.lease_duration_seconds)
        .unwrap_or(0);
    Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writers_stop_before_the_lease_ends() {
        let terms = Terms {
            identity: "a".to_owned(),
            duration: Duration::from_secs(15),
            renew: Duration::from_secs(10),
        };
        assert!(terms.margin() >= Duration::from_secs(1));
        assert!(terms.duration.saturating_sub(terms.margin()) > terms.renew);
    }
}
