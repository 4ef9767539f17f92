//! D-17: Pod Security labels of a Namespace are lowered.
//!
//! Levels and defaults: Kubernetes documentation, "Pod Security Admission": a label that is absent means `privileged`, an absent version `latest`.

use super::Detection;
use super::change::Change;
use crate::model::{Labels, Namespace};

const PREFIX: &str = "pod-security.kubernetes.io/";

pub(super) fn changed(change: &mut Change<'_>, new: &Namespace) {
    let Some(old) = change.before.namespace(&new.metadata.name).cloned() else {
        return;
    };
    let (old, new) = (&old.metadata.labels, &new.metadata.labels);
    let mut lowered = Vec::new();
    for mode in ["enforce", "audit", "warn"] {
        let (was, is) = (level(old, mode), level(new, mode));
        if rank(is) < rank(was) {
            lowered.push(format!("{mode} lowered from {was} to {is}"));
        }
    }
    let (was, is) = (version(old), version(new));
    if level(new, "enforce") == level(old, "enforce") && rank(level(new, "enforce")) > 0 && is < was {
        lowered.push(format!("enforce held to the older version {}", shown(is)));
    }
    if !lowered.is_empty() {
        change.saw(Detection::D17, lowered.join(", "));
    }
}

fn level<'a>(labels: &'a Labels, mode: &str) -> &'a str {
    labels.get(&format!("{PREFIX}{mode}")).unwrap_or("privileged")
}

/// A level that does not exist is taken for `restricted` in enforce by the API server (it fails closed) and cannot be set through it.
fn rank(level: &str) -> u8 {
    match level {
        "privileged" => 0,
        "baseline" => 1,
        _ => 2,
    }
}

/// Minor version that enforce is held to; the greatest number for `latest`.
fn version(labels: &Labels) -> u32 {
    let given = labels.get(&format!("{PREFIX}enforce-version"));
    given
        .and_then(|version| version.strip_prefix("v1."))
        .and_then(|minor| minor.parse().ok())
        .unwrap_or(u32::MAX)
}

fn shown(minor: u32) -> String {
    match minor {
        u32::MAX => "latest".to_owned(),
        minor => format!("v1.{minor}"),
    }
}
