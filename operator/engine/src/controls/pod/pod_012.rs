//! POD-012 Writable root filesystem

use std::fmt::Write as _;

use ironside_crds::Duration;
use jiff::SignedDuration;
use sha2::{Digest, Sha256};

use crate::controls::catalogue::{cis, kubescape, mitre, nsa, trivy};
use crate::controls::written::Written;
use crate::controls::{
    Check, ContainerScope, Control, ControlId, Docs, Judgement, Parameter, Repair, RepairBy, Risk, Severity,
    TemplateEdit, Threat, WorkloadScope,
};
use crate::plan::Held;

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("POD-012"),
    title: "Writable root filesystem",
    severity: Severity::Medium,
    threats: &[Threat::MaliciousActor, Threat::SupplyChain],
    frameworks: &[
        nsa(&["P-04", "P-13"]),
        cis(&["5.6.3"]),
        kubescape(&["C-0017"]),
        trivy(&["KSV-0014"]),
        mitre(&["T1036.005", "T1070"]),
    ],
    docs: Docs {
        why: "In a writable root filesystem an intruder can drop tools, replace programs of the image and remove traces.",
        reads: "`securityContext.readOnlyRootFilesystem` of containers, init containers and ephemeral containers.",
        allowed: "`true`. Not applicable to Windows pods.",
        repair: "Sets `true` on declared containers and mounts an empty volume of their own at each path of the parameter `writablePaths` that no mount covers yet. Medium; where kubelets are asked (config/overlays/evidence), High for a container that writes over its image, and Low for one that does not: in every pod, for as long as `quietFor` says, over more than one start.",
        breaks: "Programs that write to another path, perhaps only weekly or while they stop, get the error EROFS. What the image has at a mounted path is hidden.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Immutable container file systems",
            "CIS Kubernetes Benchmark 1.12, 5.6.3",
            "Kubernetes documentation, Configure a Security Context for a Pod or Container",
        ],
    },
    parameters: &[
        Parameter {
            name: WRITABLE_PATHS,
            help: "Directories that stay writable: absolute paths.",
            default: DEFAULT_PATHS,
            accepts: accepts_path,
        },
        Parameter {
            name: QUIET_FOR,
            help: "How long every container must have run without writing over its image before the repair is of low risk.",
            default: DEFAULT_QUIET,
            accepts: |value| quiet_for(value).map(drop),
        },
    ],
    check: Check::EachContainer(check),
    repair: Some(Repair {
        risk: Risk::Low,
        by: RepairBy::EachContainer(repair),
    }),
    writes: &[
        "containers[].securityContext.readOnlyRootFilesystem",
        "containers[].volumeMounts[]",
        "volumes[]",
    ],
    ..Control::WORKLOAD
};

const QUIET_FOR: &str = "quietFor";
/// A task that writes once a week shows in a week.
const DEFAULT_QUIET: &[&str] = &["168h"];

const WRITABLE_PATHS: &str = "writablePaths";
const DEFAULT_PATHS: &[&str] = &["/tmp"];

/// Directories that hold programs, libraries, settings or the kernel's own trees: an empty volume there hides what the image needs.
const NEVER_EMPTY: [&str; 14] = [
    "/", "/bin", "/boot", "/dev", "/etc", "/lib", "/lib64", "/proc", "/root", "/sbin", "/sys", "/usr", "/usr/bin",
    "/var",
];

fn check(at: &ContainerScope<'_>, judgement: &mut Judgement) {
    if at.pod.spec().is_windows() {
        return judgement.not_applicable("Windows containers cannot have a read-only root filesystem");
    }
    let observed = at.container.security().read_only_root_filesystem;
    judgement.expect("securityContext.readOnlyRootFilesystem", observed, true);
}

