//! The status of an exception: whether it counts, and for how much.

use ironside_crds::conditions::{Observed, reasons, set, types};
use ironside_crds::{ExceptionStatus, Time};
use ironside_engine::policy::ExceptionState;
use jiff::Timestamp;

use super::EXPIRING_WITHIN;
use crate::reconcile::Exception;

/// The status as it should be now.
pub fn exception_status(exception: &Exception, state: &ExceptionState, now: Timestamp) -> ExceptionStatus {
    let generation = exception.meta().generation;
    let mut conditions = exception
        .status()
        .map(|status| status.conditions.clone())
        .unwrap_or_default();
    let ends_soon = state
        .effective_until
        .is_some_and(|until| until.duration_since(now) < EXPIRING_WITHIN);
    let (reason, message) = if state.effective && ends_soon {
        (
            reasons::EXPIRING,
            "it counts, and ends within seven days: see effectiveUntil".to_owned(),
        )
    } else {
        (state.reason, state.message.clone())
    };
    let observed = Observed {
        type_: types::EFFECTIVE,
        status: state.effective.into(),
        reason,
        message,
    };
    set(&mut conditions, observed, generation, now.into());
    ExceptionStatus {
        observed_generation: generation,
        conditions,
        matched: state.matched,
        effective_until: state.effective_until.map(Time::from),
    }
}
