//! Whether this process may write: asked by every writer before every write, answered from memory.

use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use tokio::sync::watch;

/// Whether this process leads. Cheap to clone and to ask; every writer asks before every write.
#[derive(Clone, Debug)]
pub struct Leadership {
    term: Arc<Mutex<Option<Term>>>,
    epochs: watch::Sender<Option<i64>>,
}

/// A time during which this process leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Term {
    /// Number of the term: grows with every change of leadership, also over restarts.
    pub epoch: i64,
    /// Until when writes may be sent, unless it is prolonged.
    pub until: Instant,
}

impl Default for Leadership {
    fn default() -> Self {
        Self {
            term: Arc::default(),
            epochs: watch::Sender::new(None),
        }
    }
}

impl Leadership {
    /// The present term, if there is one and it has not run out.
    pub fn term(&self) -> Option<Term> {
        (*self.term.lock()).filter(|term| Instant::now() < term.until)
    }

    /// Whether writes may be sent now.
    pub fn leads(&self) -> bool {
        self.term().is_some()
    }

    /// Follows the number of the term; `None` while another process leads.
    pub fn epochs(&self) -> watch::Receiver<Option<i64>> {
        self.epochs.subscribe()
    }

    /// Begins or prolongs a term. For the election, and for tests of writers.
    pub fn begin(&self, term: Term) {
        *self.term.lock() = Some(term);
        self.epochs.send_if_modified(|epoch| {
            let changed = *epoch != Some(term.epoch);
            *epoch = Some(term.epoch);
            changed
        });
    }

    /// Ends the term.
    pub fn end(&self) {
        *self.term.lock() = None;
        self.epochs.send_if_modified(|epoch| epoch.take().is_some());
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_term_that_ran_out_allows_nothing() {
        let leadership = Leadership::default();
        assert!(!leadership.leads());
        leadership.begin(Term {
            epoch: 4,
            until: Instant::now() + Duration::from_mins(1),
        });
        assert!(leadership.leads());
        leadership.begin(Term {
            epoch: 4,
            until: Instant::now(),
        });
        assert!(
            !leadership.leads(),
            "the deadline passed, although nobody said that leadership ended"
        );
        assert_eq!(*leadership.epochs().borrow(), Some(4));
        leadership.end();
        assert_eq!(*leadership.epochs().borrow(), None);
    }
}
