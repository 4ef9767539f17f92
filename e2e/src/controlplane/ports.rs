//! Free ports on the loopback address.
//!
//! A port that the system picks (`bind` to 0) lies in the range of outgoing connections, so between picking and binding
//! any client can take it, and a client that keeps dialing a dead server's port can even connect to itself. These come
//! from below that range, where only servers are; a test keeps its port through any number of restarts.

use std::collections::BTreeSet;
use std::hash::{BuildHasher as _, RandomState};
use std::net::TcpListener;
use std::sync::Mutex;

use anyhow::{Result, bail};

/// Above the well-known development ports, below the range of outgoing connections (32768 on Linux).
const RANGE: std::ops::Range<u16> = 15_000..32_000;
const TRIES: usize = 500;

/// Ports that this process handed out, whether or not somebody listens already.
static TAKEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

/// A port nobody listens on and that this process has not handed out before.
///
/// Another process may still take it first: whoever binds it must try again with another one.
///
/// # Errors
/// No free port in hundreds of tries.
pub fn free() -> Result<u16> {
    let width = u64::from(RANGE.end - RANGE.start);
    for attempt in 0..TRIES {
        let random = RandomState::new().hash_one((attempt, std::process::id()));
        let port = RANGE.start + u16::try_from(random % width)?;
        let mut taken = TAKEN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if !taken.contains(&port) && TcpListener::bind(("127.0.0.1", port)).is_ok() {
            taken.insert(port);
            return Ok(port);
        }
    }
    bail!(
        "no free port on 127.0.0.1 between {} and {} in {TRIES} tries",
        RANGE.start,
        RANGE.end
    )
}
