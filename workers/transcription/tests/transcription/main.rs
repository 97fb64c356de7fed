//! Tests of the stage with an embedded store, blobs in a folder and providers that are played.
#![expect(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

mod chain;
mod held;
mod meetings;
mod stage;
mod twice;
