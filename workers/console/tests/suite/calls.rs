//! The pages about calls.

mod call;
mod correcting;
mod list;
