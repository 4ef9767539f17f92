//! Policies and exceptions as people write them.

mod exceptions;
mod policies;
mod properties;
