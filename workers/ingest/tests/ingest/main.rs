//! Ingest from the outside: what goes in by HTTP, and what comes out as events.
#![expect(clippy::unwrap_used, reason = "a test stops where it cannot go on")]

mod access;
mod durable;
mod files;
mod overload;
mod wire;
mod world;
mod zapier;
