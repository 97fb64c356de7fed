//! The rooms of the console, one file each.

pub(crate) mod account;
pub(crate) mod audit;
pub(crate) mod keys;
pub(crate) mod overview;
pub(crate) mod register;
mod seed;
mod session_rows;
pub(crate) mod sign_in;
pub(crate) mod users;
pub(crate) mod analytics;
pub(crate) mod search;
