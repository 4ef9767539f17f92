//! The bench: one table of what Ironside costs and how fast it answers, each figure with its goal and with an alternative measured in the same run.
//!
//! Nothing here passes or fails by a time. A part that cannot be measured is named below the table, with the reason.

mod drift;
mod listen;
mod reflector;
mod repair;
mod rollback;
mod start;
mod statistics;
mod subject;
mod table;
mod world;

use std::io::Write as _;

use anyhow::{Context as _, Result};

pub use reflector::hold as hold_reflector;

use self::table::Table;
use self::world::World;
use crate::cluster::{Cluster, Options};
use crate::progress::say;

/// Five nodes of 250 pods hold the world's 1,000 and the pods that rollouts add.
const NODES: usize = 8;

/// Runs all parts on a control plane of its own and prints the table.
///
/// # Errors
/// The control plane or the world cannot be made, or standard output is closed.
pub async fn run() -> Result<()> {
    let options = Options {
        nodes: NODES,
        ..Options::default()
    };
    let cluster = Cluster::dedicated(options).await?;
    let mut table = Table::new();
    let measured = measure(&cluster, &mut table).await;
    writeln!(std::io::stdout(), "\n{table}").context("write to standard output")?;
    let stopped = cluster.stop().await;
    measured.and(stopped)
}

async fn measure(cluster: &Cluster, table: &mut Table) -> Result<()> {
    cluster.install().await?;
    say("making the world: 40 Deployments of 25 pods in 20 namespaces");
    let world = World::make(cluster).await?;
    table.part("start, memory, idleness", start::measure(&world).await);
    table.part("drift", drift::measure(&world).await);
    table.part("bad rollout", rollback::measure(&world).await);
    table.part("repairs", repair::measure(&world).await);
    Ok(())
}
