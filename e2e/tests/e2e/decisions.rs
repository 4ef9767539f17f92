//! What people decide, with the command line that they have: approve, revert, pause; and what is left when the policy is gone.

use anyhow::{Context as _, Result, ensure};
use ironside_crds::{HardeningPolicy, Phase};
use ironside_e2e::binaries::workspace_program;
use ironside_e2e::workloads::{available_deployment, until_rolled_out};
use ironside_e2e::{Scenario, scenario, wait};
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};

use crate::fights::{operator, patches, patient};
use crate::repair::{PATIENCE, deployment, remediation, steady, template, until_it_stands};

/// Annotation that records repairs on their target.
const RECORD: &str = "hardening.ironside.dev/applied";
/// Annotation that pauses.
const PAUSE_UNTIL: &str = "hardening.ironside.dev/pause-until";

/// The command line in one person's hands.
pub(crate) struct Person<'a> {
    test: &'a Scenario<'a>,
    kubeconfig: std::path::PathBuf,
}

impl<'a> Person<'a> {
    /// Somebody who may approve in the test's namespace, and no more.
    async fn approver(test: &'a Scenario<'a>, name: &str) -> Result<Self> {
        Self::with_role(test, name, "--clusterrole=ironside-approver").await
    }

    /// Somebody with a role in the test's namespace, given as kubectl's flag, and no more.
    pub(crate) async fn with_role(test: &'a Scenario<'a>, name: &str, role: &str) -> Result<Self> {
        let written = std::fs::read_to_string(test.cluster.kubeconfig())?;
        let mut config: Value = serde_saphyr::from_str(&written).context("a kubeconfig")?;
        config["users"][0]["user"]["as"] = json!(name);
        let kubeconfig = test.folder().join(format!("{name}.kubeconfig"));
        std::fs::write(&kubeconfig, config.to_string())?;
        let kubectl = test.cluster.kubectl()?;
        let user = format!("--user={name}");
        kubectl
            .run(&["create", "rolebinding", name, "-n", &test.namespace, role, &user])
            .await?;
        Ok(Self { test, kubeconfig })
    }

    pub(crate) fn admin(test: &'a Scenario<'a>) -> Self {
        Self {
            test,
            kubeconfig: test.cluster.kubeconfig().to_owned(),
        }
    }

    /// Runs `ironside`; what it printed, or what it complained about.
    async fn runs(&self, arguments: &[&str]) -> Result<String> {
        let output = self.run(arguments).await?;
        let complaint = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "ironside {}: {complaint}", arguments.join(" "));
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    pub(crate) async fn run(&self, arguments: &[&str]) -> Result<std::process::Output> {
        tokio::process::Command::new(workspace_program("ironside")?)
            .args(arguments)
            .args(["-n", &self.test.namespace])
            .env("KUBECONFIG", &self.kubeconfig)
            .output()
            .await
            .context("run ironside")
    }

    /// Runs a verb that exits with 1 where it finds something; what it printed and what it said beside that.
    pub(crate) async fn shows(&self, arguments: &[&str]) -> Result<(String, String)> {
        let output = self.run(arguments).await?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (shown, told) = (text(&output.stdout), text(&output.stderr));
        ensure!(
            matches!(output.status.code(), Some(0 | 1)),
            "{:?}: {told}",
            output.status
        );
        Ok((shown, told))
    }

    /// Decides, once more if the remediation was just written by somebody else: then the command line says "read it again".
    pub(crate) async fn decides(&self, arguments: &[&str]) -> Result<()> {
        wait::until(&format!("ironside {}", arguments.join(" ")), async || {
            self.runs(arguments).await.map(drop)
        })
        .await
    }
}

async fn plan_hash(test: &Scenario<'_>) -> Result<String> {
    let status = remediation(test).await?.status.context("a status")?;
    Ok(status.plan.context("a plan")?.hash)
}

async fn annotate(test: &Scenario<'_>, value: Option<&str>) -> Result<()> {
    let api: Api<k8s_openapi::api::apps::v1::Deployment> = Api::namespaced(test.client.clone(), &test.namespace);
    let patch = json!({ "metadata": { "annotations": { PAUSE_UNTIL: value } } });
    api.patch("web", &PatchParams::default(), &Patch::Merge(&patch)).await?;
    Ok(())
}

