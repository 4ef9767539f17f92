//! What goes wrong with a watch's requests, and how long to wait before the next one.

use std::time::Duration;

use kube::runtime::watcher::DefaultBackoff;

use super::{Source, Trouble};

/// Pauses, in seconds, between attempts while we may not look, or the kind is not served: the first few are short because somebody may be installing us
/// just now.
const DENIED_PAUSES: [u64; 5] = [2, 4, 8, 15, 60];

/// The longest such pause for our own kinds: without them nothing works, and whoever installs them waits for us.
const OWN_KIND_PAUSE: Duration = Duration::from_secs(10);

/// Why a round of list and watch ended.
pub(super) enum End {
    /// The receiving end is gone: the process stops.
    Closed,
    /// The resource version is too old, or a page expired: list anew.
    Expired,
    /// A request failed.
    Failed(Failure),
}

/// A failed request.
pub(super) struct Failure {
    pub(super) trouble: Trouble,
    pub(super) message: String,
}

impl End {
    pub(super) fn of(error: &kube::Error) -> Self {
        let kube::Error::Api(status) = error else {
            return Self::Failed(Failure {
                trouble: Trouble::Failed,
                message: chain(error),
            });
        };
        if status.code == 410 {
            return Self::Expired;
        }
        let trouble = match status.code {
            403 => Trouble::Forbidden,
            404 => Trouble::NotFound,
            _ => Trouble::Failed,
        };
        Self::Failed(Failure {
            trouble,
            message: status.message.clone(),
        })
    }
}

impl Failure {
    pub(super) fn expired() -> Self {
        Self {
            trouble: Trouble::Failed,
            message: "the resource version expired".to_owned(),
        }
    }

    pub(super) fn silence(limit: Duration) -> Self {
        Self {
            trouble: Trouble::Failed,
            message: format!("nothing heard for {} s", limit.as_secs()),
        }
    }
}

/// An error with its causes: kube's own text ends where the interesting part begins ("error trying to connect").
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        next = cause.source();
    }
    text
}

/// How long to wait before the next attempt.
pub(super) struct Patience {
    source: Source,
    outage: DefaultBackoff,
    denied: usize,
}

impl Patience {
    pub(super) fn new(source: Source) -> Self {
        Self {
            source,
            outage: DefaultBackoff::default(),
            denied: 0,
        }
    }

    pub(super) fn reset(&mut self) {
        *self = Self::new(self.source);
    }

    pub(super) fn next(&mut self, failure: &Failure) -> Duration {
        match failure.trouble {
            Trouble::Forbidden | Trouble::NotFound => {
                let pause = Duration::from_secs(DENIED_PAUSES[self.denied.min(DENIED_PAUSES.len() - 1)]);
                self.denied += 1;
                if self.source.is_own() {
                    pause.min(OWN_KIND_PAUSE)
                } else {
                    pause
                }
            }
            Trouble::Failed => self.outage.next().unwrap_or(Duration::from_secs(30)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_retried_slowly() {
        let failure = Failure {
            trouble: Trouble::Forbidden,
            message: String::new(),
        };
        let pauses = |source| -> Vec<u64> {
            let mut patience = Patience::new(source);
            (0..6).map(|_| patience.next(&failure).as_secs()).collect()
        };
        assert_eq!(pauses(Source::ApprovalPolicy), [2, 4, 8, 15, 60, 60]);
        assert_eq!(pauses(Source::Policy), [2, 4, 8, 10, 10, 10]);
    }
}
