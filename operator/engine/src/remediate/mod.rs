//! The remediation state machine: a pure `step(record, observed, now) -> (record, effects)`.
