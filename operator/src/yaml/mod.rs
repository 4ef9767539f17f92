//! YAML as it stands in a file: where a field is, and how to change one without touching the rest.
//!
//! Knows nothing of Kubernetes, of controls or of files. Values are judged by the parser that everything else uses ([`serde_saphyr`]); this module only says
//! where they stand, and every edit is proven against that parser before it is believed.

mod edit;
pub mod fast;
mod position;
mod render;
mod split;
mod tree;

pub use edit::{Refusal, apply};
pub use position::{Position, position_of};
pub use split::{Part, parts};
pub use tree::{Broken, Node, parse};
