//! The bench: one table of what Ironside costs and how fast it answers, each figure with its goal and with an alternative measured in the same run.
//!
//! Nothing here passes or fails by a time. A part that cannot be measured is named below the table, with the reason.

mod drift;
mod listen;
mod reflector;
mod repair;
mod restore;
mod rollback;
mod scan;
pub mod soak;
mod start;
mod statistics;
mod subject;
mod table;
mod world;

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result};

pub use reflector::hold as hold_reflector;
pub use scan::{run_measured, write_manifests};

use self::table::Table;
use self::world::{Size, World};
use crate::cluster::{Cluster, Options};
use crate::progress::say;

/// What a person can choose.
#[derive(Debug, Default)]
pub struct Choices {
    /// A small world and few repetitions: to see that everything can be measured.
    pub quick: bool,
    /// A file of rows that another program measured, one a line: what, figure, goal, what stands beside it, with tabs in between.
    pub rows: Option<PathBuf>,
    /// Only the part of this name.
    pub only: Option<String>,
}

/// Runs all parts, those that need one on a control plane of its own, and prints the table.
///
/// # Errors
/// The control plane or the world cannot be made, the file of rows cannot be read, standard output is closed, or a part could not be measured.
pub async fn run(choices: Choices) -> Result<()> {
    let size = if choices.quick { Size::QUICK } else { Size::FULL };
    let mut table = Table::new();
    let rows = choices.rows.map(|path| {
        let text = std::fs::read_to_string(&path);
        text.with_context(|| format!("read {}", path.display()))
    });
    let rows = rows.transpose()?;
    let only = choices.only.as_deref();
    if let Some(rows) = rows {
        table.part("the engine alone", table::read(&rows));
    }
    // Before there is a control plane: it would be a neighbour.
    if only.is_none_or(|only| only == SCAN) {
        let measured = tokio::task::spawn_blocking(move || scan::measure(choices.quick)).await?;
        table.part(SCAN, measured);
    }
    let measured = match only {
        Some(SCAN) => Ok(()),
        only => on_a_cluster(size, only, &mut table).await,
    };
    writeln!(std::io::stdout(), "\n{table}").context("write to standard output")?;
    measured.and(table.complete())
}

/// The part that needs no cluster.
const SCAN: &str = "scan";

async fn on_a_cluster(size: Size, only: Option<&str>, table: &mut Table) -> Result<()> {
    let options = Options {
        nodes: size.nodes(),
        ..Options::default()
    };
    let cluster = Cluster::dedicated(options).await?;
    let measured = measure(&cluster, size, only, table).await;
    let stopped = cluster.stop().await;
    measured.and(stopped)
}

async fn measure(cluster: &Cluster, size: Size, only: Option<&str>, table: &mut Table) -> Result<()> {
    cluster.install().await?;
    let pods = size.deployments * size.replicas;
    say(&format!(
        "making the world: {pods} pods, {} Deployments of {} in {} namespaces",
        size.deployments, size.replicas, size.namespaces
    ));
    let world = World::make(cluster, size).await?;
    let wanted = |part: &str| {
        let wanted = only.is_none_or(|only| only == part);
        if wanted {
            say(&format!("measuring: {part}"));
        }
        wanted
    };
    if wanted("start") {
        table.part("start", start::measure(&world, &start::SMALL).await);
    }
    if wanted("drift") {
        table.part("drift", drift::measure(&world).await);
    }
    if wanted("allows") {
        table.part("allows", restore::measure(&world).await);
    }
    if wanted("rollbacks") {
        table.part("rollbacks", rollback::measure(&world).await);
    }
    if wanted("repairs") {
        table.part("repairs", repair::measure(&world).await);
    }
    if wanted("large") {
        say(&format!(
            "growing the world to {} pods",
            size.deployments * size.many_replicas
        ));
        world.scale(size.many_replicas).await?;
        table.part("large", start::measure(&world, &start::LARGE).await);
        table.part("policy edits", start::edits(&world).await);
    }
    Ok(())
}
