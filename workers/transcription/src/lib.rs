//! Makes the transcript of a call. It reads the transcripts that others made, and lets a provider transcribe
//! recordings.

mod answer;
mod audio;
mod job;
mod material;
mod roles;
mod stage;

pub use stage::{Settings, Transcription};
