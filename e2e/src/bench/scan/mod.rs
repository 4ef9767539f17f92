//! What `ironside scan` costs on files: processor time, memory, documents a second, how the cost grows, what a start costs.
//!
//! Needs no cluster. Each run is a process of its own, on one core; the least of several runs counts, because a neighbour can only slow one down.

mod manifests;
mod peers;
mod process;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};

pub use manifests::write as write_manifests;
pub use process::run_measured;

use self::manifests::Written;
use self::process::Cost;
use super::statistics::{millis, thousands};
use super::subject::mebibytes;
use super::table::{Part, Row};
use crate::binaries::workspace_program;
use crate::progress::say;

/// Seed of the manifests: figures of two runs are of the same files.
const SEED: u64 = 20_261_128;

/// Files of each size. The goals are of 2,000.
const SIZES: [usize; 4] = [100, 500, 2_000, 10_000];
const QUICK: [usize; 3] = [10, 100, 500];
/// The size that the goals are of.
const GOAL_AT: usize = 2_000;

/// The size that other scanners are measured at: they take minutes for more.
const PEERS_AT: usize = 500;

/// Runs of each size.
const RUNS: usize = 5;
/// Runs of a start.
const STARTS: usize = 20;

/// Measures all sizes.
///
/// # Errors
/// The manifests cannot be written, or a run failed.
pub(super) fn measure(quick: bool) -> Result<Part> {
    let program = workspace_program("ironside")?;
    let folder = Folder::new()?;
    let sizes: &[usize] = if quick { &QUICK } else { &SIZES };
    let mut rows = vec![start(&program, &folder)?];
    let mut points: Vec<(usize, Duration)> = Vec::new();
    for &files in sizes {
        say(&format!("measuring: scan of {files} files"));
        let manifests = folder.path.join(files.to_string());
        let written = manifests::write(&manifests, files, SEED)?;
        let scan = |cores| {
            least(RUNS, || {
                process::cost(&program, &["scan", "-o", "json"], &manifests, cores)
            })
        };
        let (one, two) = (scan(1)?, scan(2)?);
        rows.push(row(files, written, one, two));
        points.push((written.documents, one.processor));
        if files == *sizes.last().unwrap_or(&0).min(&PEERS_AT) {
            rows.extend(peers::rows(&manifests, &thousands(written.documents), one));
        }
        std::fs::remove_dir_all(&manifests).context("remove the manifests")?;
    }
    rows.push(Row::new(
        "scan: how its processor time grows with the number of documents",
        format!("n^{:.3}", slope(&points)),
        "<= n^1.05",
        points
            .iter()
            .map(|(documents, time)| format!("{} {}", thousands(*documents), millis(*time)))
            .collect::<Vec<_>>()
            .join(", "),
    ));
    Ok(Part {
        rows,
        note: "Scans of files: generated from a seed, four documents a file, `ironside scan -o json` into nowhere, files in the page cache, all controls of profile \
               NsaCisa; the least of 5 runs (of 20 starts). One core: the process is kept on one. Peak memory: as the kernel counts it for the process. \
               Other scanners that are on PATH (checkov, kube-score) are measured once on the same files.",
    })
}

fn row(files: usize, written: Written, one: Cost, two: Cost) -> Row {
    let goal = if files == GOAL_AT {
        "<= 0.35 s, <= 40 MiB, >= 1.8 x"
    } else {
        ""
    };
    let rate = f64::from(u32::try_from(written.documents).unwrap_or(u32::MAX)) / one.wall.as_secs_f64();
    Row::new(
        format!(
            "scan: {} documents, {}, to JSON, one core",
            thousands(written.documents),
            mebibytes(written.bytes as u64)
        ),
        format!("{} processor, {} peak", millis(one.processor), mebibytes(one.peak)),
        goal,
        format!(
            "{} in all, {rate:.0} documents/s; two cores {}, {:.2} x",
            millis(one.wall),
            millis(two.wall),
            one.wall.as_secs_f64() / two.wall.as_secs_f64()
        ),
    )
}

/// One small file: what is paid before anything is read.
fn start(program: &Path, folder: &Folder) -> Result<Row> {
    let manifests = folder.path.join("one");
    manifests::write(&manifests, 1, SEED)?;
    let scan = least(STARTS, || {
        process::cost(program, &["scan", "-o", "json"], &manifests, 1)
    })?;
    let nothing = least(STARTS, || process::cost(Path::new("/bin/true"), &[], &manifests, 1))?;
    Ok(Row::new(
        "scan: one file of 4 documents, from start to end",
        format!("{}, {} peak", millis(scan.wall), mebibytes(scan.peak)),
        "<= 15 ms, then 5 ms",
        format!("a program that does nothing {}", millis(nothing.wall)),
    ))
}

fn least(runs: usize, run: impl Fn() -> Result<Cost>) -> Result<Cost> {
    let mut least = run()?;
    for _ in 1..runs {
        least = least.least(run()?);
    }
    Ok(least)
}

/// The exponent of the power that fits best: least squares on logarithms.
fn slope(points: &[(usize, Duration)]) -> f64 {
    let logarithms: Vec<(f64, f64)> = points
        .iter()
        .map(|(documents, time)| {
            (
                f64::from(u32::try_from(*documents).unwrap_or(u32::MAX)).ln(),
                time.as_secs_f64().ln(),
            )
        })
        .collect();
    let number = f64::from(u32::try_from(logarithms.len()).unwrap_or(u32::MAX));
    let mean = |of: fn(&(f64, f64)) -> f64| logarithms.iter().map(of).sum::<f64>() / number;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let together: f64 = logarithms.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
    let alone: f64 = logarithms.iter().map(|point| (point.0 - x).powi(2)).sum();
    together / alone
}

/// A folder of its own that goes when the bench does.
struct Folder {
    path: PathBuf,
}

impl Folder {
    fn new() -> Result<Self> {
        let path = std::env::temp_dir().join(format!("ironside-bench-{}", std::process::id()));
        std::fs::create_dir(&path).with_context(|| format!("make {}", path.display()))?;
        Ok(Self { path })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left lies in the folder for temporary files.
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slope_is_the_exponent() {
        let of = |power: i32| {
            [1u32, 10, 100].map(|n| {
                (
                    n as usize,
                    Duration::from_micros(u64::from(n.pow(power.unsigned_abs()))),
                )
            })
        };
        assert!((slope(&of(1)) - 1.0).abs() < 1e-6);
        assert!((slope(&of(2)) - 2.0).abs() < 1e-6);
    }
}
