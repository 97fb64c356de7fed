//! What every worker shares: the domain in plain types, the store, blobs, the cache and the edges of a
//! process (HTTP client, configuration, telemetry). It names no message broker and no provider.

pub mod analysis;
pub mod batch;
pub mod blobs;
pub mod cache;
pub mod call;
pub mod config;
pub mod event;
pub mod failpoint;
pub mod fault;
pub mod fetch;
pub mod http;
pub mod moment;
pub mod phone;
pub mod seal;
pub mod store;
pub mod telemetry;
pub mod transcript;
pub mod web;
