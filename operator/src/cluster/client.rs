//! Setting up the client: where the API server is, how long a request may take, what the server's logs call us.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use kube::client::ClientBuilder;
use kube::{Client, Config};

use super::requests::{Observe, Requests};

/// Time to open a connection. Shorter than the lease, so that a leader learns of a dead address before it loses the lease.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Time to write a request.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// What the API server's audit log and flow control call us.
pub const USER_AGENT: &str = concat!("ironside/", env!("CARGO_PKG_VERSION"));

/// A client from `KUBECONFIG` or the service account of the pod, that counts its requests in `counts`; and the configuration that it was made from.
///
/// It does not repeat refused requests by itself: watches, the lease and writers each have their own idea of when to try again, and a repetition hidden
/// in the client would outlive all of their deadlines. Responses have no time limit here, because watches last; each caller sets its own.
pub async fn connect(counts: Arc<Requests>) -> anyhow::Result<(Client, Config)> {
    let config = Config::infer()
        .await
        .context("no way to reach a cluster: neither KUBECONFIG nor a pod's service account can be used")?;
    Ok((client_for(config.clone(), counts)?, config))
}

/// A client for a known configuration.
pub fn client_for(mut config: Config, counts: Arc<Requests>) -> anyhow::Result<Client> {
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    config.write_timeout = Some(WRITE_TIMEOUT);
    config.default_retry = false;
    config
        .headers
        .push((http::header::USER_AGENT, http::HeaderValue::from_static(USER_AGENT)));
    let builder = ClientBuilder::try_from(config).context("the cluster configuration cannot be used")?;
    Ok(builder.with_layer(&Observe::new(counts)).build())
}
