//! The console, over its real routes and an embedded store, as a browser without scripts sees it.

#![expect(clippy::unwrap_used, reason = "what a test cannot set up ends it")]

mod accounts;
mod api;
mod browser;
mod calls;
mod material;
mod operations;
mod rooms;
mod samples;
mod uploading;
mod world;
