//! The operator as a process: what it reports, how it stays truthful in outages, who leads, what it asks of the API server.

mod declared;
mod granted;
mod idle;
mod input;
mod leadership;
mod outages;
mod permissions;
mod status;

pub(crate) use granted::{READING, within};

use anyhow::{Context as _, Result, ensure};
use ironside_crds::conditions::get;
use ironside_crds::{Condition, ConditionStatus, HardeningPolicy, PolicyStatus};
use ironside_e2e::operator::Operator;
use ironside_e2e::{Scenario, wait};
use kube::Api;
use serde_json::{Value, json};

/// Applies objects to the test's namespace, once Ironside is installed.
async fn apply(test: &Scenario<'_>, objects: &[Value]) -> Result<()> {
    test.operator_namespace().await?;
    test.apply(objects).await
}

/// Name of the policy of these tests.
const POLICY: &str = "team";

/// A policy for the test's namespace.
fn policy(spec: &Value) -> Value {
    json!({
        "apiVersion": "hardening.ironside.dev/v1alpha1", "kind": "HardeningPolicy",
        "metadata": { "name": POLICY },
        "spec": spec,
    })
}

/// Its name in metrics.
fn label(test: &Scenario<'_>) -> String {
    format!("{}/{POLICY}", test.namespace)
}

async fn stored(test: &Scenario<'_>) -> Result<HardeningPolicy> {
    let policies: Api<HardeningPolicy> = Api::namespaced(test.client.clone(), &test.namespace);
    Ok(policies.get(POLICY).await?)
}

/// Waits until the status is about the present spec and fulfils `check`.
async fn until_status(
    test: &Scenario<'_>,
    what: &str,
    check: impl Fn(&PolicyStatus) -> Result<()>,
) -> Result<PolicyStatus> {
    wait::until(what, async || {
        let policy = stored(test).await?;
        let status = policy.status.context("no status yet")?;
        ensure!(
            status.observed_generation == policy.metadata.generation,
            "the status is about generation {:?}",
            status.observed_generation
        );
        check(&status).with_context(|| format!("{:#?}", status.conditions))?;
        Ok(status)
    })
    .await
}

fn condition<'a>(status: &'a PolicyStatus, type_: &str) -> Result<&'a Condition> {
    get(&status.conditions, type_).with_context(|| format!("no condition {type_}"))
}

fn says(status: &PolicyStatus, type_: &str, expected: ConditionStatus, reason: &str) -> Result<()> {
    let condition = condition(status, type_)?;
    ensure!(
        condition.status == expected && condition.reason == reason,
        "{type_} is {:?} ({}), not {expected:?} ({reason})",
        condition.status,
        condition.reason
    );
    Ok(())
}

/// Objects of the test's namespace with this result of a control.
async fn found(test: &Scenario<'_>, operator: &Operator, control: &str, result: &str) -> Result<f64> {
    let labels = [("policy", &*label(test)), ("control", control), ("result", result)];
    Ok(operator
        .metrics()
        .await?
        .sum("ironside_findings", &labels)
        .unwrap_or_default())
}
