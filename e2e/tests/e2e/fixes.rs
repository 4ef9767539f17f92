//! The repair of every bad example: it takes away that finding and nothing else, adds none, has nothing left to do, and the API server accepts what comes out of it.
//! That its undo restores what was there is held by the engine's `plans` for the same examples, and on the API server by `decisions`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use futures::{StreamExt as _, TryStreamExt as _};
use ironside_e2e::binaries::workspace_program;
use ironside_e2e::{Scenario, scenario};
use kube::Api;
use kube::api::{DynamicObject, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::{Value, json};

/// Requests under way at one time.
const AT_ONCE: usize = 8;

/// One example in a namespace of its own, so that examples of one name are not one object.
struct Example {
    control: String,
    /// `pod_009/bad/pod-unset.yaml`
    name: String,
    /// Whether its comment says that the repair is held.
    held: bool,
    file: PathBuf,
}

impl Example {
    fn objects(&self) -> Result<Vec<Value>> {
        let list: Value = serde_json::from_str(&std::fs::read_to_string(&self.file)?)?;
        Ok(list["items"].as_array().context("items")?.clone())
    }
}

async fn ironside(arguments: &[&str], file: &Path) -> Result<String> {
    let output = tokio::process::Command::new(workspace_program("ironside")?)
        .args(arguments)
        .arg(file)
        .output()
        .await?;
    let err = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.code().is_some_and(|code| code < 2),
        "ironside {arguments:?}: {err}"
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The controls whose repair edits a pod template. That of NET-002 makes NetworkPolicies: `network` has its tests.
async fn repairable(folder: &Path) -> Result<Vec<String>> {
    let output = tokio::process::Command::new(workspace_program("ironside")?)
        .arg("controls")
        .current_dir(folder)
        .output()
        .await?;
    let text = String::from_utf8(output.stdout)?;
    let ids = text.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        let (id, _, repair) = (words.next()?, words.next()?, words.next()?);
        (repair == "repair" && !id.starts_with("NET-")).then(|| id.to_owned())
    });
    Ok(ids.collect())
}

/// The bad examples of the controls, written below a folder as lists in JSON, each in a namespace of its own.
fn examples(controls: &[String], folder: &Path) -> Result<Vec<Example>> {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../operator/engine/src/controls");
    let mut examples = Vec::new();
    for control in controls {
        let id = control.to_lowercase();
        let (family, _) = id.split_once('-').context("FAMILY-NUMBER")?;
        let bad = sources.join(family).join(id.replace('-', "_")).join("bad");
        for entry in std::fs::read_dir(&bad).with_context(|| format!("read {}", bad.display()))? {
            let path = entry?.path();
            let text = std::fs::read_to_string(&path)?;
            // Settings of a policy are the engine's tests' business.
            if text.contains("\n# with: ") {
                continue;
            }
            let mut objects: Vec<Value> = serde_saphyr::from_multiple(&text)?;
            for object in &mut objects {
                object["metadata"]["namespace"] = json!(format!("example-{}", examples.len()));
            }
            let file = folder.join(format!("{control}-{}.json", examples.len()));
            std::fs::write(
                &file,
                serde_json::to_string_pretty(&json!({"apiVersion": "v1", "kind": "List", "items": objects}))?,
            )?;
            examples.push(Example {
                control: control.clone(),
                name: path.display().to_string(),
                held: text.contains("\n# held: "),
                file,
            });
        }
    }
    Ok(examples)
}

/// Control and object of everything that fails.
type Failures = BTreeSet<(String, String)>;

async fn failures(file: &Path) -> Result<Failures> {
    let scan: Value = serde_json::from_str(&ironside(&["scan", "-o", "json"], file).await?)?;
    ensure!(scan["problems"] == json!([]), "{}", scan["problems"]);
    let results = scan["results"].as_array().context("results")?.iter();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let failed = results.filter(|result| result["result"] == "Fail");
    Ok(failed
        .map(|result| {
            (
                text(&result["control"]),
                text(&result["object"]["kind"]) + "/" + &text(&result["object"]["name"]),
            )
        })
        .collect())
}

