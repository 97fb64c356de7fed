//! The whole system from the outside: the binary runs as processes, and the simulators of the providers run in the
//! process of the test. The inputs are made at random in the run, and only what arrives at the providers and what the
//! API says is looked at.
//!
//! Each test runs twice: embedded in one process, and on RabbitMQ, PostgreSQL and Redis with one process
//! a role. `DEBRIEF_TEST_WITHOUT_ROLE=slack` leaves a role out, to see that the tests notice.

#![expect(clippy::unwrap_used, reason = "what a test cannot set up ends it")]

mod collector;
mod inputs;
mod processes;
mod proxy;
mod settings;
mod world;

mod asked;
mod bad_input;
mod happy;
mod keys;
mod killed;
mod private;
mod traced;
mod unwell;
mod workspaces;
