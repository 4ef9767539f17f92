//! A table that forgets what was used longest ago once it is full, and counts that.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

/// Values by key, at most so many.
#[derive(Debug)]
pub(super) struct Table<K, V> {
    most: usize,
    values: HashMap<K, (u64, V)>,
    /// Keys by when they were used last, oldest first.
    uses: BTreeMap<u64, K>,
    next: u64,
    evicted: u64,
}

impl<K: Clone + Eq + Hash, V: Default> Table<K, V> {
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            values: HashMap::new(),
            uses: BTreeMap::new(),
            next: 0,
            evicted: 0,
        }
    }

    /// The value of a key, without counting as a use.
    pub(super) fn get(&self, key: &K) -> Option<&V> {
        self.values.get(key).map(|(_, value)| value)
    }

    /// The value of a key, made if there is none, which may cost the one that was used longest ago its place.
    pub(super) fn entry(&mut self, key: K) -> &mut V {
        let number = self.next;
        self.next += 1;
        if let Some((last, _)) = self.values.get(&key) {
            self.uses.remove(last);
        } else if self.values.len() >= self.most
            && let Some((_, oldest)) = self.uses.pop_first()
        {
            self.values.remove(&oldest);
            self.evicted += 1;
        }
        self.uses.insert(number, key.clone());
        let (last, value) = self.values.entry(key).or_default();
        *last = number;
        value
    }

    /// How many were forgotten since this was asked last.
    pub(super) fn take_evicted(&mut self) -> u64 {
        std::mem::take(&mut self.evicted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_that_was_used_longest_ago_makes_room() {
        let mut table: Table<u32, u32> = Table::new(2);
        *table.entry(1) = 10;
        *table.entry(2) = 20;
        *table.entry(1) += 1;
        table.entry(3);
        assert_eq!(
            (table.get(&1), table.get(&2), table.get(&3)),
            (Some(&11), None, Some(&0))
        );
        assert_eq!((table.take_evicted(), table.take_evicted()), (1, 0));
    }
}
