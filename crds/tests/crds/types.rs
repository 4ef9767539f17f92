//! The Rust types and the schemas say the same.

use ironside_crds::cases::{Check, cases};
use ironside_crds::policy::{NetworkSettings, OwnerRoutes, RepairSettings, StopAfter, VerifySettings};
use ironside_crds::{
    ClusterHardeningException, ClusterHardeningPolicy, HardeningException, HardeningPolicy, HardeningRemediation,
    PolicySpec,
};
use serde_json::{Value, json};

use crate::schemas;

/// Reads the object as its Rust type, and returns it as written again and what its own CEL validation says.
fn round_trip(object: &Value, old: Option<&Value>) -> (Value, Vec<String>) {
    macro_rules! of {
        ($kind:ty) => {{
            let typed: $kind = serde_json::from_value(object.clone()).unwrap();
            let result = match old {
                Some(old) => typed.validate_cel_update(&serde_json::from_value(old.clone()).unwrap()),
                None => typed.validate_cel(),
            };
            let messages = result.err().into_iter().flatten().map(|error| error.message).collect();
            (serde_json::to_value(&typed).unwrap(), messages)
        }};
    }
    match object["kind"].as_str().unwrap() {
        "HardeningPolicy" => of!(HardeningPolicy),
        "ClusterHardeningPolicy" => of!(ClusterHardeningPolicy),
        "HardeningRemediation" => of!(HardeningRemediation),
        "HardeningException" => of!(HardeningException),
        "ClusterHardeningException" => of!(ClusterHardeningException),
        kind => panic!("{kind}"),
    }
}

#[test]
fn what_the_api_server_accepts_parses_and_is_written_back() {
    for case in cases() {
        let (written, messages) = round_trip(&case.good, case.old.as_ref());
        assert_eq!(messages, Vec::<String>::new(), "{}", case.name);
        // Defaults are added, durations and times are spelt one way; nothing is lost and nothing moves.
        let (again, _) = round_trip(&written, case.old.as_ref());
        assert_eq!(written, again, "{}", case.name);
        assert_contains(case.name, &written, &case.good);
    }
}

#[test]
fn the_command_line_refuses_what_the_api_server_refuses() {
    for case in cases().iter().filter(|case| case.check == Check::Rule) {
        let (_, messages) = round_trip(&case.bad, case.old.as_ref());
        assert_eq!(messages.len(), 1, "{}: {messages:?}", case.name);
    }
}

/// Everything in `part` is in `whole`, but for durations and times, which have several spellings.
fn assert_contains(name: &str, whole: &Value, part: &Value) {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => {
            for (key, value) in part {
                let empty = value == &json!([]) || value == &json!({}) || value == &json!("");
                // Empty settings mean the defaults and are left out, except selectors: there {} selects everything.
                if whole.contains_key(key) || !empty || key.ends_with("elector") {
                    assert_contains(
                        name,
                        whole.get(key).unwrap_or_else(|| panic!("{name}: {key} is lost")),
                        value,
                    );
                }
            }
        }
        (Value::Array(whole), Value::Array(part)) => {
            assert_eq!(whole.len(), part.len(), "{name}");
            whole
                .iter()
                .zip(part)
                .for_each(|(whole, part)| assert_contains(name, whole, part));
        }
        (Value::String(whole), Value::String(part)) if whole != part => {
            let duration = |text: &str| text.parse::<ironside_crds::Duration>().ok();
            let time = |text: &str| text.parse::<jiff::Timestamp>().ok().map(ironside_crds::Time::from);
            let same = duration(whole).is_some() && duration(whole) == duration(part)
                || time(whole).is_some() && time(whole) == time(part);
            assert!(same, "{name}: {part} became {whole}");
        }
        _ => assert_eq!(whole, part, "{name}"),
    }
}

#[test]
fn defaults_in_the_schema_are_those_of_the_types() {
    let schemas = schemas();
    let spec = serde_json::to_value(PolicySpec::default()).unwrap();
    for kind in ["HardeningPolicy", "ClusterHardeningPolicy"] {
        for field in ["profile", "mode", "suspend"] {
            assert_eq!(
                schemas[kind]["properties"]["spec"]["properties"][field]["default"], spec[field],
                "{kind} {field}"
            );
        }
    }
    assert_eq!(
        schemas["HardeningException"]["properties"]["spec"]["properties"]["effect"]["default"],
        json!("Accept")
    );
}

#[test]
fn defaults_in_the_descriptions_are_those_of_the_types() {
    let schemas = schemas();
    let spec = &schemas["ClusterHardeningPolicy"]["properties"]["spec"]["properties"];
    let remediation = &spec["remediation"]["properties"];
    let repair = RepairSettings {
        max_concurrent: Some(RepairSettings::default().max_concurrent()),
        ..Default::default()
    };
    let mut compared = 0;
    for (properties, value) in [
        (remediation, serde_json::to_value(repair).unwrap()),
        (
            &remediation["owners"]["properties"],
            serde_json::to_value(OwnerRoutes::default()).unwrap(),
        ),
        (
            &remediation["verify"]["properties"],
            serde_json::to_value(VerifySettings::default()).unwrap(),
        ),
        (
            &remediation["stopAfter"]["properties"],
            serde_json::to_value(StopAfter::default()).unwrap(),
        ),
        (
            &spec["network"]["properties"],
            serde_json::to_value(NetworkSettings::default()).unwrap(),
        ),
    ] {
        for (field, property) in properties.as_object().unwrap() {
            let description = property["description"].as_str().unwrap();
            let Some((_, rest)) = description.split_once("Default: ") else {
                continue;
            };
            let default = rest.split('.').next().unwrap();
            let value = value[field]
                .as_str()
                .map_or_else(|| value[field].to_string(), str::to_owned);
            // Durations are written canonically: 24h, not 1440m.
            assert_eq!(value, default, "{field}: {description}");
            compared += 1;
        }
    }
    assert_eq!(compared, 15, "a description lost its default");
}
