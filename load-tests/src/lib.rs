//! Tests Debrief from the outside: simulators of the providers it talks to.
//!
//! Nothing here depends on another crate of the workspace: what is tested is only what a provider sees.

pub mod simulators;

pub use simulators::{Options, Simulators};
