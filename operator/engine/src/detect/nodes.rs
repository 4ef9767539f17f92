//! D-21: a node joins.

use super::Detection;
use super::change::Change;

pub(super) fn put(change: &mut Change<'_>) {
    if change.before.resource(&change.reference).is_none() {
        change.saw(Detection::D21, "joined the cluster");
    }
}
