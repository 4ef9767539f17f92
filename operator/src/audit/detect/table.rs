//! A table that forgets what was used longest ago once it is full, and counts that.

use std::hash::Hash;

use lru::LruCache;

/// Values by key, at most so many.
#[derive(Debug)]
pub(super) struct Table<K: Eq + Hash, V> {
    most: usize,
    /// Unbounded, because one with a bound takes the room of all at once.
    values: LruCache<K, V>,
    evicted: u64,
}

impl<K: Eq + Hash, V: Default> Table<K, V> {
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            values: LruCache::unbounded(),
            evicted: 0,
        }
    }

    /// The value of a key, without counting as a use.
    pub(super) fn get(&self, key: &K) -> Option<&V> {
        self.values.peek(key)
    }

    /// The value of a key, made if there is none, which may cost the one that was used longest ago its place.
    pub(super) fn entry(&mut self, key: K) -> &mut V {
        if self.values.len() >= self.most && !self.values.contains(&key) {
            self.values.pop_lru();
            self.evicted += 1;
        }
        self.values.get_or_insert_mut(key, V::default)
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
