//! What people and tools leave in folders of manifests: each is named with its place, hides nothing else, and is never counted as passed.

use std::os::unix::fs::symlink;

use super::{BAD_POD, Folder, err, ironside, out};

/// Scans a text beside a pod that is in order to be read; what is complained about.
fn complaint(name: &str, text: impl AsRef<[u8]>) -> String {
    let folder = Folder::new(name);
    folder.put("bad.yaml", text).put("pod.yaml", BAD_POD);
    let output = ironside(&["scan", folder.path()], "");
    assert_eq!(output.status.code(), Some(2), "{}", out(&output));
    assert!(out(&output).contains("Pod default/p"), "{}", out(&output));
    assert!(out(&output).contains("1 objects judged"), "{}", out(&output));
    err(&output)
}

#[test]
fn aliases_without_end_are_refused_at_their_place() {
    let cyclic = "# one\n---\napiVersion: v1\nkind: Pod\nmetadata: &a\n  name: x\n  labels: *a\n";
    let said = complaint("cyclic", cyclic);
    assert!(said.contains("bad.yaml:7:11: an alias within what it names"), "{said}");
    let level = |level: usize| {
        let below = vec![format!("*a{}", level - 1); 10].join(",");
        format!("a{level}: &a{level} [{below}]\n")
    };
    let levels: Vec<String> = (1..10).map(level).collect();
    let bomb = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\na0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned()
        + &levels.concat();
    let said = complaint("bomb", bomb);
    assert!(said.contains("aliases of aliases"), "{said}");
}

#[test]
fn nesting_without_end_is_refused() {
    let deep = format!(
        "apiVersion: v1\nkind: Pod\nspec: {}{}\n",
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    assert!(complaint("deep", deep).contains("bad.yaml:3:"));
    let json = format!(
        r#"{{"apiVersion":"v1","kind":"Pod","spec":{}1{}}}"#,
        r#"{"a":"#.repeat(50_000),
        "}".repeat(50_000)
    );
    assert!(complaint("deep-json", json).contains("levels deep"));
}

#[test]
fn a_key_that_is_given_twice_is_named() {
    let said = complaint(
        "duplicate",
        "apiVersion: v1\nkind: Pod\nspec:\n  hostPID: true\n  hostPID: false\n",
    );
    assert!(
        said.contains("bad.yaml:5:3: hostPID is given twice: keep one"),
        "{said}"
    );
}

#[test]
fn what_is_no_object_is_named_document_by_document() {
    let said = complaint(
        "scalars",
        "kind: Pod\nspec: {}\n---\njust text\n---\n42\n---\nnull\n---\napiVersion: v1\nmetadata: {name: x}\n",
    );
    for line in [1, 4, 6, 10] {
        assert!(
            said.contains(&format!("bad.yaml:{line}: not a Kubernetes object")),
            "{line}: {said}"
        );
    }
    assert_eq!(said.lines().count(), 4, "{said}");
}

/// Folders hold values of charts, kustomizations, dashboards, playbooks: one line says so, and they are no trouble. Who names such a file means it.
#[test]
fn what_does_not_mean_to_be_an_object_is_left_out_of_a_folder_and_refused_by_name() {
    let folder = Folder::new("strangers");
    folder
        .put("board.json", r#"{"title": "a dashboard", "panels": []}"#)
        .put("kustomization.yaml", "resources:\n- pod.yaml\n")
        .put("playbook.yaml", "- hosts: all\n")
        .put("pod.yaml", BAD_POD);
    let output = ironside(&["scan", folder.path(), "-o", "json"], "");
    assert_eq!(output.status.code(), Some(1), "{}", err(&output));
    let said = err(&output);
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(
        said.contains("board.json:1 says neither apiVersion nor kind; 2 more"),
        "{said}"
    );
    let scan: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(scan["summary"]["notObjects"], 3, "{scan:#}");
    assert_eq!(scan["problems"], serde_json::json!([]));

    let nothing_else = Folder::new("strangers-only");
    nothing_else.put("values.yaml", "replicas: 1\n");
    let output = ironside(&["scan", nothing_else.path()], "");
    assert_eq!(output.status.code(), Some(2), "nothing found is not nothing wrong");
    assert!(
        err(&output).contains("values.yaml:1, like every other document, says neither"),
        "{}",
        err(&output)
    );

    let named = format!("{}/kustomization.yaml", folder.path());
    let output = ironside(&["scan", &named], "");
    assert_eq!(output.status.code(), Some(2), "{}", err(&output));
    assert!(err(&output).contains("kustomization.yaml:1: not a Kubernetes object"));
}

#[test]
fn a_field_of_the_wrong_type_is_named_with_its_place_and_what_belongs_there() {
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\nspec:\n  containers:\n  - name: c\n    image: i\n    ports: 80\n";
    let said = complaint("wrong-type", pod);
    let wanted = "bad.yaml:8:5: Pod x: spec.containers.0.ports is 80, expected a list";
    assert!(said.contains(wanted), "{said}");
    let policy = "apiVersion: hardening.ironside.dev/v1alpha1\nkind: HardeningPolicy\nmetadata: {name: x}\nspec:\n  mode: Later\n";
    let said = complaint("wrong-value", policy);
    let wanted = "bad.yaml:5:3: HardeningPolicy x: spec.mode: unknown variant `Later`, expected one of `Audit`";
    assert!(said.contains(wanted), "{said}");
}

#[test]
fn other_encodings_and_half_of_a_file_are_named() {
    let utf16: Vec<u8> = "\u{feff}apiVersion: v1\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    assert!(complaint("utf16", utf16).contains("UTF-16: save it as UTF-8"));
    assert!(complaint("half", "apiVersion: v1\nkind: Pod\nspec:\n  a: 'x\n").contains("bad.yaml:4:6: unclosed quote"));
}

#[test]
fn more_than_can_be_a_manifest_is_refused_and_not_cut_off() {
    let comment = vec![b'#'; 64 * 1024 * 1024 + 1];
    assert!(complaint("large", &comment).contains("more than 64 MiB"));
}

#[test]
fn unknown_kinds_and_versions_are_not_looked_at() {
    let strange = "apiVersion: apps/v9\nkind: Deployment\nmetadata: {name: x}\nspec: {}\n---\napiVersion: foo.dev/v1\nkind: Gizmo\nmetadata: {name: x}\n";
    let output = ironside(&["scan", "-", "-o", "json"], strange);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    let scan: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&scan["summary"]["skipped"], &scan["summary"]["passed"]),
        (&2.into(), &0.into()),
        "{scan:#}"
    );
    let beta = "apiVersion: batch/v1beta1\nkind: CronJob\nmetadata: {name: x}\nspec: {schedule: '* * * * *', jobTemplate: {spec: {template: {spec: {containers: [{name: c, image: x}]}}}}}\n";
    assert!(out(&ironside(&["scan", "-"], beta)).contains("CronJob default/x"));
}

