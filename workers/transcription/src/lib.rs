//! Turns what arrived about a call into its transcript: reads what others transcribed, and has recordings
//! transcribed by a provider.

mod answer;
mod job;
mod material;
mod roles;
mod stage;

pub use stage::{Settings, Transcription};
