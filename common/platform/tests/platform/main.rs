//! Tests the edges of a process with the real servers behind them.
#![expect(clippy::unwrap_used, reason = "a test should fail where it cannot go on")]

mod blobs;
mod buckets;
mod cache;
