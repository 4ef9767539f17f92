//! The bench: one table of what Ironside costs and how fast it answers, each figure with its goal and with an alternative measured in the same run.
//!
//! Nothing here passes or fails by a time. A part that cannot be measured is named below the table, with the reason.

mod drift;
mod listen;
mod reflector;
mod repair;
mod restore;
mod rollback;
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
}

/// Runs all parts on a control plane of its own and prints the table.
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
    let options = Options {
        nodes: size.nodes(),
        ..Options::default()
    };
    let cluster = Cluster::dedicated(options).await?;
    let measured = measure(&cluster, size, &mut table).await;
    if let Some(rows) = rows {
        table.part("the engine alone", table::read(&rows));
    }
    writeln!(std::io::stdout(), "\n{table}").context("write to standard output")?;
    let stopped = cluster.stop().await;
    measured.and(stopped).and(table.complete())
}

async fn measure(cluster: &Cluster, size: Size, table: &mut Table) -> Result<()> {
    cluster.install().await?;
    let pods = size.deployments * size.replicas;
    say(&format!(
        "making the world: {pods} pods, {} Deployments of {} in {} namespaces",
        size.deployments, size.replicas, size.namespaces
    ));
    let world = World::make(cluster, size).await?;
    say("start, memory, idleness");
    table.part("start, memory, idleness", start::measure(&world, &start::SMALL).await);
    say("drift");
    table.part("drift", drift::measure(&world).await);
    say("deleted allows");
    table.part("deleted allows", restore::measure(&world).await);
    say("bad rollouts");
    table.part("bad rollouts", rollback::measure(&world).await);
    say("repairs");
    table.part("repairs", repair::measure(&world).await);
    say(&format!(
        "growing the world to {} pods",
        size.deployments * size.many_replicas
    ));
    world.scale(size.many_replicas).await?;
    say("start, memory, idleness of the large world");
    table.part("the large world", start::measure(&world, &start::LARGE).await);
    say("policy edits");
    table.part("policy edits", start::edits(&world).await);
    Ok(())
}
