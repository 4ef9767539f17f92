//! One question to the API server about itself, and everything that may be wrong with its answer.

use std::fmt;
use std::time::Duration;

use http::header::{ACCEPT, CONTENT_TYPE};
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use ironside_engine::components::{Anonymous, Counters, Flags};
use ironside_engine::controls::{Gap, Responsibility};
use kube::Client;
use kube::client::Body;

/// What is read beside Kubernetes' objects: the role in config/evidence grants these and nothing else.
pub const PATHS: [&str; 2] = [FLAGS, METRICS];

const FLAGS: &str = "/flagz";
const METRICS: &str = "/metrics";

/// What everybody may ask for who has credentials, and nobody without.
const API: &str = "/api";

/// The structured form; the text is not made for programs, and says so. Kubernetes 1.35 has the older one.
const STRUCTURED: &str =
    "application/json;v=v1beta1;g=config.k8s.io;as=Flagz, application/json;v=v1alpha1;g=config.k8s.io;as=Flagz;q=0.9";

/// Time for one question.
pub(super) const LIMIT: Duration = Duration::from_secs(10);

/// The longest list of flags that is read: there are a few hundred.
pub(super) const LONGEST_FLAGS: usize = 1 << 20;

/// How much of the metrics is read. They grow with the kinds of a cluster; large ones say some 20 MiB.
pub(super) const LONGEST_METRICS: usize = 128 << 20;

/// The longest line of them that is looked at.
const LONGEST_LINE: usize = 64 << 10;

