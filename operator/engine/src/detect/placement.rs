//! D-14: a new workload among the cluster's own.

use super::Detection;
use super::change::Change;
use crate::model::Workload;

/// Namespaces that Kubernetes itself makes for what belongs to the cluster.
const SYSTEM: [&str; 3] = ["kube-system", "kube-public", "kube-node-lease"];

pub(super) fn put(change: &mut Change<'_>, new: &Workload) {
    // What has a controller was made by it: told where the controller was made. Mirror pods of static pods belong to their Node.
    let is_made_by_hand = new.meta.controller().is_none();
    if is_made_by_hand
        && SYSTEM.contains(&new.meta.namespace.as_str())
        && change.before.workload(&change.reference).is_none()
    {
        let account = new.template.spec.service_account().to_owned();
        change.saw(
            Detection::D14,
            format!("is new in {}, with ServiceAccount {account}", new.meta.namespace),
        );
    }
}
