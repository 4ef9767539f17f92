//! Enumerations print as they are written in YAML, so that messages, tables and metric labels use the words that people type.

use std::fmt;

use serde::Serialize;

use crate::conditions::ConditionStatus;
use crate::exception::ExceptionEffect;
use crate::policy::{
    AutoApprove, Component, ControlMode, InferredAllows, IsolationDirection, MetadataServiceAccess, Mode, OwnerRoute,
    PodSecurityLevel, ProfileName, Protocol, Responsibility, Threat,
};
use crate::remediation::{ChangeOp, DecisionAction, Phase, RestartStrategy, Risk};
use crate::selector::LabelOperator;

macro_rules! display {
    ($($name:ident),+ $(,)?) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                // A formatter is a serializer of unit variants: it writes their serialized name.
                self.serialize(f)
            }
        }
    )+};
}

display!(
    AutoApprove,
    ChangeOp,
    Component,
    ConditionStatus,
    ControlMode,
    DecisionAction,
    ExceptionEffect,
    InferredAllows,
    IsolationDirection,
    LabelOperator,
    MetadataServiceAccess,
    Mode,
    OwnerRoute,
    Phase,
    PodSecurityLevel,
    ProfileName,
    Protocol,
    Responsibility,
    RestartStrategy,
    Risk,
    Threat,
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_print_as_they_are_written() {
        assert_eq!(Phase::RollingBack.to_string(), "RollingBack");
        assert_eq!(Protocol::Tcp.to_string(), "TCP");
        assert_eq!(Responsibility::Owner.to_string(), "Self");
        assert_eq!(format!("{:<6}|", Risk::Low), "Low   |", "tables can pad them");
    }
}
