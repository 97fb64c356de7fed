//! Analysis: what a call meant, read by a model or by the built-in analyzer, and counted by our own code.
//!
//! `metrics` counts from the segments. `prompt` and `schema` are what a model is asked, `grounding` proves what it
//! said about people. `builtin` works without a model.

pub mod builtin;
pub mod grounding;
mod language;
mod merge;
pub mod metrics;
pub mod prompt;
pub mod schema;
mod sides;
mod spoken;
mod stage;
mod text;

#[cfg(test)]
mod testing;

pub use stage::Analyze;
