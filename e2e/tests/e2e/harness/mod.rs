//! The harness proves itself: what every other test relies on.

mod artifacts;
mod audit;
mod controlplane;
mod faults;
mod install;
mod lifetime;
mod operator;
mod proxy;
mod simulation;
