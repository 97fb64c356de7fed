//! Tests Debrief from the outside: benchmarks, and fault runs that look whether it kept its promises.
//!
//! The crate depends on no other crate of the workspace but the simulators. It sees only what a provider and a user see.

pub mod harness;
