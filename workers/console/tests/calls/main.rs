//! The pages about calls, through the router, over an embedded store.
#![expect(clippy::unwrap_used, reason = "a test should fail where it cannot go on")]

mod call;
mod list;
mod world;
