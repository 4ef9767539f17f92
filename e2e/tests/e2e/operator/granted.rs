//! Every right that `config` grants is needed, and nothing that the operator asks for is refused.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use ironside_crds::Phase;
use ironside_e2e::audit::Entry;
use ironside_e2e::cluster::Options;
use ironside_e2e::install::repository;
use ironside_e2e::operator::Start;
use ironside_e2e::scenario::scenario_with;
use ironside_e2e::workloads::{Workload, available_deployment};
use ironside_e2e::{Scenario, wait};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::Api;
use kube::api::{DeleteParams, ListParams};
use serde_json::{Value, json};

use crate::promises::until_of_it_stands;
use crate::repair::{policy, steady};

/// Where the rights of an operator's account are granted that repairs.
const ROLES: [&str; 4] = [
    READING[0],
    READING[1],
    READING[2],
    "config/overlays/remediate/role.yaml",
];

/// Those of one that changes nothing but its own objects.
pub(crate) const READING: [&str; 3] = [
    "config/rbac/read.yaml",
    "config/rbac/status.yaml",
    "config/rbac/own_namespace.yaml",
];

/// Rights that this run does not use, by verb and resource; `*` stands for all. Why each is granted all the same:
const UNUSED: [(&str, &str, &str); 7] = [
    (
        "get",
        "*",
        "who may list may get; Kubernetes' own roles grant both, and nothing is gained by leaving it out",
    ),
    (
        "delete",
        "hardeningremediations.hardening.ironside.dev",
        "after 30 idle days",
    ),
    (
        "update",
        "*/status",
        "the same right as patch, for a client that replaces",
    ),
    (
        "patch",
        "events.events.k8s.io",
        "an event that comes again within minutes becomes a series",
    ),
    (
        "*",
        "reports.openreports.io",
        "only where the definitions are installed: reports.rs",
    ),
    (
        "*",
        "policyreports.wgpolicyk8s.io",
        "only where the definitions are installed: reports.rs",
    ),
    (
        "create",
        "networkpolicies.networking.k8s.io",
        "an apply that creates is authorised as patch and create",
    ),
];

/// Verb and resource, as `patch deployments.apps` is spelled elsewhere.
type Right = (String, String);

fn spelled(group: &str, resource: &str) -> String {
    let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
    let group = if group.is_empty() {
        String::new()
    } else {
        format!(".{group}")
    };
    let below = if subresource.is_empty() {
        String::new()
    } else {
        format!("/{subresource}")
    };
    format!("{resource}{group}{below}")
}

fn granted(roles: &[&str]) -> Result<BTreeSet<Right>> {
    let mut rights = BTreeSet::new();
    for file in roles {
        for document in documents(&repository().join(file))? {
            for rule in document["rules"].as_array().into_iter().flatten() {
                let texts = |field: &str| rule[field].as_array().cloned().unwrap_or_default();
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                for (group, resource) in texts("apiGroups").iter().flat_map(|group| {
                    texts("resources")
                        .into_iter()
                        .map(move |resource| (text(group), text(&resource)))
                }) {
                    rights.extend(
                        texts("verbs")
                            .iter()
                            .map(|verb| (text(verb), spelled(&group, &resource))),
                    );
                }
            }
        }
    }
    ensure!(rights.len() > 50, "hardly any rights: {rights:?}");
    Ok(rights)
}

fn documents(path: &Path) -> Result<Vec<Value>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
    Ok(serde_saphyr::from_multiple(&text)?)
}

/// What a request needs. Questions about oneself are everybody's right.
fn needed(entry: &Entry) -> Option<Right> {
    let object = entry.object_ref.as_ref()?;
    let own = object.api_group == "authorization.k8s.io" || object.api_group == "authentication.k8s.io";
    let verb = entry.verb.clone();
    (!own).then(|| (verb, spelled(&object.api_group, &entry.resource())))
}

/// That none of an operator's requests was refused, and that each needed a right which these files grant: other bindings may give more. Returns what was needed.
pub(crate) fn within(requests: &[Entry], roles: &[&str]) -> Result<BTreeSet<Right>> {
    let refused: Vec<String> = requests
        .iter()
        .filter(|entry| matches!(entry.code(), 401 | 403))
        .map(|entry| format!("{} {}", entry.verb, entry.uri))
        .collect();
    ensure!(refused.is_empty(), "refused: {refused:#?}");
    let used: BTreeSet<Right> = requests.iter().filter_map(needed).collect();
    let granted = granted(roles)?;
    let elsewhere: Vec<&Right> = used.difference(&granted).collect();
    ensure!(
        elsewhere.is_empty(),
        "used by another right than those that config grants: {elsewhere:#?}"
    );
    Ok(used)
}