/// Why there is no answer. The text stays the same while the cause does: it stands in findings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Silence {
    /// No connection, or one that broke off.
    Unreachable(String),
    /// Not in time.
    TimedOut(&'static str),
    /// Whoever asks may not (401, 403).
    Denied(&'static str, StatusCode),
    /// The server has no such thing (404, 406).
    NotServed(&'static str),
    /// It points elsewhere, and nobody follows.
    Redirected(&'static str),
    /// Another status.
    Status(&'static str, StatusCode),
    /// Not what was asked for, by its own account.
    ContentType(&'static str),
    /// More than is read.
    TooLong(&'static str),
    /// Not what such a server says.
    Malformed(&'static str),
}

impl Silence {
    /// Its name in findings and metrics.
    pub(super) const fn reason(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "Unreachable",
            Self::TimedOut(_) => "TimedOut",
            Self::Denied(..) => "PermissionDenied",
            Self::NotServed(_) => "NotServed",
            Self::Redirected(_) => "Redirected",
            Self::Status(..) => "NotRead",
            Self::ContentType(_) => "ContentType",
            Self::TooLong(_) => "TooLong",
            Self::Malformed(_) => "Malformed",
        }
    }

    /// Whether it may be another answer in a moment.
    pub(super) const fn may_pass(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::TimedOut(_))
    }

    pub(super) fn gap(&self) -> Gap {
        Gap {
            reason: self.reason(),
            message: self.to_string(),
            responsibility: Responsibility::SelfManaged,
        }
    }
}

impl fmt::Display for Silence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(why) => write!(f, "the API server cannot be asked: {why}"),
            Self::TimedOut(path) => write!(f, "the API server does not answer {path} in time"),
            Self::Denied(path, status) => {
                write!(f, "the API server refuses {path} ({}): config/evidence has the role for it", status.as_u16())
            }
            Self::NotServed(FLAGS) => f.write_str(
                "the API server has no structured /flagz: its feature gate ComponentFlagz is on by default since Kubernetes 1.36",
            ),
            Self::NotServed(path) => write!(f, "the API server has no {path}"),
            Self::Redirected(path) => write!(f, "the API server points elsewhere for {path}, which is not followed"),
            Self::Status(path, status) => write!(f, "the API server answers {path} with {}", status.as_u16()),
            Self::ContentType(path) => write!(f, "the API server does not answer {path} in the form that was asked for"),
            Self::TooLong(path) => write!(f, "the API server says more for {path} than is read"),
            Self::Malformed(path) => write!(f, "the API server says what cannot be read for {path}"),
        }
    }
}

/// The flags that the server runs with.
pub(super) async fn flags(client: &Client) -> Result<Flags, Silence> {
    within(FLAGS, async {
        let answer = get(client, FLAGS, STRUCTURED).await?;
        of_type(&answer, FLAGS, "application/json")?;
        let mut text = Vec::new();
        read(answer, FLAGS, LONGEST_FLAGS, |part| text.extend_from_slice(part)).await?;
        Flags::decode(&text).ok_or(Silence::Malformed(FLAGS))
    })
    .await
}

/// What the server has counted. A line at a time: nothing else of the answer is kept.
pub(super) async fn counters(client: &Client) -> Result<Counters, Silence> {
    within(METRICS, async {
        let answer = get(client, METRICS, "text/plain;version=0.0.4").await?;
        of_type(&answer, METRICS, "text/plain")?;
        let mut lines = Lines::default();
        read(answer, METRICS, LONGEST_METRICS, |part| lines.take(part)).await?;
        lines.end().ok_or(Silence::Malformed(METRICS))
    })
    .await
}

/// How the server answers somebody without credentials.
pub(super) async fn anonymous(bare: &Client) -> Result<Anonymous, Silence> {
    within(API, async {
        let answer = send(bare, API, "application/json").await?;
        match answer.status() {
            StatusCode::UNAUTHORIZED => Ok(Anonymous::Refused),
            status @ (StatusCode::OK | StatusCode::FORBIDDEN) => Ok(Anonymous::Served(status.as_u16())),
            status if status.is_redirection() => Err(Silence::Redirected(API)),
            status => Err(Silence::Status(API, status)),
        }
    })
    .await
}

async fn within<T>(path: &'static str, question: impl Future<Output = Result<T, Silence>>) -> Result<T, Silence> {
    tokio::time::timeout(LIMIT, question)
        .await
        .unwrap_or(Err(Silence::TimedOut(path)))
}

async fn send(client: &Client, path: &'static str, accept: &str) -> Result<Response<Body>, Silence> {
    let request = Request::get(path)
        .header(ACCEPT, accept)
        .body(Body::empty())
        .map_err(|_| Silence::Malformed(path))?;
    client.send(request).await.map_err(|error| unreachable(&error))
}

/// Sends, and lets nothing through but a success.
async fn get(client: &Client, path: &'static str, accept: &str) -> Result<Response<Body>, Silence> {
    let answer = send(client, path, accept).await?;
    match answer.status() {
        StatusCode::OK => Ok(answer),
        status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => Err(Silence::Denied(path, status)),
        StatusCode::NOT_FOUND | StatusCode::NOT_ACCEPTABLE => Err(Silence::NotServed(path)),
        status if status.is_redirection() => Err(Silence::Redirected(path)),
        status => Err(Silence::Status(path, status)),
    }
}

fn of_type(answer: &Response<Body>, path: &'static str, wanted: &str) -> Result<(), Silence> {
    let given = answer.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let given = given.unwrap_or_default().split(';').next().unwrap_or_default();
    if given.trim().eq_ignore_ascii_case(wanted) {
        Ok(())
    } else {
        Err(Silence::ContentType(path))
    }
}

/// Reads a body, part by part, up to a length.
async fn read(
    answer: Response<Body>,
    path: &'static str,
    longest: usize,
    mut take: impl FnMut(&[u8]),
) -> Result<(), Silence> {
    let mut body = answer.into_body();
    let mut length = 0_usize;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Silence::Unreachable("the answer breaks off".to_owned()))?;
        let Ok(part) = frame.into_data() else { continue };
        length = length.saturating_add(part.len());
        if length > longest {
            return Err(Silence::TooLong(path));
        }
        take(&part);
    }
    Ok(())
}

/// Puts lines together that come in parts.
#[derive(Default)]
struct Lines {
    counters: Counters,
    begun: Vec<u8>,
    /// Whether a comment was seen, as every answer in this form has.
    is_metrics: bool,
}

impl Lines {
    fn take(&mut self, part: &[u8]) {
        let mut pieces = part.split(|byte| *byte == b'\n');
        if let Some(first) = pieces.next() {
            self.begin(first);
        }
        for piece in pieces {
            self.line();
            self.begin(piece);
        }
    }

    /// A line that is too long to be one of those that are looked for is forgotten.
    fn begin(&mut self, piece: &[u8]) {
        if self.begun.len() + piece.len() <= LONGEST_LINE {
            self.begun.extend_from_slice(piece);
        }
    }

    fn line(&mut self) {
        if let Ok(line) = std::str::from_utf8(&self.begun) {
            self.is_metrics |= line.starts_with("# TYPE ");
            self.counters.take(line);
        }
        self.begun.clear();
    }

    fn end(mut self) -> Option<Counters> {
        self.line();
        self.is_metrics.then_some(self.counters)
    }
}

/// The innermost cause, which says what went wrong.
fn unreachable(error: &dyn std::error::Error) -> Silence {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    Silence::Unreachable(innermost.to_string())
}
