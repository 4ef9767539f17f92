//! Whoever else writes to a workload that was repaired: appliers that put their fields back, releases that bump an image, humans who roll back.
//! Ironside yields to them at once, and its fields never stand in the way of theirs.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use ironside_crds::{HardeningRemediation, Phase};
use ironside_e2e::operator::{Operator, Start};
use ironside_e2e::workloads::{Workload, until_rolled_out};
use ironside_e2e::{Scenario, scenario, wait};
use serde_json::{Value, json};

use crate::repair::{deployment, policy, remediation, steady, template, until_it_stands};

/// Long enough for an operator that wants to fight: it acts within its settle time, a second.
const TEMPTATION: Duration = Duration::from_secs(6);

/// Longest time until the operator has noticed what somebody did.
const LONG: Duration = Duration::from_mins(2);

/// A policy whose repairs stay on probation for longer than any test, and which cooperates with every owner that allows it.
pub(crate) fn patient(controls: &[&str]) -> Value {
    let mut policy = policy(controls);
    policy["spec"]["remediation"]["verify"]["probation"] = json!("1h");
    policy["spec"]["remediation"]["owners"] =
        json!({ "argoCD": "Cooperate", "flux": "Cooperate", "helm": "Cooperate", "controller": "Cooperate" });
    policy
}

/// An operator that takes over quickly.
pub(crate) async fn operator(test: &Scenario<'_>) -> Result<Operator> {
    Start::new(test).short_lease().ready().await
}

/// Somebody with a manifest, and how that somebody applies it.
struct Owner<'a> {
    test: &'a Scenario<'a>,
    manager: &'a str,
    server_side: bool,
}

impl Owner<'_> {
    /// One sync; fails as the owner's would.
    async fn syncs(&self, manifest: &Value) -> Result<String> {
        let manager = format!("--field-manager={}", self.manager);
        let mut arguments = vec!["apply", "-n", &self.test.namespace, "-f", "-", &manager];
        if self.server_side {
            arguments.push("--server-side");
        }
        // Flux forces; Helm 4 and people do not.
        if self.manager == "kustomize-controller" {
            arguments.push("--force-conflicts");
        }
        let kubectl = self.test.cluster.kubectl()?;
        kubectl.run_with_input(&arguments, &manifest.to_string()).await
    }
}

/// The manifest that opens what was closed.
fn open_again(manifest: &Value) -> Value {
    let mut manifest = manifest.clone();
    manifest["spec"]["template"]["spec"]["containers"][0]["securityContext"] =
        json!({ "allowPrivilegeEscalation": true });
    manifest
}

/// How often the operator has changed Deployments.
pub(crate) fn patches(operator: &Operator, test: &Scenario<'_>) -> Result<usize> {
    let requests = operator.requests(test)?;
    Ok(requests
        .iter()
        .filter(|entry| entry.is_write() && entry.resource() == "deployments")
        .count())
}

fn message(remediation: &HardeningRemediation) -> &str {
    remediation.status.as_ref().map_or("", |status| status.message.as_str())
}

/// The operator keeps its hands off for as long as it would take it to strike back.
async fn no_more_patches(operator: &Operator, test: &Scenario<'_>, so_far: usize) -> Result<()> {
    wait::throughout(TEMPTATION, "the operator does not strike back", async || {
        let now = patches(operator, test)?;
        ensure!(now == so_far, "{now} patches of Deployments, there were {so_far}");
        Ok(())
    })
    .await
}

