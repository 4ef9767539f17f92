//! Which rights repairs need, and which of them are missing: asked before the first repair is tried, so that it shows as a condition, not as a failure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ironside_engine::controls::RepairBy;
use ironside_engine::model::Kind;
use ironside_engine::policy::Mode;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::cluster::permissions::{Missing, Right, missing};
use crate::process::Context;
use crate::reconcile::View;

/// Namespaces asked about in one round; more say nothing new about a cluster that is set up the same way everywhere.
const MOST_NAMESPACES: usize = 64;

/// Time between two rounds when nothing changed. A right that comes or goes shows after this time at the latest.
const ROUND: Duration = Duration::from_mins(5);

/// Time between two rounds while something is missing: somebody may be granting it just now.
const ROUND_WHEN_MISSING: Duration = Duration::from_secs(20);

/// Rounds wait for this long after an outage: an API server that has just started refuses everything.
const CALM: Duration = Duration::from_mins(1);

/// How often it is looked whether a round is due.
const LOOK: Duration = Duration::from_secs(1);

/// The rights that repairs need, by namespace, where Enforce acts.
pub fn needed(view: &View) -> BTreeMap<String, BTreeSet<Right>> {
    let mut needed: BTreeMap<String, BTreeSet<Right>> = BTreeMap::new();
    for (namespace, results) in view.results.namespaces() {
        let rights: BTreeSet<Right> = results
            .outcomes
            .values()
            .flat_map(|outcome| &outcome.evaluation.findings)
            .filter(|finding| finding.mode == Mode::Enforce)
            .filter_map(|finding| Some((finding.target.kind, finding.control.repair?.by)))
            .flat_map(|(kind, by)| rights_of(kind, by))
            .collect();
        if !rights.is_empty() {
            needed.insert(namespace.to_string(), rights);
            if needed.len() == MOST_NAMESPACES {
                break;
            }
        }
    }
    needed
}

/// The rights that a repair of an object of this kind needs.
pub fn rights_of(kind: Kind, by: RepairBy) -> Vec<Right> {
    let right = |verb, kind: Kind| Right {
        verb,
        group: kind.group(),
        resource: kind.plural(),
    };
    match by {
        RepairBy::NetworkPolicies => ["create", "delete", "patch"]
            .into_iter()
            .map(|verb| right(verb, Kind::NetworkPolicy))
            .collect(),
        // Other kinds are planned and shown, never patched.
        RepairBy::EachContainer(_) | RepairBy::Template(_) if kind == Kind::Deployment => vec![right("patch", kind)],
        RepairBy::EachContainer(_) | RepairBy::Template(_) => Vec::new(),
    }
}

/// Keeps the missing rights up to date while leading, until `stop`.
pub async fn keep_asking(context: Context, answer: watch::Sender<Arc<Missing>>, stop: CancellationToken) {
    let Context {
        client,
        views,
        leadership,
        ..
    } = context;
    let mut asked: Option<(Instant, BTreeMap<String, BTreeSet<Right>>)> = None;
    let mut trouble: Option<Instant> = None;
    while stop.run_until_cancelled(tokio::time::sleep(LOOK)).await.is_some() {
        let view = views.latest();
        if view.standings.interrupted().next().is_some() {
            trouble = Some(Instant::now());
        }
        let calm = trouble.is_none_or(|at| at.elapsed() >= CALM);
        if !view.complete || !leadership.leads() || !calm {
            continue;
        }
        let needed = needed(&view);
        let round = if answer.borrow().is_empty() {
            ROUND
        } else {
            ROUND_WHEN_MISSING
        };
        let fresh = asked
            .as_ref()
            .is_some_and(|(at, about)| *about == needed && at.elapsed() < round);
        if fresh {
            continue;
        }
        match missing(&client, &needed).await {
            Ok(missing) => {
                answer.send_if_modified(|known| {
                    let changed = **known != missing;
                    *known = Arc::new(missing);
                    changed
                });
            }
            Err(error) => tracing::warn!(error = %error, "cannot ask which permissions are granted"),
        }
        asked = Some((Instant::now(), needed));
    }
}
