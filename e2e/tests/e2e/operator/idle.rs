//! What the operator asks of the API server when nothing happens.

use std::time::Duration;

use anyhow::{Result, ensure};
use ironside_crds::ConditionStatus::True;
use ironside_crds::conditions::types;
use ironside_e2e::audit::{Entry, tally};
use ironside_e2e::operator::Start;
use ironside_e2e::workloads::Workload;
use ironside_e2e::{scenario, wait};
use serde_json::json;

use super::{apply, policy, says, until_status};

/// Long enough for two renewals of the lease.
const QUIET: Duration = Duration::from_secs(25);

#[tokio::test]
async fn promise_13_when_idle_only_the_lease_is_renewed() -> Result<()> {
    scenario(async |test| {
        apply(
            test,
            &[Workload::named("web").replicas(0).deployment(), policy(&json!({}))],
        )
        .await?;
        let operator = Start::new(test).ready().await?;
        until_status(test, "the policy was judged", |status| {
            says(status, types::READY, True, "Reconciled")
        })
        .await?;

        let all = operator.requests(test)?;
        let lists = all.iter().filter(|entry| entry.verb == "list" && entry.code() == 200);
        let mut listed: Vec<String> = lists.map(Entry::resource).collect();
        let count = listed.len();
        listed.sort();
        listed.dedup();
        // ConfigMaps are judged and admission policies watched for changes; the pause switch and the guard of approvals, a policy and its binding, are watched
        // by their names beside that.
        ensure!(
            listed.len() + 3 == count,
            "something was listed twice at start: {listed:?}"
        );

        let before = wait::until("start is over", async || {
            let before = operator.requests(test)?.len();
            tokio::time::sleep(Duration::from_secs(3)).await;
            let after = operator.requests(test)?;
            let since = after
                .iter()
                .skip(before)
                .filter(|entry| entry.resource() != "leases")
                .count();
            ensure!(since == 0, "{since} requests");
            Ok(after.len())
        })
        .await?;
        tokio::time::sleep(QUIET).await;
        let entries = operator.requests(test)?;
        let quiet = tally(entries.iter().skip(before));
        println!("requests in {QUIET:?} of idleness: {quiet:?}");
        let other: Vec<_> = quiet
            .keys()
            .filter(|(verb, resource)| !(verb == "update" && resource == "leases"))
            .collect();
        ensure!(other.is_empty(), "{quiet:?}");
        let renewals: usize = quiet.values().sum();
        ensure!((2..=3).contains(&renewals), "one request for each renewal: {quiet:?}");
        Ok(())
    })
    .await
}
