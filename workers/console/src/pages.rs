//! The rooms of the console, one file each.

pub(crate) mod dead_letters;
pub(crate) mod deployment;
pub(crate) mod effects;
pub(crate) mod overview;
pub(crate) mod providers;
pub(crate) mod queues;
pub(crate) mod settings;
