//! etcd, kube-scheduler and kube-controller-manager by what they really run with: each flag wrong and right. What a kubelet would publish of them as mirror pods
//! is read off the processes.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use ironside_e2e::Scenario;
use ironside_e2e::cluster::{Component, Options};
use ironside_e2e::scenario::scenario_with;
use serde_json::json;

use super::{is_said, row, scan};

/// Flags of a component, and the verdicts that follow.
type Turn = (
    &'static [&'static str],
    &'static [(&'static str, &'static str, &'static str)],
);

const SCHEDULER: [Turn; 2] = [
    (&["--profiling=true"], &[("SCHED-001", "Fail", "")]),
    (&["--profiling=false"], &[("SCHED-001", "Pass", "")]),
];

const CONTROLLERS: [Turn; 2] = [
    (
        &["--profiling=true", "--use-service-account-credentials=false"],
        &[("KCM-001", "Fail", ""), ("KCM-002", "Fail", "")],
    ),
    (
        &[
            "--profiling=false",
            "--use-service-account-credentials=true",
            "--terminated-pod-gc-threshold=100",
        ],
        &[("KCM-001", "Pass", ""), ("KCM-002", "Pass", "")],
    ),
];

#[tokio::test]
async fn each_flag_of_what_runs_beside_the_api_server_turns_its_verdict() -> Result<()> {
    let options = Options {
        nodes: 0,
        ..Options::default()
    };
    scenario_with(options, async |test| {
        let unknown = ["ETCD-001", "SCHED-001", "KCM-001"].map(|control| (control, "Unknown", "NotObservable"));
        is_said(test, None, &unknown).await?;
        for (component, turns) in [
            (Component::Scheduler, &SCHEDULER),
            (Component::ControllerManager, &CONTROLLERS),
        ] {
            for (flags, verdicts) in turns {
                turn(test, component, flags, verdicts).await?;
            }
        }
        etcd(test).await?;
        let seen: serde_json::Value = serde_json::from_str(&scan(test, None, "json").await?)?;
        for component in ["Etcd", "KubeScheduler", "KubeControllerManager"] {
            let row = row(&seen, component)?;
            ensure!(row["coveragePercent"] == 100, "{row}");
        }
        whom_etcd_trusts(test).await
    })
    .await
}

/// ETCD-004 compares two processes: which CA etcd asks of its clients, and which one the API server asks of its own.
async fn whom_etcd_trusts(test: &Scenario<'_>) -> Result<()> {
    let description = test.cluster.description()?;
    let file = |name: &str| description.authority.with_file_name(name).display().to_string();
    let authority = description.authority.display();
    let verified = [
        format!("--etcd-cafile={authority}"),
        format!("--etcd-certfile={}", file("kubelet-client.crt")),
        format!("--etcd-keyfile={}", file("kubelet-client.key")),
    ];
    let verified: Vec<&str> = verified.iter().map(String::as_str).collect();
    let own = rcgen::generate_simple_self_signed(["etcd-ca".to_owned()])?;
    std::fs::write(file("etcd-ca.crt"), own.cert.pem())?;
    let own = format!("--trusted-ca-file={}", file("etcd-ca.crt"));
    // etcd trusts every client of the cluster, and the API server anybody who answers; then each alone; then neither.
    show(test, Component::ApiServer).await?;
    is_said(test, None, &[("ETCD-004", "Fail", "")]).await?;
    turn(test, Component::Etcd, &[&own], &[("ETCD-004", "Fail", "")]).await?;
    turn(test, Component::ApiServer, &verified, &[("ETCD-004", "Pass", "")]).await?;
    let shared = format!("--trusted-ca-file={authority}");
    turn(test, Component::Etcd, &[&shared], &[("ETCD-004", "Fail", "")]).await
}

/// etcd serves the API server without TLS on a loopback address; beside that anything can be asked of it.
async fn etcd(test: &Scenario<'_>) -> Result<()> {
    let description = test.cluster.description()?;
    let own = &description.addresses[&Component::Etcd];
    let own = format!("http://{}", own.trim_start_matches("http://"));
    let wrong = format!("--listen-client-urls={own},http://0.0.0.0:0");
    turn(
        test,
        Component::Etcd,
        &[&wrong, "--auto-tls=true", "--peer-auto-tls=true"],
        &[
            ("ETCD-001", "Fail", ""),
            ("ETCD-002", "Fail", ""),
            ("ETCD-003", "Fail", ""),
            ("ETCD-005", "Fail", ""),
        ],
    )
    .await?;
    let file = |name: &str| description.authority.with_file_name(name).display().to_string();
    let (certificate, key) = (file("serving.crt"), file("serving.key"));
    let authority = description.authority.display();
    let right = [
        format!("--listen-client-urls={own}"),
        "--auto-tls=false".to_owned(),
        "--peer-auto-tls=false".to_owned(),
        format!("--cert-file={certificate}"),
        format!("--key-file={key}"),
        "--client-cert-auth=true".to_owned(),
        format!("--trusted-ca-file={authority}"),
        format!("--peer-cert-file={certificate}"),
        format!("--peer-key-file={key}"),
        "--peer-client-cert-auth=true".to_owned(),
        format!("--peer-trusted-ca-file={authority}"),
    ];
    let right: Vec<&str> = right.iter().map(String::as_str).collect();
    let passes = ["ETCD-001", "ETCD-002", "ETCD-003", "ETCD-005"].map(|control| (control, "Pass", ""));
    turn(test, Component::Etcd, &right, &passes).await
}

/// Restarts a component with these flags, shows what it runs with then, and expects these verdicts.
async fn turn(
    test: &Scenario<'_>,
    component: Component,
    flags: &[&str],
    verdicts: &[(&str, &str, &str)],
) -> Result<()> {
    test.cluster.restart_with(component, flags).await?;
    show(test, component).await?;
    is_said(test, None, verdicts)
        .await
        .map(drop)
        .with_context(|| format!("{component} with {flags:?}"))
}

/// Publishes the command line of a component's process as a pod in kube-system.
async fn show(test: &Scenario<'_>, component: Component) -> Result<()> {
    let command = command_line(&component.to_string(), &test.cluster.description()?.folder)?;
    let name = format!("{component}-node-1");
    let kubectl = test.cluster.kubectl()?;
    let gone = [
        "delete",
        "pod",
        &name,
        "-n",
        "kube-system",
        "--ignore-not-found",
        "--force",
        "--grace-period=0",
    ];
    kubectl.run(&gone).await?;
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "kube-system"},
        // Nobody runs it.
        "spec": {"schedulerName": "nobody", "automountServiceAccountToken": false,
            "containers": [{"name": component.to_string(), "image": "registry.example.com/component:1", "command": command}]},
    });
    kubectl.apply(&pod.to_string()).await.map(drop)
}

/// The command line of the process of this program that belongs to the control plane in this folder.
fn command_line(program: &str, folder: &Path) -> Result<Vec<String>> {
    let folder = folder.display().to_string();
    for process in std::fs::read_dir("/proc")? {
        let path = process?.path().join("cmdline");
        // Processes end while they are looked at.
        let Ok(text) = std::fs::read_to_string(&path) else {
            continue;
        };
        let command: Vec<String> = text.split_terminator('\0').map(str::to_owned).collect();
        let is_program = command.first().is_some_and(|first| Path::new(first).ends_with(program));
        if is_program && command.iter().any(|argument| argument.contains(&folder)) {
            return Ok(command);
        }
    }
    anyhow::bail!("no process of {program} runs in {folder}")
}
