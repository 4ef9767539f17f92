//! `ironside fix` and the forms of `ironside scan` as processes, on files that a developer has.

use std::path::Path;

use serde_json::Value;

use super::{Folder, err, ironside, out};

const SHOP: &str = "# The shop.\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: shop}\nspec:\n  replicas: 2\n  selector: {matchLabels: {app: web}}\n  template:\n    metadata: {labels: {app: web}}\n    spec:\n      containers:\n      - name: web # serves pages\n        image: registry.example.com/web:1.4.2\n";

#[test]
fn a_dry_run_shows_a_diff_and_writes_nothing() {
    let folder = Folder::new("dry");
    let file = folder.put("web.yaml", SHOP).file("web.yaml");
    let shown = ironside(&["fix", &file], "");
    assert_eq!(shown.status.code(), Some(1), "{}", err(&shown));
    let text = out(&shown);
    assert!(text.contains("+          allowPrivilegeEscalation: false"), "{text}");
    assert!(text.contains("can break: sudo"), "{text}");
    assert_eq!(folder.read("web.yaml"), SHOP);
}

#[test]
fn what_is_written_is_clean_and_keeps_its_comments() {
    let folder = Folder::new("write");
    let file = folder.put("web.yaml", SHOP).file("web.yaml");
    let written = ironside(&["fix", &file, "--write"], "");
    assert_eq!(written.status.code(), Some(0), "{}{}", out(&written), err(&written));
    let text = folder.read("web.yaml");
    assert!(
        text.starts_with("# The shop.\n") && text.contains("- name: web # serves pages\n"),
        "{text}"
    );
    let judged = ironside(&["scan", &file], "");
    for repaired in ["POD-007", "POD-009", "POD-011", "POD-012", "POD-013", "SA-001"] {
        assert!(!out(&judged).contains(repaired), "{}", out(&judged));
    }
    let again = ironside(&["fix", &file, "--write"], "");
    assert!(out(&again).contains("nothing to fix"), "{}", out(&again));
    assert_eq!(folder.read("web.yaml"), text);
}

#[test]
fn a_pipe_gets_the_manifest_and_nothing_else() {
    let fixed = ironside(&["fix", "-", "--write", "--max-risk", "low"], SHOP);
    assert_eq!(fixed.status.code(), Some(0), "{}", err(&fixed));
    let text = out(&fixed);
    assert!(text.contains("allowPrivilegeEscalation: false"), "{text}");
    assert!(
        !text.contains("runAsNonRoot"),
        "whether it runs as root is not known, so that is no low risk: {text}"
    );
    assert!(
        ironside(&["scan", "-"], &text).status.code() == Some(1),
        "the riskier ones are left"
    );
    assert!(
        err(&fixed).contains("fix  POD-009"),
        "what was done is said beside the pipe"
    );
}

#[test]
fn only_the_named_control_is_repaired() {
    let fixed = ironside(&["fix", "-", "--write", "--control", "POD-013"], SHOP);
    let text = out(&fixed);
    assert!(
        text.contains("seccompProfile") && !text.contains("allowPrivilegeEscalation"),
        "{text}"
    );
    let unknown = ironside(&["fix", "-", "--control", "POD-999"], SHOP);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(err(&unknown).contains("ironside controls"), "{}", err(&unknown));
    let unrepairable = ironside(&["fix", "-", "--control", "POD-001"], SHOP);
    assert_eq!(unrepairable.status.code(), Some(2), "{}", out(&unrepairable));
}

#[test]
fn what_cannot_be_proven_is_left_alone_and_said() {
    let shared = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  containers:\n  - name: a\n    image: i:1\n    securityContext: &same\n      runAsUser: 1000\n  - name: b\n    image: i:1\n    securityContext: *same\n";
    let fixed = ironside(&["fix", "-"], shared);
    assert_eq!(fixed.status.code(), Some(2), "{}", out(&fixed));
    assert!(out(&fixed).contains("not fixed"), "{}", out(&fixed));
}

