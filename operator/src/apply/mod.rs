//! The executor: carries out what the state machine of repairs (`ironside_engine::remediate`) asks for, for every target with a plan or a record.
//!
//! ```text
//! View -> Entry (record, last answer) -> observe -> step -> effects -> job: swap the record, then dry run | patch | undo -> Entry -> ...
//! ```
//!
//! Decides nothing: which effect comes next is the engine's, and a plan leaves no choices. It owns the order (the record first, the target after), the meaning
//! of answers, and that nothing is sent without leadership. It reads the cluster through the view only: no GET, no LIST.
//!
//! Targets are workloads. Generated NetworkPolicies are objects of our own (`ironside/owned`) with another life; targets of kind Namespace are theirs and are
//! passed over here.

pub(crate) mod caps;
mod convert;
mod entry;
mod executor;
mod job;
mod observe;
mod send;
mod shown;
mod stopping;
mod store;
mod tell;

pub use executor::run;
