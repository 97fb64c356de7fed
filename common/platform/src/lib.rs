//! The edges of a process: configuration, telemetry, the HTTP client, guarded fetches, blobs, the cache and the
//! limits that it keeps, and sealed secrets.

pub mod batch;
pub mod blobs;
pub mod cache;
pub mod config;
pub mod failpoint;
pub mod fetch;
pub mod http;
pub mod seal;
pub mod telemetry;
