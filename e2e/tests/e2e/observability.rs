//! Metrics, dashboard and alerts against a real Prometheus that scrapes the running operator.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};
use ironside_e2e::binaries::dashboard_checker;
use ironside_e2e::operator::Start;
use ironside_e2e::prometheus::{Programs, Prometheus};
use ironside_e2e::workloads::{Workload, available_deployment};
use ironside_e2e::{Scenario, scenario};
use serde_json::Value;

fn config(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../config").join(path)
}

fn board() -> Result<Value> {
    Ok(serde_json::from_str(&std::fs::read_to_string(config(
        "grafana/ironside.json",
    ))?)?)
}

/// Every query of the board, with its variables filled in as Grafana would, and without the `> 0` that only keeps empty series out of a legend.
fn queries(board: &Value) -> Vec<(String, String)> {
    let panels = board["panels"].as_array().cloned().unwrap_or_default();
    panels
        .iter()
        .flat_map(|panel| {
            let title = panel["title"].as_str().unwrap_or_default().to_owned();
            let targets = panel["targets"].as_array().cloned().unwrap_or_default();
            targets
                .into_iter()
                .filter_map(move |target| Some((title.clone(), target["expr"].as_str()?.to_owned())))
        })
        .map(|(title, query)| {
            let query = query.replace("$policy", ".*").replace("$__rate_interval", "1m");
            (title, query.trim_end_matches(" > 0").to_owned())
        })
        .collect()
}

#[tokio::test]
async fn every_query_of_the_dashboard_returns_data_from_a_running_operator() -> Result<()> {
    let programs = Programs::obtain()?;
    scenario(async |at: &Scenario<'_>| {
        at.operator_namespace().await?;
        available_deployment(&at.client, &at.namespace, &Workload::named("web").replicas(2)).await?;
        let agent = Workload::named("agent").daemon_set();
        at.apply(&[agent]).await.context("a workload that is held")?;
        at.cluster
            .kubectl()?
            .run_with_input(
                &["apply", "-n", &at.namespace, "-f", "-"],
                "apiVersion: hardening.ironside.dev/v1alpha1\nkind: HardeningPolicy\nmetadata: {name: team}\nspec:\n  profile: {name: NsaCisa, version: v1}\n  mode: Preview\n",
            )
            .await
            .or_else(|error| bail!("apply the policy: {error:#}"))?;
        let operator = Start::new(at).ready().await?;
        let target = operator.address().trim_start_matches("http://").to_owned();
        let prometheus = Prometheus::scrape(&programs, at.folder(), &target).await?;
        let queries = queries(&board()?);
        ensure!(queries.len() > 12, "the board has hardly any queries: {}", queries.len());
        for (title, query) in queries {
            prometheus.until_data(&query).await.with_context(|| format!("panel {title}"))?;
        }
        let leaders = prometheus.query("sum(ironside_leader)").await?;
        ensure!(leaders[0]["value"][1] == "1", "one leader: {leaders:?}");
        Ok(())
    })
    .await
}

/// What the program in `e2e/board` finds wrong with a dashboard: Grafana's published schema, panel by panel.
fn departures(board: &Value) -> Result<String> {
    let mut checker = Command::new(dashboard_checker()?)
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("start the checker")?;
    serde_json::to_writer(checker.stdin.take().context("its input")?, board)?;
    let output = checker.wait_with_output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(
        output.status.success() != said.contains("panels["),
        "the checker itself failed: {said}"
    );
    Ok(said)
}

#[test]
fn the_dashboard_is_valid_for_the_schema_that_grafana_publishes() -> Result<()> {
    let mut board = board()?;
    let departures_of_ours = departures(&board)?;
    ensure!(departures_of_ours.is_empty(), "{departures_of_ours}");
    board["panels"][1]["options"]["colourMode"] = "background".into();
    ensure!(
        departures(&board)?.contains("'colourMode'"),
        "an unknown option is noticed"
    );
    Ok(())
}

#[test]
fn the_dashboard_is_one_that_grafana_takes() -> Result<()> {
    let board = board()?;
    ensure!(
        board["uid"] == "ironside" && board["schemaVersion"].as_u64().is_some_and(|v| v >= 36),
        "uid and schema"
    );
    ensure!(
        board.get("__inputs").is_none(),
        "inputs would ask a person on every provisioning"
    );
    let panels = board["panels"].as_array().context("panels")?;
    let mut ids: Vec<u64> = panels.iter().filter_map(|panel| panel["id"].as_u64()).collect();
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    ensure!(
        ids.len() == count && count == panels.len(),
        "every panel has an id of its own"
    );
    for panel in panels.iter().filter(|panel| panel["type"] != "row") {
        let title = panel["title"].as_str().unwrap_or_default();
        ensure!(
            !title.is_empty() && panel["description"].as_str().is_some_and(|d| d.len() > 10),
            "{title}: title and description"
        );
        let grid = &panel["gridPos"];
        let edge = grid["x"].as_u64().context("x")? + grid["w"].as_u64().context("w")?;
        ensure!(edge <= 24, "{title} leaves the grid");
        ensure!(
            panel["datasource"]["uid"] == "${datasource}",
            "{title}: the data source is a variable"
        );
    }
    Ok(())
}

#[test]
fn the_alert_rules_pass_promtool_and_fire_when_they_should() -> Result<()> {
    let programs = Programs::obtain()?;
    let folder = std::env::temp_dir().join(format!("ironside-rules-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let rules: Value = serde_saphyr::from_str(&std::fs::read_to_string(config("prometheus/rules.yaml"))?)?;
    // JSON is YAML.
    std::fs::write(
        folder.join("ironside.rules"),
        serde_json::to_vec_pretty(&rules["spec"])?,
    )?;
    std::fs::copy(config("prometheus/rules_test.yaml"), folder.join("rules_test.yaml"))?;
    programs.check(&folder, &["check", "rules", "ironside.rules"])?;
    programs.check(&folder, &["test", "rules", "rules_test.yaml"])?;
    let names: Vec<&str> = rules["spec"]["groups"][0]["rules"]
        .as_array()
        .context("rules")?
        .iter()
        .filter_map(|r| r["alert"].as_str())
        .collect();
    let runbooks = std::fs::read_to_string(config("../docs/runbooks.md"))?;
    for name in names {
        ensure!(
            runbooks.contains(&format!("## {name}\n")),
            "docs/runbooks.md has no section {name}"
        );
    }
    std::fs::remove_dir_all(&folder).context("remove the folder")
}
