//! Audio and transcript formats, read and written. Whatever comes in here was made by somebody else's program.

pub mod captions;
pub mod transcripts;
