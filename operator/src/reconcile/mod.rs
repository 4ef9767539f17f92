//! From what was seen to what is known: the single writer of the world, evaluation, plans, and the view that everything else reads.
//!
//! ```text
//! watches -> Message -> Writer { World, Declared } -> dirty -> evaluate -> plan -> Results -> View -> status, events, metrics, executor
//! ```
//!
//! Decides nothing about writes and sends none. What the executor needs from here:
//!
//! - [`Views`]: [`Views::latest`] for the present [`View`], [`Views::subscribe`] for changes ([`Dirty`]: targets and remediations);
//! - [`View`]: the snapshot, the compiled policies and exceptions, the outcome of each target (findings, plan, limits, mode) and everything people declared;
//! - [`crate::cluster::Leadership`]: asked before every write;
//! - [`crate::report::Reporter`]: events and status writes; [`crate::metrics::Happenings`]: counters.

pub mod declared;
pub mod feed;
pub mod judge;
pub mod results;
pub mod score;
pub mod standings;
pub mod view;
pub mod writer;

pub use declared::{Declared, Exception, Policy};
pub use feed::{Dirty, Feed, Subscription, Views};
pub use results::{Outcome, Results};
pub use score::Scorecard;
pub use standings::Standings;
pub use view::View;
pub use writer::Writer;
