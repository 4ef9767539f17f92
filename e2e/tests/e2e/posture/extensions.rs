//! What extends the API server, and which of its APIs are asked for that are to go.

use anyhow::{Context as _, Result, ensure};
use ironside_e2e::cluster::Options;
use ironside_e2e::scenario::scenario_with;
use ironside_e2e::{Scenario, wait};
use serde_json::{Value, json};

use super::{is_said, said, scan};

/// PEM in base64 of two certificates: valid in 2020, and from 2026 to 2126.
const OVER: &str = "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1JSUJEVENCdEFJQkFUQUtCZ2dxaGtqT1BRUURBakFUTVJFd0R3WURWUVFEREFoM1pXSm9iMjlyY3pBZUZ3MHkKTURBeE1ERXdNREF3TURCYUZ3MHlNVEF4TURFd01EQXdNREJhTUJNeEVUQVBCZ05WQkFNTUNIZGxZbWh2YjJ0egpNRmt3RXdZSEtvWkl6ajBDQVFZSUtvWkl6ajBEQVFjRFFnQUVacTZENWZKclBoTU5ROSt2UDNGS0hEVTl6MEdFCmRhbW1TUTVMVXhTT3FpVWhNNTFtblhiL09NOWdRTnhZajJ6eU5TZXVJY2NGMWZRUWFiVngzQTZoaWpBS0JnZ3EKaGtqT1BRUURBZ05JQURCRkFpQlZ4SnJhdnF0VUFUczZEanRJLytTL0hGZXhOcTVMby8zVWVqWEZ2eUJtTWdJaApBTWVuVDF6ZHJNWE00TGo4RTU4TjVlRys3WUNGb3lWZ2lnQXdKUDdqcndFTQotLS0tLUVORCBDRVJUSUZJQ0FURS0tLS0tCg==";
const VALID: &str = "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1JSUJEakNCdGdJQkFUQUtCZ2dxaGtqT1BRUURBakFUTVJFd0R3WURWUVFEREFoM1pXSm9iMjlyY3pBZ0Z3MHkKTmpBeE1ERXdNREF3TURCYUdBOHlNVEkyTURFd01UQXdNREF3TUZvd0V6RVJNQThHQTFVRUF3d0lkMlZpYUc5dgphM013V1RBVEJnY3Foa2pPUFFJQkJnZ3Foa2pPUFFNQkJ3TkNBQVIzTEg4RUpLMHA3YmlPMlREWVQreGRJZ0tUCklGS0ZDYWNSUSttblppdVJTcXBxSGtEVi9SZlhyZlR3VWJtYU9SSkdoYTRSVEQ1aWd0c2RSMUNUbnJDaE1Bb0cKQ0NxR1NNNDlCQU1DQTBjQU1FUUNJSHBCSVFLLy9qbDJkNUpMQXNidmhUVlVEYVIvYlpXOTNISjlFeUJSM1FESgpBaUFoRTJ5Z2FDTkovSzZQWWJicnZhRVFHcUpPeVk3VjNMQmtidWFMTWJmLzh3PT0KLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0tLQo=";

#[tokio::test]
async fn what_extends_the_api_server_is_judged() -> Result<()> {
    let options = Options {
        nodes: 0,
        workloads: false,
        ..Options::default()
    };
    scenario_with(options, async |test| {
        is_said(test, None, &[("VER-005", "Pass", ""), ("API-011", "Pass", "")]).await?;
        certificates_are_judged_by_their_dates(test).await?;
        resource_metrics_that_nobody_serves_are_told(test).await?;
        own_guards_that_are_switched_off_are_told(test).await
    })
    .await
}

