//! The pages about calls.

mod analytics;
mod call;
mod correcting;
mod list;
mod views;
