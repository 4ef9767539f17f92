//! `ironside approve`, `hold`, `retry`, `revert`: a person's decision on one repair, written to `spec.decision` and nowhere else.

use std::io::Write;

use anyhow::{Context as _, bail};
use clap::Args;
use ironside_crds::HardeningRemediation;
use kube::api::{ListParams, Patch, PatchParams};
use kube::{Api, Client, ResourceExt as _};
use serde_json::{Value, json};

use super::{ClusterArgs, Outcome, kubeconfig};

/// Fewest characters of a plan's hash that name it.
const SHORTEST_HASH: usize = 12;

#[derive(Debug, Args)]
pub(super) struct ApproveArgs {
    /// The workload, as KIND/NAME (deployment/web), or the name of its HardeningRemediation.
    target: String,
    /// The plan that you have read: at least 12 characters of its hash. An approval of another plan is void.
    #[arg(long, value_name = "HASH")]
    plan: String,
    /// Why.
    #[arg(long, default_value = "")]
    reason: String,
    #[command(flatten)]
    cluster: ClusterArgs,
}

#[derive(Debug, Args)]
pub(super) struct DecideArgs {
    /// The workload, as KIND/NAME (deployment/web), or the name of its HardeningRemediation.
    target: String,
    /// Why. Required for hold and revert.
    #[arg(long, default_value = "")]
    reason: String,
    #[command(flatten)]
    cluster: ClusterArgs,
}

/// Decisions that need no plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Hold,
    Retry,
    Revert,
}

impl Action {
    const fn name(self) -> &'static str {
        match self {
            Self::Hold => "Hold",
            Self::Retry => "Retry",
            Self::Revert => "Revert",
        }
    }
}

impl ApproveArgs {
    pub(super) async fn run(self, out: &mut dyn Write) -> anyhow::Result<Outcome> {
        if self.plan.len() < SHORTEST_HASH {
            bail!(
                "--plan {}: give at least {SHORTEST_HASH} characters of the hash that `ironside plan` shows",
                self.plan
            );
        }
        let connection = kubeconfig::connect(&self.cluster).await?;
        let remediation = find(&connection.client, &connection.namespace, &self.target).await?;
        let current = remediation
            .status
            .as_ref()
            .and_then(|status| status.plan.as_ref())
            .map(|plan| plan.hash.as_str());
        match current {
            Some(hash) if hash.starts_with(&self.plan) => {}
            Some(hash) => bail!(
                "the plan is now {}, not {}: read it again with `ironside plan`, then approve that",
                hash.get(..SHORTEST_HASH).unwrap_or(hash),
                self.plan
            ),
            None => bail!("{} has no plan to approve", remediation.name_any()),
        }
        let decision = json!({"action": "Approve", "plan": self.plan, "reason": self.reason});
        decide(&connection.client, &remediation, decision, out).await
    }
}

impl DecideArgs {
    pub(super) async fn run(self, action: Action, out: &mut dyn Write) -> anyhow::Result<Outcome> {
        if self.reason.is_empty() && action != Action::Retry {
            bail!("say why: --reason '...' (others will read it)");
        }
        let connection = kubeconfig::connect(&self.cluster).await?;
        let remediation = find(&connection.client, &connection.namespace, &self.target).await?;
        let decision = json!({"action": action.name(), "reason": self.reason});
        decide(&connection.client, &remediation, decision, out).await
    }
}

/// The remediation that a person means.
async fn find(client: &Client, namespace: &str, named: &str) -> anyhow::Result<HardeningRemediation> {
    let api: Api<HardeningRemediation> = Api::namespaced(client.clone(), namespace);
    let all = api
        .list(&ListParams::default())
        .await
        .with_context(|| format!("list the repairs of namespace {namespace}"))?;
    let matching: Vec<HardeningRemediation> = all.items.into_iter().filter(|r| is_named(r, named)).collect();
    match <[HardeningRemediation; 1]>::try_from(matching) {
        Ok([one]) => Ok(one),
        Err(none) if none.is_empty() => {
            bail!("no repair of {named} in namespace {namespace}: `kubectl get hrem -n {namespace}` lists them")
        }
        Err(several) => {
            let candidates: Vec<String> = several.iter().map(kube::ResourceExt::name_any).collect();
            bail!(
                "{named} names {} repairs, write one of {}",
                candidates.len(),
                candidates.join(", ")
            )
        }
    }
}