#[tokio::test]
async fn promise_02_an_approval_is_for_one_plan_and_survives_a_new_image() -> Result<()> {
    scenario(async |test| {
        let mut manifest = steady("web").deployment();
        test.deliver(&manifest).await?;
        until_rolled_out(&test.client, &test.namespace, "web").await?;
        // Paused, so that nothing starts while approvals come and go: they are looked at first.
        annotate(test, Some("2099-01-01T00:00:00Z")).await?;
        let operator = operator(test).await?;
        let mut policy = patient(&["POD-009", "POD-013"]);
        policy["spec"]["remediation"]["autoApprove"] = json!("None");
        test.apply(&[policy]).await?;
        until_it_stands(test, Phase::Pending, "AwaitingApproval").await?;
        let read = plan_hash(test).await?;

        let alice = Person::approver(test, "alice").await?;
        alice
            .decides(&["approve", "deployment/web", "--plan", &read[..12]])
            .await?;
        until_it_stands(test, Phase::Pending, "Paused").await?;

        manifest["spec"]["template"]["spec"]["containers"][0]["image"] =
            json!(format!("registry.example.com/web@sha256:{}", "ab".repeat(32)));
        test.deliver(&manifest).await?;
        until_rolled_out(&test.client, &test.namespace, "web").await?;
        wait::throughout(PATIENCE, "the approval survives a new image", async || {
            let status = remediation(test).await?.status.context("a status")?;
            ensure!(status.reason != "AwaitingApproval", "{}", status.message);
            ensure!(status.plan.context("a plan")?.hash == read, "another plan");
            Ok(())
        })
        .await?;

        let mut second = manifest["spec"]["template"]["spec"]["containers"][0].clone();
        second["name"] = json!("second");
        let containers = manifest["spec"]["template"]["spec"]["containers"].as_array_mut();
        containers.context("containers")?.push(second);
        test.deliver(&manifest).await?;
        let waits = until_it_stands(test, Phase::Pending, "AwaitingApproval").await?;
        let told = waits.status.context("a status")?.message;
        ensure!(told.contains("the approval by alice was for another one"), "{told}");
        let refused = alice.runs(&["approve", "deployment/web", "--plan", &read[..12]]).await;
        let refused = refused.err().context("a stale hash is approved")?.to_string();
        ensure!(refused.contains("the plan is now"), "{refused}");
        annotate(test, None).await?;
        wait::throughout(PATIENCE, "nothing is done on a stale approval", async || {
            ensure!(patches(&operator, test)? == 0, "a patch");
            Ok(())
        })
        .await?;

        until_rolled_out(&test.client, &test.namespace, "web").await?;
        let read = plan_hash(test).await?;
        alice
            .decides(&["approve", "deployment/web", "--plan", &read[..12]])
            .await?;
        let done = until_it_stands(test, Phase::Probation, "Watching").await?;
        let status = done.status.context("a status")?;
        ensure!(patches(&operator, test)? == 1, "one patch");
        let attempt = status.attempt.context("an attempt")?;
        ensure!(attempt.plan == read, "{} was done, {read} was approved", attempt.plan);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn promise_07_a_revert_puts_back_every_field_and_stays_so() -> Result<()> {
    scenario(async |test| {
        available_deployment(&test.client, &test.namespace, &steady("web")).await?;
        let before = template(test, "web").await?;
        let operator = operator(test).await?;
        test.apply(&[patient(&["POD-009", "POD-011", "POD-013"])]).await?;
        until_it_stands(test, Phase::Probation, "Watching").await?;
        ensure!(template(test, "web").await? != before, "it was repaired");

        let alice = Person::approver(test, "alice").await?;
        alice
            .decides(&["revert", "deployment/web", "--reason", "it is ours to decide"])
            .await?;
        wait::until("the template is the one before", async || {
            let now = template(test, "web").await?;
            ensure!(now == before, "{now}");
            Ok(())
        })
        .await?;
        until_rolled_out(&test.client, &test.namespace, "web").await?;
        let rests = wait::until("the revert is over", async || {
            let status = remediation(test).await?.status.context("a status")?;
            let over = matches!(status.phase, Some(Phase::Reverted | Phase::RolledBack | Phase::Held));
            ensure!(over, "{:?} ({})", status.phase, status.reason);
            Ok(status)
        })
        .await?;
        let annotations = deployment(test, "web").await?.metadata.annotations.unwrap_or_default();
        ensure!(!annotations.contains_key(RECORD), "{annotations:?}");
        let so_far = patches(&operator, test)?;
        ensure!(so_far == 2, "a repair and its undo are {so_far} patches");
        wait::throughout(PATIENCE, "it is not repaired again", async || {
            ensure!(patches(&operator, test)? == so_far, "another patch");
            Ok(())
        })
        .await?;
        ensure!(
            rests.memory.failures.is_empty(),
            "a revert is no failure: {:?}",
            rests.memory
        );
        Ok(())
    })
    .await
}

#[tokio::test]
async fn promise_07_deleting_the_policy_leaves_everything_running_and_blocks_nothing() -> Result<()> {
    scenario(async |test| {
        let manifest = steady("web").deployment();
        test.deliver(&manifest).await?;
        until_rolled_out(&test.client, &test.namespace, "web").await?;
        let operator = operator(test).await?;
        test.apply(&[patient(&["POD-009", "POD-013"])]).await?;
        until_it_stands(test, Phase::Probation, "Watching").await?;
        let repaired = template(test, "web").await?;
        let so_far = patches(&operator, test)?;

        let policies: Api<HardeningPolicy> = Api::namespaced(test.client.clone(), &test.namespace);
        policies.delete("team", &DeleteParams::default()).await?;
        wait::until("the policy is gone", async || {
            ensure!(policies.get_opt("team").await?.is_none(), "still there");
            Ok(())
        })
        .await?;
        wait::throughout(PATIENCE, "the workload is left as it is", async || {
            ensure!(template(test, "web").await? == repaired, "the template changed");
            ensure!(patches(&operator, test)? == so_far, "another patch");
            Ok(())
        })
        .await?;
        until_rolled_out(&test.client, &test.namespace, "web").await?;
        let mut opened = manifest.clone();
        opened["spec"]["template"]["spec"]["containers"][0]["securityContext"] = json!({ "privileged": true });
        opened["spec"]["template"]["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] =
            json!(true);
        test.deliver(&opened).await.context("anything may be applied again")?;
        ensure!(operator.terminate().await?.code == Some(0), "the operator ends");
        until_rolled_out(&test.client, &test.namespace, "web").await?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_pause_stops_starts_and_its_end_lets_them_go() -> Result<()> {
    scenario(async |test| {
        available_deployment(&test.client, &test.namespace, &steady("web")).await?;
        annotate(test, Some("2099-01-01T00:00:00Z")).await?;
        let operator = operator(test).await?;
        let home = test.operator_namespace().await?.to_owned();
        test.apply(&[patient(&["POD-009", "POD-013"])]).await?;
        let paused = async |by: &str| -> Result<()> {
            until_it_stands(test, Phase::Pending, "Paused")
                .await
                .with_context(|| format!("paused by {by}"))?;
            wait::throughout(PATIENCE, "nothing starts", async || {
                ensure!(patches(&operator, test)? == 0, "a patch while paused by {by}");
                Ok(())
            })
            .await
        };
        paused("annotation").await?;

        let admin = Person::admin(test);
        admin
            .runs(&["pause", "--all", "--for", "1h", "--operator-namespace", &home])
            .await?;
        // The command's pause is in force before the annotation's ends: one operator, one order of events for each kind.
        wait::until("the operator has seen the pause", async || {
            let policies: Api<HardeningPolicy> = Api::namespaced(test.client.clone(), &test.namespace);
            let status = policies.get("team").await?.status.context("no status")?;
            let shown = status.conditions.iter().find(|it| it.type_ == "Paused");
            ensure!(
                shown.is_some_and(|it| it.status == ironside_crds::ConditionStatus::True),
                "{shown:?}"
            );
            Ok(())
        })
        .await?;
        annotate(test, None).await?;
        paused("ironside pause").await?;

        admin
            .runs(&["pause", "--all", "--resume", "--operator-namespace", &home])
            .await?;
        until_it_stands(test, Phase::Probation, "Watching").await?;
        ensure!(patches(&operator, test)? == 1, "one patch");
        Ok(())
    })
    .await
}
