//! The sink over TLS, with certificates that are right, wrong and missing, and with more than it can take.

mod certificates;
mod client;
mod intake;
mod robust;
