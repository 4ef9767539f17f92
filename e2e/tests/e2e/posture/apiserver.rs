//! The API server by what it says of itself: each flag wrong and right, and who may not ask.

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use ironside_e2e::cluster::{Component, Options};
use ironside_e2e::scenario::scenario_with;
use ironside_e2e::{Scenario, wait};
use serde_json::{Value, json};

use super::{FLAGZ, is_said, row};

#[tokio::test]
async fn the_api_server_is_judged_by_what_it_says_of_itself() -> Result<()> {
    let options = Options {
        nodes: 0,
        workloads: false,
        apiserver_flags: vec![FLAGZ.to_owned(), "--profiling=true".to_owned()],
        ..Options::default()
    };
    scenario_with(options, async |test| {
        let everybody = [
            ("API-002", "Pass", ""),
            ("API-005", "Pass", ""),
            ("SEC-005", "Fail", ""),
            ("ETCD-001", "Unknown", "NotObservable"),
        ];
        is_said(test, None, &everybody).await?;
        is_said(test, None, &[("API-001", "Fail", ""), ("API-008", "Fail", "")]).await?;

        // Whoever may read objects and not ask the server sees nothing of it, and is told why.
        let kubectl = test.cluster.kubectl()?;
        let role = ["create", "clusterrole", "objects", "--verb=get,list", "--resource=*.*"];
        kubectl.run(&role).await?;
        let binding = [
            "create",
            "clusterrolebinding",
            "objects",
            "--clusterrole=objects",
            "--user=olga",
        ];
        kubectl.run(&binding).await?;
        let refused = is_said(
            test,
            Some("olga"),
            &[
                ("API-002", "Unknown", "PermissionDenied"),
                ("API-005", "Unknown", "PermissionDenied"),
                // A request without credentials is everybody's.
                ("API-001", "Fail", ""),
            ],
        )
        .await?;

        let encryption = format!("--encryption-provider-config={}", encryption(test)?.display());
        let health = format!("--authentication-config={}", health_only(test)?.display());
        let flags = ["--profiling=false", &encryption, &health];
        test.cluster.restart_with(Component::ApiServer, &flags).await?;
        wait::until("the flags that were changed show", async || {
            is_said(
                test,
                None,
                &[
                    ("API-008", "Pass", ""),
                    ("API-001", "Pass", ""),
                    ("SEC-005", "Pass", ""),
                ],
            )
            .await
            .map(drop)
        })
        .await?;
        // What the provider is stands in a file; what it writes is counted.
        kubectl
            .run(&[
                "create",
                "secret",
                "generic",
                "first",
                "-n",
                &test.namespace,
                "--from-literal=a=b",
            ])
            .await?;
        let seen = is_said(test, None, &[("SEC-006", "Pass", ""), ("SEC-005", "Pass", "")]).await?;
        let coverage = |scan: &Value| row(scan, "KubeApiserver").map(|row| row["coveragePercent"].as_u64());
        ensure!(coverage(&refused)? < coverage(&seen)?, "{refused} {seen}");
        Ok(())
    })
    .await
}

