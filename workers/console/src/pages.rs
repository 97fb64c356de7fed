//! The rooms of the console, one file each.

pub(crate) mod call;
pub(crate) mod calls;
pub(crate) mod overview;