async fn certificates_are_judged_by_their_dates(test: &Scenario<'_>) -> Result<()> {
    let kubectl = test.cluster.kubectl()?;
    kubectl.apply(&webhook(OVER)).await?;
    let found = is_said(test, None, &[("VER-005", "Fail", "")]).await?;
    let evidence = &result(&found, "VER-005")?["evidence"][0];
    ensure!(
        evidence["pointer"] == "/objects/ValidatingWebhookConfiguration//guard/webhooks/0/clientConfig/caBundle"
            && evidence["observed"] == "valid until 2021-01-01T00:00:00Z",
        "{evidence}"
    );
    kubectl.apply(&webhook(VALID)).await?;
    is_said(test, None, &[("VER-005", "Pass", "")]).await.map(drop)
}

/// Whoever has the operator's rights sees to its fence first.
async fn own_guards_that_are_switched_off_are_told(test: &Scenario<'_>) -> Result<()> {
    is_said(test, None, &[("API-012", "NotApplicable", "")]).await?;
    test.cluster.install().await?;
    is_said(test, None, &[("API-012", "Pass", "")]).await?;
    let kubectl = test.cluster.kubectl()?;
    let warns = r#"{"spec":{"validationActions":["Warn"]}}"#;
    let binding = "validatingadmissionpolicybinding/ironside-fence";
    kubectl.run(&["patch", binding, "--type=merge", "-p", warns]).await?;
    kubectl
        .run(&["delete", "validatingadmissionpolicy", "ironside-approval"])
        .await?;
    let scan = is_said(test, None, &[("API-012", "Fail", "")]).await?;
    let evidence = result(&scan, "API-012")?["evidence"].as_array().context("evidence")?;
    let pointers: Vec<&str> = evidence.iter().filter_map(|it| it["pointer"].as_str()).collect();
    let expected = [
        "/objects/ValidatingAdmissionPolicy//ironside-approval/spec/failurePolicy",
        "/objects/ValidatingAdmissionPolicyBinding//ironside-fence/spec/validationActions",
    ];
    ensure!(pointers == expected, "{evidence:?}");
    Ok(())
}

/// Whoever should measure does not answer, or is not there; and nobody would verify who answers.
async fn resource_metrics_that_nobody_serves_are_told(test: &Scenario<'_>) -> Result<()> {
    let missing = |scan: &Value| Ok::<_, anyhow::Error>(result(scan, "AUD-005")?["evidence"][0]["pointer"].clone());
    let scan = is_said(test, None, &[("AUD-005", "Fail", "")]).await?;
    ensure!(
        missing(&scan)? == "/objects/APIService//v1beta1.metrics.k8s.io",
        "{}",
        result(&scan, "AUD-005")?
    );
    let kubectl = test.cluster.kubectl()?;
    let api = json!({
        "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": {"name": "v1beta1.metrics.k8s.io"},
        "spec": {"group": "metrics.k8s.io", "version": "v1beta1", "groupPriorityMinimum": 100, "versionPriority": 100,
            "insecureSkipTLSVerify": true, "service": {"namespace": "kube-system", "name": "metrics-server"}},
    });
    kubectl.apply(&api.to_string()).await?;
    let is_told = wait::until("the API server says that nobody answers", async || {
        let scan = is_said(test, None, &[("AUD-005", "Fail", ""), ("API-011", "Fail", "")]).await?;
        let pointer = missing(&scan)?;
        ensure!(
            pointer == "/objects/APIService//v1beta1.metrics.k8s.io/status/conditions",
            "{pointer}"
        );
        let trusting = &result(&scan, "API-011")?["evidence"][0]["pointer"];
        ensure!(
            trusting == "/objects/APIService//v1beta1.metrics.k8s.io/spec/insecureSkipTLSVerify",
            "{trusting}"
        );
        Ok(())
    })
    .await;
    // It would keep namespaces from being deleted.
    kubectl.run(&["delete", "apiservice", "v1beta1.metrics.k8s.io"]).await?;
    is_told
}

