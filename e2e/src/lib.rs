//! End-to-end harness of Ironside.
