//! Custom resources of Ironside.
