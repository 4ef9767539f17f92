//! A fixed set of small numbers. Reachability is a matrix of source classes and pieces of the port space, one such set per target.

/// Numbers below a length that both operands of every operation share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bits(Box<[u64]>);

impl Bits {
    /// No number.
    pub(super) fn none(length: usize) -> Self {
        Self(vec![0; length.div_ceil(64)].into())
    }

    /// Every number below `length`.
    pub(super) fn all(length: usize) -> Self {
        let mut bits = Self::none(length);
        for i in 0..length {
            bits.set(i);
        }
        bits
    }

    pub(super) fn set(&mut self, i: usize) {
        self.0[i / 64] |= 1 << (i % 64);
    }

    pub(super) fn has(&self, i: usize) -> bool {
        self.0[i / 64] & (1 << (i % 64)) != 0
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(word, other)| *word |= other);
    }

    pub(super) fn keep(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(word, other)| *word &= other);
    }

    /// Numbers that are here and not in `other`, ascending.
    pub(super) fn beyond<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = usize> + 'a {
        self.0.iter().zip(&other.0).enumerate().flat_map(|(i, (word, other))| {
            let left = word & !other;
            (0..64)
                .filter(move |bit| left & (1 << bit) != 0)
                .map(move |bit| i * 64 + bit)
        })
    }
}
