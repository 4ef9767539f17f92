//! `ironside scan -o openreports`: what the operator would report, of files. That the project's own definitions take it is seen on a real API server (e2e).

use serde_json::Value;

use super::{BAD_POD, Folder, GOOD_POD, err, ironside};

fn reports(paths: &[&str], input: &str) -> Vec<Value> {
    let output = ironside(&[&["scan", "-o", "openreports"], paths].concat(), input);
    let list: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", err(&output)));
    assert_eq!((&list["apiVersion"], &list["kind"]), (&"v1".into(), &"List".into()));
    list["items"].as_array().unwrap().clone()
}

#[test]
fn each_namespace_has_a_report_and_failures_say_where_they_stand() {
    let folder = Folder::new("openreports");
    folder
        .put("bad.yaml", BAD_POD.replace("{name: p}", "{name: p, namespace: shop}"))
        .put("good.yaml", GOOD_POD.replace("namespace: shop", "namespace: default"))
        .put(
            "role.yaml",
            "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: all}\nrules: [{apiGroups: ['*'], resources: ['*'], verbs: ['*']}]\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n",
        );
    let reports = reports(&[folder.path()], "");
    let place = |report: &Value| {
        [&report["kind"], &report["metadata"]["namespace"]]
            .map(Value::to_string)
            .join(" ")
    };
    let names: Vec<String> = reports.iter().map(place).collect();
    assert_eq!(
        names,
        [
            "\"ClusterReport\" null",
            "\"Report\" \"default\"",
            "\"Report\" \"shop\""
        ]
    );
    let [of_cluster, of_default, of_shop] = reports.try_into().unwrap();
    assert!(of_cluster.get("scope").is_none() && of_shop["scope"]["name"] == "shop");

    let result = |report: &Value, control: &str| {
        let results = report["results"].as_array().unwrap().clone();
        results.into_iter().find(|result| result["policy"] == control)
    };
    let privileged = result(&of_shop, "POD-001").unwrap();
    assert!(
        privileged["properties"]["file"]
            .as_str()
            .unwrap()
            .ends_with("bad.yaml:8:23"),
        "{privileged}"
    );
    assert_eq!(privileged["resources"][0]["namespace"], "shop");
    let role = result(&of_cluster, "RBAC-002").unwrap();
    assert!(role["resources"][0].get("namespace").is_none(), "{role}");
    // The Namespace object is in the report of the namespace.
    assert!(
        of_shop["results"]
            .as_array()
            .unwrap()
            .iter()
            .any(|it| it["resources"][0]["kind"] == "Namespace")
    );

    for report in [&of_cluster, &of_default, &of_shop] {
        let fails = report["results"].as_array().unwrap().len();
        assert_eq!(report["summary"]["fail"], fails, "{report}");
    }
    assert!(of_default["summary"]["pass"].as_u64().unwrap() > 10);
}

#[test]
fn what_passes_is_a_report_too_and_more_than_a_thousand_failures_are_several() {
    assert_eq!(reports(&["-"], "").len(), 0);
    let pod = |number: usize| BAD_POD.replace("{name: p}", &format!("{{name: p{number}}}"));
    let many: Vec<String> = (0..150).map(pod).collect();
    let many = reports(&["-"], &many.join("---\n"));
    let fails: usize = many
        .iter()
        .map(|report| report["results"].as_array().unwrap().len())
        .sum();
    assert!(
        many.len() > 1
            && many
                .iter()
                .all(|report| report["results"].as_array().unwrap().len() <= 1000)
    );
    // Counted once.
    assert_eq!(many[0]["summary"]["fail"], fails);
    assert_eq!(many[1]["summary"]["fail"], 0);
    let names: Vec<&Value> = many.iter().map(|report| &report["metadata"]["name"]).collect();
    assert_eq!(names[..2], ["ironside", "ironside-2"]);
}