#[allow(clippy::unnecessary_wraps)] // the signature is that of all repairs
fn repair(at: &ContainerScope<'_>, workload: &WorkloadScope<'_>, edit: &mut TemplateEdit<'_>) -> Result<(), Held> {
    let paths = workload.parameters.values(WRITABLE_PATHS, DEFAULT_PATHS);
    let name = &at.container.name;
    if let Some((risk, reason)) = risk(name, &paths, Written::of(at, workload, longest_quiet(workload))) {
        edit.raise(risk, reason);
    }
    edit.set(at, "securityContext.readOnlyRootFilesystem", true);
    let mut uncovered: Vec<&str> = paths.into_iter().filter(|path| !is_covered(at, path)).collect();
    uncovered.sort_unstable();
    uncovered.dedup();
    for path in uncovered {
        edit.mount_empty_dir(at, &volume_name(at, path), path);
    }
    Ok(())
}

fn risk(name: &str, paths: &[&str], written: Written) -> Option<(Risk, String)> {
    let paths = paths.join(", ");
    let fails = format!("container {name} gets an error where it writes outside its volumes and {paths}");
    Some(match written {
        Written::Nothing => return None,
        Written::Unasked => (Risk::Medium, fails),
        Written::Unknown(why) => (Risk::Medium, format!("{fails}; whether it does is not known: {why}")),
        Written::Perhaps(why) => (Risk::Medium, format!("{fails}; nothing shows that it does, but {why}")),
        // Soon it is known; until then what is not known must not be taken for what was not seen.
        Written::NotYet => (
            Risk::High,
            format!("{fails}; its node has not been asked yet whether it does"),
        ),
        Written::Seen(pod) => (
            Risk::High,
            format!(
                "container {name} writes over its image (pod {pod}), and gets an error where that is outside {paths}"
            ),
        ),
    })
}

/// The longest that a policy asks for.
fn longest_quiet(workload: &WorkloadScope<'_>) -> SignedDuration {
    let asked = workload.parameters.values(QUIET_FOR, DEFAULT_QUIET);
    let longest = asked.into_iter().filter_map(|value| quiet_for(value).ok()).max();
    longest.unwrap_or(SignedDuration::MAX)
}

fn quiet_for(value: &str) -> Result<SignedDuration, String> {
    let duration: Duration = value
        .parse()
        .map_err(|_| format!("`{value}` is no duration; write one such as 168h"))?;
    Ok(duration.into())
}

/// Whether the path lies at or below something that is mounted already, writable or not: that mount says what may be written there.
fn is_covered(at: &ContainerScope<'_>, path: &str) -> bool {
    at.container.volume_mounts.iter().any(|mount| {
        let mounted = mount.mount_path.trim_end_matches('/');
        path == mounted || path.strip_prefix(mounted).is_some_and(|below| below.starts_with('/'))
    })
}

/// A name for the volume of this container and path: the prefix that the admission fence lets us add, the path for people, and a hash that keeps it apart from
/// the volumes that are there.
fn volume_name(at: &ContainerScope<'_>, path: &str) -> String {
    let digest = Sha256::digest(format!("{}:{path}", at.container.name).as_bytes());
    let hash = digest.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    });
    let mut words: String = path
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_lowercase()
            } else {
                '-'
            }
        })
        .collect();
    words.truncate(28);
    let words = words.trim_matches('-');
    let taken = |name: &str| at.pod.spec().volumes.iter().any(|volume| volume.name == name);
    (8..=24)
        .map(|digits| format!("ironside-{words}-{}", &hash[..digits]).replace("--", "-"))
        .find(|name| !taken(name))
        .unwrap_or_else(|| format!("ironside-{}", &hash[..48]))
}

fn accepts_path(path: &str) -> Result<(), String> {
    let clean = path.starts_with('/')
        && !path.contains(':')
        && path.len() <= 512
        && path[1..]
            .split('/')
            .all(|step| !step.is_empty() && step != "." && step != "..");
    if path != "/" && !clean {
        return Err(format!(
            "`{path}` is not a clean absolute path; write one such as /var/cache"
        ));
    }
    let kernel = ["/proc/", "/sys/", "/dev/"].iter().any(|tree| path.starts_with(tree));
    if kernel || NEVER_EMPTY.contains(&path) {
        return Err(format!(
            "an empty volume at `{path}` would hide what the image needs; write a directory below it"
        ));
    }
    Ok(())
}
