//! How simulated pods behave: kwok Stages that decide from a pod's own spec whether hardening breaks it.
//!
//! Pod-template annotations `sim.ironside.dev/...` say what the image needs, the pod's security context decides:
//!
//! | annotation | breaks when (container over pod) | how |
//! |---|---|---|
//! | `image-user: root`, `0` or a name | runAsNonRoot without a numeric runAsUser | CreateContainerConfigError |
//! | `writes-rootfs: "true"` | readOnlyRootFilesystem | exits 1, CrashLoopBackOff |
//! | `needs-caps: NET_RAW,..` | dropped and not added back | exits 1 |
//! | `needs-syscalls: "true"` | any seccomp profile but Unconfined | exits 159, as where a profile kills (that of the runtime answers with an error) |
//! | `needs-memory: 256Mi` | a lower memory limit | OOMKilled |
//! | `never-ready: "true"` | always | runs, and no readiness probe ever passes |
//! | `never-ready: broken` | (modifier) | what would exit hangs instead: runs, not ready |
//! | `fail-after: 20s` | (modifier) | is Ready first and fails that long after |
//! | `container: side` | (modifier) | only that container breaks |
//! | `ready-after`, `terminate-after`, `run-for`, `backoff` | (modifiers) | durations of start, end, a Job's run; back-off unit |
//!
//! The stage files hold tokens that are replaced here: `@LIB@` (the jq library on one line), `@IPS@` and `@EVENT(..)@`
//! (blocks, indented like the token), and the parameters of stages that exist in several variants.

const CONFIGURATION: &str = include_str!("stages/configuration.yaml");
const VERDICTS: &str = include_str!("stages/verdicts.jq");
const POD_IPS: &str = include_str!("stages/pod-ips.tmpl");
const EVENT: &str = include_str!("stages/event.tmpl");

const POD_START: &str = include_str!("stages/pod-start.yaml");
const CRASH: &str = include_str!("stages/crash.yaml");
const OTHERS: [&str; 8] = [
    include_str!("stages/config-error.yaml"),
    include_str!("stages/hang.yaml"),
    include_str!("stages/restart.yaml"),
    include_str!("stages/become-ready.yaml"),
    include_str!("stages/pod-complete.yaml"),
    include_str!("stages/pod-delete.yaml"),
    include_str!("stages/resize.yaml"),
    include_str!("stages/pvc-provision.yaml"),
];

/// Verdict, exit code and reason of each way to crash. 159 is 128 + SIGSYS, 137 is 128 + SIGKILL.
const CRASHES: [(&str, &str, &str); 4] = [
    ("rofs", "1", "Error"),
    ("caps", "1", "Error"),
    ("seccomp", "159", "Error"),
    ("oom", "137", "OOMKilled"),
];

const READY: &str = r#"status: "True""#;
const UNREADY: &str = r#"status: "False", reason: ContainersNotReady, message: {{ printf "containers with unready status: [%s]" ( index $root.spec.containers 0 ).name | Quote }}"#;

/// Lines of the start stage that only its unready variant has.
const UNREADY_ONLY: &str = " #U";

/// kwok's whole configuration: its settings, the given stages for nodes, and those for pods.
pub fn document(node_stages: &[String]) -> String {
    let mut parts = vec![CONFIGURATION.to_owned()];
    parts.extend(node_stages.iter().cloned());
    parts.extend(pod_stages().iter().map(|stage| expand(stage)));
    parts
        .iter()
        .map(|part| part.trim_end())
        .collect::<Vec<_>>()
        .join("\n---\n")
        + "\n"
}

fn pod_stages() -> Vec<String> {
    // When a stage of weight above 0 matches, those of weight 0 never fire: the failing variant always wins.
    let mut stages = vec![
        start("pod-ready", "true", "0", READY, |line| {
            (!line.ends_with(UNREADY_ONLY)).then_some(line)
        }),
        start("sim-start-unready", "false", "100", UNREADY, |line| {
            Some(line.trim_end_matches(UNREADY_ONLY))
        }),
    ];
    stages.extend(OTHERS.map(str::to_owned));
    stages.extend(CRASHES.map(|(verdict, code, reason)| {
        CRASH
            .replace("@V@", verdict)
            .replace("@CODE@", code)
            .replace("@REASON@", reason)
    }));
    stages
}

fn start(name: &str, ready: &str, weight: &str, condition: &str, keep: impl Fn(&str) -> Option<&str>) -> String {
    let lines: Vec<&str> = POD_START.lines().filter_map(keep).collect();
    let text = lines.join("\n");
    text.replace("@NAME@", name)
        .replace("@READY@", ready)
        .replace("@WEIGHT@", weight)
        .replace("@COND@", condition)
}

fn expand(stage: &str) -> String {
    let library = VERDICTS.lines().collect::<Vec<_>>().join(" ");
    let mut lines = Vec::new();
    for line in stage.lines() {
        let token = line.trim_start();
        let indent = &line[..line.len() - token.len()];
        if token == "@IPS@" {
            lines.extend(POD_IPS.lines().map(|block| format!("{indent}{block}")));
        } else if let Some((reason, message)) = event(token) {
            let block = EVENT.replace("@R@", reason).replace("@M@", message);
            lines.extend(block.lines().map(|block| format!("{indent}{block}")));
        } else {
            lines.push(line.replace("@LIB@", &library));
        }
    }
    lines.join("\n")
}

/// `@EVENT(reason,message)@`, where the message is a template expression and may hold anything.
fn event(token: &str) -> Option<(&str, &str)> {
    token.strip_prefix("@EVENT(")?.strip_suffix(")@")?.split_once(',')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_token_is_replaced_and_every_stage_is_there_once() {
        let text = document(&[]);
        for line in text.lines() {
            assert!(
                !line.contains("@LIB@") && !line.contains("@IPS@") && !line.contains("@EVENT("),
                "{line}"
            );
            assert!(!line.ends_with(UNREADY_ONLY), "{line}");
        }
        let names: Vec<&str> = text
            .lines()
            .filter(|line| line.starts_with("metadata: {name: "))
            .collect();
        let mut distinct = names.clone();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(names.len(), 14, "{names:?}");
        assert_eq!(distinct.len(), names.len(), "{names:?}");
    }

    #[test]
    fn the_library_fits_a_single_quoted_scalar() {
        // It is put between single quotes in YAML.
        assert!(!VERDICTS.contains('\''));
    }

    #[test]
    fn documents_are_yaml() {
        for part in document(&[]).split("\n---\n") {
            let parsed: serde_json::Value = serde_saphyr::from_str(part).unwrap();
            assert!(parsed["kind"].is_string(), "{part}");
        }
    }
}
