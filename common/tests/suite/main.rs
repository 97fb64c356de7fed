//! The store, on PostgreSQL and on SQLite: one set of tests.

mod databases;
mod effects;
mod runs;
mod taking_in;
