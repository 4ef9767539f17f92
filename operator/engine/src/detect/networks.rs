//! D-18: a NetworkPolicy is removed, or lets through what it did not.
//!
//! By the policies alone, not by what the pods that exist can reach: an insider opens first and moves later.

use super::Detection;
use super::change::Change;
use crate::model::NetworkPolicy;
use crate::model::network::{Peer, PolicyPort};
use crate::network::diff::{is_ours, means_same};

pub(super) fn changed(change: &mut Change<'_>, new: &NetworkPolicy) {
    let Some(old) = known(change) else { return };
    if means_same(&old.spec, &new.spec) {
        return;
    }
    let mut news = Vec::new();
    // To close every pod in place of some opens nothing; to allow something for every pod does.
    let closes_all = new.spec.pod_selector.is_empty() && new.spec.ingress.is_empty() && new.spec.egress.is_empty();
    if old.spec.pod_selector != new.spec.pod_selector && !closes_all {
        news.push("selects other pods");
    }
    if old.spec.restricts_ingress() && !new.spec.restricts_ingress() {
        news.push("restricts ingress no more");
    }
    if old.spec.restricts_egress() && !new.spec.restricts_egress() {
        news.push("restricts egress no more");
    }
    let ingress = |policy: &NetworkPolicy| -> Vec<Rule> {
        let rules = policy.spec.ingress.iter();
        rules.map(|rule| Rule(rule.from.clone(), rule.ports.clone())).collect()
    };
    let egress = |policy: &NetworkPolicy| -> Vec<Rule> {
        let rules = policy.spec.egress.iter();
        rules.map(|rule| Rule(rule.to.clone(), rule.ports.clone())).collect()
    };
    if new.spec.restricts_ingress() && opens(&ingress(&old), &ingress(new)) {
        news.push("lets more in");
    }
    if new.spec.restricts_egress() && opens(&egress(&old), &egress(new)) {
        news.push("lets more out");
    }
    if !news.is_empty() {
        change.saw(Detection::D18, news.join(", "));
    }
}

pub(super) fn gone(change: &mut Change<'_>) {
    let Some(old) = known(change) else { return };
    let is_going = change
        .before
        .namespace(&old.metadata.namespace)
        .is_none_or(|namespace| namespace.is_terminating());
    // Of what Ironside made only the deny closes anything; an allow that is not needed any more is taken away by Ironside itself.
    let is_an_allow_of_ours = is_ours(&old) && !(old.spec.ingress.is_empty() && old.spec.egress.is_empty());
    if !is_going && !is_an_allow_of_ours {
        change.saw(Detection::D18, "is gone");
    }
}

fn known(change: &Change<'_>) -> Option<std::sync::Arc<NetworkPolicy>> {
    let shard = change.before.shard(&change.reference.namespace)?;
    shard.network_policies.get(&change.reference.name).cloned()
}

/// Peers and ports of a rule; none of either is all of them.
struct Rule(Vec<Peer>, Vec<PolicyPort>);

/// Whether some new rule is not within one old rule.
fn opens(old: &[Rule], new: &[Rule]) -> bool {
    let within = |new: &Rule| old.iter().any(|old| all_in(&old.0, &new.0) && all_in(&old.1, &new.1));
    !new.iter().all(within)
}

fn all_in<T: PartialEq>(old: &[T], new: &[T]) -> bool {
    old.is_empty() || (!new.is_empty() && new.iter().all(|one| old.contains(one)))
}
