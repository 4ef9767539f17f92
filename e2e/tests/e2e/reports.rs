//! Results in the community's report kind, with the definitions that the project itself publishes.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use ironside_e2e::Scenario;
use ironside_e2e::binaries::workspace_program;
use ironside_e2e::cluster::Options;
use ironside_e2e::operator::Start;
use ironside_e2e::proxy::{Fault, Match, Proxy, Rule};
use ironside_e2e::scenario::scenario_with;
use ironside_e2e::wait;
use ironside_e2e::workloads::Workload;
use kube::api::{DynamicObject, ListParams, Patch, PatchParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Api, ResourceExt as _};
use serde_json::{Value, json};

/// The folder of the module that `e2e/reports` pins.
fn definitions() -> Result<PathBuf> {
    let output = Command::new("go")
        .args(["mod", "download", "-json", "github.com/openreports/reports-api"])
        .current_dir(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("reports"))
        .output()
        .context("run `go mod download`")?;
    let said: Value = serde_json::from_slice(&output.stdout).context("what `go mod download` says")?;
    let folder = said["Dir"].as_str().with_context(|| format!("no folder: {said}"))?;
    Ok(PathBuf::from(folder).join("config/crd"))
}

fn policy(controls: &[&str]) -> Value {
    let controls: Vec<Value> = controls.iter().map(|id| json!({"id": id, "mode": "Audit"})).collect();
    json!({
        "apiVersion": "hardening.ironside.dev/v1alpha1", "kind": "HardeningPolicy", "metadata": {"name": "team"},
        "spec": {"profile": {"name": "None", "version": "v1"}, "controls": controls},
    })
}

/// Everything that is said of a namespace's failures, a text each, and the counts of all verdicts.
#[derive(Debug, Default, PartialEq)]
struct Said {
    failures: BTreeSet<String>,
    /// Pass, fail, unknown, excepted.
    counts: [u64; 4],
}

impl Said {
    /// What only one of the two says.
    fn differences(&self, other: &Self) -> Vec<String> {
        let only = self.failures.symmetric_difference(&other.failures);
        let mut differences: Vec<String> = only.cloned().collect();
        if self.counts != other.counts {
            differences.push(format!("{:?} against {:?} verdicts", self.counts, other.counts));
        }
        differences
    }
}

/// What the operator reports of a namespace.
fn reported(report: &DynamicObject) -> Said {
    let results = report.data["results"].as_array().into_iter().flatten();
    let count = |name: &str| report.data["summary"][name].as_u64().unwrap_or_default();
    Said {
        failures: results
            .map(|result| {
                let object = &result["resources"][0];
                json!([
                    result["policy"],
                    result["severity"],
                    result["category"],
                    result["message"],
                    object["apiVersion"],
                    object["kind"],
                    object["namespace"],
                    object["name"],
                ])
                .to_string()
            })
            .collect(),
        counts: ["pass", "fail", "error", "skip"].map(count),
    }
}

/// What the command line says of the same objects, exported.
async fn scanned(test: &Scenario<'_>) -> Result<Said> {
    let kinds = "deploy,sts,ds,cj,jobs,rs,po,svc,netpol,sa,cm,ing,pdb,limits,quota,roles,rolebindings,hpol";
    let kubectl = test.cluster.kubectl()?;
    let namespaced = kubectl
        .run(&["get", kinds, "-n", &test.namespace, "-o", "yaml"])
        .await?;
    let namespace = kubectl.run(&["get", "ns", &test.namespace, "-o", "yaml"]).await?;
    let file = test.folder().join("exported.yaml");
    std::fs::write(&file, format!("{namespaced}\n---\n{namespace}"))?;
    let output = tokio::process::Command::new(workspace_program("ironside")?)
        .args(["scan", "--all", "-o", "json"])
        .arg(&file)
        .output()
        .await?;
    let scan: Value =
        serde_json::from_slice(&output.stdout).with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())?;
    let results = scan["results"].as_array().context("results")?;
    let is_excepted = |result: &Value| result.get("excepted").is_some();
    let fails = |result: &&Value| result["result"] == "Fail" && !is_excepted(result);
    let count = |wanted: &dyn Fn(&Value) -> bool| results.iter().filter(|result| wanted(result)).count() as u64;
    Ok(Said {
        failures: results.iter().filter(fails).map(as_reported).collect(),
        counts: [
            count(&|result| result["result"] == "Pass"),
            count(&|result| fails(&result)),
            count(&|result| result["result"] == "Unknown"),
            count(&is_excepted),
        ],
    })
}

