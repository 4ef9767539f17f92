//! `ironside diff`: what is newly wrong, what no longer is, and what only moved.

use serde_json::Value;

use super::{BAD_POD, EXCEPTION, Folder, GOOD_POD, POLICY, err, ironside, out};

/// Two containers and two volumes; `first` and `second` are put where they stand.
fn pod(before: &str, containers: [&str; 2], volumes: [&str; 2]) -> String {
    let [first, second] = containers;
    let [one, two] = volumes;
    format!(
        "{before}apiVersion: v1\nkind: Pod\nmetadata: {{name: p, namespace: shop}}\nspec:\n  containers:\n  {first}\n  {second}\n  volumes:\n  {one}\n  {two}\n"
    )
}

const WEB: &str = "- {name: web, image: x, securityContext: {privileged: true}}";
const SIDE: &str = "- {name: side, image: z, securityContext: {runAsUser: 0}}";
const SOCKET: &str = "- {name: socket, hostPath: {path: /var/run/docker.sock}}";
const TEMPORARY: &str = "- {name: tmp, emptyDir: {}}";
const LOGS: &str = "- {name: logs, hostPath: {path: /var/log}}";

fn diff(arguments: &[&str]) -> (Value, Option<i32>) {
    let output = ironside(&[&["diff"], arguments, &["-o", "json"]].concat(), "");
    let diff = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", err(&output)));
    (diff, output.status.code())
}

#[test]
fn moved_lines_and_reordered_containers_and_volumes_are_no_difference() {
    let folder = Folder::new("diff-moved");
    folder.put("a.yaml", pod("", [WEB, SIDE], [SOCKET, TEMPORARY])).put(
        "b.yaml",
        pod("# moved\n# down\n---\n", [SIDE, WEB], [TEMPORARY, SOCKET]),
    );
    let (diff, code) = diff(&[&folder.file("a.yaml"), &folder.file("b.yaml")]);
    assert_eq!(code, Some(0), "{diff:#}");
    assert_eq!(
        (&diff["summary"]["new"], &diff["summary"]["gone"]),
        (&0.into(), &0.into())
    );
    assert!(diff["summary"]["stayed"].as_u64().unwrap() > 10, "{}", diff["summary"]);
}

#[test]
fn what_took_another_place_in_a_list_is_new() {
    let folder = Folder::new("diff-replaced");
    let root = "- {name: socket, hostPath: {path: /}}";
    folder
        .put("a.yaml", pod("", [WEB, SIDE], [LOGS, SOCKET]))
        .put("b.yaml", pod("", [WEB, SIDE], [LOGS, root]));
    let (diff, code) = diff(&[&folder.file("a.yaml"), &folder.file("b.yaml")]);
    assert_eq!(code, Some(1), "{diff:#}");
    let new = diff["objects"][0]["new"].as_array().unwrap();
    assert!(
        new.iter()
            .any(|item| item["observed"] == "/" && item["other"] == "Fail"),
        "{new:#?}"
    );
    let gone = diff["objects"][0]["gone"].as_array().unwrap();
    assert!(
        gone.iter().any(|item| item["observed"] == "/var/run/docker.sock"),
        "{gone:#?}"
    );
}

#[test]
fn scans_and_files_compare_and_say_what_the_other_side_says() {
    let folder = Folder::new("diff-scan");
    folder.put("bad.yaml", BAD_POD);
    folder.put(
        "mended.yaml",
        BAD_POD.replace("{privileged: true}", "{privileged: false}"),
    );
    let earlier = ironside(&["scan", &folder.file("bad.yaml"), "-o", "json"], "");
    folder.put("earlier.json", &earlier.stdout);
    let (same, code) = diff(&[&folder.file("earlier.json"), &folder.file("bad.yaml")]);
    assert_eq!(code, Some(0), "{same:#}");

    let (mended, code) = diff(&[&folder.file("earlier.json"), &folder.file("mended.yaml")]);
    assert_eq!(code, Some(1));
    assert_eq!(mended["apiVersion"], "ironside.dev/v1");
    assert_eq!(mended["kind"], "ScanDiff");
    let gone = mended["objects"][0]["gone"].as_array().unwrap();
    let privileged = gone.iter().find(|item| item["control"] == "POD-001").unwrap();
    assert_eq!(privileged["other"], "Pass", "{privileged:#}");
    assert_eq!(privileged["line"], 8);

    let table = ironside(&["diff", &folder.file("mended.yaml"), &folder.file("earlier.json")], "");
    assert_eq!(table.status.code(), Some(1));
    for expected in [
        "Pod default/p",
        "+ FAIL  critical POD-001",
        "(passed)",
        "c: securityContext.privileged is true, expected false",
        "bad.yaml:8",
    ] {
        assert!(
            out(&table).to_lowercase().contains(&expected.to_lowercase()),
            "{expected} in:\n{}",
            out(&table)
        );
    }
}

