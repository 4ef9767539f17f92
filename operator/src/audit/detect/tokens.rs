//! Tokens of ServiceAccounts that somebody has made: D-10.
//!
//! One that is asked for ends by itself. One in a Secret of type `kubernetes.io/service-account-token` does not. Of what type a Secret is, its body says, which
//! is not read. But such a Secret is made empty, and the controller manager's tokens controller writes the token into it, and writes into no other: its write tells.
//!
//! Source: `pkg/controller/serviceaccount/tokens_controller.go` of Kubernetes.

use std::hash::{BuildHasher as _, RandomState};

use super::super::event::{Event, shown};
use super::table::Table;
use super::{Surroundings, exempt, sighting};
use ironside_engine::detect::{Detection, Sighting};

/// Secrets whose writers are remembered: the controller comes within a second.
const MOST: usize = 1024;

/// D-10: a token of a ServiceAccount was asked for.
pub(super) fn asked_for(event: &Event, _: &Surroundings) -> Option<Sighting> {
    let is_made = event.verb == "create" && event.is_about("serviceaccounts", "token") && event.was_done();
    is_made.then(|| sighting(Detection::D10, event, "a token of it was made".to_owned()))
}

/// D-10: a Secret got a token. Remembers who wrote which Secret last.
#[derive(Debug)]
pub(super) struct Endless {
    hasher: RandomState,
    writers: Table<u64, Option<Writer>>,
}

#[derive(Debug)]
struct Writer {
    user: String,
    source: Option<String>,
}

impl Default for Endless {
    fn default() -> Self {
        Self {
            hasher: RandomState::new(),
            writers: Table::new(MOST),
        }
    }
}

impl Endless {
    /// Takes an event in, and says whether a Secret got a token with it. It is told of whoever wrote the Secret before; of nobody, where that was not seen:
    /// API servers send their events apart, and these need not come in order.
    pub(super) fn note(&mut self, event: &Event, around: &Surroundings) -> Option<Sighting> {
        let is_write = matches!(event.verb.as_str(), "create" | "update" | "patch") && event.is_about("secrets", "");
        let object = event.object_ref.as_ref().filter(|object| !object.name.is_empty())?;
        if !is_write || !event.was_done() || event.is_dry_run() {
            return None;
        }
        let secret = self.hasher.hash_one((&object.namespace, &object.name));
        if !is_tokens_controller(event) {
            // What the cluster's own parts note on a Secret gives it no token.
            if !exempt::is_exempt(&event.user, Detection::D10, around.own.as_deref()) {
                *self.writers.entry(secret) = Some(Writer {
                    user: event.who().to_owned(),
                    source: event.source_shown(),
                });
            }
            return None;
        }
        let what = "a token without an end was made and put into it".to_owned();
        let writer = self.writers.entry(secret).take();
        Some(Sighting {
            user: writer.as_ref().map(|writer| shown(&writer.user).into_owned()),
            source: writer.and_then(|writer| writer.source),
            ..sighting(Detection::D10, event, what)
        })
    }

    pub(super) fn take_evicted(&mut self) -> u64 {
        self.writers.take_evicted()
    }
}

/// Whether the controller manager's part that makes tokens for Secrets wrote it. It uses the credentials of the whole, which has other reasons to write Secrets,
/// and says which part it is. Where each controller has an account of its own, this one has none: it makes them.
fn is_tokens_controller(event: &Event) -> bool {
    event.who() == "system:kube-controller-manager" && event.user_agent.ends_with("/tokens-controller")
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    fn around() -> Surroundings {
        Surroundings::default()
    }

    fn controller(part: &str) -> Made {
        let agent = format!("kube-controller-manager/v1.37.2 (linux/amd64) kubernetes/1a2b3c/{part}");
        by("system:kube-controller-manager")
            .agent(&agent)
            .verb("update", "secrets")
    }

    #[test]
    fn tokens_that_were_asked_for_are_told() {
        let made = |code| by("eve").verb("create", "serviceaccounts/token").ended(code).event();
        assert_eq!(
            asked_for(&made(201), &around()).unwrap().object,
            "ServiceAccount shop/db"
        );
        assert!(asked_for(&made(403), &around()).is_none());
        assert!(asked_for(&by("eve").verb("create", "serviceaccounts").event(), &around()).is_none());
    }

    #[test]
    fn a_secret_that_gets_a_token_is_told_of_whoever_wrote_it() {
        let mut endless = Endless::default();
        let mut note = |event: Event| endless.note(&event, &around());
        assert_eq!(note(by("eve").verb("create", "secrets").ended(201).event()), None);
        let told = note(controller("tokens-controller").event()).unwrap();
        assert_eq!(
            (told.object.as_str(), told.detection),
            ("Secret shop/db", Detection::D10)
        );
        assert_eq!(told.user.as_deref(), Some("eve"));
        assert_eq!(told.source.as_deref(), Some("203.0.113.9"));
        // Nobody was seen to write it since.
        let told = note(controller("tokens-controller").event()).unwrap();
        assert_eq!((told.user, told.source), (None, None));
        // The cleaner of tokens that are not used puts a label on them, the API server notes their use.
        assert_eq!(note(by("eve").verb("update", "secrets").event()), None);
        assert_eq!(note(controller("legacy-service-account-token-cleaner").event()), None);
        assert_eq!(note(by("system:apiserver").verb("patch", "secrets").event()), None);
        let told = note(controller("tokens-controller").event()).unwrap();
        assert_eq!(told.user.as_deref(), Some("eve"));
    }

    #[test]
    fn what_is_no_write_or_no_controller_is_not_told() {
        let mut endless = Endless::default();
        let mut note = |event: Event| endless.note(&event, &around());
        assert_eq!(note(controller("tokens-controller").ended(409).event()), None);
        assert_eq!(note(controller("tokens-controller").within("shop").event()), None);
        let impostor = by("eve").agent("kube-controller-manager/v1/tokens-controller");
        assert_eq!(note(impostor.verb("update", "secrets").event()), None);
        assert_eq!(note(by("mallory").verb("patch", "secrets").dry_run().event()), None);
        assert_eq!(note(by("mallory").verb("patch", "secrets").ended(403).event()), None);
        let told = note(controller("tokens-controller").event()).unwrap();
        assert_eq!(told.user.as_deref(), Some("eve"), "who only tried wrote nothing");
    }
}
