//! `ironside scan -o oscal`: the structure that NIST's schema of assessment results (1.2.1) asks for, and what is claimed in it.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{BAD_POD, EXCEPTION, Folder, GOOD_POD, POLICY, err, ironside};

/// Fields that the model requires, by the name of the list or object that they stand in.
const REQUIRED: [(&str, &[&str]); 13] = [
    ("assessment-results", &["uuid", "metadata", "import-ap", "results"]),
    ("metadata", &["title", "last-modified", "version", "oscal-version"]),
    ("import-ap", &["href"]),
    (
        "results",
        &["uuid", "title", "description", "start", "reviewed-controls"],
    ),
    ("reviewed-controls", &["control-selections"]),
    ("inventory-items", &["uuid", "description"]),
    ("observations", &["uuid", "description", "methods", "collected"]),
    ("subjects", &["subject-uuid", "type"]),
    ("relevant-evidence", &["description"]),
    ("findings", &["uuid", "title", "description", "target"]),
    ("target", &["type", "target-id", "status"]),
    ("risks", &["uuid", "title", "description", "statement", "status"]),
    ("props", &["name", "value"]),
];

/// Walks a document: required fields, no empty lists, identifiers of the right shape, references that lead somewhere.
#[derive(Default)]
struct Walk {
    defined: BTreeSet<String>,
    referred: BTreeSet<String>,
    met: BTreeSet<&'static str>,
}

impl Walk {
    fn of(document: &Value) -> Self {
        let mut walk = Self::default();
        walk.see("", document);
        for reference in &walk.referred {
            assert!(walk.defined.contains(reference), "{reference} leads nowhere");
        }
        walk
    }

    fn see(&mut self, name: &str, value: &Value) {
        match value {
            Value::Array(items) => {
                assert!(!items.is_empty(), "{name} is empty");
                for item in items {
                    self.see(name, item);
                }
            }
            Value::Object(fields) => {
                if let Some((known, required)) = REQUIRED.iter().find(|(known, _)| *known == name) {
                    self.met.insert(known);
                    for field in *required {
                        assert!(fields.contains_key(*field), "{name} without {field}: {value:#}");
                    }
                }
                for (field, value) in fields {
                    self.see(field, value);
                }
            }
            Value::String(text) => self.see_text(name, text),
            _ => {}
        }
    }

    fn see_text(&mut self, name: &str, text: &str) {
        assert!(!text.trim().is_empty(), "{name} is blank");
        match name {
            "uuid" => {
                assert!(is_uuid(text), "{text}");
                assert!(self.defined.insert(text.to_owned()), "{text} twice");
            }
            _ if name.ends_with("-uuid") => {
                assert!(is_uuid(text), "{text}");
                self.referred.insert(text.to_owned());
            }
            "href" if text.starts_with('#') => {
                self.referred.insert(text[1..].to_owned());
            }
            "control-id" | "target-id" | "name" => {
                let is_token = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
                assert!(
                    text.starts_with(|c: char| c.is_alphabetic() || c == '_') && text.chars().all(is_token),
                    "{name} {text}"
                );
            }
            "value" => assert!(text.trim() == text && !text.contains('\n'), "{text:?}"),
            "start" | "end" | "collected" | "last-modified" => assert!(text.ends_with('Z'), "{text}"),
            _ => {}
        }
    }
}

/// Version 5, variant of RFC 9562.
fn is_uuid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    let lengths: Vec<usize> = groups.iter().map(|group| group.len()).collect();
    lengths == [8, 4, 4, 4, 12]
        && text.chars().all(|c| c == '-' || c.is_ascii_hexdigit())
        && groups[2].starts_with('5')
        && groups[3].starts_with(['8', '9', 'a', 'b'])
}

fn scan(arguments: &[&str], input: &str) -> Value {
    let output = ironside(&[&["scan", "-o", "oscal"], arguments].concat(), input);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", err(&output)))
}

