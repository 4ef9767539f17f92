//! The process itself, under the names that Prometheus' own client libraries use. From `/proc`; where there is none, there are no series.

use std::fs;

use super::family::{Definition, Family, sample};

/// Resident memory.
pub const RESIDENT: Definition = Definition {
    name: "process_resident_memory_bytes",
    help: "Resident memory of the process.",
    labels: &[],
};

/// CPU time.
pub const CPU: Definition = Definition {
    name: "process_cpu_seconds_total",
    help: "User and system CPU time of the process.",
    labels: &[],
};

/// Open files and sockets.
pub const FILES: Definition = Definition {
    name: "process_open_fds",
    help: "Open files and sockets of the process.",
    labels: &[],
};

/// Clock ticks per second in `/proc/self/stat`: 100 on every Linux that runs Kubernetes (proc(5), `USER_HZ`).
const TICKS: f64 = 100.0;

/// Present values.
pub fn families() -> impl Iterator<Item = Family> {
    let resident = fs::read_to_string("/proc/self/status")
        .ok()
        .and_then(|status| resident(&status));
    let cpu = fs::read_to_string("/proc/self/stat")
        .ok()
        .and_then(|stat| cpu_seconds(&stat));
    let files = fs::read_dir("/proc/self/fd").ok().map(Iterator::count);
    [
        resident.map(|bytes| Family::single(&RESIDENT, sample(bytes))),
        cpu.map(|seconds| Family::single(&CPU, seconds)),
        files.map(|count| Family::single(&FILES, sample(count as u64))),
    ]
    .into_iter()
    .flatten()
}

fn resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kibibytes * 1024)
}

/// Fields 14 and 15, counted after the program's name, which may hold anything.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let user: u32 = fields.next()?.parse().ok()?;
    let system: u32 = fields.next()?.parse().ok()?;
    Some((f64::from(user) + f64::from(system)) / TICKS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proc_is_read() {
        assert_eq!(resident("Name:\tx\nVmRSS:\t    2048 kB\n"), Some(2 * 1024 * 1024));
        let stat = "7 (a) b) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0";
        assert_eq!(cpu_seconds(stat), Some(2.0));
        assert_eq!(families().count(), 3, "this machine has /proc");
    }
}
