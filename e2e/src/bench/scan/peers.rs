//! Other scanners of manifests, on the same files in the same run, if they are on PATH: none of them is needed, and none is fetched.

use std::path::Path;

use super::super::statistics::millis;
use super::super::subject::mebibytes;
use super::super::table::Row;
use super::process::{self, Cost};

/// A scanner, and how it is told to judge all manifests of a folder (`$0`) and write JSON.
struct Peer {
    program: &'static str,
    command: &'static str,
}

const PEERS: [Peer; 2] = [
    Peer {
        program: "checkov",
        command: "exec checkov --framework kubernetes --compact --quiet -o json -d \"$0\"",
    },
    Peer {
        program: "kube-score",
        command: "exec kube-score score --output-format json $(find \"$0\" -name '*.y*ml')",
    },
];

/// A row for each that is there, measured once on one core: they take seconds to minutes.
pub(super) fn rows(manifests: &Path, documents: &str, own: Cost) -> Vec<Row> {
    let installed = PEERS.iter().filter(|peer| is_on_path(peer.program));
    installed.map(|peer| row(peer, manifests, documents, own)).collect()
}

fn row(peer: &Peer, manifests: &Path, documents: &str, own: Cost) -> Row {
    let name = format!("scan: {documents} documents by {}, one core", peer.program);
    match process::cost(Path::new("/bin/sh"), &["-c", peer.command], manifests, 1) {
        Ok(cost) => Row::new(
            name,
            format!("{} processor, {} peak", millis(cost.processor), mebibytes(cost.peak)),
            "",
            format!(
                "{} in all: {:.1} x the processor time of Ironside",
                millis(cost.wall),
                cost.processor.as_secs_f64() / own.processor.as_secs_f64()
            ),
        ),
        // That a peer cannot read the files is a result too.
        Err(error) => {
            let said = format!("{error:#}");
            let line = said.lines().next_back().unwrap_or_default();
            Row::new(
                name,
                "failed".to_owned(),
                "",
                line.chars().take(160).collect::<String>(),
            )
        }
    }
}

fn is_on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}
