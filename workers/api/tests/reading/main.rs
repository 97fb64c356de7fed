//! Tests the HTTP API for reading, with an embedded store and an embedded broker.
#![expect(clippy::unwrap_used, reason = "a test should fail where it cannot go on")]

mod audio;
mod calls;
mod document;
mod health;
mod home;
mod operations;
mod recordings;
mod searching;
mod speakers;
mod speech;
mod transcripts;
mod world;
