//! Tests ingest from the outside: HTTP requests go in, and events come out.
#![expect(clippy::unwrap_used, reason = "a test stops where it cannot go on")]

mod access;
mod durable;
mod exotel;
mod files;
mod odd_fields;
mod overload;
mod twilio;
mod wire;
mod world;
mod zapier;
mod zoom;
