//! What people see: `kubectl explain`, the columns of `kubectl get`, field selectors, the category.

use anyhow::{Context as _, Result, ensure};
use ironside_e2e::install::OPERATOR_USER;
use ironside_e2e::wait::until;
use ironside_e2e::{Scenario, scenario};
use serde_json::{Value, json};

use super::{collection, install_definitions, send};

#[tokio::test]
async fn kubectl_explain_tells_meaning_values_and_default() -> Result<()> {
    scenario(async |test| {
        install_definitions(test.cluster).await?;
        let kubectl = test.cluster.kubectl()?;
        for (field, told) in [
            ("hpol", "A team's hardening policy for its own namespace"),
            ("hpol.spec.mode", "Audit: report it"),
            ("hpol.spec.mode", "ENUM: Audit Preview Enforce"),
            ("chpol.spec.remediation.settle", "Default: 10m"),
            ("chpol.spec.controls.parameters", "each a list of strings"),
            ("hrem.spec.decision.plan", "at least 12 characters of status.plan.hash"),
            ("hrem.status.phase", "Where the repair stands"),
            ("hexc.spec.expiresAt", "an RFC 3339 time"),
            ("chexc.spec.namespaces", "Namespaces in which it counts"),
        ] {
            // The OpenAPI document follows a moment after the definitions are established.
            until(&format!("kubectl explain {field} says {told:?}"), async || {
                let said = kubectl.run(&["explain", field]).await?;
                // kubectl wraps the text to the terminal.
                let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
                ensure!(said.contains(told) && !said.contains("<no description>"), "{said}");
                Ok(())
            })
            .await?;
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn kubectl_get_shows_the_columns() -> Result<()> {
    scenario(async |test| {
        install_definitions(test.cluster).await?;
        let policy = json!({
            "apiVersion": ironside_crds::API_VERSION,
            "kind": "HardeningPolicy",
            "metadata": {"name": "team"},
            "spec": {},
            "status": {
                "conditions": [condition("Compliant", "False", "ControlsFailed"), condition("Ready", "True", "Reconciled")],
                "scorePercent": 83,
                "coveragePercent": 91,
                "controls": {"passed": 41, "failed": 7},
                "remediations": {"pending": 3},
            },
        });
        create(test, &policy).await?;
        let exception = json!({
            "apiVersion": ironside_crds::API_VERSION,
            "kind": "HardeningException",
            "metadata": {"name": "data"},
            "spec": {
                "controls": ["POD-012", "POD-013"],
                "targets": [{"kind": "Deployment", "name": "web"}],
                "reason": "writes to /data until 2.0",
                "expiresAt": "2999-01-31T00:00:00Z",
            },
            "status": {"matched": 1, "conditions": [condition("Effective", "True", "InEffect")]},
        });
        create(test, &exception).await?;
        create(test, &remediation("web", "Pending", "Low")).await?;

        expect(test, "hpol", &[
            "NAME MODE READY COMPLIANT SCORE COVERAGE FAIL PENDING AGE",
            "team Audit True False 83 91 7 3",
        ])
        .await?;
        expect(test, "hexc", &[
            "NAME CONTROLS EFFECT EXPIRES EFFECTIVE AGE",
            r#"data ["POD-012","POD-013"] Accept 2999-01-31T00:00:00Z True"#,
        ])
        .await?;
        expect(test, "hrem", &[
            "NAME TARGET CONTROLS RISK PHASE REASON AGE",
            "deployment-web web POD-009,POD-013 Low Pending AwaitingApproval",
        ])
        .await?;
        expect(test, "hrem -o wide", &[
            "NAME TARGET CONTROLS RISK PHASE REASON PLAN KIND AGE",
            "deployment-web web POD-009,POD-013 Low Pending AwaitingApproval 7f3a91c2d0e4 Deployment",
        ])
        .await?;

        let category = test.cluster.kubectl()?.run(&["get", "hardening", "-n", &test.namespace, "-o", "name"]).await?;
        for name in ["hardeningpolicy", "hardeningexception", "hardeningremediation"] {
            ensure!(category.contains(&format!("{name}.{}/", ironside_crds::GROUP)), "kubectl get hardening: {category}");
        }
        let all = test.cluster.kubectl()?.run(&["get", "all", "-n", &test.namespace, "-o", "name"]).await?;
        ensure!(!all.contains("hardening"), "kubectl get all: {all}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn remediations_can_be_selected_by_phase_risk_and_target() -> Result<()> {
    scenario(async |test| {
        install_definitions(test.cluster).await?;
        create(test, &remediation("web", "Held", "High")).await?;
        create(test, &remediation("api", "Pending", "Low")).await?;
        create(test, &remediation("db", "Held", "Low")).await?;
        for (selector, expected) in [
            ("status.phase=Held", "db web"),
            ("status.plan.risk=Low", "api db"),
            ("status.phase=Held,status.plan.risk=Low", "db"),
            ("spec.target.name=api", "api"),
            ("spec.target.kind!=Deployment", ""),
        ] {
            let column = "jsonpath={.items[*].spec.target.name}";
            let kubectl = test.cluster.kubectl()?;
            let arguments = [
                "get",
                "hrem",
                "-n",
                &test.namespace,
                "--field-selector",
                selector,
                "-o",
                column,
            ];
            let selected = kubectl.run(&arguments).await?;
            ensure!(selected == expected, "{selector}: {selected:?}, not {expected:?}");
        }
        Ok(())
    })
    .await
}

fn condition(type_: &str, status: &str, reason: &str) -> Value {
    json!({
        "type": type_,
        "status": status,
        "reason": reason,
        "message": "",
        "lastTransitionTime": "2027-01-31T00:00:00Z",
    })
}

fn remediation(target: &str, phase: &str, risk: &str) -> Value {
    json!({
        "apiVersion": ironside_crds::API_VERSION,
        "kind": "HardeningRemediation",
        "metadata": {"name": format!("deployment-{target}")},
        "spec": {"target": {"apiVersion": "apps/v1", "kind": "Deployment", "namespace": "shop", "name": target}},
        "status": {
            "phase": phase,
            "reason": "AwaitingApproval",
            "summary": "POD-009,POD-013",
            "plan": {"hash": "7f3a91c2d0e4", "risk": risk},
        },
    })
}

/// Creates an object, then writes its status.
async fn create(test: &Scenario<'_>, object: &Value) -> Result<()> {
    let collection = collection(object, &test.namespace);
    let mut created = send(&test.client, "POST", &collection, object, OPERATOR_USER).await?;
    created["status"] = object["status"].clone();
    let name = object["metadata"]["name"].as_str().context("a name")?;
    send(
        &test.client,
        "PUT",
        &format!("{collection}/{name}/status"),
        &created,
        OPERATOR_USER,
    )
    .await?;
    Ok(())
}

/// What `kubectl get` prints, without the age.
async fn expect(test: &Scenario<'_>, what: &str, lines: &[&str]) -> Result<()> {
    let mut arguments = vec!["get", "-n", test.namespace.as_str()];
    arguments.extend(what.split(' '));
    let printed = test.cluster.kubectl()?.run(&arguments).await?;
    let squeezed: Vec<String> = printed
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .map(|line| match line.strip_suffix("AGE") {
            Some(_) => line,
            None => line
                .rsplit_once(' ')
                .map(|(line, _age)| line.to_owned())
                .unwrap_or_default(),
        })
        .collect();
    ensure!(squeezed == lines, "kubectl get {what}:\n{printed}");
    Ok(())
}
