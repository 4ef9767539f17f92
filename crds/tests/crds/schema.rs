//! The shape of the schemas: what the API server, `kubectl explain`, GitOps tools and server-side apply need.

use serde_json::{Value, json};

use crate::{schemas, walk};

fn each(mut visit: impl FnMut(&str, &Value)) {
    let mut visited = 0;
    for (kind, schema) in schemas() {
        walk(&kind, &schema, &mut |path, schema| {
            visit(path, schema);
            visited += 1;
        });
    }
    assert!(visited > 400, "only {visited} schemas found: is the walk complete?");
}

#[test]
fn lists_say_how_they_merge() {
    each(|path, schema| {
        if schema["type"] != "array" {
            return;
        }
        let items = &schema["items"];
        match schema["x-kubernetes-list-type"].as_str() {
            Some("map") => {
                for key in schema["x-kubernetes-list-map-keys"].as_array().expect(path) {
                    let required = items["required"].as_array().expect(path);
                    assert!(required.contains(key), "{path}: key {key} must be required");
                }
            }
            Some("set") => assert_eq!(items["type"], "string", "{path}"),
            // Lists that are only meaningful as a whole, and logs with one writer: their entries have no identity, and an equal pair must not make
            // the API server refuse the whole status.
            Some("atomic") => assert!(path.contains("status") || path.ends_with("matchExpressions"), "{path}"),
            other => panic!("{path}: list type {other:?}"),
        }
    });
}

#[test]
fn everything_is_bounded() {
    each(|path, schema| match schema["type"].as_str() {
        Some("array") => assert!(schema["maxItems"].is_u64(), "{path}: no maxItems"),
        Some("string") => {
            let bounded = schema["maxLength"].is_u64() || schema["enum"].is_array() || schema["format"] == "date-time";
            assert!(bounded, "{path}: no maxLength");
        }
        Some("object") => {
            let map = !schema["additionalProperties"].is_null();
            assert!(!map || schema["maxProperties"].is_u64(), "{path}: no maxProperties");
            assert!(
                map || schema["properties"].is_object(),
                "{path}: neither fields nor entries"
            );
        }
        Some("integer" | "boolean") => {}
        other => panic!("{path}: type {other:?}; floats are against the API conventions"),
    });
}

#[test]
fn unknown_fields_are_never_kept() {
    each(|path, schema| {
        assert!(schema["x-kubernetes-preserve-unknown-fields"].is_null(), "{path}");
        assert!(schema["x-kubernetes-int-or-string"].is_null(), "{path}");
        let map = !schema["additionalProperties"].is_null();
        assert!(
            !map || path.ends_with(".matchLabels") || path.ends_with(".parameters"),
            "{path} takes any key"
        );
        for keyword in ["anyOf", "oneOf", "allOf", "not", "nullable"] {
            assert!(schema[keyword].is_null(), "{path}: {keyword}");
        }
    });
}

#[test]
fn only_the_fields_that_decide_what_an_object_means_have_a_default() {
    let mut defaults = Vec::new();
    each(|path, schema| {
        if !schema["default"].is_null() {
            defaults.push(path.to_owned());
        }
    });
    defaults.sort();
    let mut expected = Vec::new();
    for kind in ["ClusterHardeningPolicy", "HardeningPolicy"] {
        expected.extend(["mode", "profile", "suspend"].map(|field| format!("{kind}.spec.{field}")));
    }
    expected.extend(["ClusterHardeningException", "HardeningException"].map(|kind| format!("{kind}.spec.effect")));
    expected.sort();
    assert_eq!(defaults, expected);
}

#[test]
fn every_field_is_explained() {
    each(|path, schema| {
        if path.ends_with("[]") && schema["type"] != "object" || path.ends_with("{}") {
            return;
        }
        let description = schema["description"]
            .as_str()
            .unwrap_or_else(|| panic!("{path} has no description"));
        assert!(description.ends_with('.'), "{path}: {description}");
        assert!(!description.contains('\n'), "{path}: {description}");
        assert!(
            !description.contains("[`"),
            "{path}: a link of rustdoc is nothing to kubectl explain: {description}"
        );
        // Enumerations are inlined, so the field itself must name the values.
        for value in schema["enum"].as_array().into_iter().flatten() {
            let value = value.as_str().unwrap();
            let told = description.contains(value)
                || ["name", "status", "history[].phase"]
                    .iter()
                    .any(|field| path.ends_with(field));
            assert!(told, "{path} does not mention {value}: {description}");
        }
    });
}

