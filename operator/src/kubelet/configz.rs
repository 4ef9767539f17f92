//! What kubelets run with (`/configz`): their configuration file, its drop-ins and their flags in one. Asked in the name of the same account, for `nodes/configz`.
//!
//! Nodes are known by the pods on them, so that nobody needs the right to read Node objects; a node without a pod runs nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use ironside_engine::components::{Answer, Kubelets, Observed};
use ironside_engine::controls::{Gap, Responsibility};
use ironside_engine::model::Configuration;
use kube::Config;
use serde_json::Value;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::ask::{Refusal, Vouched};
use super::node::Node;
use super::token::Account;
use super::{AT_A_TIME, PORT};
use crate::process::Context;
use crate::reconcile::View;

/// What is asked for.
pub(super) const PATH: &str = "/configz";

/// How often it is looked which nodes there are.
const LOOK: Duration = Duration::from_secs(15);

/// A field that may hold credentials; nothing reads it.
const HEADERS: &str = "staticPodURLHeader";

/// Asks, until `stop`. `config` is how the API server is reached: who vouches for kubelets is who vouches for it.
pub(crate) async fn run(
    context: Context,
    account: String,
    config: Config,
    observed: watch::Sender<Arc<Observed>>,
    stop: CancellationToken,
) {
    let mut account = Account::new(context.client.clone(), &context.own_namespace, account);
    let vouched = Vouched::by(&config);
    let mut nodes: BTreeMap<Arc<str>, Node> = BTreeMap::new();
    let mut known = Kubelets::new();
    while stop.run_until_cancelled(tokio::time::sleep(LOOK)).await.is_some() {
        let view = context.views.latest();
        if !view.complete {
            continue;
        }
        let present = present(&view);
        nodes.retain(|name, _| present.contains_key(name));
        known.retain(|name, _| present.contains_key(name));
        let now = Instant::now();
        let due: Vec<(Arc<str>, IpAddr)> = present
            .iter()
            .filter(|(name, _)| nodes.entry(Arc::clone(name)).or_default().is_due(now, false))
            .map(|(name, address)| (Arc::clone(name), *address))
            .collect();
        let Some(answers) = stop.run_until_cancelled(ask_all(due, &mut account, &vouched)).await else {
            return;
        };
        for (name, answer) in answers {
            if let Some(node) = nodes.get_mut(&name) {
                node.answered(now, answer.is_ok());
            }
            let answer = match answer {
                Ok(configuration) => Answer::Said(shared(&known, configuration)),
                Err(refusal) => {
                    context.happenings.failed("kubelet", refusal.label());
                    tracing::info!(node = &*name, reason = %refusal, "what its kubelet runs with is not known");
                    Answer::Silent(gap(&refusal))
                }
            };
            known.insert(name, answer);
        }
        observed.send_if_modified(|observed| {
            let changed = observed.kubelets.said() != Some(&known);
            if changed {
                Arc::make_mut(observed).kubelets = Answer::Said(known.clone());
            }
            changed
        });
    }
}

async fn ask_all(
    due: Vec<(Arc<str>, IpAddr)>,
    account: &mut Account,
    vouched: &Vouched,
) -> Vec<(Arc<str>, Result<Configuration, Refusal>)> {
    if due.is_empty() {
        return Vec::new();
    }
    let token = account.token().await;
    let questions = due.into_iter().map(|(name, address)| {
        let token = token.clone();
        async move {
            let answer = async {
                let text = vouched.ask(PATH, SocketAddr::new(address, PORT), &token?).await?;
                decode(&text).ok_or(Refusal::Malformed)
            };
            (name, answer.await)
        }
    });
    let questions: Vec<_> = questions.collect();
    futures::stream::iter(questions)
        .buffer_unordered(AT_A_TIME)
        .collect()
        .await
}

/// The nodes that run something, with their addresses.
fn present(view: &View) -> BTreeMap<Arc<str>, IpAddr> {
    let mut present = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for pod in view.world.shards.values().flat_map(|shard| shard.pods.values()) {
        let (Some(name), Some(address)) = (&pod.spec.node_name, pod.status.host_ip) else {
            continue;
        };
        if seen.insert(name.as_str()) {
            present.insert(name.as_str().into(), address);
        }
    }
    present
}

/// A kubelet's answer, without what nobody reads and nobody should.
pub(super) fn decode(text: &[u8]) -> Option<Configuration> {
    let mut answer: Value = serde_json::from_slice(text).ok()?;
    let mut configuration = answer.get_mut("kubeletconfig")?.take();
    let fields = configuration.as_object_mut().filter(|fields| !fields.is_empty())?;
    fields.remove(HEADERS);
    serde_json::from_value(configuration).ok()
}

/// The same configuration of another node, if one has it: nodes of a kind are equal, and are many.
fn shared(known: &Kubelets, configuration: Configuration) -> Arc<Configuration> {
    let equal = known
        .values()
        .filter_map(Answer::said)
        .find(|it| ***it == configuration);
    equal.map_or_else(|| Arc::new(configuration), Arc::clone)
}

fn gap(refusal: &Refusal) -> Gap {
    Gap {
        reason: match refusal {
            Refusal::Denied(_) => "PermissionDenied",
            other => other.label(),
        },
        message: refusal.to_string(),
        responsibility: Responsibility::SelfManaged,
    }
}
