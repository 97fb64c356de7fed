//! The rooms of the console, one file each.

pub(crate) mod account;
pub(crate) mod analytics;
pub(crate) mod audit;
pub(crate) mod call;
pub(crate) mod calls;
pub(crate) mod dead_letters;
pub(crate) mod deployment;
pub(crate) mod effects;
mod first_administrator;
pub(crate) mod keys;
pub(crate) mod language;
pub(crate) mod live;
mod oidc;
pub(crate) mod overview;
pub(crate) mod practice;
pub(crate) mod providers;
pub(crate) mod queues;
pub(crate) mod register;
pub(crate) mod search;
mod seed;
mod session_rows;
pub(crate) mod settings;
pub(crate) mod sign_in;
pub(crate) mod upload;
pub(crate) mod users;
