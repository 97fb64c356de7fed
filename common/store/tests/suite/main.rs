//! The store, on PostgreSQL and on SQLite: one set of tests.

#![expect(clippy::unwrap_used, reason = "what a test cannot set up ends it")]

mod audio;
mod copies;
mod damaged;
mod databases;
mod effects;
mod full;
mod given_up;
mod idempotency;
mod keys;
mod later_looks;
mod nothing_made;
mod replays;
mod runs;
mod speakers;
mod speech;
mod taking_in;
mod versions;