fn status<'a>(document: &'a Value, control: &str) -> Option<&'a Value> {
    let findings = document["assessment-results"]["results"][0]["findings"].as_array()?;
    let of_it = findings.iter().find(|it| it["target"]["target-id"] == control)?;
    Some(&of_it["target"]["status"])
}

fn observations<'a>(document: &'a Value, verdict: &str) -> Vec<&'a Value> {
    let all = document["assessment-results"]["results"][0]["observations"].as_array();
    all.into_iter()
        .flatten()
        .filter(|it| {
            let props = it["props"].as_array().unwrap();
            props
                .iter()
                .any(|prop| prop["name"] == "verdict" && prop["value"] == verdict)
        })
        .collect()
}

/// The same scan at another time.
fn without_times(document: &Value) -> String {
    let started = document["assessment-results"]["results"][0]["start"].as_str().unwrap();
    document.to_string().replace(started, "")
}

#[test]
fn the_structure_is_that_of_the_model_and_references_lead_somewhere() {
    let folder = Folder::new("oscal");
    folder
        .put("bad pod.yaml", BAD_POD)
        .put("good.yaml", GOOD_POD)
        .put("broken.yaml", "apiVersion: v1\nkind: [");
    let document = scan(&[folder.path()], "");
    let walk = Walk::of(&document);
    let all: BTreeSet<&str> = REQUIRED.iter().map(|(name, _)| *name).collect();
    assert_eq!(walk.met, all);
    assert!(
        observations(&document, "Fail").iter().any(|it| {
            let href = it["relevant-evidence"][0]["href"].as_str().unwrap_or_default();
            href.ends_with("bad%20pod.yaml#L8")
        }),
        "{document:#}"
    );
    assert!(
        observations(&document, "Unknown")
            .iter()
            .any(|it| it["description"].as_str().unwrap().contains("broken.yaml")),
        "what could not be read is shown"
    );
    Walk::of(&scan(&["-"], "apiVersion: v1\nkind: Unheard\nmetadata: {name: x}\n"));
}

#[test]
fn the_same_objects_give_the_same_identifiers() {
    let first = scan(&["-"], BAD_POD);
    assert_eq!(without_times(&first), without_times(&scan(&["-"], BAD_POD)));
    let other = scan(&["-"], &BAD_POD.replace("name: p}", "name: q}"));
    assert_ne!(first["assessment-results"]["uuid"], other["assessment-results"]["uuid"]);
}

#[test]
fn satisfied_is_claimed_only_of_what_was_seen_to_pass() {
    assert_eq!(
        status(&scan(&["-"], GOOD_POD), "POD-001").unwrap()["state"],
        "satisfied"
    );
    assert_eq!(
        status(&scan(&["-"], BAD_POD), "POD-001").unwrap()["state"],
        "not-satisfied"
    );

    // Whether a token is mounted is also the account's to say, and the account is not there.
    let homeless = GOOD_POD
        .replace("serviceAccountName: p", "serviceAccountName: nobody")
        .replace("      automountServiceAccountToken: false\n", "");
    let document = scan(&["-"], &homeless);
    let unknown = observations(&document, "Unknown");
    assert!(!unknown.is_empty(), "{document:#}");
    for observation in unknown {
        let title = observation["title"].as_str().unwrap();
        let control = title.split(' ').next().unwrap();
        assert_eq!(status(&document, control), None, "{title}");
        assert!(
            observation["relevant-evidence"][0]["description"].is_string(),
            "{title}"
        );
    }

    let accepted = scan(&["-"], &format!("{BAD_POD}{POLICY}{EXCEPTION}"));
    assert_eq!(status(&accepted, "POD-001").unwrap()["state"], "not-satisfied");
    assert_eq!(
        accepted["assessment-results"]["results"][0]["risks"][0]["status"],
        "deviation-approved"
    );
}
