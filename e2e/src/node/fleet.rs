//! All real nodes of a control plane: they start side by side, and a wire joins their networks.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared, try_join_all};
use kube::Client;
use tokio::process::Command;

use super::namespaces::path;
use super::programs::Programs;
use super::{Daemon, Description, Node, Place, Surroundings, images, run, text};
use crate::controlplane::process::Process;

/// The images that every node imports, written once for all while the nodes start.
pub(super) type Archive = Shared<BoxFuture<'static, Result<PathBuf, Arc<anyhow::Error>>>>;

/// The running nodes, which may be none.
#[derive(Default)]
pub(crate) struct Fleet {
    nodes: Vec<Node>,
}

impl Fleet {
    /// Starts so many nodes and returns when pods run on all of them and reach each other.
    pub(crate) async fn start(count: usize, around: &Surroundings<'_>, client: &Client) -> Result<Self> {
        if count == 0 {
            return Ok(Self::default());
        }
        let places = Place::ALL
            .get(..count)
            .context("so many real nodes are not supported")?;
        let programs = tokio::task::spawn_blocking(Programs::obtain).await??;
        let archive = archive(&programs, around.folder.join("images.tar"));
        let starting = places.iter().map(async |place| {
            let started = Node::start(*place, around, &programs, archive.clone(), client).await;
            started.with_context(|| format!("start {place}"))
        });
        let nodes = try_join_all(starting).await?;
        if let [one, other] = nodes.as_slice() {
            join(&one.description, &other.description, &around.folder).await?;
        }
        Ok(Self { nodes })
    }

    /// What others need to know of them.
    pub(crate) fn describe(&self) -> Vec<Description> {
        self.nodes.iter().map(Node::describe).collect()
    }

    /// A program of a node.
    pub(crate) fn daemon(&mut self, place: Place, daemon: Daemon) -> Result<&mut Process> {
        let node = self.nodes.iter_mut().find(|node| node.description.place == place);
        node.with_context(|| format!("this control plane has no {place}"))?
            .daemon(daemon)
    }

    /// Ends a node as if its machine were gone, with everything on it.
    pub(crate) async fn lose(&mut self, place: Place) -> Result<()> {
        // Through its relay the API server finds all others.
        ensure!(place != Place::FIRST, "without {place} no node is reached");
        let at = self.nodes.iter().position(|node| node.description.place == place);
        let at = at.with_context(|| format!("this control plane has no {place}"))?;
        self.nodes.remove(at).stop().await
    }

    /// Ends everything and removes the cgroup folders.
    pub(crate) async fn stop(self) -> Result<()> {
        try_join_all(self.nodes.into_iter().map(Node::stop)).await.map(drop)
    }
}

fn archive(programs: &Programs, path: PathBuf) -> Archive {
    let (programs, file) = (programs.clone(), path.clone());
    let writing = tokio::task::spawn_blocking(move || images::write_own(&programs, &file));
    let written = async move {
        match writing.await {
            Ok(Ok(())) => Ok(path),
            Ok(Err(error)) => Err(Arc::new(error)),
            Err(error) => Err(Arc::new(error.into())),
        }
    };
    written.boxed().shared()
}

/// Lays a wire between two nodes: each finds the other and the pods of the other over it, and loses nothing else when it is cut.
async fn join(one: &Description, other: &Description, folder: &Path) -> Result<()> {
    let add = format!("link add wire0 type veth peer name wire0 netns {}\n", other.namespaces);
    plug(one, other.place, &add, folder).await?;
    plug(other, one.place, "", folder).await
}

async fn plug(own: &Description, other: Place, before: &str, folder: &Path) -> Result<()> {
    let place = own.place;
    let (from, via) = (place.address(), other.wire());
    let lines = format!(
        "{before}address add {}/30 dev wire0
link set wire0 up
route add {} via {via} src {from}
route add {} via {via} src {from}
",
        place.wire(),
        other.address(),
        other.pods(),
    );
    let file = folder.join(format!("{}-wire", place.stem()));
    std::fs::write(&file, lines).context("write the commands for a wire")?;
    // Only its network is entered: the other end is named by a process of the machine.
    let network = format!("--net=/proc/{}/ns/net", own.namespaces);
    let mut ip = Command::new("nsenter");
    ip.args([&network, "ip", "-batch", &text(&file)]);
    run(ip.env("PATH", path(None))).await
}
