//! Ironside as a library.
