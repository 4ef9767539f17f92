//! Work on many things on all cores, with the results in their order.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, mpsc};

/// Results that may wait for an earlier one, for each core.
const AHEAD: usize = 8;

/// Does `work` on each item, and hands each result to `take` in the order of the items. Each core has a state of its own, made by `state`.
pub(super) fn in_order<I: Sync, S, T: Send>(
    items: &[I],
    state: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, &I) -> T + Sync,
    mut take: impl FnMut(T),
) {
    // The system is asked once: it reads files to answer.
    static CORES: LazyLock<usize> = LazyLock::new(|| std::thread::available_parallelism().map_or(1, usize::from));
    let cores = items.len().min(*CORES);
    if cores <= 1 {
        let mut own = state();
        for item in items {
            take(work(&mut own, item));
        }
        return;
    }
    let next = AtomicUsize::new(0);
    let (sender, results) = mpsc::sync_channel(cores * AHEAD);
    let each = |own: &mut S| {
        let at = next.fetch_add(1, Ordering::Relaxed);
        items.get(at).map(|item| (at, work(own, item)))
    };
    let worker = |sender: mpsc::SyncSender<(usize, T)>| {
        let mut own = state();
        while let Some(result) = each(&mut own) {
            // Nobody takes any more: a panic is on its way up.
            if sender.send(result).is_err() {
                break;
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..cores {
            let sender = sender.clone();
            scope.spawn(|| worker(sender));
        }
        drop(sender);
        let mut early = BTreeMap::new();
        let mut due = 0;
        let mut put = |(at, result): (usize, T)| {
            early.insert(at, result);
            while let Some(result) = early.remove(&due) {
                take(result);
                due += 1;
            }
        };
        // This thread works as the others do, and takes what has come in between: one that only took would have to be woken for each result.
        let mut own = state();
        while let Some(result) = each(&mut own) {
            put(result);
            results.try_iter().for_each(&mut put);
        }
        results.into_iter().for_each(&mut put);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_the_order_of_the_items() {
        let items: Vec<usize> = (0..500).collect();
        let mut taken = Vec::new();
        let work = |(): &mut (), item: &usize| {
            if item.is_multiple_of(7) {
                std::thread::yield_now();
            }
            item * 2
        };
        in_order(&items, || (), work, |result| taken.push(result));
        assert_eq!(taken, (0..500).map(|item| item * 2).collect::<Vec<_>>());
        in_order(&[] as &[usize], || (), work, |_| unreachable!("there is none"));
    }

    #[test]
    fn a_panic_comes_up_whoever_meets_it_and_nobody_waits() {
        let items: Vec<usize> = (0..200).collect();
        let ends = |work: fn(&mut (), &usize) -> usize, take: fn(usize)| {
            std::panic::catch_unwind(|| in_order(&items, || (), work, take)).is_err()
        };
        // Each item once, so that the asking thread and the others meet it.
        assert!(ends(
            |(), item| if *item >= 100 { panic!("{item}") } else { *item },
            drop
        ));
        assert!(ends(|(), item| *item, |item| assert_ne!(item, 50)));
    }
}
