//! What goes wrong between the operator and the API server, one thing at a time.

use std::time::{Duration, Instant};

use crate::chance::Chance;
use crate::proxy::{Fault, Flow, Match, Proxy, Rule};

/// A pause between two faults, in seconds: at least, and how much more at most.
const PAUSE: (usize, usize) = (5, 15);

/// The faults of one run.
pub(super) struct Faults {
    proxy: Proxy,
    /// When the fault that lasts is over, or the next one comes.
    turn: Instant,
    lasts: bool,
    /// How many there were.
    pub(super) count: usize,
}

/// What the soak itself has to do about a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Nothing,
    /// End the operator with -9 and start another.
    Kill,
}

impl Faults {
    pub(super) fn new(proxy: Proxy) -> Self {
        Self {
            proxy,
            turn: Instant::now(),
            lasts: false,
            count: 0,
        }
    }

    pub(super) fn address(&self) -> &str {
        self.proxy.address()
    }

    /// Begins or ends a fault if it is time.
    pub(super) fn step(&mut self, chance: &mut Chance, may_kill: bool) -> Order {
        if Instant::now() < self.turn {
            return Order::Nothing;
        }
        if self.lasts {
            self.clear();
            self.wait(PAUSE.0 + chance.below(PAUSE.1));
            return Order::Nothing;
        }
        self.lasts = true;
        self.count += 1;
        self.wait(2 + chance.below(6));
        self.begin(chance.below(if may_kill { 11 } else { 10 }))
    }

    /// Everything works again.
    pub(super) fn clear(&mut self) {
        self.proxy.clear();
        self.proxy.streams(&Match::any(), Flow::Open);
        self.lasts = false;
    }

    fn wait(&mut self, seconds: usize) {
        self.turn = Instant::now() + Duration::from_secs(u64::try_from(seconds).unwrap_or_default());
    }

    fn begin(&self, which: usize) -> Order {
        let inject = |rule| drop(self.proxy.inject(rule));
        match which {
            0 => inject(Rule::new(Match::any(), Fault::too_many_requests(1))),
            1 => inject(Rule::new(Match::effects(), Fault::conflict()).times(5)),
            2 => inject(Rule::new(Match::any(), Fault::internal_error())),
            3 => inject(Rule::new(Match::effects(), Fault::LoseAnswer).times(3)),
            4 => inject(Rule::new(Match::any(), Fault::Delay(Duration::from_millis(400)))),
            5 => inject(Rule::new(Match::any(), Fault::Drop).times(20)),
            6 => drop(self.proxy.streams(&Match::any(), Flow::Cut)),
            7 => drop(self.proxy.streams(&Match::any(), Flow::Stalled)),
            8 => drop(self.proxy.streams(&Match::any(), Flow::Expired)),
            9 => inject(Rule::new(Match::watches(), Fault::ExpireWatch).times(10)),
            _ => return Order::Kill,
        }
        Order::Nothing
    }
}
