//! The rooms of the console, one file each.

pub(crate) mod overview;
