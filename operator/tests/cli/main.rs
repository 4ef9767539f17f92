//! The command line as a process: what it prints, what it refuses, how it exits.

#![allow(clippy::unwrap_used)] // a test

mod bad_input;
mod can;
mod diff;
mod fix;
mod open_reports;
mod oscal;
mod threats;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

fn ironside(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_ironside"))
        .args(arguments)
        .env_remove("KUBECONFIG")
        .env("HOME", "/nonexistent")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    match child.stdin.take().unwrap().write_all(input.as_bytes()) {
        // A program that refuses its arguments reads nothing.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {}
        written => written.unwrap(),
    }
    child.wait_with_output().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

const BAD_POD: &str = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  containers:\n  - name: c\n    image: x\n    securityContext: {privileged: true}\n";

const GOOD_POD: &str = "apiVersion: apps/v1
kind: Deployment
metadata: {name: p, namespace: shop}
spec:
  selector: {matchLabels: {app: p}}
  template:
    metadata: {labels: {app: p}}
    spec:
      serviceAccountName: p
      automountServiceAccountToken: false
      securityContext: {runAsGroup: 1000}
      containers:
      - name: c
        image: registry.example.com/x:1.0@sha256:3f5a0c6d1b7e4c0a9d2f8b6e5c4a3d2f1e0b9c8d7a6f5e4d3c2b1a0f9e8d7c6b
        resources:
          requests: {cpu: 50m, memory: 64Mi, ephemeral-storage: 64Mi}
          limits: {cpu: 100m, memory: 64Mi, ephemeral-storage: 64Mi}
        securityContext:
          allowPrivilegeEscalation: false
          readOnlyRootFilesystem: true
          runAsNonRoot: true
          capabilities: {drop: [ALL]}
          seccompProfile: {type: RuntimeDefault}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: p, namespace: shop}
spec:
  podSelector: {matchLabels: {app: p}}
  policyTypes: [Ingress, Egress]
";

/// Asks for one control in the namespace of [`BAD_POD`].
const POLICY: &str = "---\napiVersion: hardening.ironside.dev/v1alpha1\nkind: HardeningPolicy\nmetadata: {name: team, namespace: default}\nspec:\n  profile: {name: None, version: v1}\n  controls:\n  - {id: POD-001, mode: Audit}\n";

/// Accepts what [`BAD_POD`] fails of it.
const EXCEPTION: &str = "---\napiVersion: hardening.ironside.dev/v1alpha1\nkind: HardeningException\nmetadata: {name: e, namespace: default}\nspec:\n  controls: [POD-001]\n  targets: [{kind: Pod, name: p}]\n  effect: Accept\n  reason: needs a device until 2.0\n  expiresAt: \"2999-01-01T00:00:00Z\"\n";

/// A folder of this test, removed when it ends.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("ironside-cli-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn put(&self, name: &str, content: impl AsRef<[u8]>) -> &Self {
        std::fs::write(self.0.join(name), content).unwrap();
        self
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.0.join(name)).unwrap()
    }

    fn file(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn exit_codes_say_clean_findings_trouble() {
    assert_eq!(
        ironside(&["scan", "-"], GOOD_POD).status.code(),
        Some(0),
        "{}",
        out(&ironside(&["scan", "-"], GOOD_POD))
    );
    assert_eq!(ironside(&["scan", "-"], BAD_POD).status.code(), Some(1));
    assert_eq!(ironside(&["scan", "/nonexistent"], "").status.code(), Some(2));
    assert_eq!(ironside(&["scan"], "").status.code(), Some(2));
}

#[test]
fn the_first_screen_puts_the_worst_first_and_ends_with_what_to_do() {
    let shown = out(&ironside(&["scan", "-"], BAD_POD));
    let failures = shown.lines().filter(|line| line.starts_with("  FAIL"));
    let rank = |line: &str| ["Critical", "High", "Medium", "Low"].map(|it| line.contains(it));
    let ranks: Vec<Option<usize>> = failures.map(|line| rank(line).iter().position(|it| *it)).collect();
    assert!(ranks.len() > 5 && ranks.is_sorted(), "{shown}");
    assert!(shown.contains("ironside explain POD-001"), "{shown}");
    assert!(shown.contains("ironside fix"), "{shown}");
    assert!(!out(&ironside(&["scan", "-"], GOOD_POD)).contains("ironside fix"));
}

#[test]
fn one_bad_file_hides_nothing() {
    let folder = Folder::new("bad-files");
    folder
        .put("a.yaml", BAD_POD)
        .put("broken.yaml", "apiVersion: v1\nkind: Pod\nmetadata: {name: [q\n")
        .put("binary.yaml", b"\x7fELF\0\0")
        .put(
            "template.yaml",
            "apiVersion: v1\nkind: Pod\nmetadata: {{ .Values.x }}\n",
        )
        .put("latin1.yaml", b"apiVersion: v1\nkind: Pod\nmetadata: {name: \xe9}\n")
        .put("notes.txt", "not read");
    let output = ironside(&["scan", folder.path()], "");
    assert_eq!(output.status.code(), Some(2));
    assert!(out(&output).contains("Pod default/p"), "{}", out(&output));
    let complaints = err(&output);
    for expected in [
        "broken.yaml:",
        "binary.yaml: binary data",
        "template.yaml:",
        "a template, not a manifest",
        "latin1.yaml:3: not UTF-8",
    ] {
        assert!(complaints.contains(expected), "{expected} in:\n{complaints}");
    }
    assert!(!complaints.contains("notes.txt"));
}

#[test]
fn json_is_versioned_and_points_at_file_and_line() {
    let folder = Folder::new("json");
    folder.put("pod.yaml", format!("# a comment\n---\n{BAD_POD}"));
    let output = ironside(&["scan", folder.path(), "-o", "json"], "");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["apiVersion"], "ironside.dev/v2");
    let results = report["results"].as_array().unwrap();
    let privileged = results.iter().find(|result| result["control"] == "POD-001").unwrap();
    assert_eq!(privileged["result"], "Fail");
    assert!(Path::new(privileged["source"]["file"].as_str().unwrap()).ends_with("pod.yaml"));
    assert_eq!(privileged["source"]["line"], 3);
    assert_eq!(
        privileged["evidence"][0]["pointer"],
        "/spec/containers/0/securityContext/privileged"
    );
    assert_eq!(
        report["summary"]["failed"],
        results.iter().filter(|result| result["result"] == "Fail").count()
    );
}

