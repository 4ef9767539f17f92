//! The frame of one test: a cluster, a client, a namespace; and when it fails, everything that helps to understand why.

use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::Mutex;

use anyhow::{Result, bail};
use futures::FutureExt as _;
use kube::Client;

use crate::cluster::{Cluster, Options};
use crate::dump;

/// What a test gets.
pub struct Scenario<'a> {
    /// The cluster.
    pub cluster: &'a Cluster,
    /// A client with an administrator's rights, good for this test's runtime.
    pub client: Client,
    /// A namespace that only this test uses.
    pub namespace: String,
    name: String,
    logs: Mutex<Vec<PathBuf>>,
}

/// Runs a test on the shared cluster.
///
/// # Errors
/// The test's own, after everything was dumped to `e2e-artifacts/<test>`; or the simulated nodes reported an error.
pub async fn scenario<F>(test: F) -> Result<()>
where
    F: AsyncFnOnce(&Scenario<'_>) -> Result<()>,
{
    frame(Cluster::shared().await?, test).await
}

/// Runs a test on a cluster of its own.
///
/// # Errors
/// As [`scenario`]; and the cluster does not start or stop.
pub async fn scenario_with<F>(options: Options, test: F) -> Result<()>
where
    F: AsyncFnOnce(&Scenario<'_>) -> Result<()>,
{
    let cluster = Cluster::dedicated(options).await?;
    let outcome = frame(&cluster, test).await;
    outcome.and(cluster.stop().await)
}

impl Scenario<'_> {
    /// The test's name, such as `harness::deployment_becomes_available`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Has a file copied to the artifacts if the test fails.
    pub fn keep_on_failure(&self, log: PathBuf) {
        self.logs
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .push(log);
    }
}

async fn frame<F>(cluster: &Cluster, test: F) -> Result<()>
where
    F: AsyncFnOnce(&Scenario<'_>) -> Result<()>,
{
    let name = name_of::<F>();
    let client = cluster.client().await?;
    let namespace = cluster.namespace(&client, &namespace_prefix(&name)).await?;
    let scenario = Scenario {
        cluster,
        client,
        namespace,
        name,
        logs: Mutex::new(Vec::new()),
    };

    let outcome = AssertUnwindSafe(test(&scenario)).catch_unwind().await;
    let failure = match &outcome {
        Ok(Ok(())) => broken_simulation(cluster)?,
        Ok(Err(error)) => Some(format!("{error:?}")),
        Err(panic) => Some(message(panic.as_ref())),
    };
    let Some(failure) = failure else {
        return cluster.drop_namespace(&scenario.client, &scenario.namespace).await;
    };

    let folder = dump::artifacts().join(scenario.name.replace("::", "."));
    let logs = scenario
        .logs
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let note = match dump::dump(&folder, &failure, cluster, &logs).await {
        Ok(()) => format!("logs and dumps are in {}", folder.display()),
        Err(error) => format!("and the dump failed: {error:#}"),
    };
    match outcome {
        Ok(Ok(())) => bail!("{failure}\n{note}"),
        Ok(Err(error)) => Err(error.context(note)),
        Err(panic) => {
            crate::progress::say(&note);
            std::panic::resume_unwind(panic)
        }
    }
}

/// An error in a stage stops all pods, whichever test runs: it fails every test that sees it.
fn broken_simulation(cluster: &Cluster) -> Result<Option<String>> {
    let errors = cluster.simulation_errors()?;
    Ok((!errors.is_empty()).then(|| format!("the simulated nodes are broken; kwok says:\n{}", errors.join("\n"))))
}

/// The path of the function that holds the test's closure, without the test program's own name.
fn name_of<F>() -> String {
    let path = std::any::type_name::<F>();
    let function = path.split("::{{closure}}").next().unwrap_or(path);
    function.split_once("::").map_or(function, |(_, rest)| rest).to_owned()
}

/// The function's name as the beginning of a namespace's: at most 40 characters, leaving room for what makes it unique.
fn namespace_prefix(name: &str) -> String {
    let function = name.rsplit("::").next().unwrap_or(name);
    let allowed: String = function
        .to_lowercase()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect();
    allowed
        .chars()
        .take(40)
        .collect::<String>()
        .trim_matches('-')
        .to_owned()
}

fn message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("a panic without a message").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_name_is_a_dns_label() {
        assert_eq!(
            namespace_prefix("harness::A_deployment_becomes_available_"),
            "a-deployment-becomes-available"
        );
        assert!(namespace_prefix(&"x_".repeat(100)).len() <= 40);
    }

    #[test]
    fn the_name_is_that_of_the_test() {
        fn of<F: FnOnce()>(_: F) -> String {
            name_of::<F>()
        }
        assert!(
            of(|| ()).ends_with("tests::the_name_is_that_of_the_test"),
            "{}",
            of(|| ())
        );
    }
}
