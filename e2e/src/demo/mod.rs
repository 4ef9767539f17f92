//! The demo: a real control plane, applications that nobody hardened, Ironside installed as a user would, and the story while it happens.
//!
//! It tells what the cluster says, nothing else: every line comes from an object, a metric or an event that was read at that moment.

mod apps;
mod chapters;
mod install;
mod real;
mod story;
mod voice;

use std::path::PathBuf;
use std::time::Instant;

use anyhow::Result;

use crate::cluster::{Cluster, Options};

/// What a person can choose.
#[derive(Debug, Clone, Default)]
pub struct Choices {
    /// Manifests to apply instead of the shop: a file or a folder.
    pub apps: Option<PathBuf>,
    /// Leave everything running at the end, until Ctrl-C.
    pub keep: bool,
    /// On a real node, with a shop of real containers.
    pub real_node: bool,
}

/// Runs the demo from start to end.
///
/// # Errors
/// Something did not happen that the story rests on.
pub async fn run(choices: Choices) -> Result<()> {
    if choices.real_node {
        return Box::pin(real::run(choices.keep)).await;
    }
    let began = Instant::now();
    let voice = voice::Voice::new(began);
    voice.chapter("A cluster");
    let cluster = Cluster::dedicated(Options {
        nodes: 4,
        ..Options::default()
    })
    .await?;
    let client = cluster.client().await?;
    voice.say(
        "etcd, kube-apiserver, kube-controller-manager and kube-scheduler run for real; the nodes are simulated and",
    );
    voice.say("their pods break when a hardening breaks their image.");

    voice.chapter("Applications that nobody hardened");
    let apps = apps::apply(&cluster, &client, choices.apps.as_deref(), &voice).await?;

    voice.chapter("Ironside, installed from config/");
    let installed = install::install(&cluster, &voice).await?;

    let told = chapters::tell(&cluster, &client, &apps, &installed, &voice).await;
    if told.is_err() {
        voice.warn(&format!("the operator's log: {}", installed.log().display()));
    }
    told?;
    voice.chapter("Your turn");
    chapters::what_next(&cluster, &apps, &voice, choices.keep)?;
    voice.say(&format!("The demo took {:.0} s.", began.elapsed().as_secs_f64()));
    if choices.keep {
        voice.say("Everything stays up. Ctrl-C ends it.");
        tokio::signal::ctrl_c().await?;
    }
    installed.stop().await?;
    cluster.stop().await
}
