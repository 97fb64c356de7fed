//! Tests Debrief from the outside: what drives it as a process, and what it kept of its promises.
//!
//! Nothing here depends on another crate of the workspace: what is tested is only what a provider and a user
//! see.

pub mod harness;