fn is_named(remediation: &HardeningRemediation, named: &str) -> bool {
    let target = &remediation.spec.target;
    match named.split_once('/') {
        Some((kind, name)) => name == target.name && same_kind(kind, &target.kind),
        None => named == remediation.name_any() || named == target.name,
    }
}

/// `deployment`, `deployments`, `Deployment`, `deploy`.
fn same_kind(written: &str, kind: &str) -> bool {
    let (written, kind) = (written.to_lowercase(), kind.to_lowercase());
    written == kind || written == format!("{kind}s") || (written == "deploy" && kind == "deployment")
}

async fn decide(
    client: &Client,
    remediation: &HardeningRemediation,
    mut decision: Value,
    out: &mut dyn Write,
) -> anyhow::Result<Outcome> {
    let user = kubeconfig::user_name(client).await?;
    decision["by"] = json!(user);
    let namespace = remediation.namespace().unwrap_or_default();
    let api: Api<HardeningRemediation> = Api::namespaced(client.clone(), &namespace);
    // The resourceVersion makes this a decision on what was just read. `null` first: a merge would leave the plan of an earlier approval in place.
    let mut patch = json!({
        "metadata": {"resourceVersion": remediation.resource_version()},
        "spec": {"decision": {"action": null, "plan": null, "by": null, "reason": null}},
    });
    if let (Some(slots), Some(given)) = (patch["spec"]["decision"].as_object_mut(), decision.as_object()) {
        slots.extend(
            given
                .iter()
                .filter(|(_, value)| **value != json!(""))
                .map(|(key, value)| (key.clone(), value.clone())),
        );
    }
    let name = remediation.name_any();
    api.patch(&name, &PatchParams::default(), &Patch::Merge(&patch))
        .await
        .map_err(|error| explain(error, &name))?;
    let target = &remediation.spec.target;
    let action = decision["action"].as_str().unwrap_or_default();
    writeln!(
        out,
        "{action} of {} {namespace}/{} by {user}: kubectl get hrem -n {namespace} {name} -w",
        target.kind, target.name
    )?;
    Ok(Outcome::Clean)
}

fn explain(error: kube::Error, name: &str) -> anyhow::Error {
    match &error {
        kube::Error::Api(status) if status.is_conflict() => {
            anyhow::anyhow!("{name} changed while you decided: read it again, then repeat")
        }
        kube::Error::Api(status) if status.is_forbidden() => anyhow::anyhow!("not allowed: {}", status.message),
        _ => anyhow::Error::new(error).context(format!("write the decision to {name}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_understood_as_kubectl_writes_them() {
        for written in ["deployment", "Deployments", "deploy", "Deployment"] {
            assert!(same_kind(written, "Deployment"), "{written}");
        }
        assert!(!same_kind("statefulset", "Deployment"));
    }

    #[tokio::test]
    async fn a_short_hash_and_a_missing_reason_are_refused_before_anything_is_asked() {
        let approve = ApproveArgs {
            target: "deployment/web".into(),
            plan: "7f3a".into(),
            reason: String::new(),
            cluster: ClusterArgs::default(),
        };
        let error = approve.run(&mut Vec::new()).await.unwrap_err().to_string();
        assert!(error.contains("at least 12 characters"), "{error}");
        let revert = DecideArgs {
            target: "deployment/web".into(),
            reason: String::new(),
            cluster: ClusterArgs::default(),
        };
        let error = revert
            .run(Action::Revert, &mut Vec::new())
            .await
            .unwrap_err()
            .to_string();
        assert!(error.contains("--reason"), "{error}");
    }
}
