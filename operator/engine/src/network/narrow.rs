//! Needs that Ironside may answer: those of pods that no policy of the team rules. A pod that a team's policy selects keeps exactly what that policy gives it
//! (`safety.md`, story 38): policies are a union, so an allow of ours would widen it.

use super::endpoints::Endpoint;
use super::generate::both;
use super::infer::{Need, lasting_selector};
use crate::model::NetworkPolicy;
use crate::world::Snapshot;

/// Whether one of these policies restricts ingress of the endpoint.
pub fn is_ruled(endpoint: &Endpoint, by: &[&NetworkPolicy]) -> bool {
    by.iter()
        .any(|policy| policy.spec.restricts_ingress() && policy.spec.pod_selector.matches(&endpoint.labels))
}

/// The needs, narrowed to pods that none of these policies rules. Needs of no pod at all stay: pods may come.
pub fn answerable(
    needs: Vec<Need>,
    endpoints: &[Endpoint],
    ruled_by: &[&NetworkPolicy],
    world: &Snapshot,
) -> Vec<Need> {
    needs
        .into_iter()
        .flat_map(|need| {
            let selected = endpoints
                .iter()
                .filter(|endpoint| !endpoint.host_network && need.to.matches(&endpoint.labels));
            let (ruled, open): (Vec<_>, Vec<_>) = selected.partition(|endpoint| is_ruled(endpoint, ruled_by));
            if ruled.is_empty() {
                return vec![need];
            }
            by_workload(&need, &open, world)
        })
        .collect()
}

/// The need once for each workload: the only selectors that are known to last. Whether they keep clear of ruled pods is checked on the result.
fn by_workload(need: &Need, endpoints: &[&Endpoint], world: &Snapshot) -> Vec<Need> {
    let mut narrowed: Vec<Need> = Vec::new();
    for endpoint in endpoints {
        let own = world
            .workload(&endpoint.workload)
            .and_then(|workload| lasting_selector(workload));
        let to = own.map_or_else(|| need.to.clone(), |own| both(&need.to, &own));
        if !narrowed.iter().any(|need| need.to == to) {
            narrowed.push(Need { to, ..need.clone() });
        }
    }
    narrowed
}
