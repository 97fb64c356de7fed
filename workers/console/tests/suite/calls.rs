//! The pages about calls.

mod call;
mod list;
