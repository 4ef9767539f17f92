//! The gauges by name: what each says and which labels it carries. How they are computed is in [`super::state`].

use super::family::Definition;
use super::findings::FINDINGS;
use super::process;

pub(super) const BUILD_INFO: Definition = Definition {
    name: "ironside_build_info",
    help: "The running version.",
    labels: &["version"],
};
pub(super) const LEADER: Definition = Definition {
    name: "ironside_leader",
    help: "1 while this process leads and writes.",
    labels: &[],
};
pub(super) const POLICY_INFO: Definition = Definition {
    name: "ironside_policy_info",
    help: "1 for each policy, with its mode. Policies of a namespace are named namespace/name.",
    labels: &["policy", "mode"],
};
pub(super) const POLICY_CONDITION: Definition = Definition {
    name: "ironside_policy_condition",
    help: "1 for the status that a condition of a policy has, 0 for the others.",
    labels: &["policy", "type", "status"],
};
pub(super) const SCORE: Definition = Definition {
    name: "ironside_compliance_score_ratio",
    help: "Passed of passed and failed objects over all controls, weighted by severity.",
    labels: &["policy"],
};
pub(super) const COVERAGE: Definition = Definition {
    name: "ironside_coverage_ratio",
    help: "What could be looked at of what should have been.",
    labels: &["policy"],
};
pub(super) const CONTROLS: Definition = Definition {
    name: "ironside_controls",
    help: "Controls by result for each component, threat and framework.",
    labels: &["policy", "dimension", "value", "result"],
};
pub(super) const LAST_SCAN: Definition = Definition {
    name: "ironside_last_scan_timestamp_seconds",
    help: "The moment that results are about: now while all watches work, else when the first of them stopped working.",
    labels: &[],
};
pub(super) const PENDING: Definition = Definition {
    name: "ironside_remediations_pending",
    help: "Repairs that are planned and wait, by risk.",
    labels: &["risk"],
};
pub(super) const REMEDIATIONS: Definition = Definition {
    name: "ironside_remediations",
    help: "Repairs on record, by phase.",
    labels: &["phase"],
};
pub(super) const PLANS_HELD: Definition = Definition {
    name: "ironside_plans_held",
    help: "Plans that are shown and not done, by reason.",
    labels: &["reason"],
};
pub(super) const PLANS_UNRECORDED: Definition = Definition {
    name: "ironside_plans_unrecorded",
    help: "Plans that no HardeningRemediation shows, because there are as many as the limits allow.",
    labels: &[],
};
pub(super) const EXCEPTIONS: Definition = Definition {
    name: "ironside_exceptions",
    help: "Exceptions by state: active, expiring (within seven days), expired, unused.",
    labels: &["state"],
};
pub(super) const EXCEPTION_EXPIRY: Definition = Definition {
    name: "ironside_exception_expiry_timestamp_seconds",
    help: "When the next exception ends.",
    labels: &[],
};
pub(super) const PAUSED: Definition = Definition {
    name: "ironside_paused",
    help: "1 while `ironside pause` keeps all repairs from starting.",
    labels: &[],
};
pub(super) const APPROVAL_GUARDED: Definition = Definition {
    name: "ironside_approval_guarded",
    help: "1 while admission lets only approvers decide on repairs.",
    labels: &[],
};
pub(super) const ATTACK_WAYS: Definition = Definition {
    name: "ironside_attack_ways",
    help: "Workloads from which somebody who breaks in gets to cluster-admin or to a node: from outside through an exposed Service, or from inside.",
    labels: &["entry", "end"],
};
pub(super) const UNREADABLE: Definition = Definition {
    name: "ironside_unreadable_objects",
    help: "Objects that exist and cannot be read, by kind.",
    labels: &["kind"],
};
pub(super) const WATCH_RESTARTS: Definition = Definition {
    name: "ironside_watch_restarts_total",
    help: "Failed requests of watches, by kind.",
    labels: &["kind"],
};
pub(super) const WATCH_SILENCE: Definition = Definition {
    name: "ironside_watch_silence_seconds",
    help: "Time since a watch heard anything, by kind; the longest over all namespaces. About a minute is normal.",
    labels: &["kind"],
};
pub(super) const WATCH_STANDING: Definition = Definition {
    name: "ironside_watches",
    help: "Watches by kind and standing.",
    labels: &["kind", "standing"],
};
pub(super) const API_REQUESTS: Definition = Definition {
    name: "ironside_api_requests_total",
    help: "Requests to the API server by verb and HTTP status; code 0 means that no answer came.",
    labels: &["verb", "code"],
};
pub(super) const PERMISSION_DENIED: Definition = Definition {
    name: "ironside_permission_denied",
    help: "1 for each right that enabled controls need and the operator does not have.",
    labels: &["resource", "verb"],
};

/// Every gauge.
pub const DEFINITIONS: [&Definition; 27] = [
    &BUILD_INFO,
    &LEADER,
    &POLICY_INFO,
    &POLICY_CONDITION,
    &SCORE,
    &COVERAGE,
    &CONTROLS,
    &FINDINGS,
    &LAST_SCAN,
    &PENDING,
    &REMEDIATIONS,
    &PLANS_HELD,
    &PLANS_UNRECORDED,
    &EXCEPTIONS,
    &EXCEPTION_EXPIRY,
    &PAUSED,
    &APPROVAL_GUARDED,
    &ATTACK_WAYS,
    &UNREADABLE,
    &WATCH_RESTARTS,
    &WATCH_SILENCE,
    &WATCH_STANDING,
    &API_REQUESTS,
    &PERMISSION_DENIED,
    &process::RESIDENT,
    &process::CPU,
    &process::FILES,
];
