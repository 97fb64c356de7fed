//! Makes the transcript of a call. It reads the transcripts that others made, and lets a provider transcribe
//! recordings.

mod answer;
mod audio;
mod chain;
mod cutting;
mod doubts;
mod held;
mod job;
mod join;
mod kept;
mod material;
mod paid_request;
mod participants;
mod pieces;
mod pieces_of_audio;
mod recording;
mod settling;
mod stage;
mod treatment;
mod twins;
mod unfetched;
mod verdict;
mod words;

pub use cutting::{AtSilence, CutError, CutOrder, Cutter, Piece};
pub use settling::Settling;
pub use stage::{Settings, Transcription};
pub use treatment::Wishes;
