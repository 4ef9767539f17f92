//! Stories of harm that no other module is about; each test is named after its story.

mod memory;
mod room;
mod start;
