//! Each case of the schemas: the API server refuses what is wrong with the message a user can act on, and accepts what is right.

use anyhow::{Result, ensure};
use ironside_crds::cases::{Case, cases};
use ironside_e2e::install::OPERATOR_USER;
use ironside_e2e::scenario;
use kube::Client;
use serde_json::{Value, json};

use super::{collection, definitions_by_name, install_definitions, repository, send};

const STRICT: &str = "dryRun=All&fieldValidation=Strict";

#[tokio::test]
async fn every_case_is_judged_as_it_says() -> Result<()> {
    scenario(async |test| {
        install_definitions(test.cluster).await?;
        let mut wrong = Vec::new();
        let cases = cases();
        for case in &cases {
            if let Err(error) = judge(&test.client, &test.namespace, case).await {
                wrong.push(format!("{}: {error:#}", case.name));
            }
        }
        ensure!(
            wrong.is_empty(),
            "{} of {} cases:\n{}",
            wrong.len(),
            cases.len(),
            wrong.join("\n")
        );
        Ok(())
    })
    .await
}

async fn judge(client: &Client, namespace: &str, case: &Case) -> Result<()> {
    let answer = put(client, namespace, case, &case.bad).await;
    let Err(error) = answer else {
        anyhow::bail!("was accepted: {}", case.bad);
    };
    let error = error.to_string();
    ensure!(
        error.contains(case.message),
        "expected {:?}, got: {error}",
        case.message
    );
    // One mistake, one complaint: a second message hides the first.
    ensure!(
        !error.contains("rule evaluation error") && !error.contains("no such key"),
        "{error}"
    );
    put(client, namespace, case, &case.good).await?;
    Ok(())
}

/// Sends an object of a case as a dry run: as an update where the case says so or a decision is in it, else as a creation.
async fn put(client: &Client, namespace: &str, case: &Case, object: &Value) -> kube::Result<Value> {
    let collection = collection(object, namespace);
    let decision = object.pointer("/spec/decision").is_some();
    if case.old.is_none() && !decision {
        return send(client, "POST", &format!("{collection}?{STRICT}"), object, OPERATOR_USER).await;
    }
    let mut old = case.old.clone().unwrap_or_else(|| object.clone());
    old["spec"].as_object_mut().map(|spec| spec.remove("decision"));
    old["metadata"] = json!({"generateName": "stored-"});
    let stored = send(client, "POST", &collection, &old, OPERATOR_USER).await?;
    let mut updated = object.clone();
    updated["metadata"] = stored["metadata"].clone();
    let name = stored["metadata"]["name"].as_str().unwrap_or_default();
    send(
        client,
        "PUT",
        &format!("{collection}/{name}?{STRICT}"),
        &updated,
        "alice@example.com",
    )
    .await
}

/// A field that does not exist is pruned in silence by default; kubectl asks the server to refuse it.
#[tokio::test]
async fn kubectl_refuses_a_misspelt_field() -> Result<()> {
    scenario(async |test| {
        install_definitions(test.cluster).await?;
        let policy = json!({
            "apiVersion": ironside_crds::API_VERSION,
            "kind": "HardeningPolicy",
            "metadata": {"name": "team"},
            "spec": {"mode": "Enforce", "remediation": {"autoAprove": "None"}},
        });
        let kubectl = test.cluster.kubectl()?;
        let arguments = ["apply", "-n", &test.namespace, "-f", "-"];
        let refused = kubectl.run_with_input(&arguments, &policy.to_string()).await;
        let Err(error) = refused else {
            anyhow::bail!("the field was ignored")
        };
        let error = format!("{error:#}");
        ensure!(
            error.contains("unknown field \"spec.remediation.autoAprove\""),
            "{error}"
        );
        Ok(())
    })
    .await
}

/// Many clients do not ask for strict validation, and unknown fields are dropped for them. A policy's selector must not be.
#[tokio::test]
async fn a_field_of_the_cluster_kind_is_refused_whatever_the_client_asks_for() -> Result<()> {
    scenario(async |test| {
        install_definitions(test.cluster).await?;
        let policy = json!({
            "apiVersion": ironside_crds::API_VERSION,
            "kind": "HardeningPolicy",
            "metadata": {"name": "team"},
            "spec": {"mode": "Enforce", "remediation": {"namespaceSelector": {"matchLabels": {"hardening": "enforce"}}}},
        });
        let path = format!("{}?dryRun=All&fieldValidation=Ignore", collection(&policy, &test.namespace));
        let answer = send(&test.client, "POST", &path, &policy, OPERATOR_USER).await;
        let Err(error) = answer else { anyhow::bail!("the selector was dropped in silence") };
        ensure!(error.to_string().contains("repairs in exactly its own namespace"), "{error}");
        Ok(())
    })
    .await
}

/// The definitions themselves are without complaint: established, structural, within the cost limit of rules, no warnings.
#[tokio::test]
async fn the_definitions_are_accepted_without_a_warning() -> Result<()> {
    scenario(async |test| {
        install_definitions(test.cluster).await?;
        let kubectl = test.cluster.kubectl()?;
        let definitions = repository("config/crd");
        kubectl
            .run(&[
                "apply",
                "--server-side",
                "--force-conflicts",
                "--warnings-as-errors",
                "-k",
                &definitions,
            ])
            .await?;
        let names = definitions_by_name();
        let get = ["get", "-o", "json"].into_iter();
        let get: Vec<&str> = get.chain(names.iter().map(String::as_str)).collect();
        let stored: Value = serde_json::from_str(&kubectl.run(&get).await?)?;
        let stored = stored["items"].as_array().cloned().unwrap_or_default();
        ensure!(stored.len() == 5, "five definitions, not {}", stored.len());
        for definition in stored {
            for condition in definition["status"]["conditions"].as_array().into_iter().flatten() {
                let good = match condition["type"].as_str() {
                    Some("Established" | "NamesAccepted") => condition["status"] == "True",
                    _ => false,
                };
                ensure!(good, "{}: {condition}", definition["metadata"]["name"]);
            }
        }
        Ok(())
    })
    .await
}
