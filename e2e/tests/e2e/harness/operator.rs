//! The operator as a process: it starts, is killed, is started again, and ends politely, behind a proxy.

use std::time::Duration;

use anyhow::{Result, ensure};
use ironside_e2e::audit::{Entry, tally};
use ironside_e2e::operator::Start;
use ironside_e2e::proxy::{Match, Proxy};
use ironside_e2e::{scenario, wait};
use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use nix::sys::signal::Signal;

#[tokio::test]
async fn an_operator_is_started_killed_started_again_and_ended() -> Result<()> {
    scenario(async |test| {
        let proxy = Proxy::start(test.cluster).await?;
        let mut operator = Start::new(test).via(&proxy).short_lease().ready().await?;
        ensure!(!operator.metrics().await?.samples().is_empty(), "it has metrics");
        ensure!(!operator.log()?.is_empty(), "it has a log");

        let leases: Api<Lease> = Api::namespaced(test.client.clone(), test.operator_namespace().await?);
        let leads = async |operator: &str| {
            let lease = leases.get("ironside-operator").await?;
            let holder = lease.spec.and_then(|spec| spec.holder_identity);
            ensure!(holder.as_deref() == Some(operator), "the lease is held by {holder:?}");
            Ok(())
        };
        wait::until("it leads", async || leads(operator.identity()).await).await?;
        let watches = Match::watches();
        ensure!(
            proxy.open_watches().iter().any(|open| watches.matches(open)),
            "it watches through the proxy"
        );

        operator.kill();
        let exit = operator.process().wait(Duration::from_secs(1)).await?;
        ensure!(exit.signal == Some(Signal::SIGKILL as i32), "{exit:?}");
        wait::until("its streams are closed", async || {
            ensure!(proxy.open_watches().is_empty());
            Ok(())
        })
        .await?;

        operator.restart().await?;
        wait::until("it leads again", async || leads(operator.identity()).await).await?;
        let exit = operator.terminate().await?;
        ensure!(exit.code == Some(0), "asked to end it ends well: {exit:?}");

        // Leases aside: one renewal may have been on its way when the process was killed.
        wait::until("the audit log has what the proxy forwarded", async || {
            let forwarded = proxy
                .journal()
                .into_iter()
                .filter(|seen| seen.forwarded)
                .map(|seen| seen.request);
            let forwarded = forwarded
                .filter(|it| !it.resource.is_empty() && it.resource != "leases")
                .count();
            let requests = operator.requests(test)?;
            let logged = requests
                .iter()
                .filter(|entry| entry.object_ref.is_some() && entry.resource() != "leases");
            ensure!(
                logged.clone().count() == forwarded,
                "{forwarded} forwarded, logged: {:#?}",
                tally(logged)
            );
            Ok(())
        })
        .await?;
        let requests = operator.requests(test)?;
        let writes: Vec<&Entry> = requests
            .iter()
            .filter(|entry| entry.is_write() && entry.resource() != "leases")
            .collect();
        ensure!(writes.is_empty(), "nothing to do, and yet it wrote: {writes:#?}");
        Ok(())
    })
    .await
}
