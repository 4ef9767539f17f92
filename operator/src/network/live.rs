//! Our generated policies as the watch shows them.

use std::collections::BTreeMap;

use ironside_engine::network::diff::{intruder, is_ours};

use crate::reconcile::View;

/// One of our policies as the watch shows it.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) uid: String,
    pub(super) version: String,
    pub(super) intruder: Option<String>,
}

/// Our policies in a namespace, by name.
pub(super) fn live(view: &View, namespace: &str) -> BTreeMap<String, Seen> {
    let policies = view.world.shard(namespace).map(|shard| &shard.network_policies);
    policies
        .into_iter()
        .flat_map(BTreeMap::values)
        .filter(|policy| is_ours(policy))
        .map(|policy| {
            let seen = Seen {
                uid: policy.metadata.uid.clone(),
                version: policy.metadata.resource_version.clone(),
                intruder: intruder(policy).map(|owner| owner.manager),
            };
            (policy.metadata.name.clone(), seen)
        })
        .collect()
}

/// Whether a version is older than another. They are numbers that grow (Kubernetes 1.35 promises so, and it was never otherwise with etcd); what is no number
/// counts as new, so that nothing is waited for in vain.
pub(super) fn is_older(seen: &str, than: &str) -> bool {
    match (seen.parse::<u64>(), than.parse::<u64>()) {
        (Ok(seen), Ok(than)) => seen < than,
        _ => false,
    }
}
