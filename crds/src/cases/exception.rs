//! Cases of `HardeningException` and `ClusterHardeningException`.

use serde_json::{Value, json};

use super::{Case, Check, case};

const NAMESPACED: &str = "HardeningException";
const CLUSTER: &str = "ClusterHardeningException";

pub(super) fn cases() -> Vec<Case> {
    let rule = |kind, name, bad: Value, good: Value, message| case(Check::Rule, kind, name, &bad, &good, message);
    let schema = |kind, name, bad: Value, good: Value, message| case(Check::Schema, kind, name, &bad, &good, message);
    let expires = |at: &str| json!({"expiresAt": at});
    let target = |name: &str| json!({"targets": [{"kind": "Deployment", "name": name, "containers": ["web"]}]});
    vec![
        rule(
            NAMESPACED,
            "no targets",
            json!({"targets": null}),
            json!({}),
            "spec.targets: Required value",
        ),
        rule(
            NAMESPACED,
            "no end",
            json!({"expiresAt": null}),
            json!({}),
            "spec.expiresAt: Required value",
        ),
        rule(
            NAMESPACED,
            "other namespaces",
            json!({"namespaces": ["shop"]}),
            json!({"owner": "team-shop", "ticket": "https://tickets.example.com/4711"}),
            "a HardeningException covers exactly its own namespace",
        ),
        rule(
            CLUSTER,
            "everything everywhere",
            json!({"namespaces": null}),
            json!({"namespaces": null, "targets": [{"kind": "ClusterRole", "name": "system:node"}]}),
            "names neither targets nor namespaces",
        ),
        rule(
            NAMESPACED,
            "a wildcard in a target's name",
            target("web-*"),
            target("web-1"),
            "is an exact name",
        ),
        schema(
            NAMESPACED,
            "no controls",
            json!({"controls": []}),
            json!({"controls": ["POD-012"]}),
            "spec.controls in body should have at least 1 items",
        ),
        schema(
            NAMESPACED,
            "all controls",
            json!({"controls": ["*"]}),
            json!({"controls": ["NET-002"]}),
            "spec.controls[0] in body should match",
        ),
        schema(
            NAMESPACED,
            "too many controls",
            json!({"controls": (0..51).map(|n| format!("POD-{n:03}")).collect::<Vec<_>>()}),
            json!({"controls": (0..50).map(|n| format!("POD-{n:03}")).collect::<Vec<_>>()}),
            "must have at most 50 items",
        ),
        schema(
            NAMESPACED,
            "empty targets",
            json!({"targets": []}),
            target("web"),
            "spec.targets in body should have at least 1 items",
        ),
        schema(
            NAMESPACED,
            "a target twice",
            json!({"targets": [{"kind": "Deployment", "name": "web"}, {"kind": "Deployment", "name": "web", "containers": ["a"]}]}),
            json!({"targets": [{"kind": "Deployment", "name": "web"}, {"kind": "StatefulSet", "name": "web"}]}),
            "spec.targets[1]: Duplicate value",
        ),
        schema(
            NAMESPACED,
            "a reason that says nothing",
            json!({"reason": "because"}),
            json!({"reason": "ten chars!"}),
            "spec.reason in body should be at least 10 chars long",
        ),
        schema(
            NAMESPACED,
            "no reason",
            json!({"reason": null}),
            json!({}),
            "spec.reason: Required value",
        ),
        schema(
            NAMESPACED,
            "a date for a time",
            expires("2027-01-31"),
            expires("2027-01-31T00:00:00Z"),
            "spec.expiresAt",
        ),
        schema(
            NAMESPACED,
            "a day that does not exist",
            expires("2027-02-30T00:00:00Z"),
            expires("2028-02-29T00:00:00Z"),
            "must be of type date-time",
        ),
        schema(
            NAMESPACED,
            "a time without a zone",
            expires("2027-01-31T00:00:00"),
            expires("2027-01-31T00:00:00+01:00"),
            "spec.expiresAt",
        ),
        schema(
            NAMESPACED,
            "for ever",
            expires("9999-12-31T23:59:59Z"),
            expires("2999-12-31T23:59:59.999Z"),
            "spec.expiresAt in body should match",
        ),
        schema(
            NAMESPACED,
            "an unknown effect",
            json!({"effect": "Ignore"}),
            json!({"effect": "HoldRepair"}),
            "supported values: \"Accept\", \"HoldRepair\"",
        ),
        schema(
            CLUSTER,
            "a wildcard in a namespace's name",
            json!({"namespaces": ["team-*"]}),
            json!({"namespaces": ["team-a"]}),
            "spec.namespaces[0] in body should match",
        ),
    ]
}
