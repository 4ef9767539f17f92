//! What the index answers, what it makes dirty, and that it equals one rebuilt from scratch.

mod build;
mod dirt;
mod lookups;
mod rebuild;
