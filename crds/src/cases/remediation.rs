//! Cases of `HardeningRemediation`.

use serde_json::{Value, json};

use super::{Case, Check, case, object};

const KIND: &str = "HardeningRemediation";

pub(super) fn cases() -> Vec<Case> {
    let decision = |check, name, bad: Value, good: Value, message| {
        case(
            check,
            KIND,
            name,
            &json!({"decision": bad}),
            &json!({"decision": good}),
            message,
        )
    };
    let approve = |plan: Value| json!({"action": "Approve", "by": "alice@example.com", "plan": plan});
    vec![
        Case {
            name: "another target",
            check: Check::Rule,
            old: Some(object(KIND, &json!({}))),
            bad: object(KIND, &json!({"target": {"name": "api"}})),
            good: object(
                KIND,
                &json!({"decision": {"action": "Retry", "by": "alice@example.com"}}),
            ),
            message: "is immutable",
        },
        decision(
            Check::Rule,
            "an approval of no plan",
            approve(Value::Null),
            approve(json!("7f3a91c2d0e4")),
            "spec.decision.plan: Required value: is required for Approve",
        ),
        decision(
            Check::Rule,
            "a hold without a reason",
            json!({"action": "Hold", "by": "alice@example.com"}),
            json!({"action": "Hold", "by": "alice@example.com", "reason": "release freeze"}),
            "is required for Hold and Revert",
        ),
        decision(
            Check::Rule,
            "a revert with an empty reason",
            json!({"action": "Revert", "by": "alice@example.com", "reason": ""}),
            json!({"action": "Revert", "by": "alice@example.com", "reason": "incident 4711"}),
            "is required for Hold and Revert",
        ),
        decision(
            Check::Schema,
            "eleven characters of a hash",
            approve(json!("7f3a91c2d0e")),
            approve(json!("7f3a91c2d0e45")),
            "spec.decision.plan in body should be at least 12 chars long",
        ),
        decision(
            Check::Schema,
            "a plan that is no hash",
            approve(json!("the latest plan")),
            approve(json!("7f3a91c2d0e4")),
            "spec.decision.plan in body should match",
        ),
        decision(
            Check::Schema,
            "a decision by nobody",
            json!({"action": "Retry"}),
            json!({"action": "Retry", "by": "alice@example.com"}),
            "spec.decision.by: Required value",
        ),
        decision(
            Check::Schema,
            "an unknown decision",
            json!({"action": "Apply", "by": "alice@example.com"}),
            json!({"action": "Retry", "by": "alice@example.com"}),
            "supported values: \"Approve\", \"Hold\", \"Retry\", \"Revert\"",
        ),
        case(
            Check::Schema,
            KIND,
            "a target without a kind",
            &json!({"target": {"kind": null}}),
            &json!({"target": {"namespace": null}}),
            "spec.target.kind: Required value",
        ),
    ]
}
