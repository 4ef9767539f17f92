//! The sink over TLS.