async fn is_repaired_and_then_undone_by(manager: &str, server_side: bool) -> Result<()> {
    scenario(async |test| {
        let owner = Owner {
            test,
            manager,
            server_side,
        };
        let manifest = steady("web").deployment();
        owner.syncs(&manifest).await?;
        until_rolled_out(&test.client, &test.namespace, "web").await?;
        let operator = operator(test).await?;
        test.apply(&[patient(&["POD-009", "POD-013"])]).await?;
        until_it_stands(test, Phase::Probation, "Watching").await?;
        owner
            .syncs(&manifest)
            .await
            .context("a sync that changes nothing, over a repair")?;
        ensure!(
            hardened(&template(test, "web").await?),
            "an owner without an opinion leaves the fields as they are"
        );
        let so_far = patches(&operator, test)?;
        ensure!(so_far == 1, "one repair is one patch, not {so_far}");

        let opened = open_again(&manifest);
        owner.syncs(&opened).await?;
        let held = until_it_stands(test, Phase::Held, "Fight").await?;
        let message = held.status.clone().unwrap_or_default().message;
        ensure!(message.contains(manager), "the message names {manager}: {message}");
        no_more_patches(&operator, test, so_far).await?;
        owner.syncs(&opened).await.context("the owner's next sync")?;
        // Nor does a change of the object that makes the operator look at it anew.
        let mut bumped = opened.clone();
        bumped["spec"]["template"]["metadata"]["annotations"] = json!({ "release": "2" });
        owner.syncs(&bumped).await.context("the owner's next release")?;
        until_rolled_out(&test.client, &test.namespace, "web").await?;
        no_more_patches(&operator, test, so_far).await?;
        let stored = template(test, "web").await?;
        ensure!(
            stored["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] == json!(true),
            "the owner's value stands: {stored}"
        );
        Ok(())
    })
    .await
}

fn hardened(template: &Value) -> bool {
    template["spec"]["containers"].as_array().is_some_and(|all| {
        all.iter()
            .all(|c| c["securityContext"]["allowPrivilegeEscalation"] == json!(false))
    })
}

#[tokio::test]
async fn promise_05_argo_cd_puts_its_field_back_and_is_not_fought() -> Result<()> {
    is_repaired_and_then_undone_by("argocd-controller", false).await
}

#[tokio::test]
async fn promise_05_flux_puts_its_field_back_and_is_not_fought() -> Result<()> {
    is_repaired_and_then_undone_by("kustomize-controller", true).await
}

fn release(manifest: &mut Value) {
    manifest["metadata"]["annotations"] =
        json!({ "meta.helm.sh/release-name": "web", "meta.helm.sh/release-namespace": "shop" });
    manifest["metadata"]["labels"]["app.kubernetes.io/managed-by"] = json!("Helm");
}

#[tokio::test]
async fn a_helm_upgrade_keeps_what_was_repaired() -> Result<()> {
    scenario(async |test| {
        let helm = Owner {
            test,
            manager: "helm",
            server_side: false,
        };
        let mut manifest = steady("web").deployment();
        release(&mut manifest);
        helm.syncs(&manifest).await?;
        until_rolled_out(&test.client, &test.namespace, "web").await?;
        let operator = operator(test).await?;
        test.apply(&[patient(&["POD-009", "POD-013"])]).await?;
        until_it_stands(test, Phase::Probation, "Watching").await?;
        let so_far = patches(&operator, test)?;

        let image = "registry.example.com/web:2.0";
        manifest["spec"]["template"]["spec"]["containers"][0]["image"] = json!(image);
        helm.syncs(&manifest).await.context("helm upgrade")?;
        let deployment = until_rolled_out(&test.client, &test.namespace, "web").await?;
        let upgraded = template(test, "web").await?;
        ensure!(upgraded["spec"]["containers"][0]["image"] == json!(image), "{upgraded}");
        ensure!(hardened(&upgraded), "{upgraded}");
        // Verified anew, because what runs now was never verified.
        wait::until_within(LONG, "the upgrade is verified", async || {
            let remediation = remediation(test).await?;
            let status = remediation.status.context("a status")?;
            let anew = status.history.iter().filter(|it| it.phase == Phase::Probation).count();
            ensure!(
                anew == 2 && status.phase == Some(Phase::Probation),
                "{:?}",
                status.history
            );
            ensure!(status.memory.reverts.is_empty(), "{:?}", status.memory);
            Ok(())
        })
        .await?;
        no_more_patches(&operator, test, so_far).await?;
        let stored = template(test, "web").await?;
        ensure!(stored == upgraded, "{:?}: {stored}", deployment.metadata.generation);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn story_02_what_is_applied_without_force_is_proposed_only() -> Result<()> {
    scenario(async |test| {
        let helm = Owner {
            test,
            manager: "helm",
            server_side: true,
        };
        let mut manifest = steady("web").deployment();
        release(&mut manifest);
        helm.syncs(&manifest).await?;
        until_rolled_out(&test.client, &test.namespace, "web").await?;
        let operator = operator(test).await?;
        test.apply(&[patient(&["POD-009", "POD-013"])]).await?;
        let standing = until_it_stands(test, Phase::Held, "OwnedBy").await?;
        ensure!(message(&standing).contains("Helm"), "{}", message(&standing));
        no_more_patches(&operator, test, 0).await?;
        helm.syncs(&open_again(&manifest))
            .await
            .context("the next chart sets the field, without force")?;
        no_more_patches(&operator, test, 0).await
    })
    .await
}

fn with_sidecar() -> Workload {
    steady("web").template(|template| {
        let mut sidecar = template["spec"]["containers"][0].clone();
        sidecar["name"] = json!("sidecar");
        if let Some(containers) = template["spec"]["containers"].as_array_mut() {
            containers.push(sidecar);
        }
    })
}

#[tokio::test]
async fn story_01_a_hardened_sidecar_leaves_no_ghost_when_its_owner_drops_it() -> Result<()> {
    scenario(async |test| {
        let owner = Owner {
            test,
            manager: "kubectl-client-side-apply",
            server_side: false,
        };
        owner.syncs(&with_sidecar().deployment()).await?;
        until_rolled_out(&test.client, &test.namespace, "web").await?;
        let operator = operator(test).await?;
        test.apply(&[patient(&["POD-009", "POD-013"])]).await?;
        until_it_stands(test, Phase::Probation, "Watching").await?;
        let repaired = template(test, "web").await?;
        ensure!(
            hardened(&repaired)
                && repaired["spec"]["containers"]
                    .as_array()
                    .is_some_and(|all| all.len() == 2),
            "{repaired}"
        );
        let so_far = patches(&operator, test)?;

        let alone = steady("web").deployment();
        owner.syncs(&alone).await.context("the sync that drops the sidecar")?;
        until_rolled_out(&test.client, &test.namespace, "web").await?;
        let dropped = template(test, "web").await?;
        let containers = dropped["spec"]["containers"].as_array().context("containers")?;
        ensure!(
            containers.len() == 1 && containers[0]["name"] == json!("app"),
            "{dropped}"
        );
        ensure!(hardened(&dropped), "{dropped}");
        owner.syncs(&alone).await.context("the next sync")?;
        no_more_patches(&operator, test, so_far).await?;
        let status = remediation(test).await?.status.context("a status")?;
        ensure!(
            matches!(status.phase, Some(Phase::Verifying | Phase::Probation)) && status.memory.reverts.is_empty(),
            "{:?} ({}): {}",
            status.phase,
            status.reason,
            status.message
        );
        Ok(())
    })
    .await
}

async fn a_human_rolls_back_during(phase: Phase) -> Result<()> {
    scenario(async |test| {
        let kubectl = test.cluster.kubectl()?;
        let manifest = steady("web").deployment();
        let owner = Owner {
            test,
            manager: "kubectl-client-side-apply",
            server_side: false,
        };
        owner.syncs(&manifest).await?;
        until_rolled_out(&test.client, &test.namespace, "web").await?;
        let before = template(test, "web").await?;
        let operator = operator(test).await?;
        let mut policy = patient(&["POD-009", "POD-013"]);
        if phase == Phase::Verifying {
            policy["spec"]["remediation"]["verify"]["soak"] = json!("30m");
        }
        test.apply(&[policy]).await?;
        wait::until_within(LONG, &format!("the remediation is {phase:?}"), async || {
            let status = remediation(test).await?.status.context("a status")?;
            ensure!(status.phase == Some(phase), "{:?} ({})", status.phase, status.reason);
            Ok(())
        })
        .await?;
        let repaired = until_rolled_out(&test.client, &test.namespace, "web").await?;
        let so_far = patches(&operator, test)?;

        kubectl
            .run(&["rollout", "undo", "deployment/web", "-n", &test.namespace])
            .await?;
        let held = wait::until_within(LONG, "the human is seen", async || {
            let remediation = remediation(test).await?;
            let status = remediation.status.clone().context("a status")?;
            ensure!(
                status.phase == Some(Phase::Held),
                "{:?} ({})",
                status.phase,
                status.reason
            );
            Ok(remediation)
        })
        .await?;
        let reason = held.status.clone().unwrap_or_default().reason;
        ensure!(
            matches!(reason.as_str(), "Fight" | "RecentHumanWrite"),
            "{reason}: {}",
            message(&held)
        );
        no_more_patches(&operator, test, so_far).await?;
        ensure!(template(test, "web").await? == before, "what the human put stands");
        let now = deployment(test, "web").await?;
        ensure!(
            now.metadata.generation > repaired.metadata.generation,
            "the undo was one"
        );
        Ok(())
    })
    .await
}

#[tokio::test]
async fn story_20_a_human_rolls_back_while_a_repair_is_verified() -> Result<()> {
    a_human_rolls_back_during(Phase::Verifying).await
}

#[tokio::test]
async fn story_20_a_human_rolls_back_while_a_repair_is_on_probation() -> Result<()> {
    a_human_rolls_back_during(Phase::Probation).await
}
