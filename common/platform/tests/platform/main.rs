//! Tests the edges of a process with the real servers behind them.

mod blobs;
mod buckets;
mod cache;