/// What each control asks of the API server's flags, on a server that has the flag wrong, and on the same with the flag right.
#[tokio::test]
async fn each_flag_of_the_api_server_turns_its_verdict() -> Result<()> {
    let options = Options {
        nodes: 0,
        workloads: false,
        node_restriction: false,
        apiserver_flags: vec![FLAGZ.to_owned()],
        ..Options::default()
    };
    scenario_with(options, async |test| {
        let tokens = test.folder().join("tokens.csv");
        std::fs::write(&tokens, "long-lived-token,tom,tom\n")?;
        let authority = test.cluster.description()?.authority.clone();
        // Nothing listens there: in batches that stops nobody.
        let sink = format!("--audit-webhook-config-file={}", kubeconfig_of_nobody(test)?.display());
        let encrypted = |name: &str, first: &str| encryption_by(test, name, first);
        let wrong = [
            "--authorization-mode=AlwaysAllow".to_owned(),
            "--enable-admission-plugins=AlwaysAdmit".to_owned(),
            format!("--token-auth-file={}", tokens.display()),
            "--tls-cipher-suites=TLS_RSA_WITH_AES_128_CBC_SHA,TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256".to_owned(),
            "--profiling=true".to_owned(),
            "--audit-log-maxage=1".to_owned(),
            sink.clone(),
            "--audit-webhook-batch-buffer-size=1000".to_owned(),
            format!("--encryption-provider-config={}", encrypted("wrong", "aescbc")?),
        ];
        let right = [
            "--anonymous-auth=false".to_owned(),
            "--enable-admission-plugins=NodeRestriction".to_owned(),
            "--tls-cipher-suites=TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256".to_owned(),
            format!("--kubelet-certificate-authority={}", authority.display()),
            "--profiling=false".to_owned(),
            "--service-account-extend-token-expiration=false".to_owned(),
            "--audit-log-maxage=30".to_owned(),
            "--audit-log-maxbackup=10".to_owned(),
            sink,
            format!("--encryption-provider-config={}", encrypted("right", "secretbox")?),
        ];
        let controls = [
            "API-002", "API-003", "API-004", "API-005", "API-006", "API-007", "API-008", "API-009", "AUD-001",
            "AUD-003", "SEC-006",
        ];
        for (flags, secret, result) in [(&wrong[..], "first", "Fail"), (&right[..], "second", "Pass")] {
            let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
            test.cluster.restart_with(Component::ApiServer, &flags).await?;
            let kubectl = test.cluster.kubectl()?;
            let create = [
                "create",
                "secret",
                "generic",
                secret,
                "-n",
                &test.namespace,
                "--from-literal=a=b",
            ];
            kubectl.run(&create).await?;
            let expected = controls.map(|control| (control, result, ""));
            is_said(test, None, &expected)
                .await
                .with_context(|| format!("{flags:?}"))?;
        }
        // Beside AlwaysAllow the server serves nobody without credentials, and the port has no wrong value with which it starts.
        is_said(
            test,
            None,
            &[
                ("API-001", "Pass", ""),
                ("API-010", "Pass", ""),
                ("SEC-005", "Pass", ""),
            ],
        )
        .await
        .map(drop)
    })
    .await
}

/// The way to a server that is not there.
fn kubeconfig_of_nobody(test: &Scenario<'_>) -> Result<PathBuf> {
    let file = test.folder().join("sink.kubeconfig");
    let document = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "sink",
        "clusters": [{"name": "sink", "cluster": {"server": "https://127.0.0.1:9"}}],
        "contexts": [{"name": "sink", "context": {"cluster": "sink", "user": ""}}],
    });
    std::fs::write(&file, document.to_string())?;
    Ok(file)
}

/// Lets nobody without credentials ask anything but health.
fn health_only(test: &Scenario<'_>) -> Result<PathBuf> {
    let file = test.folder().join("authentication.yaml");
    let conditions = ["/livez", "/readyz", "/healthz", "/version"].map(|path| json!({"path": path}));
    let document = json!({
        "apiVersion": "apiserver.config.k8s.io/v1", "kind": "AuthenticationConfiguration",
        "anonymous": {"enabled": true, "conditions": conditions},
    });
    std::fs::write(&file, document.to_string())?;
    Ok(file)
}

/// Encrypts Secrets as it should be.
fn encryption(test: &Scenario<'_>) -> Result<PathBuf> {
    encryption_by(test, "encryption", "secretbox").map(PathBuf::from)
}

/// Encrypts Secrets by one provider, and reads what another wrote.
fn encryption_by(test: &Scenario<'_>, name: &str, first: &str) -> Result<String> {
    let file = test.folder().join(format!("{name}.yaml"));
    // 32 bytes, in base64.
    let key = json!({"name": "key1", "secret": "aXJvbnNpZGUgaXJvbnNpZGUgaXJvbnNpZGUgaXJvISE="});
    let mut providers = ["secretbox", "aescbc"]
        .map(|provider| json!({provider: {"keys": [key]}}))
        .to_vec();
    providers.sort_by_key(|provider| provider.get(first).is_none());
    providers.push(json!({"identity": {}}));
    let document = json!({
        "apiVersion": "apiserver.config.k8s.io/v1", "kind": "EncryptionConfiguration",
        "resources": [{"resources": ["secrets"], "providers": providers}],
    });
    std::fs::write(&file, document.to_string())?;
    Ok(file.display().to_string())
}
