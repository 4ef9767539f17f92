//! Asks kubelets what containers wrote over their images, and what they run with: evidence that no object of the API server holds. Off unless an account is named for it.
//!
//! ```text
//! View (who is planned to get a read-only root) -> nodes -> ask (GET /stats/summary, port 10250) -> summary -> Layers -> the writer's world
//! View (which nodes there are)                           -> ask (GET /configz)                    -> configz -> Observed -^
//! ```
//!
//! Whoever answers is not trusted: a node may be in an intruder's hands. So the operator's own token never goes there: kubelets see a token of an account
//! that may get `nodes/stats` and `nodes/configz` and nothing else (never `nodes/proxy`, which runs commands). The kubelet has to prove by a certificate of the cluster's CA that
//! it is the address that was meant; what it sends is bounded in size and time; it is believed about its own pods alone. Whatever goes wrong makes its pods
//! unknown, with the reason, and puts the next question off.

mod ask;
pub(crate) mod configz;
mod node;
mod summary;
#[cfg(test)]
mod tests;
mod token;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use ironside_engine::model::layer::Layers;
use ironside_engine::model::{Kind, ObjectRef, Pod};
use ironside_engine::policy::Mode;
use kube::Config;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use self::ask::{Refusal, Vouched};
use self::node::Node;
use self::summary::Summary;
use self::token::Account;
use crate::process::Context;
use crate::reconcile::View;

/// Where kubelets listen.
const PORT: u16 = 10250;

/// How often it is looked who is to be asked.
const LOOK: Duration = Duration::from_secs(5);

/// What is asked for.
const PATH: &str = "/stats/summary";

/// Nodes asked at a time.
const AT_A_TIME: usize = 8;

/// What the repair writes that rests on this evidence.
const RESTS_ON_IT: &str = "containers[].securityContext.readOnlyRootFilesystem";

/// A pod that somebody's plan asks about.
struct Wanted {
    reference: ObjectRef,
    pod: Arc<Pod>,
}

/// Asks, until `stop`. `config` is how the API server is reached: who vouches for kubelets is who vouches for it.
pub(crate) async fn run(
    context: Context,
    account: String,
    config: Config,
    layers: watch::Sender<Arc<Layers>>,
    stop: CancellationToken,
) {
    let mut account = Account::new(context.client.clone(), &context.own_namespace, account);
    let vouched = Vouched::by(&config);
    let mut nodes: BTreeMap<IpAddr, Node> = BTreeMap::new();
    while stop.run_until_cancelled(tokio::time::sleep(LOOK)).await.is_some() {
        let wanted = wanted(&context.views.latest());
        nodes.retain(|address, _| wanted.contains_key(address));
        let known = Arc::clone(&layers.borrow());
        let now = Instant::now();
        let due: Vec<IpAddr> = wanted
            .iter()
            .filter(|(address, pods)| {
                let unknown = pods.iter().any(|it| !known.pods.contains_key(&*it.pod.metadata.uid));
                nodes.entry(**address).or_default().is_due(now, unknown)
            })
            .map(|(address, _)| *address)
            .collect();
        let answers = ask_all(&due, &mut account, &vouched);
        let Some(answers) = stop.run_until_cancelled(answers).await else {
            return;
        };
        let mut next = Layers {
            asked: true,
            pods: BTreeMap::new(),
        };
        for (address, pods) in &wanted {
            let answer = answers.get(address);
            if let (Some(node), Some(answer)) = (nodes.get_mut(address), answer) {
                node.answered(now, answer.is_ok());
            }
            if let Some(Err(refusal)) = answer {
                context.happenings.failed("kubelet", refusal.label());
                tracing::info!(kubelet = %address, reason = %refusal, "what its containers write is not known");
            }
            for it in pods {
                let uid = &*it.pod.metadata.uid;
                let before = known.pods.get(uid).map(|(_, measured)| measured);
                let measured = match answer {
                    None => before.cloned(),
                    Some(answer) => summary::measured(&it.pod, answer.as_ref(), before),
                };
                next.pods
                    .extend(measured.map(|measured| (uid.into(), (it.reference.clone(), measured))));
            }
        }
        layers.send_if_modified(|layers| {
            let changed = **layers != next;
            if changed {
                *layers = Arc::new(next);
            }
            changed
        });
    }
}

async fn ask_all(
    due: &[IpAddr],
    account: &mut Account,
    vouched: &Vouched,
) -> BTreeMap<IpAddr, Result<Summary, Refusal>> {
    if due.is_empty() {
        return BTreeMap::new();
    }
    let token = account.token().await;
    let questions = due.iter().copied().map(|address| ask(address, token.clone(), vouched));
    let questions: Vec<_> = questions.collect();
    futures::stream::iter(questions)
        .buffer_unordered(AT_A_TIME)
        .collect()
        .await
}

async fn ask(
    address: IpAddr,
    token: Result<Arc<str>, Refusal>,
    vouched: &Vouched,
) -> (IpAddr, Result<Summary, Refusal>) {
    let answer = async {
        let text = vouched.ask(PATH, SocketAddr::new(address, PORT), &token?).await?;
        Summary::decode(&text)
    };
    (address, answer.await)
}

/// The pods of workloads for which somebody plans the repair that rests on this, by the address of their node.
fn wanted(view: &View) -> BTreeMap<IpAddr, Vec<Wanted>> {
    let mut wanted: BTreeMap<IpAddr, Vec<Wanted>> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    let planned = view.results.outcomes().filter(|(_, outcome)| {
        outcome
            .failures()
            .any(|finding| finding.mode >= Mode::Preview && finding.control.writes.contains(&RESTS_ON_IT))
    });
    for pod in planned
        .filter_map(|(target, _)| view.world.workload(target))
        .flat_map(|workload| view.world.pods_of(workload))
    {
        let Some(address) = pod.status.host_ip else { continue };
        let reference = ObjectRef::new(Kind::Pod, &pod.metadata.namespace, &pod.metadata.name);
        if seen.insert(reference.clone()) {
            let pod = Arc::clone(pod);
            wanted.entry(address).or_default().push(Wanted { reference, pod });
        }
    }
    wanted
}