fn is_excused((verb, resource): &Right) -> bool {
    UNUSED.iter().any(|(of_verb, of_resource, _)| {
        let matches = match of_resource.strip_prefix('*') {
            Some(end) => resource.ends_with(end),
            None => resource == of_resource,
        };
        (*of_verb == "*" || of_verb == verb) && matches
    })
}

#[tokio::test]
async fn promise_14_every_right_that_is_granted_is_used_and_none_is_missing() -> Result<()> {
    let options = Options {
        nodes: 1,
        ..Options::default()
    };
    scenario_with(options, async |test| {
        test.operator_namespace().await?;
        available_deployment(&test.client, &test.namespace, &steady("fine")).await?;
        let broken = steady("broken").sim("needs-caps", "NET_RAW");
        available_deployment(&test.client, &test.namespace, &broken).await?;
        declare(test).await?;
        let operator = Start::new(test).watch_everything().short_lease().ready().await?;
        let second = Start::new(test).watch_everything().start().await?;

        until_of_it_stands(test, "fine", Phase::Succeeded, "Verified").await?;
        until_of_it_stands(test, "broken", Phase::Held, "Quarantined").await?;
        until_of_it_stands(test, &test.namespace, Phase::Succeeded, "Verified").await?;
        // Drift, an allow that is deleted and restored, and an isolation that ends.
        let policies: Api<NetworkPolicy> = Api::namespaced(test.client.clone(), &test.namespace);
        let names = async || -> Result<Vec<String>> {
            let all = policies.list(&ListParams::default()).await?;
            Ok(all.items.into_iter().filter_map(|it| it.metadata.name).collect())
        };
        let allow = names()
            .await?
            .into_iter()
            .find(|it| it != "ironside-default-deny-ingress")
            .context("an allow")?;
        policies.delete(&allow, &DeleteParams::default()).await?;
        wait::until("the allow is back", async || {
            ensure!(names().await?.contains(&allow), "not yet");
            Ok(())
        })
        .await?;
        let kubectl = test.cluster.kubectl()?;
        kubectl.run(&["delete", "hpol", "team", "-n", &test.namespace]).await?;
        wait::until("the network is open", async || {
            ensure!(names().await?.is_empty(), "{:?}", names().await?);
            Ok(())
        })
        .await?;
        wait::until("every kind of status was written", async || {
            let kinds: BTreeSet<String> = statuses(&operator.requests(test)?);
            ensure!(kinds.len() == 5, "{kinds:?}");
            Ok(())
        })
        .await?;

        let mut requests = operator.requests(test)?;
        requests.extend(second.requests(test)?);
        let used = within(&requests, &ROLES)?;
        let granted = granted(&ROLES)?;
        let unused: Vec<&Right> = granted.difference(&used).filter(|right| !is_excused(right)).collect();
        ensure!(
            unused.is_empty(),
            "granted, not used, and no reason is given: {unused:#?}"
        );
        Ok(())
    })
    .await
}

fn statuses(requests: &[Entry]) -> BTreeSet<String> {
    let written = requests.iter().filter(|entry| entry.is_write() && entry.code() == 200);
    written
        .map(Entry::resource)
        .filter(|resource| resource.ends_with("/status"))
        .collect()
}

/// A policy of the team's that repairs and isolates, one of the cluster's that audits, and an exception of either.
async fn declare(test: &Scenario<'_>) -> Result<()> {
    let mut enforcing = policy(&["POD-009", "POD-011", "NET-002"]);
    enforcing["spec"]["network"] = json!({ "isolate": ["Ingress"] });
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": { "name": "fine" },
        "spec": { "selector": { "app": "fine" }, "ports": [{ "port": 80, "targetPort": 8080 }] },
    });
    let audited = json!({
        "apiVersion": "hardening.ironside.dev/v1alpha1", "kind": "ClusterHardeningPolicy",
        "metadata": { "name": "baseline" }, "spec": { "delegation": { "maxAutoApprove": "Medium" } },
    });
    let later = (Timestamp::now() + SignedDuration::from_hours(24))
        .strftime("%Y-%m-%dT%H:%M:%SZ")
        .to_string();
    let exempt = json!({
        "controls": ["POD-012"], "targets": [{ "kind": "Deployment", "name": "fine" }],
        "reason": "writes to its root until 2.0", "expiresAt": later,
    });
    let mut of_cluster = exempt.clone();
    of_cluster["namespaces"] = json!([test.namespace]);
    let exception = |kind: &str, spec: &Value| json!({ "apiVersion": "hardening.ironside.dev/v1alpha1", "kind": kind, "metadata": { "name": "old" }, "spec": spec });
    let agent = Workload::named("agent").daemon_set();
    test.apply(&[enforcing, service, agent, exception("HardeningException", &exempt)])
        .await?;
    let of_cluster = [audited, exception("ClusterHardeningException", &of_cluster)];
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": of_cluster }).to_string();
    let kubectl = test.cluster.kubectl()?;
    kubectl.run_with_input(&["apply", "-f", "-"], &list).await.map(drop)
}