/// A result of the command line in the words of a report.
fn as_reported(result: &Value) -> String {
    let evidence = result["evidence"].as_array().into_iter().flatten();
    let containers: Vec<&str> = evidence.filter_map(|evidence| evidence["container"].as_str()).collect();
    let title = result["title"].as_str().unwrap_or_default();
    let message = if containers.is_empty() {
        title.to_owned()
    } else {
        format!("{title}: {}", containers.join(", "))
    };
    let object = &result["object"];
    let namespace = object["namespace"].as_str().filter(|namespace| !namespace.is_empty());
    json!([
        result["control"],
        result["severity"].as_str().unwrap_or_default().to_lowercase(),
        result["component"],
        message,
        object["apiVersion"],
        object["kind"],
        namespace,
        object["name"],
    ])
    .to_string()
}

#[tokio::test]
async fn promise_15_operator_and_command_line_give_the_same_verdicts() -> Result<()> {
    scenario_with(Options::default(), async |test| {
        test.operator_namespace().await?;
        install_reports(test).await?;
        let shop = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("demo/shop");
        let kubectl = test.cluster.kubectl()?;
        for file in std::fs::read_dir(shop)? {
            let manifests = std::fs::read_to_string(file?.path())?
                .replace("namespace: shop", &format!("namespace: {}", test.namespace));
            let manifests = manifests.replace(
                "kind: Namespace\nmetadata:\n  name: shop",
                &format!("kind: Namespace\nmetadata:\n  name: {}", test.namespace),
            );
            kubectl.run_with_input(&["apply", "-f", "-"], &manifests).await?;
        }
        test.apply(&[json!({
            "apiVersion": "hardening.ironside.dev/v1alpha1", "kind": "HardeningPolicy", "metadata": {"name": "team"},
            "spec": {"profile": {"name": "NsaCisa", "version": "v1"}, "mode": "Audit"},
        })])
        .await?;
        let _operator = Start::new(test).ready().await?;
        let reports = reports_of(test);
        // Pods come and go until the shop runs; then both look at the same objects.
        wait::until("the report and the scan of the export agree", async || {
            let operator = reported(&reports.get("ironside").await?);
            let command_line = scanned(test).await?;
            let differences = operator.differences(&command_line);
            ensure!(differences.is_empty(), "only one of the two says: {differences:#?}");
            ensure!(operator.failures.len() > 30, "hardly anything was judged: {operator:?}");
            Ok(())
        })
        .await
    })
    .await
}

async fn install_reports(test: &Scenario<'_>) -> Result<()> {
    let folder = definitions()?;
    let kubectl = test.cluster.kubectl()?;
    kubectl.run(&["apply", "-f", folder.to_str().context("UTF-8")?]).await?;
    let established = [
        "wait",
        "--for=condition=Established",
        "crd/reports.openreports.io",
        "--timeout=20s",
    ];
    kubectl.run(&established).await.map(drop)
}

fn reports_of(test: &Scenario<'_>) -> Api<DynamicObject> {
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("openreports.io", "v1alpha1", "Report"));
    Api::namespaced_with(test.client.clone(), &test.namespace, &resource)
}

#[tokio::test]
async fn failures_of_a_namespace_are_one_report_that_is_written_only_when_they_change() -> Result<()> {
    scenario_with(Options::default(), async |test| {
        test.operator_namespace().await?;
        install_reports(test).await?;
        let kubectl = test.cluster.kubectl()?;
        let open = Workload::named("web").replicas(0).deployment();
        test.apply(&[open.clone(), policy(&["POD-009", "POD-001"])]).await?;
        let operator = Start::new(test).ready().await?;
        let reports = reports_of(test);

        let until = async |what: &str, fails: u64| {
            wait::until(what, async || {
                let report = reports.get("ironside").await?;
                ensure!(report.data["summary"]["fail"] == fails, "{}", report.data["summary"]);
                Ok(report)
            })
            .await
        };
        let report = until("the failure is reported", 1).await?;
        let results = report.data["results"].as_array().context("results")?;
        ensure!(results.len() == 1, "failures only: {results:?}");
        ensure!(
            results[0]["policy"] == "POD-009" && results[0]["resources"][0]["name"] == "web",
            "{}",
            results[0]
        );
        ensure!(report.data["summary"]["pass"] == 1, "{}", report.data["summary"]);

        // A change that turns no verdict: the report stays as it is.
        let deployments: Api<DynamicObject> = Api::namespaced_with(
            test.client.clone(),
            &test.namespace,
            &ApiResource::from_gvk(&GroupVersionKind::gvk("apps", "v1", "Deployment")),
        );
        let label = json!({"metadata": {"labels": {"touched": "yes"}}});
        deployments
            .patch("web", &PatchParams::default(), &Patch::Merge(&label))
            .await?;
        test.apply(&[Workload::named("more").replicas(0).deployment()]).await?;
        let second = until("the second failure is reported", 2).await?;
        let writes = operator
            .requests(test)?
            .into_iter()
            .filter(|entry| {
                entry.is_write()
                    && entry
                        .object_ref
                        .as_ref()
                        .is_some_and(|about| about.resource == "reports")
            })
            .count();
        ensure!(writes == 2, "{writes} writes for two changes of the results");

        // Whoever deletes the policy is rid of the report.
        ensure!(
            second.annotations().contains_key("hardening.ironside.dev/content"),
            "no hash"
        );
        kubectl.run(&["delete", "hpol", "team", "-n", &test.namespace]).await?;
        wait::until("nothing is judged, so nothing is reported", async || {
            let left = reports.list(&ListParams::default()).await?.items;
            if let Some(report) = left.first()
                && report.data["summary"]["fail"] != 0
            {
                bail!("{}", report.data["summary"]);
            }
            Ok(())
        })
        .await
    })
    .await
}

