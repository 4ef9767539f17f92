//! Pure engine of Ironside.
