//! What the index answers, and what it makes dirty.

mod build;
mod lookups;
