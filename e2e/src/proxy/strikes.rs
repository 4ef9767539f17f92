//! Strikes: something that happens once, at a chosen effect of the client; mostly its death between two of its writes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use super::Proxy;
use super::attributes::Attributes;

/// When a strike falls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// The client has sent its write, the server has not seen it and never will.
    BeforeForwarding,
    /// The server has carried out the write, the client does not know and never will.
    AfterAnswer,
}

type Choice = Box<dyn FnMut(&Attributes) -> bool + Send>;
type Action = Box<dyn FnOnce() + Send>;

pub(super) struct Strike {
    pub(super) moment: Moment,
    /// Asked of each effect until it is the one.
    choice: Mutex<Option<Choice>>,
    action: Mutex<Option<Action>>,
    fell: watch::Sender<Option<Attributes>>,
}

impl Strike {
    /// Whether this effect is the one.
    pub(super) fn is_due(&self, effect: &Attributes) -> bool {
        let mut choice = self.choice.lock().unwrap_or_else(PoisonError::into_inner);
        let due = choice.as_mut().is_some_and(|choice| choice(effect));
        if due {
            *choice = None;
        }
        due
    }

    pub(super) fn falls(&self, at: Attributes) {
        let action = self.action.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(action) = action {
            action();
        }
        self.fell.send_replace(Some(at));
    }
}

/// A strike that was ordered.
pub struct Struck(watch::Receiver<Option<Attributes>>);

impl Struck {
    /// The effect at which it fell, if it has.
    pub fn fell_at(&self) -> Option<Attributes> {
        self.0.borrow().clone()
    }
}

impl Proxy {
    /// Runs `action` at the client's n-th effect from now (1 is the next; see [`Attributes::is_effect`]), then closes
    /// that connection without an answer. Meant to kill the client between any two of its effects:
    /// `proxy.strike(3, Moment::AfterAnswer, operator.killer())`.
    pub fn strike(&self, number: usize, moment: Moment, action: impl FnOnce() + Send + 'static) -> Struck {
        let mut left = number;
        let choice = move |_: &Attributes| {
            left = left.saturating_sub(1);
            left == 0
        };
        self.strike_at(Box::new(choice), moment, Box::new(action))
    }

    fn strike_at(&self, choice: Choice, moment: Moment, action: Action) -> Struck {
        let (fell, receiver) = watch::channel(None);
        let strike = Strike {
            moment,
            choice: Mutex::new(Some(choice)),
            action: Mutex::new(Some(action)),
            fell,
        };
        self.shared
            .strikes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Arc::new(strike));
        Struck(receiver)
    }
}

/// A course of effects that is run again and again, each to be struck once. An effect is known by its verb, its resource and the how-manieth of these it is
/// in its round: how often a status is written on the way depends on the clock, so a plain number would miss what comes after it.
#[derive(Clone, Default)]
pub struct Course(Arc<Mutex<BTreeSet<String>>>);

impl Course {
    /// Runs `action`, as [`Proxy::strike`] does, at the first effect from now that was not struck in an earlier round. It never falls once all were.
    pub fn strike(&self, proxy: &Proxy, moment: Moment, action: impl FnOnce() + Send + 'static) -> Struck {
        let struck = Arc::clone(&self.0);
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        let choice = move |effect: &Attributes| {
            let what = format!("{} {}/{}", effect.verb, effect.resource, effect.subresource);
            let number = seen.entry(what.clone()).or_default();
            *number += 1;
            let effect = format!("{what} {number}");
            struck.lock().unwrap_or_else(PoisonError::into_inner).insert(effect)
        };
        proxy.strike_at(Box::new(choice), moment, Box::new(action))
    }
}
