//! Promises that no other module is about; each test is named after the promise that it proves. `tests/repository.rs` knows which there must be.

mod starts;
mod truth;
mod writes;

use anyhow::{Context as _, Result, ensure};
use ironside_crds::{HardeningRemediation, Phase};
use ironside_e2e::{Scenario, wait};
use kube::Api;
use kube::api::ListParams;

use crate::repair::LONG;

/// The remediation of one of several targets.
pub(crate) async fn remediation_of(test: &Scenario<'_>, name: &str) -> Result<HardeningRemediation> {
    let api: Api<HardeningRemediation> = Api::namespaced(test.client.clone(), &test.namespace);
    let all = api.list(&ListParams::default()).await?.items;
    let mut of_it = all.into_iter().filter(|it| it.spec.target.name == name);
    of_it.next().with_context(|| format!("no remediation of {name} yet"))
}

/// Waits until the remediation of one of several targets stands so.
pub(crate) async fn until_of_it_stands(
    test: &Scenario<'_>,
    name: &str,
    phase: Phase,
    reason: &str,
) -> Result<HardeningRemediation> {
    let what = format!("the remediation of {name} is {phase:?} ({reason})");
    wait::until_within(LONG, &what, async || {
        let remediation = remediation_of(test, name).await?;
        let status = remediation.status.clone().context("no status yet")?;
        ensure!(
            status.phase == Some(phase) && status.reason == reason,
            "it is {:?} ({}): {}",
            status.phase,
            status.reason,
            status.message
        );
        Ok(remediation)
    })
    .await
}
