//! What is remembered: a revert, however late it comes; rollbacks, until a human says otherwise.

use anyhow::{Context as _, Result, ensure};
use ironside_crds::conditions::{get, types};
use ironside_crds::{ConditionStatus, HardeningPolicy, Phase};
use ironside_e2e::workloads::{available_deployment, until_rolled_out};
use ironside_e2e::{Scenario, scenario, wait};
use kube::Api;
use serde_json::{Value, json};

use crate::fights::{operator, patches};
use crate::promises::until_of_it_stands;
use crate::repair::{LONG, PATIENCE, policy, steady, template, until_it_stands};

/// An operator's whole resync: what it does not know is gone. Where the status was written at the same moment it tries again, as every controller does.
async fn resync(test: &Scenario<'_>, manifest: &Value) -> Result<()> {
    let replace = [
        "replace",
        "-n",
        &test.namespace,
        "-f",
        "-",
        "--field-manager=database-operator",
    ];
    let kubectl = test.cluster.kubectl()?;
    wait::until("the resync is through", async || {
        kubectl.run_with_input(&replace, &manifest.to_string()).await.map(drop)
    })
    .await
}

#[tokio::test]
async fn story_08_a_resync_that_reverts_long_after_is_one_revert_and_remembered() -> Result<()> {
    scenario(async |test| {
        let manifest = steady("web").deployment();
        available_deployment(&test.client, &test.namespace, &steady("web")).await?;
        let before = template(test, "web").await?;
        let mut operator = operator(test).await?;
        test.apply(&[policy(&["POD-009"])]).await?;
        until_it_stands(test, Phase::Succeeded, "Verified").await?;
        let so_far = patches(&operator, test)?;
        ensure!(so_far == 1, "one patch");
        // Hours later stands for: probation is over, and the process that repaired is another one by now.
        operator.restart().await?;

        resync(test, &manifest).await?;
        let held = until_it_stands(test, Phase::Held, "Fight").await?;
        let status = held.status.context("a status")?;
        ensure!(status.memory.reverts.len() == 1, "{:?}", status.memory);
        ensure!(status.message.contains("Retry"), "{}", status.message);
        ensure!(template(test, "web").await? == before, "the resync stands");

        // Neither a restart nor the owner's next releases make it try again.
        operator.restart().await?;
        for release in ["2.0", "3.0"] {
            let mut next = manifest.clone();
            next["spec"]["template"]["metadata"]["annotations"] = json!({ "release": release });
            resync(test, &next).await?;
            until_rolled_out(&test.client, &test.namespace, "web").await?;
            wait::throughout(PATIENCE, "one revert was enough", async || {
                ensure!(patches(&operator, test)? == so_far, "another patch");
                Ok(())
            })
            .await?;
        }
        let held = until_it_stands(test, Phase::Held, "Fight").await?;
        let reverts = held.status.context("a status")?.memory.reverts;
        ensure!(reverts.len() == 1, "{reverts:?}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn too_many_rollbacks_stop_repairs_until_a_human_clears_it() -> Result<()> {
    scenario(async |test| {
        let broken = steady("broken").sim("needs-caps", "NET_RAW");
        available_deployment(&test.client, &test.namespace, &broken).await?;
        let mut operator = operator(test).await?;
        let mut careful = policy(&["POD-009", "POD-011"]);
        careful["spec"]["remediation"]["stopAfter"] = json!({ "rollbacks": 1, "within": "1h" });
        test.apply(&[careful.clone()]).await?;
        until_of_it_stands(test, "broken", Phase::Held, "Quarantined").await?;
        let stopped = async |expected: ConditionStatus, reason: &str| {
            let policies: Api<HardeningPolicy> = Api::namespaced(test.client.clone(), &test.namespace);
            wait::until_within(LONG, "the condition RemediationStopped", async || {
                let status = policies.get("team").await?.status.context("no status yet")?;
                let condition = get(&status.conditions, types::REMEDIATION_STOPPED).context("not there")?;
                ensure!(
                    condition.status == expected && condition.reason == reason,
                    "{condition:?}"
                );
                Ok(())
            })
            .await
        };
        stopped(ConditionStatus::True, "TooManyRollbacks").await?;
        let so_far = patches(&operator, test)?;
        ensure!(so_far == 2, "a repair and its undo");

        // A healthy workload that could be repaired is not, also not by the next process.
        available_deployment(&test.client, &test.namespace, &steady("fine")).await?;
        until_of_it_stands(test, "fine", Phase::Held, "Stopped").await?;
        operator.restart().await?;
        wait::throughout(PATIENCE, "nothing starts", async || {
            ensure!(patches(&operator, test)? == so_far, "another patch");
            Ok(())
        })
        .await?;
        stopped(ConditionStatus::True, "TooManyRollbacks").await?;

        // A human clears it by a new spec. What broke stays quarantined.
        careful["spec"]["remediation"]["stopAfter"] = json!({ "rollbacks": 5, "within": "1h" });
        test.apply(&[careful]).await?;
        stopped(ConditionStatus::False, "Running").await?;
        until_of_it_stands(test, "fine", Phase::Succeeded, "Verified").await?;
        until_of_it_stands(test, "broken", Phase::Held, "Quarantined").await?;
        ensure!(patches(&operator, test)? == so_far + 1, "one patch, of the healthy one");
        Ok(())
    })
    .await
}
