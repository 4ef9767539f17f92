//! Rights as the API server itself sees them: generated roles and bindings, its SubjectAccessReviews beside `ironside can`.

use anyhow::{Context as _, Result, ensure};
use futures::{StreamExt as _, TryStreamExt as _};
use ironside_e2e::binaries::workspace_program;
use ironside_e2e::{Scenario, scenario, wait};
use k8s_openapi::api::authorization::v1::SubjectAccessReview;
use kube::Api;
use kube::api::PostParams;
use serde_json::{Value, json};

use crate::numbers::{Numbers, from_environment};

/// Questions that are asked. `IRONSIDE_RIGHTS_QUESTIONS` asks more, `IRONSIDE_RIGHTS_SEED` others.
const QUESTIONS: u64 = 400;

/// Requests under way at one time.
const AT_ONCE: usize = 8;

const VERBS: &[&str] = &[
    "get",
    "list",
    "watch",
    "create",
    "update",
    "patch",
    "delete",
    "deletecollection",
    "bind",
    "escalate",
    "impersonate",
    "*",
];
const GROUPS: &[&str] = &["", "apps", "rbac.authorization.k8s.io", "example.com", "*"];
const RESOURCES: &[&str] = &[
    "pods",
    "pods/log",
    "pods/exec",
    "deployments",
    "deployments/scale",
    "*/scale",
    "secrets",
    "services/proxy",
    "roles",
    "widgets",
    "*",
];
const NAMES: &[&str] = &["web", "db", ""];
const PATHS: &[&str] = &[
    "/metrics",
    "/metrics/cadvisor",
    "/healthz",
    "/healthz/*",
    "/logs*",
    "/logs/",
    "*",
    "/",
];

/// Who and what is generated, named after the test's namespace so that other tests on the cluster have nothing to do with it.
struct Generated {
    prefix: String,
    namespaces: [String; 2],
    numbers: Numbers,
}

impl Generated {
    fn rule(&mut self, may_be_path: bool) -> Value {
        let verbs = self.numbers.some(VERBS, 3);
        if may_be_path && self.numbers.below(4) == 0 {
            return json!({"verbs": verbs, "nonResourceURLs": self.numbers.some(PATHS, 2)});
        }
        let names = if self.numbers.below(4) == 0 {
            self.numbers.some(NAMES, 2)
        } else {
            Vec::new()
        };
        json!({
            "verbs": verbs, "apiGroups": self.numbers.some(GROUPS, 2), "resources": self.numbers.some(RESOURCES, 3), "resourceNames": names,
        })
    }

