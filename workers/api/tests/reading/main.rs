//! The read side, asked over HTTP, on an embedded store and broker.
#![expect(clippy::unwrap_used, reason = "what a test cannot do is its failure")]

mod calls;
mod document;
mod health;
mod home;
mod operations;
mod recordings;
mod transcripts;
mod world;
