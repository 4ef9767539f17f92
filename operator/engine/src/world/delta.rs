//! What a watch (or a file reader) tells the world.

use crate::controls::Gap;
use crate::model::{Kind, ObjectRef};

use super::Object;

/// One change of what was seen.
#[derive(Clone, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "deltas are handed over one by one; those that come in numbers are in a Vec of objects"
)]
pub enum Delta {
    /// The object is now this.
    Apply(Object),
    /// The object is gone.
    Delete(ObjectRef),
    /// A relist is complete: exactly these objects of the kind exist, in one namespace or, without one, in the whole cluster. Takes effect as one step.
    Replace {
        /// The kind that was listed.
        kind: Kind,
        /// The namespace that was listed; `None` for cluster-scoped kinds and for a list over all namespaces.
        namespace: Option<String>,
        /// All objects of the list. Objects of another kind or namespace are ignored.
        objects: Vec<Object>,
    },
    /// The kind cannot be read any more. What was seen stays, but counts as Unknown until the next `Replace` of the same scope.
    Unavailable {
        /// The kind.
        kind: Kind,
        /// The namespace; `None` for the whole cluster.
        namespace: Option<String>,
        /// Why, as it is shown with every finding that it hides.
        gap: Gap,
    },
}
