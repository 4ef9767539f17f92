//! Every CEL rule refuses what it should with its message, accepts what is right, and none is without a case.

use std::collections::BTreeSet;

use ironside_crds::cases::{Check, cases};
use kube::core::cel::{ErrorKind, Validator};
use serde_json::Value;

use crate::{schemas, walk};

#[test]
fn each_case_breaks_its_rule_and_no_other() {
    let schemas = schemas();
    for case in cases().iter().filter(|case| case.check == Check::Rule) {
        let name = case.name;
        let validate = |object: &Value| {
            let schema = &schemas[object["kind"].as_str().unwrap()];
            Validator::new().validate(schema, object, case.old.as_ref())
        };
        let errors = validate(&case.bad).expect_err(name).into_vec();
        let [error] = errors.as_slice() else {
            panic!("{name}: {errors:#?}")
        };
        assert_eq!(error.kind, ErrorKind::ValidationFailure, "{name}: {error}");
        // The API server writes `path: Required value: message`; offline the reason is a field of its own.
        let message = case.message.rsplit(": ").next().unwrap();
        let about_reason = ["Required value", "Forbidden"].contains(&message);
        assert!(about_reason || error.message.contains(message), "{name}: {error}");
        assert_eq!(validate(&case.good), Ok(()), "{name}");
    }
}

#[test]
fn cases_of_the_schema_break_no_rule() {
    // The API server evaluates rules only for objects that the rest of the schema accepts: such a case would not test what it says.
    let schemas = schemas();
    for case in cases().iter().filter(|case| case.check == Check::Schema) {
        let schema = &schemas[case.good["kind"].as_str().unwrap()];
        assert_eq!(
            Validator::new().validate(schema, &case.good, case.old.as_ref()),
            Ok(()),
            "{}",
            case.name
        );
    }
}

#[test]
fn no_rule_is_without_a_case() {
    let schemas = schemas();
    let mut covered = BTreeSet::new();
    for case in cases().iter().filter(|case| case.check == Check::Rule) {
        let schema = &schemas[case.bad["kind"].as_str().unwrap()];
        for error in Validator::new()
            .validate(schema, &case.bad, case.old.as_ref())
            .expect_err(case.name)
        {
            covered.insert((error.rule, error.message));
        }
    }
    let mut rules = 0;
    for (kind, schema) in &schemas {
        walk(kind, schema, &mut |path, schema| {
            for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
                let text = |key: &str| rule[key].as_str().unwrap_or_default().to_owned();
                assert!(
                    covered.contains(&(text("rule"), text("message"))),
                    "{path}: no case breaks {}",
                    text("rule")
                );
                rules += 1;
            }
        });
    }
    assert!(rules > 30, "only {rules} rules found: is the walk complete?");
}
