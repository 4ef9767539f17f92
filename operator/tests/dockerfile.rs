//! The image and what is installed from `config/` agree. There is no container engine in the tests; `make static` builds what the image holds.

#![allow(clippy::unwrap_used)] // a test

use std::path::Path;

use serde_json::Value;

fn read(file: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file)).unwrap()
}

/// The arguments of every line that begins with this instruction.
fn arguments(instruction: &str) -> Vec<String> {
    let dockerfile = read("Dockerfile");
    let lines = dockerfile.lines().filter_map(|line| line.strip_prefix(instruction));
    lines.map(|rest| rest.trim().to_owned()).collect()
}

fn deployment() -> Value {
    serde_saphyr::from_str(&read("config/manager/deployment.yaml")).unwrap()
}

#[test]
fn the_image_is_built_with_the_pinned_toolchain_and_has_no_base() {
    let channel = read("rust-toolchain.toml");
    let version = channel
        .lines()
        .find_map(|line| line.strip_prefix("channel = "))
        .unwrap()
        .trim_matches('"')
        .to_owned();
    let bases = arguments("FROM ");
    assert_eq!(bases.len(), 2, "{bases:?}");
    assert!(
        bases[0].contains(&format!("rust:{version}-")),
        "{} is not Rust {version}",
        bases[0]
    );
    assert_eq!(bases[1], "scratch");
}

#[test]
fn the_image_runs_as_the_user_that_the_deployment_names() {
    let pod = &deployment()["spec"]["template"]["spec"];
    let security = &pod["securityContext"];
    let user = format!("{}:{}", security["runAsUser"], security["runAsGroup"]);
    assert_eq!(arguments("USER "), [user]);
    assert_eq!(arguments("ENTRYPOINT "), [r#"["/ironside-operator"]"#]);
    let container = &pod["containers"][0];
    assert!(container.get("command").is_none(), "the entry point is the image's");
    assert_eq!(
        arguments("EXPOSE "),
        [container["ports"][0]["containerPort"].to_string()]
    );
}

#[test]
fn the_image_holds_both_programs() {
    let copied = arguments("COPY --from=build ");
    for program in ["ironside-operator", "ironside"] {
        let to = format!(" /{program}");
        assert!(
            copied
                .iter()
                .any(|copy| copy.ends_with(&to) && copy.contains("--chmod=0555")),
            "{program}: {copied:?}"
        );
    }
}
