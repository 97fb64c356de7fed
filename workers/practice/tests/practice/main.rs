//! Tests practice from the outside, with an embedded store.
#![expect(clippy::unwrap_used, reason = "a test stops where it cannot go on")]

mod companies;
mod ending;
mod files;
mod floor;
mod from_call;
mod meetings;
mod speaking;
mod world;
