//! The harness proves itself: what every other test relies on.

mod controlplane;
