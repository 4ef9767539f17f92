//! The status of an exception: whether it counts, and for how much.

use ironside_crds::conditions::{Observed, set, types};
use ironside_crds::{ExceptionStatus, Time};
use ironside_engine::policy::ExceptionState;
use jiff::Timestamp;

use crate::reconcile::Exception;

/// The status as it should be now.
pub fn exception_status(exception: &Exception, state: &ExceptionState, now: Timestamp) -> ExceptionStatus {
    let generation = exception.meta().generation;
    let mut conditions = exception
        .status()
        .map(|status| status.conditions.clone())
        .unwrap_or_default();
    let observed = Observed {
        type_: types::EFFECTIVE,
        status: state.effective.into(),
        reason: state.reason,
        message: state.message.clone(),
    };
    set(&mut conditions, observed, generation, now.into());
    ExceptionStatus {
        observed_generation: generation,
        conditions,
        matched: state.matched,
        effective_until: state.effective_until.map(Time::from),
    }
}