/// The same reports of files, where no operator runs.
#[tokio::test]
async fn the_project_s_definitions_take_what_the_command_line_writes() -> Result<()> {
    scenario_with(Options::default(), async |test| {
        install_reports(test).await?;
        let mut open = Workload::named("web").replicas(0).deployment();
        open["metadata"]["namespace"] = json!(test.namespace);
        let role = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "everything"},
            "rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}],
        });
        let file = test.folder().join("open.json");
        let list = json!({"apiVersion": "v1", "kind": "List", "items": [open, role]});
        std::fs::write(&file, list.to_string())?;
        let written = tokio::process::Command::new(workspace_program("ironside")?)
            .args(["scan", "-o", "openreports"])
            .arg(&file)
            .output()
            .await?;
        let written = String::from_utf8(written.stdout)?;
        let kubectl = test.cluster.kubectl()?;
        kubectl.run_with_input(&["apply", "-f", "-"], &written).await?;

        let report = reports_of(test).get("ironside").await?;
        let results = report.data["results"].as_array().context("results")?;
        let escalation = results.iter().find(|result| result["policy"] == "POD-009");
        let escalation = escalation.with_context(|| format!("no POD-009: {results:?}"))?;
        let file = escalation["properties"]["file"].as_str().unwrap_or_default();
        ensure!(
            file.contains("open.json:1:"),
            "nothing was lost on the way: {escalation}"
        );
        let cluster = kubectl
            .run(&["get", "clusterreports.openreports.io", "ironside", "-o", "yaml"])
            .await?;
        ensure!(cluster.contains("RBAC-002"), "{cluster}");
        Ok(())
    })
    .await
}

/// A right that is missing, or a webhook that refuses: the cluster changes on, and the API server is not asked anew each time.
#[tokio::test]
async fn a_refused_report_is_not_sent_again_at_every_change() -> Result<()> {
    scenario_with(Options::default(), async |test| {
        test.operator_namespace().await?;
        install_reports(test).await?;
        test.apply(&[policy(&["POD-009"])]).await?;
        let proxy = Proxy::start(test.cluster).await?;
        let to_write = Match::verb("patch").and(Match::resource("reports"));
        let refused = proxy.inject(Rule::new(to_write, Fault::forbidden()));
        let operator = Start::new(test).via(&proxy).ready().await?;
        let began = Instant::now();
        for number in 1..=8_u32 {
            let web = Workload::named(&format!("web-{number}")).replicas(0);
            test.apply(&[web.deployment()]).await?;
            wait::until("it is judged", async || {
                let failing = [("control", "POD-009"), ("result", "Fail")];
                let found = operator.metrics().await?.sum("ironside_findings", &failing);
                ensure!(found == Some(f64::from(number)), "{found:?} fail");
                Ok(())
            })
            .await?;
            if number == 1 {
                wait::until("the report is refused", async || {
                    ensure!(refused.hits() > 0, "not sent yet");
                    Ok(())
                })
                .await?;
            }
            // Changes are gathered for half a second; each of these stands for itself.
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        // Ten seconds pass between two attempts, and a busy machine makes this loop longer than that.
        let most = 2 + usize::try_from(began.elapsed().as_secs() / 10)?;
        ensure!(refused.hits() <= most, "{} requests that were refused", refused.hits());
        Ok(())
    })
    .await
}