#[test]
fn json_names_what_passes_once_an_object_and_writes_it_out_with_all() {
    let scan = |all: &[&str]| -> serde_json::Value {
        let output = ironside(&[&["scan", "-", "-o", "json"], all].concat(), BAD_POD);
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let (short, long) = (scan(&[]), scan(&["--all"]));
    for same in ["summary", "objects", "controls", "problems"] {
        assert_eq!(short[same], long[same], "{same}");
    }
    let of = |report: &serde_json::Value, result: &str| -> Vec<String> {
        let results = report["results"].as_array().unwrap().iter();
        let of_it = results.filter(|it| it["result"] == result);
        of_it.map(|it| it["control"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(of(&short, "Fail"), of(&long, "Fail"));
    for (result, named) in [("Pass", "passed"), ("NotApplicable", "notApplicable")] {
        assert!(of(&short, result).is_empty(), "{result}");
        assert!(!of(&long, result).is_empty(), "{result}");
        assert_eq!(
            short["objects"][0][named],
            serde_json::json!(of(&long, result)),
            "{result}"
        );
    }
}

#[test]
fn a_policy_and_an_exception_among_the_files_count() {
    let with_policy = ironside(&["scan", "-"], &format!("{BAD_POD}{POLICY}"));
    assert_eq!(with_policy.status.code(), Some(1), "{}", err(&with_policy));
    assert!(
        out(&with_policy).contains("1 failed (1 critical)"),
        "{}",
        out(&with_policy)
    );
    let excepted = ironside(&["scan", "-"], &format!("{BAD_POD}{POLICY}{EXCEPTION}"));
    assert_eq!(excepted.status.code(), Some(0), "{}{}", out(&excepted), err(&excepted));
    assert!(out(&excepted).contains("1 excepted"), "{}", out(&excepted));
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_ironside"))
        .args(["scan", "-", "-o", "json", "--all"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    child.stdin.take().unwrap().write_all(BAD_POD.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(err(&output), "");
}

#[test]
fn without_a_cluster_the_message_says_what_to_set() {
    let output = ironside(&["plan"], "");
    assert_eq!(output.status.code(), Some(2));
    assert!(err(&output).contains("KUBECONFIG"), "{}", err(&output));
}

#[test]
fn an_unknown_control_is_refused_with_where_to_look() {
    let output = ironside(&["explain", "POD-999"], "");
    assert_eq!(output.status.code(), Some(2));
    assert!(err(&output).contains("ironside controls"), "{}", err(&output));
}

#[test]
fn what_a_component_reads_from_a_file_is_unknown_and_never_passes() {
    let text = "apiVersion: v1\nkind: Pod\nmetadata: {name: kube-apiserver, namespace: kube-system}\nspec:\n  containers:\n  - name: kube-apiserver\n    \
                command: [kube-apiserver, --authorization-config=/etc/kubernetes/authz.yaml]\n";
    let output = ironside(&["scan", "-", "--all"], text);
    let shown = out(&output);
    let line = shown.lines().find(|line| line.contains("API-002")).unwrap();
    assert!(line.trim_start().starts_with("unknown"), "{shown}");
    assert!(
        shown.contains("ConfigurationFile: the authorizers may be set in the file that --authorization-config"),
        "{shown}"
    );
}

#[test]
fn what_is_in_no_namespace_is_judged_too() {
    let role = "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: all}\n\
                rules:\n- {apiGroups: ['*'], resources: ['*'], verbs: ['*']}\n";
    let output = ironside(&["scan", "-"], role);
    assert!(out(&output).contains("RBAC-002"), "{}", out(&output));
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn documents_that_configure_a_component_are_told_apart_by_their_place() {
    let text = "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\nreadOnlyPort: 10255\n---\n\
                apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\nreadOnlyPort: 0\n";
    let output = ironside(&["scan", "-", "-o", "json", "--all"], text);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let results = report["results"].as_array().unwrap();
    let of_port: Vec<(&str, &str)> = results
        .iter()
        .filter(|result| result["control"] == "KUBELET-003")
        .map(|result| {
            (
                result["object"]["name"].as_str().unwrap(),
                result["result"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(of_port, [("-:1", "Fail"), ("-:5", "Pass")], "{}", err(&output));
    assert!(
        results.iter().all(|result| result["component"] == "Kubelet"),
        "{report:#}"
    );
}
