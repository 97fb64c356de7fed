//! Everything through which a process touches its surroundings: the configuration, the telemetry, the HTTP client,
//! fetching from addresses that came from outside, blobs, the cache with the rate limits, and sealed secrets.

pub mod batch;
pub mod blobs;
pub mod cache;
pub mod config;
pub mod failpoint;
pub mod fetch;
pub mod http;
pub mod memory;
pub mod private;
pub mod seal;
pub mod telemetry;
mod tls;