#[test]
fn an_object_that_is_gone_was_not_mended() {
    let folder = Folder::new("diff-gone");
    folder.put("bad.yaml", BAD_POD).put("good.yaml", GOOD_POD);
    let (diff, _) = diff(&[&folder.file("bad.yaml"), &folder.file("good.yaml")]);
    let gone = diff["objects"][0]["gone"].as_array().unwrap();
    assert!(!gone.is_empty());
    assert!(gone.iter().all(|item| item["other"] == "NoObject"), "{gone:#?}");
}

#[test]
fn an_exception_that_ends_is_news_to_diff_and_to_a_baseline() {
    let folder = Folder::new("diff-excepted");
    folder
        .put("pod.yaml", BAD_POD)
        .put("policy.yaml", POLICY)
        .put("both.yaml", format!("{POLICY}{EXCEPTION}"));
    let [pod, policy, both, earlier] =
        ["pod.yaml", "policy.yaml", "both.yaml", "earlier.scan"].map(|it| folder.file(it));
    let accepted = ironside(&["scan", &pod, "--policy", &both, "-o", "json"], "");
    assert_eq!(accepted.status.code(), Some(0), "{}", out(&accepted));
    folder.put("earlier.scan", &accepted.stdout);
    let (diff, code) = diff(&[&earlier, &pod, "--policy", &policy]);
    assert_eq!(code, Some(1));
    let new = &diff["objects"][0]["new"][0];
    assert_eq!(
        (&new["control"], &new["other"]),
        (&"POD-001".into(), &"Excepted".into()),
        "{diff:#}"
    );
    let scanned = ironside(&["scan", &pod, "--policy", &policy, "--baseline", &earlier], "");
    assert!(out(&scanned).contains("POD-001"), "{}", out(&scanned));
}

#[test]
fn what_cannot_be_compared_is_refused_with_the_reason() {
    let folder = Folder::new("diff-bad");
    folder.put("bad.yaml", BAD_POD);
    let bad = folder.file("bad.yaml");
    let newer = String::from_utf8(ironside(&["scan", &bad, "-o", "json"], "").stdout).unwrap();
    folder.put("newer.json", newer.replacen("ironside.dev/v2", "ironside.dev/v3", 1));
    folder.put(
        "half.yaml",
        format!("{BAD_POD}---\napiVersion: v1\nkind: Pod\nmetadata: {{name: [q\n"),
    );
    std::fs::create_dir_all(folder.file("empty")).unwrap();
    for (arguments, expected) in [
        (
            vec!["diff", &bad, &folder.file("newer.json")],
            "apiVersion \"ironside.dev/v3\"",
        ),
        (vec!["diff", &bad, "/nonexistent"], "no such file"),
        (vec!["diff", &bad, &folder.file("empty")], "no .yaml"),
        (vec!["diff", "-", "-"], "one side only"),
        (vec!["diff", &bad], "<LATER>"),
        (vec!["diff", &bad, &bad, "--cluster"], "cannot be used with"),
        // What is read is compared; the exit code says that it is not everything.
        (vec!["diff", &bad, &folder.file("half.yaml")], "half.yaml:"),
    ] {
        let output = ironside(&arguments, "");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(err(&output).contains(expected), "{expected} in:\n{}", err(&output));
    }
}

#[test]
fn a_scan_comes_through_a_pipe() {
    let scan = ironside(&["scan", "-", "-o", "json"], BAD_POD);
    let folder = Folder::new("diff-pipe");
    folder.put("bad.yaml", BAD_POD);
    let output = ironside(&["diff", "-", &folder.file("bad.yaml")], &out(&scan));
    assert_eq!(output.status.code(), Some(0), "{}{}", out(&output), err(&output));
}

#[test]
fn what_a_later_definition_replaced_is_told_as_a_scan_tells_it() {
    let folder = Folder::new("diff-shadowed");
    folder.put("once.yaml", BAD_POD);
    folder.put("twice.yaml", format!("{BAD_POD}---\n{BAD_POD}"));
    let output = ironside(&["diff", &folder.file("once.yaml"), &folder.file("twice.yaml")], "");
    assert_eq!(output.status.code(), Some(0), "{}", out(&output));
    assert!(err(&output).contains("defined more than once"), "{}", err(&output));
}
