//! Finds out what a call meant. A model or the built-in analyzer reads the transcript, and our own code counts its
//! numbers.
//!
//! `metrics` counts from the segments. `prompt` and `schema` make the request to a model. `grounding` keeps only what
//! is proven of the model's facts about people, and `promises` what is proven of who does what by when. `builtin` is the analyzer that needs no model.

pub mod audio_metrics;
pub mod builtin;
mod conversation;
mod dictation;
pub mod grounding;
mod language;
mod merge;
pub mod metrics;
mod promises;
pub mod prompt;
pub mod schema;
mod sides;
mod stage;
mod text;
mod turns;

#[cfg(test)]
mod testing;

pub use stage::Analyze;