/// Whether the API server accepts all objects, in the test's own namespace; else why not. Nothing is stored.
async fn refusal(test: &Scenario<'_>, objects: &[Value]) -> Result<Option<String>> {
    for object in objects.iter().filter(|object| object["kind"] != "ServiceAccount") {
        let (api_version, kind) = (
            object["apiVersion"].as_str().unwrap_or_default(),
            object["kind"].as_str().unwrap_or_default(),
        );
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        let api: Api<DynamicObject> = Api::namespaced_with(test.client.clone(), &test.namespace, &resource);
        let mut object = object.clone();
        object["metadata"]["namespace"] = json!(test.namespace);
        let parameters = PostParams {
            dry_run: true,
            ..PostParams::default()
        };
        match api.create(&parameters, &serde_json::from_value(object)?).await {
            Ok(_) => {}
            Err(kube::Error::Api(status)) if matches!(status.code, 400 | 403 | 422) => {
                return Ok(Some(status.message.clone()));
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(None)
}

/// The accounts that the examples run as: the API server takes no pod whose account does not exist.
async fn make_accounts(test: &Scenario<'_>, examples: &[Example]) -> Result<()> {
    let mut names = BTreeSet::new();
    for example in examples {
        for object in example.objects()? {
            let account = object.pointer("/spec/serviceAccountName").and_then(Value::as_str);
            names.extend(account.filter(|name| *name != "default").map(str::to_owned));
        }
    }
    let account = |name: &String| json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}});
    let accounts: Vec<Value> = names.iter().map(account).collect();
    if accounts.is_empty() {
        Ok(())
    } else {
        test.apply(&accounts).await
    }
}

/// What is wrong with the repair of one example, and whether the API server accepts the example at all.
async fn wrong(test: &Scenario<'_>, example: &Example) -> Result<(Vec<String>, bool)> {
    let mut wrong = Vec::new();
    let (before, objects) = (failures(&example.file).await?, example.objects()?);
    let refused_before = refusal(test, &objects).await?;
    let of_control = |failures: &Failures| {
        failures
            .iter()
            .filter(|(control, _)| *control == example.control)
            .cloned()
            .collect::<Failures>()
    };
    if of_control(&before).is_empty() {
        wrong.push("it does not fail".to_owned());
    }

    let unfixed = std::fs::read_to_string(&example.file)?;
    let fix = ["fix", "--write", "--max-risk", "high", "--control", &example.control];
    ironside(&fix, &example.file).await?;
    let fixed = std::fs::read_to_string(&example.file)?;
    ironside(&fix, &example.file).await?;
    if std::fs::read_to_string(&example.file)? != fixed {
        wrong.push("a second run finds more to do".to_owned());
    }

    let after = failures(&example.file).await?;
    let added: Vec<_> = after.difference(&before).collect();
    if !added.is_empty() {
        wrong.push(format!("it adds {added:?}"));
    }
    // An ephemeral container is nobody's to repair: it stands in pods that run.
    let only_declared = !unfixed.contains("ephemeralContainers");
    if !example.held && only_declared {
        let removed: Failures = before.difference(&after).cloned().collect();
        if removed != of_control(&before) {
            wrong.push(format!("it takes away {removed:?}"));
        }
        if fixed == unfixed {
            wrong.push("it changes nothing".to_owned());
        }
    }
    if refused_before.is_none()
        && let Some(why) = refusal(test, &example.objects()?).await?
    {
        wrong.push(format!("the API server refuses what comes out: {why}"));
    }
    Ok((wrong, refused_before.is_none()))
}

#[tokio::test]
async fn repairs_of_all_bad_examples_are_exact_and_accepted() -> Result<()> {
    scenario(async |test| {
        let controls = repairable(test.folder()).await?;
        ensure!(controls.len() >= 6, "{controls:?}");
        let examples = examples(&controls, test.folder())?;
        make_accounts(test, &examples).await?;
        let outcomes: Vec<(Vec<String>, bool)> = futures::stream::iter(&examples)
            .map(|example| wrong(test, example))
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        let all = examples
            .iter()
            .zip(&outcomes)
            .flat_map(|(example, (wrong, _))| wrong.iter().map(|wrong| format!("{}: {wrong}", example.name)));
        let all: Vec<String> = all.collect();
        ensure!(all.is_empty(), "{}", all.join("\n"));
        // Those of ephemeral containers are refused as they are: the API server takes such containers in pods that run only.
        let accepted = outcomes.iter().filter(|(_, accepted)| *accepted).count();
        ensure!(
            accepted * 4 > examples.len() * 3,
            "only {accepted} of {} examples are accepted as they are",
            examples.len()
        );
        Ok(())
    })
    .await
}
