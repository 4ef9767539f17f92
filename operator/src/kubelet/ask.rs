//! One question to one kubelet, and everything that may be wrong with its answer.

use std::error::Error;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, USER_AGENT};
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use kube::client::Body;
use kube::{Client, Config};

use crate::cluster::client;

/// Time for everything: connection, certificate, answer.
const LIMIT: Duration = Duration::from_secs(10);

/// The longest answer that is read. A node of 250 pods says less than one MiB.
pub(super) const LONGEST: usize = 4 << 20;

/// Why a kubelet does not answer. The text stays the same while the cause does: it stands in plans and findings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The account has no token: why.
    NoToken(String),
    /// Nobody has said who vouches for the cluster's servers.
    NoAuthority,
    /// No connection, or not for long enough.
    Unreachable(String),
    /// Who answers cannot prove to be that kubelet.
    Certificate(String),
    /// No answer in time.
    TimedOut,
    /// The account may not ask (401, 403).
    Denied(StatusCode),
    /// It points elsewhere, and nobody follows.
    Redirected,
    /// Another status than 200.
    Status(StatusCode),
    /// Not JSON by its own account.
    ContentType,
    /// More than is read.
    TooLong,
    /// Not what a kubelet says.
    Malformed,
}

impl Refusal {
    /// Its name in metrics.
    pub(super) const fn label(&self) -> &'static str {
        match self {
            Self::NoToken(_) => "NoToken",
            Self::NoAuthority => "NoAuthority",
            Self::Unreachable(_) => "Unreachable",
            Self::Certificate(_) => "Certificate",
            Self::TimedOut => "TimedOut",
            Self::Denied(_) => "Denied",
            Self::Redirected => "Redirected",
            Self::Status(_) => "Status",
            Self::ContentType => "ContentType",
            Self::TooLong => "TooLong",
            Self::Malformed => "Malformed",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoToken(why) => write!(f, "there is no token to ask its kubelet with: {why}"),
            Self::NoAuthority => f.write_str("it is not configured which CA vouches for kubelets"),
            Self::Unreachable(why) => write!(f, "its kubelet cannot be reached: {why}"),
            Self::Certificate(why) => write!(f, "its kubelet cannot prove who it is: {why}"),
            Self::TimedOut => f.write_str("its kubelet does not answer in time"),
            Self::Denied(status) => write!(f, "its kubelet refuses the account: {}", status.as_u16()),
            Self::Redirected => f.write_str("its kubelet points elsewhere, which is not followed"),
            Self::Status(status) => write!(f, "its kubelet answers {}", status.as_u16()),
            Self::ContentType => f.write_str("its kubelet does not answer with JSON"),
            Self::TooLong => f.write_str("its kubelet says more than is read"),
            Self::Malformed => f.write_str("its kubelet says what cannot be read"),
        }
    }
}

/// Those who vouch for kubelets: the cluster's CA.
pub(super) struct Vouched {
    config: Config,
    limit: Duration,
}

impl Vouched {
    /// Whoever vouches for the API server. Nothing else of its configuration is taken over, least of all a credential or the leave to trust anybody.
    pub(super) fn by(api_server: &Config) -> Self {
        let mut config = Config::new(Uri::default());
        config.root_cert.clone_from(&api_server.root_cert);
        config.root_cert_file.clone_from(&api_server.root_cert_file);
        config.connect_timeout = Some(LIMIT);
        config.default_retry = false;
        let limit = LIMIT;
        Self { config, limit }
    }

    /// The same with less patience.
    #[cfg(test)]
    pub(super) fn within(self, limit: Duration) -> Self {
        Self { limit, ..self }
    }

    /// What the kubelet at an address says, as text.
    pub(super) async fn ask(&self, path: &'static str, kubelet: SocketAddr, token: &str) -> Result<Vec<u8>, Refusal> {
        tokio::time::timeout(self.limit, self.exchange(path, kubelet, token))
            .await
            .unwrap_or(Err(Refusal::TimedOut))
    }

    async fn exchange(&self, path: &'static str, kubelet: SocketAddr, token: &str) -> Result<Vec<u8>, Refusal> {
        if self.config.root_cert.is_none() {
            return Err(Refusal::NoAuthority);
        }
        let mut config = self.config.clone();
        let unusable = |_| Refusal::Unreachable("the address cannot be used".to_owned());
        config.cluster_url = format!("https://{kubelet}").parse().map_err(unusable)?;
        let client = Client::try_from(config).map_err(|error| unreachable(&error))?;
        let mut bearer = HeaderValue::try_from(format!("Bearer {token}"))
            .map_err(|_| Refusal::NoToken("what the API server gave is none".to_owned()))?;
        bearer.set_sensitive(true);
        let request = Request::get(path)
            .header(AUTHORIZATION, bearer)
            .header(ACCEPT, "application/json")
            .header(USER_AGENT, client::USER_AGENT)
            .body(Body::empty())
            .map_err(|_| Refusal::Malformed)?;
        let answer = client.send(request).await.map_err(|error| unreachable(&error))?;
        match answer.status() {
            StatusCode::OK => {}
            status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => return Err(Refusal::Denied(status)),
            status if status.is_redirection() => return Err(Refusal::Redirected),
            status => return Err(Refusal::Status(status)),
        }
        let kind = answer.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let kind = kind.unwrap_or_default().split(';').next().unwrap_or_default();
        if !kind.trim().eq_ignore_ascii_case("application/json") {
            return Err(Refusal::ContentType);
        }
        match Limited::new(answer.into_body(), LONGEST).collect().await {
            Ok(body) => Ok(body.to_bytes().to_vec()),
            Err(error) if error.is::<LengthLimitError>() => Err(Refusal::TooLong),
            Err(_) => Err(Refusal::Unreachable("the answer breaks off".to_owned())),
        }
    }
}

/// The innermost cause says what went wrong; rustls adds times to it, which would make every question's answer another one.
fn unreachable(error: &dyn Error) -> Refusal {
    let mut innermost: &dyn Error = error;
    let mut texts = vec![error.to_string()];
    while let Some(source) = innermost.source() {
        innermost = source;
        texts.push(source.to_string());
    }
    let certificate = texts
        .iter()
        .find_map(|text| text.split_once("invalid peer certificate: "));
    match certificate {
        Some((_, what)) => Refusal::Certificate(what.split([':', ';']).next().unwrap_or_default().trim().to_owned()),
        None => Refusal::Unreachable(innermost.to_string()),
    }
}
