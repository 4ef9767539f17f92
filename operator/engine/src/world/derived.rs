//! What readers work out of a snapshot and what the next ones may share.

use std::ops::Deref;
use std::sync::{Arc, OnceLock};

/// Something that follows from the objects of a snapshot. Versions of the world between which nothing changed that it rests on have the same one; the writer
/// puts an empty one in place when something did.
#[derive(Debug)]
pub(super) struct Derived<T>(Arc<OnceLock<T>>);

impl<T> Derived<T> {
    /// Puts an empty one in place, unless this one is empty and nobody else could fill it from objects of an earlier version.
    pub(super) fn forget(&mut self) {
        if Arc::get_mut(&mut self.0).is_none_or(|own| own.get().is_some()) {
            *self = Self::default();
        }
    }
}

impl<T> Deref for Derived<T> {
    type Target = OnceLock<T>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<T> Clone for Derived<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Default for Derived<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

/// It adds nothing to the objects that it follows from.
impl<T> PartialEq for Derived<T> {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}
