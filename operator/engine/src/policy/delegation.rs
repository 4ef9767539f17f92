//! What a cluster policy lets the namespaces decide for themselves.

use std::collections::BTreeMap;
use std::time::Duration;

use ironside_crds::conditions::reasons;
use ironside_crds::policy as wire;

use super::{AutoApprove, Problem};
use crate::controls::{ControlId, find};

/// What a cluster policy delegates. The default is nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Delegation {
    /// The highest `autoApprove` of a namespaced policy.
    pub(super) max_auto_approve: AutoApprove,
    /// Controls that a namespace may except, with the longest time from the making of an exception to its end.
    pub(super) exceptions: BTreeMap<ControlId, Duration>,
}

impl Delegation {
    pub(super) fn parse(delegation: &wire::Delegation, problems: &mut Vec<Problem>) -> Self {
        let mut exceptions: BTreeMap<ControlId, Duration> = BTreeMap::new();
        for entry in &delegation.exceptions {
            let longest = entry.max_duration().to_std();
            for id in &entry.controls {
                let Some(control) = find(id) else {
                    problems.push(Problem {
                        field: format!("spec.delegation.exceptions[{}].controls", entry.name),
                        message: format!(
                            "{id:?} is not a control that this version of Ironside knows; `ironside controls` lists them"
                        ),
                        reason: reasons::UNKNOWN_CONTROL,
                    });
                    continue;
                };
                let known = exceptions.entry(control.id).or_insert(longest);
                *known = longest.max(*known);
            }
        }
        Self {
            max_auto_approve: delegation.max_auto_approve.into(),
            exceptions,
        }
    }
}