    fn subject(&mut self) -> Value {
        let number = self.numbers.below(3);
        let namespace = self.numbers.pick(&self.namespaces).clone();
        let prefix = &self.prefix;
        let named =
            |kind: &str, name: String| json!({"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name});
        match self.numbers.below(6) {
            0 | 1 => named("User", format!("{prefix}:user-{number}")),
            2 => named("Group", format!("{prefix}:group-{number}")),
            3 => named("Group", format!("system:serviceaccounts:{namespace}")),
            4 => named("User", format!("system:serviceaccount:{namespace}:account-{number}")),
            _ => json!({"kind": "ServiceAccount", "name": format!("account-{number}"), "namespace": namespace}),
        }
    }

    fn object(&self, kind: &str, namespace: Option<&String>, name: &str, mut body: Value) -> Value {
        body["apiVersion"] = json!("rbac.authorization.k8s.io/v1");
        body["kind"] = json!(kind);
        body["metadata"]["name"] = match namespace {
            Some(_) => json!(name),
            None => json!(format!("{}-{name}", self.prefix)),
        };
        if let Some(namespace) = namespace {
            body["metadata"]["namespace"] = json!(namespace);
        }
        body
    }

    /// Roles of both kinds, ClusterRoles that take others in, over one step and over two, and bindings of all to everybody.
    fn objects(&mut self) -> Vec<Value> {
        let label = |value: &str| json!({(format!("{}.example.com/in", self.prefix)): value});
        let (first, second) = (label("first"), label("second"));
        let mut objects = Vec::new();
        for number in 0..8 {
            let rules: Vec<Value> = (0..=self.numbers.below(2)).map(|_| self.rule(true)).collect();
            let labels = if number % 3 == 0 { first.clone() } else { json!({}) };
            objects.push(self.object(
                "ClusterRole",
                None,
                &format!("role-{number}"),
                json!({"metadata": {"labels": labels}, "rules": rules}),
            ));
            let namespace = self.namespaces[number % 2].clone();
            let rules: Vec<Value> = (0..=self.numbers.below(2)).map(|_| self.rule(false)).collect();
            objects.push(self.object(
                "Role",
                Some(&namespace),
                &format!("role-{number}"),
                json!({"rules": rules}),
            ));
        }
        for (name, labels, selects) in [("all-first", second.clone(), first), ("all-second", json!({}), second)] {
            let rule = json!({"clusterRoleSelectors": [{"matchLabels": selects}]});
            objects.push(self.object(
                "ClusterRole",
                None,
                name,
                json!({"metadata": {"labels": labels}, "aggregationRule": rule, "rules": []}),
            ));
        }
        for number in 0..14 {
            let (which, is_wide) = (self.numbers.below(8), number % 3 == 0);
            let namespace = self.namespaces[number % 2].clone();
            let of_cluster = match number {
                9 => Some("all-first".to_owned()),
                10 => Some("all-second".to_owned()),
                _ if is_wide || number % 2 == 0 => Some(format!("role-{which}")),
                _ => None,
            };
            let role = match of_cluster {
                Some(name) => json!({"kind": "ClusterRole", "name": format!("{}-{name}", self.prefix)}),
                // Half of the Roles live in the other namespace: then the binding gives nothing.
                None => json!({"kind": "Role", "name": format!("role-{which}")}),
            };
            let mut role_ref = role;
            role_ref["apiGroup"] = json!("rbac.authorization.k8s.io");
            let subjects: Vec<Value> = (0..=self.numbers.below(2)).map(|_| self.subject()).collect();
            let body = json!({"roleRef": role_ref, "subjects": subjects});
            let (kind, place) = if is_wide {
                ("ClusterRoleBinding", None)
            } else {
                ("RoleBinding", Some(&namespace))
            };
            objects.push(self.object(kind, place, &format!("binding-{number}"), body));
        }
        objects
    }

    /// A user with groups, an account with those that its token brings, or groups alone.
    fn who(&mut self) -> (String, Vec<String>) {
        let number = self.numbers.below(3);
        let group = format!("{}:group-{}", self.prefix, self.numbers.below(3));
        let everybody = "system:authenticated".to_owned();
        match self.numbers.below(5) {
            0 => (format!("{}:user-{number}", self.prefix), vec![everybody]),
            1 => (format!("{}:user-{number}", self.prefix), vec![group, everybody]),
            2 => (String::new(), vec![group]),
            _ => {
                let namespace = self.numbers.pick(&self.namespaces).clone();
                let groups = vec![
                    "system:serviceaccounts".to_owned(),
                    format!("system:serviceaccounts:{namespace}"),
                    everybody,
                ];
                (format!("system:serviceaccount:{namespace}:account-{number}"), groups)
            }
        }
    }

    /// A question near some rule: about what it names, but for one word perhaps.
    fn review(&mut self, rules: &[Value]) -> Value {
        let (user, groups) = self.who();
        let near = self.numbers.pick(rules).clone();
        let mut word = |field: &str, any: &[&str]| {
            let own = near[field].as_array().map(Vec::as_slice).unwrap_or_default();
            match (own.is_empty(), self.numbers.below(4)) {
                (true, _) | (_, 0) => Value::from(*self.numbers.pick(any)),
                (false, _) => self.numbers.pick(own).clone(),
            }
        };
        let spec = if near.get("nonResourceURLs").is_some() {
            json!({"nonResourceAttributes": {"verb": word("verbs", VERBS), "path": word("nonResourceURLs", PATHS)}})
        } else {
            let resource = word("resources", RESOURCES);
            let (resource, subresource) = resource
                .as_str()
                .and_then(|text| text.split_once('/'))
                .unwrap_or((resource.as_str().unwrap_or_default(), ""));
            let (verb, group, name) = (
                word("verbs", VERBS),
                word("apiGroups", GROUPS),
                word("resourceNames", NAMES),
            );
            let place = self.numbers.below(3);
            let namespace = self.namespaces.get(place).cloned().unwrap_or_default();
            json!({"resourceAttributes": {
                "verb": verb, "group": group, "resource": resource, "subresource": subresource, "name": name, "namespace": namespace,
            }})
        };
        let mut review = json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec});
        review["spec"]["user"] = json!(user);
        review["spec"]["groups"] = json!(groups);
        review
    }
}

