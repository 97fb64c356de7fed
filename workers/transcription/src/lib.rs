//! Turns what arrived about a call into its transcript: reads what others transcribed, and has recordings
//! transcribed by a provider.

mod material;
mod roles;
pub mod speech;
mod stage;

pub use stage::{Settings, Transcription};
