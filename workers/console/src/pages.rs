//! The rooms of the console, one file each.

pub(crate) mod analytics;
pub(crate) mod overview;
pub(crate) mod search;
