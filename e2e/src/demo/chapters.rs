//! The story itself, chapter by chapter.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use ironside_crds::{HardeningPolicy, HardeningRemediation};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::api::{DeleteParams, ListParams};
use kube::{Api, Client, ResourceExt as _};

use super::apps::Apps;
use super::install::Installed;
use super::story::{Story, is_at_rest, phase, put_back, reason};
use super::voice::{Mark, Voice};
use crate::binaries::{Binaries, workspace_program};
use crate::cluster::Cluster;
use crate::wait;

/// Longest wait of one chapter: rollouts on simulated nodes take seconds.
const CHAPTER: Duration = Duration::from_mins(2);

/// Longest wait for generated policies: one change of a namespace at a time, so its repairs may come first.
const NETWORK: Duration = Duration::from_mins(1);

pub(super) async fn tell(
    cluster: &Cluster,
    client: &Client,
    apps: &Apps,
    installed: &Installed,
    voice: &Voice,
) -> Result<()> {
    voice.chapter("A policy, audit only");
    let before = audit(cluster, client, apps, voice).await?;

    voice.chapter("The plan");
    preview(cluster, apps, voice).await?;

    voice.chapter("Repairs, while it happens");
    let mut story = Story::default();
    enforce(cluster, apps).await?;
    let all = story
        .until(client, voice, CHAPTER, "every repair has come to rest", |all| {
            !all.is_empty() && all.iter().all(is_at_rest)
        })
        .await?;
    let kept = all
        .iter()
        .filter(|r| {
            matches!(
                phase(r),
                ironside_crds::Phase::Probation | ironside_crds::Phase::Succeeded
            )
        })
        .count();
    let broke: Vec<String> = all.iter().filter_map(put_back).collect();
    voice.say(&format!(
        "{kept} repairs kept, {} put back first ({}), the others wait for a person.",
        broke.len(),
        broke.join("; ")
    ));
    if apps.is_shop && broke.is_empty() {
        bail!("the image resizer should have broken and been put back");
    }

    if let Some(waiting) = all.iter().find(|r| reason(r) == "AwaitingApproval") {
        voice.chapter("A person decides");
        approve(cluster, client, waiting, &mut story, voice).await?;
    }

    voice.chapter("The network");
    network(cluster, client, apps, voice).await?;

    if apps.is_shop {
        voice.chapter("Somebody opens a security context again");
        drift(cluster, client, &mut story, voice).await?;
    }

    voice.chapter("After");
    // From the metrics, which are computed when they are read; the status of a policy is written every 30 seconds at most.
    let metrics = installed.scrape().await?;
    for (namespace, before) in &before {
        let policy = format!("{namespace}/team");
        let percent = |name: &str| {
            metrics
                .sum(name, &[("policy", &policy)])
                .map(|ratio| (ratio * 100.0).floor())
        };
        let score = percent("ironside_compliance_score_ratio").with_context(|| format!("no score of {policy}"))?;
        let coverage = percent("ironside_coverage_ratio").with_context(|| format!("no coverage of {policy}"))?;
        voice.event(
            Mark::Good,
            &format!("{namespace}: score {before} % before, {score} % now; coverage {coverage} %"),
        );
    }
    voice.say("What is left is held for a reason, and the reason is in the object:");
    voice.quote(&cluster.kubectl()?.run(&["get", "hrem", "-A"]).await?);
    voice.say(&format!("Metrics: {}", installed.metrics()));
    Ok(())
}

async fn audit(cluster: &Cluster, client: &Client, apps: &Apps, voice: &Voice) -> Result<Scores> {
    let policy = include_str!("../../demo/policy.yaml");
    for namespace in &apps.namespaces {
        voice.say(&format!("$ kubectl apply -n {namespace} -f policy.yaml"));
        cluster
            .kubectl()?
            .run_with_input(&["apply", "-n", namespace, "-f", "-"], policy)
            .await?;
    }
    let began = Instant::now();
    let score = scores(client, apps, voice).await?;
    voice.say(&format!("Judged in {:.1} s:", began.elapsed().as_secs_f64()));
    voice.quote(&cluster.kubectl()?.run(&["get", "hpol", "-A"]).await?);
    Ok(score)
}

/// Score in percent, by namespace.
type Scores = BTreeMap<String, u32>;