#[test]
fn patches_for_kustomize_leave_the_manifest_alone() {
    let folder = Folder::new("kustomize");
    let file = folder.put("web.yaml", SHOP).file("web.yaml");
    let patches = folder.0.join("patches");
    let written = ironside(&["fix", &file, "--kustomize", &patches.display().to_string()], "");
    assert_eq!(written.status.code(), Some(0), "{}", err(&written));
    let kustomization: Value = serde_saphyr::from_str(&folder.read("patches/kustomization.yaml")).unwrap();
    assert_eq!(kustomization["kind"], "Component");
    let patch = kustomization["patches"][0]["path"].as_str().unwrap();
    assert!(
        folder
            .read(&format!("patches/{patch}"))
            .contains("allowPrivilegeEscalation")
    );
    assert_eq!(folder.read("web.yaml"), SHOP);
}

#[test]
fn findings_stand_at_their_line_in_every_form() {
    let folder = Folder::new("forms");
    let file = folder.put("web.yaml", SHOP).file("web.yaml");
    let form = |form: &str| out(&ironside(&["scan", &file, "-o", form], ""));
    let table = form("table");
    assert!(
        table.contains("allowPrivilegeEscalation is absent, expected false  :12:9"),
        "{table}"
    );
    let sarif: Value = serde_json::from_str(&form("sarif")).unwrap();
    let run = &sarif["runs"][0];
    let results = run["results"].as_array().unwrap();
    let escalation = results.iter().find(|result| result["ruleId"] == "POD-009").unwrap();
    let place = &escalation["locations"][0]["physicalLocation"];
    assert_eq!(
        (&place["region"]["startLine"], &place["region"]["startColumn"]),
        (&12.into(), &9.into())
    );
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    for result in results {
        assert!(rules.iter().any(|rule| rule["id"] == result["ruleId"]), "{result}");
    }
    let github = form("github");
    assert!(
        github.contains("::error file=") && github.contains(",line=12,col=9,title=POD-009"),
        "{github}"
    );
    let junit = form("junit");
    assert!(junit.contains("<testsuite name=\"Deployment shop/web\""), "{junit}");
    let html = form("html");
    assert!(html.contains("\"control\":\"POD-009\"") && !html.contains("{{"));
    assert!(
        !html.contains("http://") && !html.contains("https://"),
        "the page needs no network"
    );
}

#[test]
fn a_name_cannot_break_out_of_the_page() {
    let hostile = SHOP.replace("name: web # serves pages", "name: \"</script><script>alert(1)\"");
    let page = out(&ironside(&["scan", "-", "-o", "html"], &hostile));
    assert!(!page.contains("</script><script>alert"), "escaped");
    assert!(page.contains("\\u003c/script>"));
}

#[test]
fn a_baseline_hides_what_was_known_wherever_it_moved() {
    let folder = Folder::new("baseline");
    let baseline = folder
        .put("known.json", out(&ironside(&["scan", "-", "-o", "json"], SHOP)))
        .file("known.json");
    let known = ironside(
        &["scan", "-", "--baseline", &baseline],
        &format!("# one line more\n{SHOP}"),
    );
    assert_eq!(known.status.code(), Some(0), "{}", out(&known));
    assert!(out(&known).contains("stand in the baseline"), "{}", out(&known));
    let worse = SHOP.replace("      containers:", "      hostPID: true\n      containers:");
    let new = ironside(&["scan", "-", "--baseline", &baseline], &worse);
    assert_eq!(new.status.code(), Some(1), "{}", out(&new));
    assert!(
        out(&new).contains("POD-002") && !out(&new).contains("POD-009"),
        "{}",
        out(&new)
    );
    let wrong = ironside(
        &["scan", "-", "--baseline", &folder.put("x.json", "{}").file("x.json")],
        SHOP,
    );
    assert_eq!(wrong.status.code(), Some(2));
    assert!(err(&wrong).contains("ironside scan -o json"), "{}", err(&wrong));
}

#[test]
fn completions_and_manual_pages_know_every_verb() {
    let bash = out(&ironside(&["completions", "bash"], ""));
    assert!(bash.contains("fix") && bash.contains("approve"));
    let folder = Folder::new("man");
    let pages = folder.0.join("man");
    assert_eq!(
        ironside(&["man", &pages.display().to_string()], "").status.code(),
        Some(0)
    );
    assert!(Path::new(&pages).join("ironside-fix.1").is_file());
}
