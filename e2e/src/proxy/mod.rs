//! A proxy between the operator and the API server that does to the operator what networks and API servers do.
//!
//! It serves plain HTTP on the loopback address and forwards over TLS; the client's own token passes untouched, so the
//! server sees the client and not the proxy. It lives on a thread of its own: a test that blocks does not stall it, and
//! a strike may wait until its victim is dead.

mod attributes;
mod journal;
mod rules;
mod serve;
mod streams;
mod strikes;
mod upstream;

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

pub use self::attributes::Attributes;
pub use self::journal::{Seen, tally};
pub use self::rules::{Answer, Fault, Match, Rule};
pub use self::streams::Flow;
pub use self::strikes::{Course, Moment, Struck};

use self::journal::Journal;
use self::rules::InForce;
use self::streams::Streams;
use self::strikes::Strike;
use self::upstream::Upstream;
use crate::cluster::Cluster;

/// A running proxy; dropping it closes all its connections.
pub struct Proxy {
    address: String,
    shared: Arc<Shared>,
    _end: oneshot::Sender<()>,
}

struct Shared {
    upstream: Upstream,
    journal: Journal,
    streams: Streams,
    rules: Mutex<Vec<Arc<InForce>>>,
    strikes: Mutex<Vec<Arc<Strike>>>,
}

impl Proxy {
    /// Starts one in front of a cluster's API server.
    ///
    /// # Errors
    /// The cluster's kubeconfig names no CA, or no port is free.
    pub async fn start(cluster: &Cluster) -> Result<Self> {
        let shared = Arc::new(Shared {
            upstream: Upstream::of(cluster.kubeconfig()).await?,
            journal: Journal::default(),
            streams: Streams::default(),
            rules: Mutex::default(),
            strikes: Mutex::default(),
        });
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("a runtime")?;
        let listener = std::net::TcpListener::bind("127.0.0.1:0").context("a port for the proxy")?;
        listener.set_nonblocking(true).context("a listener for the proxy")?;
        let address = format!("http://{}", listener.local_addr().context("the proxy's address")?);
        let (end, ended) = oneshot::channel();
        let serving = Arc::clone(&shared);
        std::thread::Builder::new()
            .name("fault-proxy".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    let Ok(listener) = TcpListener::from_std(listener) else {
                        return;
                    };
                    tokio::select! {
                        () = serve::accept(listener, serving) => {}
                        // Ends when the proxy is dropped; its runtime goes with it, and all connections.
                        _ = ended => {}
                    }
                });
            })
            .context("start the proxy's thread")?;
        Ok(Self {
            address,
            shared,
            _end: end,
        })
    }

    /// What a client uses instead of the API server's address.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Puts a rule in force. It stays so until its times are used up or it is removed.
    pub fn inject(&self, rule: Rule) -> Injected {
        let rule = Arc::new(InForce::new(rule));
        self.shared
            .rules
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Arc::clone(&rule));
        Injected(rule)
    }

    /// Removes all rules; held requests go on.
    pub fn clear(&self) {
        for rule in self
            .shared
            .rules
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .drain(..)
        {
            rule.remove();
        }
    }

    /// Changes the flow of all open watch streams that match; returns how many there were.
    pub fn streams(&self, on: &Match, flow: Flow) -> usize {
        self.shared.streams.tell(on, flow)
    }

    /// The watches that are open now.
    pub fn open_watches(&self) -> Vec<Attributes> {
        self.shared.streams.open()
    }

    /// Everything that came through so far.
    pub fn journal(&self) -> Vec<Seen> {
        self.shared.journal.all()
    }

    /// The effects among it, in order.
    pub fn effects(&self) -> Vec<Seen> {
        self.journal()
            .into_iter()
            .filter(|seen| seen.request.is_effect())
            .collect()
    }
}

impl Shared {
    fn rules(&self) -> Vec<Arc<InForce>> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A rule that was injected. Dropping this leaves it in force.
pub struct Injected(Arc<InForce>);

impl Injected {
    /// How many requests have met the fault.
    pub fn hits(&self) -> usize {
        self.0.hits()
    }

    /// Takes it out of force; held requests go on.
    pub fn remove(&self) {
        self.0.remove();
    }
}