/// Waits until every policy reports a score of its present spec.
async fn scores(client: &Client, apps: &Apps, voice: &Voice) -> Result<Scores> {
    let mut scores = Scores::new();
    for namespace in &apps.namespaces {
        let api: Api<HardeningPolicy> = Api::namespaced(client.clone(), namespace);
        let status = wait::until("the policy has a score", async || {
            let policy = api.get("team").await?;
            let status = policy.status.clone().context("no status yet")?;
            if status.observed_generation != policy.metadata.generation || status.score_percent.is_none() {
                bail!("the status is not of this generation yet: {status:?}");
            }
            Ok(status)
        })
        .await?;
        let (score, coverage) = (status.score_percent.unwrap_or(0), status.coverage_percent.unwrap_or(0));
        let counts = &status.controls;
        voice.event(
            Mark::Good,
            &format!(
                "{namespace}: score {score} %, coverage {coverage} %, {} passed, {} failed, {} unknown",
                counts.passed, counts.failed, counts.unknown
            ),
        );
        scores.insert(namespace.clone(), score);
    }
    Ok(scores)
}

async fn preview(cluster: &Cluster, apps: &Apps, voice: &Voice) -> Result<()> {
    for namespace in &apps.namespaces {
        set(cluster, namespace, r#"{"spec":{"mode":"Preview"}}"#).await?;
        voice.say(&format!(
            "$ ironside plan -n {namespace} --brief      # without --brief: every field, every risk, and why"
        ));
        voice.quote(&ironside(cluster, &["plan", "-n", namespace, "--brief"]).await?);
    }
    Ok(())
}

async fn enforce(cluster: &Cluster, apps: &Apps) -> Result<()> {
    for namespace in &apps.namespaces {
        set(
            cluster,
            namespace,
            r#"{"spec":{"mode":"Enforce","network":{"isolate":["Ingress"]}}}"#,
        )
        .await?;
    }
    Ok(())
}

/// What is riskier than the policy allows waits for somebody who has read the plan.
async fn approve(
    cluster: &Cluster,
    client: &Client,
    waiting: &HardeningRemediation,
    story: &mut Story,
    voice: &Voice,
) -> Result<()> {
    let namespace = waiting.namespace().unwrap_or_default();
    let target = format!(
        "{}/{}",
        waiting.spec.target.kind.to_lowercase(),
        waiting.spec.target.name
    );
    let plan = waiting
        .status
        .as_ref()
        .and_then(|status| status.plan.as_ref())
        .context("a waiting repair has a plan")?;
    let hash = plan.hash.get(..12).context("a plan has a hash")?;
    for reason in &plan.risk_reasons {
        voice.say(&format!("{target}: {reason}"));
    }
    voice.say(&format!(
        "$ ironside approve -n {namespace} {target} --plan {hash} --reason 'read it'"
    ));
    let arguments = [
        "approve", "-n", &namespace, &target, "--plan", hash, "--reason", "read it",
    ];
    voice.quote(&ironside(cluster, &arguments).await?);
    let name = waiting.name_any();
    let decided = |all: &[HardeningRemediation]| {
        let it = all
            .iter()
            .find(|r| r.name_any() == name && r.namespace() == waiting.namespace());
        it.is_some_and(|r| is_at_rest(r) && reason(r) != "AwaitingApproval")
    };
    story
        .until(client, voice, CHAPTER, "the approved repair has come to rest", decided)
        .await
        .map(drop)
}

/// Runs the command line against the demo's cluster and returns what it printed.
async fn ironside(cluster: &Cluster, arguments: &[&str]) -> Result<String> {
    let output = tokio::process::Command::new(workspace_program("ironside")?)
        .args(arguments)
        .env("KUBECONFIG", cluster.kubeconfig())
        .output()
        .await
        .context("run ironside")?;
    // Exit code 1 says that there is something to repair.
    if output.status.code() == Some(2) {
        bail!(
            "ironside {}: {}",
            arguments.join(" "),
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

async fn set(cluster: &Cluster, namespace: &str, patch: &str) -> Result<()> {
    cluster
        .kubectl()?
        .run(&["patch", "hpol", "team", "-n", namespace, "--type=merge", "-p", patch])
        .await
        .map(drop)
}

async fn network(cluster: &Cluster, client: &Client, apps: &Apps, voice: &Voice) -> Result<()> {
    for namespace in &apps.namespaces {
        let api: Api<NetworkPolicy> = Api::namespaced(client.clone(), namespace);
        let ours = ListParams::default().labels("app.kubernetes.io/managed-by=ironside");
        let remediations: Api<HardeningRemediation> = Api::namespaced(client.clone(), namespace);
        let outcome = wait::until_within(
            NETWORK,
            "the namespace has its policies, or a reason why not",
            async || {
                let list = api.list(&ours).await?.items;
                if !list.is_empty() {
                    return Ok(Network::Isolated(list));
                }
                let all = remediations.list(&ListParams::default()).await?.items;
                let held = all
                    .into_iter()
                    .find(|it| it.spec.target.kind == "Namespace" && phase(it) == ironside_crds::Phase::Held);
                if let Some(held) = held {
                    return Ok(Network::Held(held.status.unwrap_or_default().message));
                }
                // Looked at again after the scan, which may have seen policies that were written meanwhile.
                let denies = denies_already(cluster, namespace).await? && api.list(&ours).await?.items.is_empty();
                denies.then_some(Network::Denies).context("neither yet")
            },
        );
        let policies = match outcome.await? {
            Network::Isolated(policies) => policies,
            Network::Held(why) => {
                voice.event(
                    Mark::Waiting,
                    &format!("{namespace}: no policies, and it says why: {why}"),
                );
                continue;
            }
            Network::Denies => {
                voice.event(
                    Mark::Good,
                    &format!("{namespace}: its own policies deny what they do not allow; nothing to do"),
                );
                continue;
            }
        };
        voice.quote(
            &cluster
                .kubectl()?
                .run(&["get", "networkpolicies", "-n", namespace])
                .await?,
        );
        if let Some(allow) = policies.iter().find(|p| {
            p.spec
                .as_ref()
                .is_some_and(|s| s.ingress.as_ref().is_some_and(|i| !i.is_empty()))
        }) {
            let name = allow.name_any();
            voice.say(&format!(
                "$ kubectl delete networkpolicy {name} -n {namespace}     # an allow: traffic would be cut"
            ));
            api.delete(&name, &DeleteParams::default()).await?;
            let began = Instant::now();
            wait::until("the allow is restored", async || {
                api.get(&name).await.context("still gone")
            })
            .await?;
            voice.event(
                Mark::Good,
                &format!("restored after {} ms", began.elapsed().as_millis()),
            );
        }
    }
    Ok(())
}

/// What comes of a namespace that a policy asks to isolate.
enum Network {
    /// It has policies of Ironside's.
    Isolated(Vec<NetworkPolicy>),
    /// It is held, for this reason.
    Held(String),
    /// It had a default deny of its own.
    Denies,
}

/// Whether a namespace passes NET-002 by what it has.
async fn denies_already(cluster: &Cluster, namespace: &str) -> Result<bool> {
    let scan = ironside(cluster, &["scan", "--cluster", "-n", namespace, "-o", "json", "--all"]).await?;
    let scan: serde_json::Value = serde_json::from_str(&scan).context("the scan's JSON")?;
    let results = scan["results"].as_array().context("results")?;
    let of_namespace = |result: &&serde_json::Value| {
        result["control"] == "NET-002"
            && result["object"]["kind"] == "Namespace"
            && result["object"]["name"] == namespace
    };
    Ok(results
        .iter()
        .find(of_namespace)
        .is_some_and(|result| result["result"] == "Pass"))
}

async fn drift(cluster: &Cluster, client: &Client, story: &mut Story, voice: &Voice) -> Result<()> {
    let patch = r#"{"spec":{"template":{"spec":{"containers":[{"name":"web","securityContext":{"allowPrivilegeEscalation":true}}]}}}}"#;
    voice.say("$ kubectl patch deployment web -n shop -p '...allowPrivilegeEscalation: true...'");
    cluster
        .kubectl()?
        .run(&["patch", "deployment", "web", "-n", "shop", "-p", patch])
        .await?;
    let is_web = |r: &HardeningRemediation| r.spec.target.name == "web" && r.spec.target.kind == "Deployment";
    story
        .until(client, voice, CHAPTER, "the drift is answered", |all| {
            all.iter().any(|r| is_web(r) && phase(r) == ironside_crds::Phase::Held)
        })
        .await?;
    voice.say("Whoever undoes a repair wins: it is reported with the name of who did it, and never fought. `ironside retry` gives it back.");
    Ok(())
}

/// Prints what a person can try with the cluster.
pub(super) fn what_next(cluster: &Cluster, apps: &Apps, voice: &Voice, keep: bool) -> Result<()> {
    let namespace = apps.namespaces.first().map_or("default", String::as_str);
    if !keep {
        voice.say("Run `make demo KEEP=1` to keep the cluster and try:");
    }
    let programs = workspace_program("ironside")?;
    let own = programs
        .parent()
        .context("the programs have no folder")?
        .display()
        .to_string();
    voice.quote(&format!(
        "export KUBECONFIG={}\nexport PATH={}:{own}:$PATH\n\
         kubectl get hpol,hrem -A\nkubectl describe hrem -n {namespace}\nkubectl get events -n {namespace} --sort-by=.lastTimestamp\n\
         ironside plan -n {namespace}\nironside scan --cluster\nironside pause --all --for 10m\nironside revert -n {namespace} deployment/NAME --reason 'just trying'",
        cluster.kubeconfig().display(),
        Binaries::obtain()?.folder().display(),
    ));
    Ok(())
}
