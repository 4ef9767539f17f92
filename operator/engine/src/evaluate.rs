//! From objects to findings: every control of every policy on one object. Cannot fail.
