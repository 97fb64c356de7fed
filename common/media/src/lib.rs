//! Reads recordings, and reads and writes the file formats of transcripts. Every file that is read here was made by
//! somebody else's program, so nothing in it can be trusted.

pub mod audio;
pub mod captions;
pub mod documents;
pub mod transcripts;
mod words;
