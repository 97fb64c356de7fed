//! What every worker shares: the domain in plain types, the store, blobs, the cache and the edges of a
//! process (HTTP client, configuration, telemetry). It names no message broker and no provider.

pub mod analysis;
pub mod call;
pub mod config;
pub mod event;
pub mod fault;
pub mod http;
pub mod moment;
pub mod phone;
pub mod store;
pub mod transcript;
