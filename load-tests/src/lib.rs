//! Tests Debrief from the outside: simulators of the providers it talks to, and what drives it as a process.
//!
//! Nothing here depends on another crate of the workspace: what is tested is only what a provider and a user
//! see.

pub mod harness;
pub mod simulators;

pub use simulators::{Options, Simulators};
