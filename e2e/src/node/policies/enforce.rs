//! The enforcer as a process in the node's network: watches, and loads what changed.

use std::fmt::Debug;
use std::net::IpAddr;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use futures::StreamExt as _;
use futures::stream::{BoxStream, select_all};
use k8s_openapi::api::core::v1::{Namespace, Pod};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::runtime::reflector::{Store, store};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use super::intent::Intent;
use super::ruleset::ruleset;
use super::world::{Block, World};
use crate::progress::say;

/// More changes than ever come at once.
const AT_ONCE: usize = 1000;

/// Enforces the cluster's policies for the pods of some ranges of addresses, each with the address that their bridge has in it, and writes to a file what is
/// in force ([`super::Enforced`]). Serves until it is killed.
///
/// # Errors
/// `nft` refuses what it is given, or the watches end.
pub async fn serve(client: Client, own: &[(String, IpAddr)], enforced: &Path) -> Result<()> {
    let own: Result<Vec<(Block, IpAddr)>> = own
        .iter()
        .map(|(range, gateway)| Ok((Block::parse(range)?, *gateway)))
        .collect();
    let own = own?;
    let (pods, of_pods) = watch::<Pod>(Api::all(client.clone()));
    let (namespaces, of_namespaces) = watch::<Namespace>(Api::all(client.clone()));
    let (policies, of_policies) = watch::<NetworkPolicy>(Api::all(client));
    let mut changes = select_all([of_pods, of_namespaces, of_policies]).ready_chunks(AT_ONCE);
    let mut loaded = (String::new(), None);
    while changes.next().await.is_some() {
        // Half a world would let through what the other half forbids.
        if !is_read(&pods) || !is_read(&namespaces) || !is_read(&policies) {
            continue;
        }
        let (pods, namespaces, policies) = (pods.state(), namespaces.state(), policies.state());
        let world = World::of(all(&pods), all(&namespaces), all(&policies));
        let rules = ruleset(&world, &Intent::of(&world)?, &own);
        if rules != loaded.0 {
            load(&rules).await.with_context(|| format!("load\n{rules}"))?;
        }
        let now = Some(world.enforced());
        if now != loaded.1 {
            world.enforced().write(enforced)?;
        }
        loaded = (rules, now);
    }
    anyhow::bail!("the watches ended")
}

/// A store, and a stream that says that it changed.
fn watch<K>(api: Api<K>) -> (Store<K>, BoxStream<'static, ()>)
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
{
    let (reader, writer) = store();
    let changes = watcher(api, watcher::Config::default())
        .default_backoff()
        .reflect(writer);
    let told = changes.map(|event| {
        if let Err(error) = event {
            say(&format!("a watch: {error:#}"));
        }
    });
    (reader, told.boxed())
}

fn is_read<K>(store: &Store<K>) -> bool
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
{
    futures::FutureExt::now_or_never(store.wait_until_ready()).is_some()
}

fn all<K>(objects: &[Arc<K>]) -> impl Iterator<Item = &K> {
    objects.iter().map(AsRef::as_ref)
}

/// All of it or nothing: nft hands one batch to the kernel.
async fn load(rules: &str) -> Result<()> {
    let mut nft = Command::new("nft")
        .args(["-f", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .context("start nft")?;
    let mut input = nft.stdin.take().context("its input is a pipe")?;
    input.write_all(rules.as_bytes()).await.context("tell nft")?;
    drop(input);
    let output = nft.wait_with_output().await.context("wait for nft")?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}