#[test]
fn pod_templates_in_unknown_kinds_are_found_by_their_shape_and_marked_so() {
    let rollout = "apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: web, namespace: shop}
spec:
  replicas: 2
  template:
    spec:
      containers:
      - name: web
        image: web:1
        securityContext:
          privileged: true
";
    let output = ironside(&["scan", "-"], rollout);
    let said = out(&output);
    assert_eq!(output.status.code(), Some(1), "{}", err(&output));
    assert!(said.contains("CustomResource shop/Rollout/web"), "{said}");
    assert!(said.contains("found by its shape"), "{said}");
    assert!(!said.contains("were not looked at"), "{said}");
    let output = ironside(&["scan", "-", "-o", "json"], rollout);
    let scan: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let results = scan["results"].as_array().unwrap();
    let privileged = results.iter().find(|result| result["control"] == "POD-001").unwrap();
    assert_eq!(privileged["evidence"][0]["line"], 12, "{privileged:#}");
    let fixed = ironside(&["fix", "-"], rollout);
    assert!(!out(&fixed).contains("privileged: false"), "{}", out(&fixed));
}

#[test]
fn links_in_circles_end_and_links_to_nothing_are_named() {
    let folder = Folder::new("links");
    folder.put("pod.yaml", BAD_POD);
    symlink(".", folder.file("around")).unwrap();
    symlink("itself.yaml", folder.file("itself.yaml")).unwrap();
    symlink("nothing", folder.file("gone.yaml")).unwrap();
    let output = ironside(&["scan", folder.path()], "");
    let said = err(&output);
    assert_eq!(output.status.code(), Some(2));
    assert!(out(&output).contains("1 objects judged"), "{}", out(&output));
    assert!(
        said.contains("itself.yaml: ") && said.contains("gone.yaml: no such file"),
        "{said}"
    );
    assert_eq!(said.lines().count(), 2, "{said}");
}

#[test]
fn an_object_that_is_given_twice_counts_once_and_json_is_read() {
    let json =
        r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p"},"spec":{"containers":[{"name":"c","image":"x"}]}}"#;
    let folder = Folder::new("twice");
    folder.put("a.json", json).put("b.yaml", BAD_POD);
    let output = ironside(&["scan", folder.path()], "");
    let said = err(&output);
    assert!(
        said.contains("defined more than once, the later one is judged: Pod default/p at "),
        "{said}"
    );
    assert_eq!(
        output.status.code(),
        Some(1),
        "variants in one folder are no error: {said}"
    );
    assert!(out(&output).contains("1 objects judged"), "{}", out(&output));
}