#[test]
fn enumerations_are_camel_case() {
    each(|path, schema| {
        for value in schema["enum"].as_array().into_iter().flatten() {
            let value = value.as_str().unwrap();
            assert!(
                value.starts_with(|first: char| first.is_ascii_uppercase()),
                "{path}: {value}"
            );
            assert!(value.chars().all(char::is_alphanumeric), "{path}: {value}");
        }
    });
}

#[test]
fn formats_are_known_to_kubernetes() {
    each(|path, schema| {
        let format = schema["format"].as_str().unwrap_or("date-time");
        assert!(
            ["date-time", "int32", "int64"].contains(&format),
            "{path}: the API server warns about format {format}"
        );
    });
}

#[test]
fn rules_have_a_message_in_one_line() {
    each(|path, schema| {
        for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
            let message = rule["message"]
                .as_str()
                .unwrap_or_else(|| panic!("{path}: {rule} has no message"));
            assert!(!message.contains('\n') && !message.ends_with('.'), "{path}: {message}");
        }
    });
}

#[test]
fn names_are_those_that_people_type() {
    let names: Vec<Value> = ironside_crds::definitions()
        .into_iter()
        .map(|definition| {
            let names = definition.spec.names;
            assert_eq!(names.categories, Some(vec!["hardening".to_owned()]), "never `all`");
            json!([
                names.kind,
                names.plural,
                names.short_names.unwrap()[0],
                definition.spec.scope
            ])
        })
        .collect();
    assert_eq!(
        names,
        [
            json!(["HardeningPolicy", "hardeningpolicies", "hpol", "Namespaced"]),
            json!(["ClusterHardeningPolicy", "clusterhardeningpolicies", "chpol", "Cluster"]),
            json!(["HardeningRemediation", "hardeningremediations", "hrem", "Namespaced"]),
            json!(["HardeningException", "hardeningexceptions", "hexc", "Namespaced"]),
            json!([
                "ClusterHardeningException",
                "clusterhardeningexceptions",
                "chexc",
                "Cluster"
            ]),
        ]
    );
}

#[test]
fn columns_selectable_fields_and_the_status_are_there() {
    for definition in ironside_crds::definitions() {
        let kind = definition.spec.names.kind.as_str();
        let version = &definition.spec.versions[0];
        assert!(version.subresources.as_ref().unwrap().status.is_some(), "{kind}");
        let columns = version.additional_printer_columns.as_ref().unwrap();
        let shown: Vec<&str> = columns
            .iter()
            .filter(|column| column.priority.is_none())
            .map(|column| column.name.as_str())
            .collect();
        let expected: &[&str] = match kind {
            "HardeningRemediation" => &["Target", "Controls", "Risk", "Phase", "Reason", "Age"],
            "HardeningException" | "ClusterHardeningException" => {
                &["Controls", "Effect", "Expires", "Effective", "Age"]
            }
            _ => &[
                "Mode",
                "Ready",
                "Compliant",
                "Score",
                "Coverage",
                "Fail",
                "Pending",
                "Age",
            ],
        };
        assert_eq!(shown, expected, "{kind}");
        // A date column prints <invalid> for times to come.
        assert!(
            columns
                .iter()
                .all(|column| column.type_ != "date" || column.name == "Age"),
            "{kind}"
        );
        let selectable: Vec<&str> = version
            .selectable_fields
            .iter()
            .flatten()
            .map(|field| field.json_path.as_str())
            .collect();
        let expected: &[&str] = match kind {
            "HardeningRemediation" => &[
                ".status.phase",
                ".status.plan.risk",
                ".spec.target.kind",
                ".spec.target.name",
            ],
            _ => &[],
        };
        assert_eq!(selectable, expected, "{kind}");
    }
}
