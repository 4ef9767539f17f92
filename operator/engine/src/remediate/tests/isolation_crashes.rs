//! An isolation and its rollback end in the same state wherever a process dies, an answer is lost, the API server is busy, or two processes believe that they lead.

use jiff::SignedDuration;

use super::super::{Phase, Reason};
use super::namespace::{Fault, Process, Server};

const FAULTS: [Fault; 4] = [Fault::CrashBefore, Fault::CrashAfter, Fault::AnswerLost, Fault::Busy];
const WEEKS: SignedDuration = SignedDuration::from_hours(24 * 8);

/// Where it must end.
fn check(server: &Server, breaks: bool, how: &str) {
    let end = if breaks {
        (Phase::Held, Reason::Quarantined)
    } else {
        (Phase::Succeeded, Reason::Verified)
    };
    assert_eq!(server.stands(), end, "{how}: {:?}", server.record);
    assert_eq!(server.policies().len(), if breaks { 0 } else { 3 }, "{how}");
    let failures = server.record.memory.failures.len();
    assert_eq!(failures, usize::from(breaks), "{how}: it broke once");
    assert_eq!(
        server.record.attempt.as_ref().unwrap().id,
        1,
        "{how}: one attempt, neither repeated nor lost"
    );
}

#[test]
fn every_effect_of_an_isolation_and_of_its_rollback_may_go_wrong() {
    for breaks in [false, true] {
        for fault in FAULTS {
            let mut struck = 0;
            for number in 0.. {
                assert!(number < 60, "more effects than an isolation has");
                let (mut server, mut process) = (Server::new(), Process::new(1));
                server.web_needs_more = breaks;
                let mut left = Some(number);
                for _ in 0..20 {
                    process.see(&server);
                    let at = left.map(|left| (left, fault));
                    let done = process.run(&mut server, at).len();
                    left = left.filter(|_| !process.struck).map(|left| left - done);
                    server.now += SignedDuration::from_secs(30);
                }
                process.watch(&mut server, WEEKS);
                check(&server, breaks, &format!("{fault:?} at effect {number}"));
                if !process.struck {
                    break; // fewer effects than that
                }
                struck += 1;
            }
            assert!(struck > 5, "{fault:?}: {struck}");
        }
    }
}

#[test]
fn two_leaders_stale_records_and_crashes_in_any_order() {
    for seed in 0..60_u64 {
        let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        let (mut server, breaks) = (Server::new(), seed % 2 == 0);
        server.web_needs_more = breaks;
        let mut processes = [Process::new(1), Process::new(2)];
        for _ in 0..40 {
            let process = &mut processes[random.below(2)];
            if random.below(3) > 0 {
                process.see(&server); // else it acts on what it knew
            }
            let fault = (random.below(4) == 0).then(|| (random.below(4), FAULTS[random.below(4)]));
            process.run(&mut server, fault);
            server.now += SignedDuration::from_secs(20);
        }
        processes[1].watch(&mut server, WEEKS);
        check(&server, breaks, &format!("seed {seed}"));
    }
}

/// xorshift: the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(end).unwrap()).unwrap()
    }
}
