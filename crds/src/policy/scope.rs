//! `spec.delegation`: what a cluster policy lets the namespaces decide for themselves.

use std::collections::BTreeSet;

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::repair::AutoApprove;
use crate::duration::Duration;

/// What policies and exceptions in the selected namespaces may decide for themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Delegation {
    /// The highest autoApprove that a HardeningPolicy may use: None, Low or Medium. Default: None.
    #[serde(default)]
    pub max_auto_approve: AutoApprove,
    /// The exceptions that a namespace may make. Absent or empty: none counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub exceptions: Vec<ExceptionDelegation>,
}

/// Exceptions that a namespace may make.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExceptionDelegation {
    /// The entry's name.
    #[schemars(length(min = 1, max = 63))]
    pub name: String,
    /// Ids of the controls that may be excepted, such as POD-012.
    #[schemars(
        length(min = 1, max = 200),
        inner(length(max = 16), regex(pattern = r"^[A-Z]{2,8}-[0-9]{3}$"))
    )]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub controls: BTreeSet<String>,
    /// The longest time from an exception's creation to its expiresAt. Absent: 720h.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_duration: Option<Duration>,
}

impl ExceptionDelegation {
    /// The value of `maxDuration` when it is absent.
    pub const DEFAULT_MAX_DURATION: Duration = Duration::from_hours(720);

    /// The longest time from an exception's creation to its end.
    pub fn max_duration(&self) -> Duration {
        self.max_duration.unwrap_or(Self::DEFAULT_MAX_DURATION)
    }
}
