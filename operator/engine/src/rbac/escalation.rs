//! Whether somebody can become cluster-admin, and by which steps.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::sync::Arc;

use super::graph::{Grant, Graph};
use super::identity::Identity;
use super::roles::Holdings;
use super::rules::{Request, covers, is_everything};

/// One step on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The binding that allows it.
    pub binding: String,
    /// What is done.
    pub does: String,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.does, self.binding)
    }
}

/// What is found of an account from which there is a way: `web can become cluster-admin: by making a pod …, then may do everything (…)`.
pub fn in_words(account: &str, way: &[Step]) -> String {
    let way: Vec<String> = way.iter().map(ToString::to_string).collect();
    format!("{account} can become cluster-admin: {}", way.join(", then "))
}

/// The shortest way on which somebody becomes cluster-admin; `None` if there is none. Steps are: power that amounts to it, and becoming a service account by
/// making pods of its namespace or tokens of its own.
pub fn way_to_admin(graph: &Graph, identity: &Identity) -> Option<Vec<Step>> {
    let mut way = Vec::new();
    let mut at = identity.clone();
    loop {
        if at.is_master() {
            way.push(Step {
                binding: "group system:masters".to_owned(),
                does: "may do everything, whatever the roles say".to_owned(),
            });
            return Some(way);
        }
        let by = graph.to(&at).find_map(|grant| Some((grant, power_of(grant)?)));
        if let Some((grant, power)) = by {
            way.push(step(grant, power.to_owned()));
            return Some(way);
        }
        // Each account on the way is one step nearer than the one before, so this ends.
        let (grant, means, nearest) = graph
            .to(&at)
            .filter_map(|grant| {
                let means = grant.holdings.means?;
                Some((grant, means, graph.ways().nearest.get(&grant.namespace)?))
            })
            .min_by_key(|(_, _, nearest)| nearest.steps)?;
        let Account { namespace, name } = &nearest.account;
        way.push(step(
            grant,
            format!("{means} becomes ServiceAccount {namespace}/{name}"),
        ));
        at = Identity::of_account(namespace, name);
    }
}

fn step(grant: &Grant, does: String) -> Step {
    Step {
        binding: grant.binding.to_string(),
        does,
    }
}

/// A service account.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Account {
    // Compared first: of several that are equally near the first by name is taken.
    name: Arc<str>,
    namespace: Arc<str>,
}

/// The account of a namespace, or of all, from which it is the fewest steps to cluster-admin.
#[derive(Debug)]
struct Nearest {
    account: Account,
    steps: usize,
}

/// Which accounts become cluster-admin, by where they live. Found backwards, from those that have the power, so that each account and each binding is looked at
/// once however many workloads ask.
#[derive(Debug, Default)]
pub(super) struct Ways {
    nearest: BTreeMap<Option<Arc<str>>, Nearest>,
}

impl Ways {
    pub(super) fn of(graph: &Graph) -> Self {
        let mut ways = Self::default();
        // Those of the next level, and who gets there by becoming an account of a namespace or of any.
        let mut open: VecDeque<(Account, usize)> = VecDeque::new();
        let mut reach: BTreeMap<Option<Arc<str>>, Vec<Account>> = BTreeMap::new();
        for account in accounts(graph) {
            let identity = Identity::of_account(&account.namespace, &account.name);
            if graph.to(&identity).any(|grant| power_of(grant).is_some()) {
                open.push_back((account, 1));
                continue;
            }
            let places: BTreeSet<_> = graph
                .to(&identity)
                .filter(|grant| grant.holdings.means.is_some())
                .map(|grant| grant.namespace.clone())
                .collect();
            for place in places {
                reach.entry(place).or_default().push(account.clone());
            }
        }
        // Breadth first: accounts of one level come in the order of their names, those of the next after them.
        let mut seen = BTreeSet::new();
        while !open.is_empty() {
            let level: BTreeSet<(Account, usize)> = open.drain(..).collect();
            for (account, steps) in level {
                if !seen.insert(account.clone()) {
                    continue;
                }
                for place in [Some(Arc::clone(&account.namespace)), None] {
                    if ways.nearest.contains_key(&place) {
                        continue;
                    }
                    let above = reach.remove(&place).unwrap_or_default();
                    open.extend(above.into_iter().map(|account| (account, steps + 1)));
                    let account = account.clone();
                    ways.nearest.insert(place, Nearest { account, steps });
                }
            }
        }
        ways
    }
}

/// The service accounts that something is granted to, and those that every namespace has: a group of accounts may have been granted something.
fn accounts(graph: &Graph) -> BTreeSet<Account> {
    let named = graph.grants().flat_map(Grant::names).filter_map(|name| {
        let (namespace, name) = name.account()?;
        Some((namespace.to_owned(), name.to_owned()))
    });
    let groups = graph
        .grants()
        .flat_map(Grant::names)
        .filter_map(|name| name.accounts_of().map(str::to_owned));
    let places = graph
        .grants()
        .filter_map(|grant| grant.namespace.as_deref().map(str::to_owned));
    // It exists in every cluster.
    let places = places.chain(["default".to_owned()]);
    let default = groups.chain(places).map(|namespace| (namespace, "default".to_owned()));
    named
        .chain(default)
        .map(|(namespace, name)| Account {
            name: name.into(),
            namespace: namespace.into(),
        })
        .collect()
}

/// What in a grant amounts to cluster-admin.
fn power_of(grant: &Grant) -> Option<&'static str> {
    match grant.namespace {
        Some(_) => None,
        None => grant.holdings.power,
    }
}

/// What in the rules of a role amounts to cluster-admin where they hold everywhere.
pub(super) fn power(of: &Holdings) -> Option<&'static str> {
    const RBAC: &str = "rbac.authorization.k8s.io";
    let may = |verb, group, resource| {
        of.rules()
            .any(|rule| covers(rule, &Request::any(verb, group, resource)))
    };
    if of.rules().any(is_everything) {
        Some("may do everything")
    } else if may("escalate", RBAC, "clusterroles")
        && (may("update", RBAC, "clusterroles") || may("patch", RBAC, "clusterroles"))
    {
        Some("may give a role of its own every right")
    } else if may("bind", RBAC, "clusterroles") && may("create", RBAC, "clusterrolebindings") {
        Some("may bind cluster-admin")
    } else if may("impersonate", "", "groups") || may("impersonate", "", "users") {
        Some("may act as an administrator")
    } else if may("get", "", "secrets") || may("list", "", "secrets") {
        Some("may read every Secret, tokens of administrators among them")
    } else if may("get", "", "nodes/proxy") || may("create", "", "nodes/proxy") {
        Some("may run commands in every pod through the kubelets")
    } else {
        None
    }
}

/// How the rules of a role let somebody become service accounts of where they hold.
pub(super) fn becomes_accounts(of: &Holdings) -> Option<&'static str> {
    let may = |verb, group, resource| {
        of.rules()
            .any(|rule| covers(rule, &Request::any(verb, group, resource)))
    };
    let makers = [
        ("", "pods"),
        ("", "replicationcontrollers"),
        ("apps", "deployments"),
        ("apps", "daemonsets"),
        ("apps", "statefulsets"),
        ("apps", "replicasets"),
        ("batch", "jobs"),
        ("batch", "cronjobs"),
    ];
    if makers
        .into_iter()
        .any(|(group, resource)| may("create", group, resource))
    {
        Some("by making a pod it")
    } else if may("create", "", "serviceaccounts/token") {
        Some("by asking for a token it")
    } else if may("impersonate", "", "serviceaccounts") {
        Some("by acting as it, it")
    } else {
        None
    }
}
