//! Ids of controls.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

/// Stable id of a control, such as `POD-009`.
#[derive(Clone, Copy)]
pub struct ControlId {
    text: &'static str,
    /// The text as a number, which is compared in its place: ids are looked up for each control of each object.
    order: u128,
}

impl ControlId {
    /// Only controls make ids; others look them up with [`super::find`].
    ///
    /// # Panics
    /// It has more than 16 bytes.
    pub const fn new(id: &'static str) -> Self {
        let bytes = id.as_bytes();
        assert!(bytes.len() <= 16, "an id has at most 16 bytes");
        let mut padded = [0; 16];
        let mut at = 0;
        while at < bytes.len() {
            padded[at] = bytes[at];
            at += 1;
        }
        Self {
            text: id,
            order: u128::from_be_bytes(padded),
        }
    }

    /// The id as text.
    pub const fn as_str(self) -> &'static str {
        self.text
    }
}

impl PartialEq for ControlId {
    fn eq(&self, other: &Self) -> bool {
        self.order == other.order
    }
}

impl Eq for ControlId {}

impl Ord for ControlId {
    fn cmp(&self, other: &Self) -> Ordering {
        self.order.cmp(&other.order)
    }
}

impl PartialOrd for ControlId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Hash for ControlId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.order.hash(state);
    }
}

impl fmt::Debug for ControlId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ControlId").field(&self.text).finish()
    }
}

impl fmt::Display for ControlId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controls::CONTROLS;

    #[test]
    fn ids_compare_as_their_texts_do() {
        let others = ["", "A", "AA", "POD-0", "POD-001", "POD-0010", "KUBELET-001-ABCD"].map(ControlId::new);
        let all = || CONTROLS.iter().map(|control| control.id).chain(others);
        for a in all() {
            for b in all() {
                assert_eq!(a.cmp(&b), a.as_str().cmp(b.as_str()), "{a} {b}");
                assert_eq!(a == b, a.as_str() == b.as_str(), "{a} {b}");
            }
        }
    }
}