/// What the API server answers.
async fn reviewed(reviews: &Api<SubjectAccessReview>, review: &Value) -> Result<bool> {
    let review: SubjectAccessReview = serde_json::from_value(review.clone())?;
    let answer = reviews.create(&PostParams::default(), &review).await?;
    Ok(answer.status.context("a status")?.allowed)
}

/// What the command line answers to the same, from the cluster's roles and bindings as kubectl exports them.
async fn answered(test: &Scenario<'_>, reviews: &[Value]) -> Result<Vec<Value>> {
    let kinds = "clusterroles,clusterrolebindings,roles,rolebindings";
    let rights = test
        .cluster
        .kubectl()?
        .run(&["get", kinds, "--all-namespaces", "-o", "yaml"])
        .await?;
    let (file, asked) = (test.folder().join("rights.yaml"), test.folder().join("reviews.json"));
    std::fs::write(&file, rights)?;
    std::fs::write(
        &asked,
        json!({"apiVersion": "v1", "kind": "List", "items": reviews}).to_string(),
    )?;
    let output = tokio::process::Command::new(workspace_program("ironside")?)
        .args(["can", "-o", "json", "--reviews"])
        .arg(&asked)
        .arg("--file")
        .arg(&file)
        .output()
        .await?;
    let said: Value =
        serde_json::from_slice(&output.stdout).with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(said["answers"].as_array().context("answers")?.clone())
}

#[tokio::test]
async fn ironside_can_answers_as_the_api_server_does() -> Result<()> {
    scenario(async |test| {
        let seed = from_environment("IRONSIDE_RIGHTS_SEED", 1);
        let other = test.cluster.namespace(&test.client, "rights-other").await?;
        let mut generated = Generated {
            prefix: test.namespace.clone(),
            namespaces: [test.namespace.clone(), other.clone()],
            numbers: Numbers(seed),
        };
        let objects = generated.objects();
        let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
        test.cluster.kubectl()?.apply(&list.to_string()).await?;
        let rules: Vec<Value> = objects
            .iter()
            .filter_map(|object| object["rules"].as_array())
            .flatten()
            .cloned()
            .collect();
        let questions = from_environment("IRONSIDE_RIGHTS_QUESTIONS", QUESTIONS);
        let reviews: Vec<Value> = (0..questions).map(|_| generated.review(&rules)).collect();

        let answers = answered(test, &reviews).await?;
        ensure!(answers.len() == reviews.len(), "{} answers", answers.len());
        let mine: Vec<bool> = answers.iter().map(|answer| answer["allowed"] == true).collect();
        let api: Api<SubjectAccessReview> = Api::all(test.client.clone());
        let mut open: Vec<usize> = (0..reviews.len()).collect();
        // The API server's own view of roles follows a moment later, and aggregated ones are filled in by the controller manager.
        let outcome = wait::until("both give the same answers", async || {
            let asked: Vec<bool> = futures::stream::iter(open.clone())
                .map(|index| reviewed(&api, &reviews[index]))
                .buffered(AT_ONCE)
                .try_collect()
                .await?;
            open = open
                .iter()
                .zip(asked)
                .filter(|(index, theirs)| mine[**index] != *theirs)
                .map(|(index, _)| *index)
                .collect();
            let first: Vec<String> = open
                .iter()
                .take(10)
                .map(|index| format!("Ironside: {}\n{}", answers[*index], reviews[*index]))
                .collect();
            ensure!(
                open.is_empty(),
                "seed {seed}: {} answers differ, the first:\n{}",
                open.len(),
                first.join("\n")
            );
            Ok(())
        });
        outcome.await?;
        let yes = mine.iter().filter(|allowed| **allowed).count();
        ensure!(
            yes * 20 > mine.len() && yes * 20 < mine.len() * 19,
            "{yes} of {} are allowed",
            mine.len()
        );

        let kubectl = test.cluster.kubectl()?;
        for kind in ["clusterroles", "clusterrolebindings"] {
            let of_kind = objects
                .iter()
                .filter(|object| format!("{}s", object["kind"].as_str().unwrap_or_default()).to_lowercase() == kind);
            let names: Vec<&str> = of_kind
                .filter_map(|object| object["metadata"]["name"].as_str())
                .collect();
            kubectl.run(&[&["delete", kind], names.as_slice()].concat()).await?;
        }
        test.cluster.drop_namespace(&test.client, &other).await
    })
    .await
}
