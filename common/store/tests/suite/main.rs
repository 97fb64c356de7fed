//! The store, on PostgreSQL and on SQLite: one set of tests.

#![expect(clippy::unwrap_used, reason = "what a test cannot set up ends it")]

mod accounts;
mod audio;
mod changes;
mod copies;
mod corrections;
mod counting;
mod damaged;
mod databases;
mod dead_letters;
mod deletions;
mod effects;
mod full;
mod given_up;
mod idempotency;
mod keys;
mod later_looks;
mod listing;
mod live;
mod nothing_made;
mod plans;
mod practice;
mod processes;
mod queue_samples;
mod replays;
mod rooms;
mod runs;
mod saved_views;
mod scores;
mod searching;
mod speakers;
mod speech;
mod taking_in;
mod versions;
