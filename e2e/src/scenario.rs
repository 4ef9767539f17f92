//! The frame of one test: a cluster, a client, a namespace; and when it fails, everything that helps to understand why.

use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context as _, Result, bail};
use futures::FutureExt as _;
use kube::Client;
use tokio::sync::OnceCell;

use crate::cluster::{Cluster, Options};
use crate::node::obstacle::obstacle;
use crate::{dump, install};

/// What a test gets.
pub struct Scenario<'a> {
    /// The cluster.
    pub cluster: &'a Cluster,
    /// A client with an administrator's rights, good for this test's runtime.
    pub client: Client,
    /// A namespace that only this test uses.
    pub namespace: String,
    name: String,
    folder: PathBuf,
    logs: Mutex<Vec<PathBuf>>,
    numbers: AtomicUsize,
    operator_namespace: OnceCell<String>,
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

/// Runs a test on the shared cluster with a real node. Where the machine cannot have one, the test says why and counts as
/// skipped: `.ci/tests` adds these lines up.
///
/// # Errors
/// As [`scenario`].
pub async fn scenario_on_a_node<F>(test: F) -> Result<()>
where
    F: AsyncFnOnce(&Scenario<'_>) -> Result<()>,
{
    if skipped::<F>() {
        return Ok(());
    }
    frame(Cluster::with_node().await?, test).await
}

/// Runs a test on a cluster of its own with so many real nodes, for tests that hurt them.
///
/// # Errors
/// As [`scenario_with`].
pub async fn scenario_on_own_nodes<F>(count: usize, test: F) -> Result<()>
where
    F: AsyncFnOnce(&Scenario<'_>) -> Result<()>,
{
    if skipped::<F>() {
        return Ok(());
    }
    scenario_with(Options::with_nodes(count), test).await
}

/// Whether a test that needs a real node has to be skipped; says so.
pub fn skipped<F>() -> bool {
    skip(&name_of::<F>(), obstacle())
}

/// Whether a test has to be skipped for a reason of its own; says so. A real node's obstacle comes first.
pub fn skipped_for(module: &str, test: &str, reason: Option<&str>) -> bool {
    let module = module.split_once("::").map_or(module, |(_, module)| module);
    skip(&format!("{module}::{test}"), obstacle().or(reason))
}

fn skip(name: &str, reason: Option<&str>) -> bool {
    let Some(reason) = reason else { return false };
    crate::progress::say(&format!("SKIPPED {name}: {reason}"));
    true
}

impl Scenario<'_> {
    /// The test's name, such as `harness::deployment_becomes_available`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A folder for this test's files; removed if it passes.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// 1, 2, 3, ...: for names within this test.
    pub fn next_number(&self) -> usize {
        self.numbers.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// The namespace that this test's operators call their own, with Ironside installed in the cluster. All of a test's
    /// operators share it and compete for its lease.
    ///
    /// # Errors
    /// The cluster refuses something.
    pub async fn operator_namespace(&self) -> Result<&str> {
        let name = self.operator_namespace.get_or_try_init(async || {
            self.cluster.install().await.context("install Ironside")?;
            let name = format!("{}-op", self.namespace);
            install::operator_namespace(self.cluster, &self.client, &name).await?;
            anyhow::Ok(name)
        });
        name.await.map(String::as_str)
    }

    /// Applies objects in the test's namespace, unless they name another one, as a user with kubectl would.
    ///
    /// # Errors
    /// The API server refuses one.
    pub async fn apply(&self, objects: &[serde_json::Value]) -> Result<()> {
        let list = serde_json::json!({ "apiVersion": "v1", "kind": "List", "items": objects }).to_string();
        let arguments = ["apply", "--server-side", "--namespace", &self.namespace, "-f", "-"];
        self.cluster
            .kubectl()?
            .run_with_input(&arguments, &list)
            .await
            .map(drop)
    }

    /// Applies a manifest in the test's namespace, client-side as most pipelines do: the writer is `kubectl-client-side-apply`.
    ///
    /// # Errors
    /// The API server refuses it.
    pub async fn deliver(&self, manifest: &serde_json::Value) -> Result<()> {
        let arguments = ["apply", "--namespace", &self.namespace, "-f", "-"];
        self.cluster
            .kubectl()?
            .run_with_input(&arguments, &manifest.to_string())
            .await
            .map(drop)
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
    let folder = match cluster.description() {
        Ok(description) => description.folder.join("tests").join(&namespace),
        Err(_) => std::env::temp_dir().join(format!("ironside-{namespace}")),
    };
    std::fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
    let scenario = Scenario {
        cluster,
        client,
        namespace,
        name,
        folder,
        logs: Mutex::default(),
        numbers: AtomicUsize::new(0),
        operator_namespace: OnceCell::new(),
    };

    let outcome = AssertUnwindSafe(test(&scenario)).catch_unwind().await;
    let failure = match &outcome {
        Ok(Ok(())) => broken_simulation(cluster)?,
        Ok(Err(error)) => Some(format!("{error:?}")),
        Err(panic) => Some(message(panic.as_ref())),
    };
    let Some(failure) = failure else {
        return clean_up(&scenario).await;
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

/// What a test that passed leaves behind is nothing; what one that failed leaves may be looked at.
async fn clean_up(scenario: &Scenario<'_>) -> Result<()> {
    std::fs::remove_dir_all(&scenario.folder).context("remove the test's folder")?;
    for namespace in scenario
        .operator_namespace
        .get()
        .into_iter()
        .chain([&scenario.namespace])
    {
        scenario.cluster.drop_namespace(&scenario.client, namespace).await?;
    }
    Ok(())
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