/// Each served version that is not final is asked for once: some are to go in a later release, whatever release it is.
#[tokio::test]
async fn apis_that_are_to_go_are_told_once_somebody_asks_for_them() -> Result<()> {
    let options = Options {
        nodes: 0,
        workloads: false,
        apiserver_flags: vec!["--runtime-config=api/beta=true".to_owned()],
        ..Options::default()
    };
    scenario_with(options, async |test| {
        let before: Value = serde_json::from_str(&scan(test, None, "json").await?)?;
        let (result_before, _) = said(&before, "VER-002")?;
        ensure!(
            result_before == "Pass",
            "nobody has asked yet: {:?}",
            result(&before, "VER-002")?
        );
        ask_for_everything(test).await?;
        let after: Value = serde_json::from_str(&scan(test, None, "json").await?)?;
        ensure!(said(&after, "VER-002")?.0 == "Fail", "{}", result(&after, "VER-002")?);
        let evidence = result(&after, "VER-002")?["evidence"].as_array().context("evidence")?;
        for found in evidence {
            let pointer = found["pointer"].as_str().unwrap_or_default();
            let expected = found["expected"].as_str().unwrap_or_default();
            ensure!(
                pointer.starts_with("/metrics/deprecated/") && pointer.contains("beta") && expected.contains("1."),
                "{found}"
            );
        }

        // Objects may be stored in a version that is not served any more.
        let kubectl = test.cluster.kubectl()?;
        kubectl.apply(&definition("v1alpha1", true)).await?;
        kubectl.apply(&definition("v1", false)).await?;
        let after: Value = serde_json::from_str(&scan(test, None, "json").await?)?;
        let evidence = result(&after, "VER-002")?["evidence"].as_array().context("evidence")?;
        let stored = |found: &Value| {
            found["pointer"] == "/objects/CustomResourceDefinition//orders.shop.example.com/status/storedVersions"
                && found["observed"] == json!(["v1alpha1"])
        };
        ensure!(evidence.iter().any(stored), "{evidence:?}");
        Ok(())
    })
    .await
}

async fn ask_for_everything(test: &Scenario<'_>) -> Result<()> {
    let kubectl = test.cluster.kubectl()?;
    let versions = kubectl.run(&["api-versions"]).await?;
    for version in versions.lines().filter(|version| version.contains("beta")) {
        let list: Value = serde_json::from_str(&kubectl.run(&["get", "--raw", &format!("/apis/{version}")]).await?)?;
        let resources = list["resources"].as_array().context("resources")?;
        let names = resources.iter().filter_map(|it| it["name"].as_str());
        for name in names.filter(|name| !name.contains('/')) {
            // What can only be created is refused, and counted all the same.
            let _ = kubectl.run(&["get", "--raw", &format!("/apis/{version}/{name}")]).await;
        }
    }
    Ok(())
}

/// A webhook that nothing is ever asked of.
fn webhook(bundle: &str) -> String {
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "guard"},
        "webhooks": [{
            "name": "guard.example.com", "admissionReviewVersions": ["v1"], "sideEffects": "None",
            "rules": [{"apiGroups": ["nothing.example.com"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["nothings"]}],
            "clientConfig": {"service": {"namespace": "policies", "name": "guard"}, "caBundle": bundle},
        }],
    })
    .to_string()
}

/// A definition whose objects are stored in one of its versions; the old one is served or not.
fn definition(stored: &str, is_old_served: bool) -> String {
    let version = |name: &str, served: bool| {
        json!({"name": name, "served": served, "storage": name == stored,
            "schema": {"openAPIV3Schema": {"type": "object"}}})
    };
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "orders.shop.example.com"},
        "spec": {
            "group": "shop.example.com", "scope": "Namespaced",
            "names": {"kind": "Order", "plural": "orders", "singular": "order"},
            "versions": [version("v1alpha1", is_old_served), version("v1", true)],
        },
    })
    .to_string()
}

fn result<'s>(scan: &'s Value, control: &str) -> Result<&'s Value> {
    let mut results = scan["results"].as_array().context("results")?.iter();
    results
        .find(|it| it["control"] == control && it["object"]["kind"] == "Component")
        .with_context(|| format!("nothing of {control} on a component"))
}
