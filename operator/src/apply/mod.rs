//! The executor: carries out what the state machine of repairs (`ironside_engine::remediate`) asks for, for every target with a plan or a record.
//!
//! ```text
//! View -> Entry (record, last answer) -> observe -> step -> effects -> job: swap the record, then dry run | patch | undo -> Entry -> ...
//! ```
//!
//! Decides nothing: which effect comes next is the engine's, and a plan leaves no choices. It owns the order (the record first, the target after), the meaning
//! of answers, and that nothing is sent without leadership. It reads the cluster through the view only: no GET, no LIST.
//!
//! Targets are workloads here. Namespaces, whose network is isolated by policies of our own (`ironside/owned`), are looked at by [`crate::network`], with the
//! same records, the same jobs and the same state machine.

pub(crate) mod caps;
pub(crate) mod convert;
mod entry;
mod executor;
mod job;
mod observe;
mod policies;
mod send;
mod shown;
pub(crate) mod stopping;
mod store;
pub(crate) mod tell;

pub(crate) use entry::{Entry, is_in_flight};
pub use executor::run;
pub(crate) use job::{Job, Report};
pub(crate) use policies::Left;
pub(crate) use store::{NotStored, name_of};
