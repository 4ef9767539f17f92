//! The API server as Ironside sees it: client, watches, permissions, leadership. The only module that opens connections to it.
//!
//! Knows how objects are fetched and decoded; must not know what is judged, planned or reported.
//!
//! ```text
//! Source -> watch task -> Raw (text) -> Item (decoded view) -> one bounded channel -> reconcile
//! ```

mod author;
pub mod client;
mod failure;
pub mod health;
pub mod item;
pub mod leadership;
pub mod lease;
pub mod permissions;
pub mod raw;
pub mod requests;
pub mod source;
pub mod watch;

pub(crate) use failure::chain;
pub use health::{Standing, Trouble, WatchHealth};
pub use item::Item;
pub use leadership::{Leadership, Term};
pub use raw::Raw;
pub use source::Source;
pub use watch::{Message, Seen, Watches};
