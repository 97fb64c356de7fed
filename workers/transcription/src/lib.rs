//! Makes the transcript of a call. It reads the transcripts that others made, and lets a provider transcribe
//! recordings.

mod answer;
mod held;
mod job;
mod material;
mod participants;
mod pieces;
mod roles;
mod stage;

pub use stage::{Settings, Transcription};
