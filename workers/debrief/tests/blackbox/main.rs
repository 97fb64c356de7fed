//! Tests the whole system from the outside. The binary runs as processes, and the simulators run in the process of the
//! test. The inputs are made at random during the run. The tests look only at what arrives at the providers and at what
//! the API says.
//!
//! Each test runs twice: embedded in one process, and on RabbitMQ, PostgreSQL and Redis with one process for each
//! role. `DEBRIEF_TEST_WITHOUT_ROLE=slack` leaves out a role, to see that the tests notice it.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has to end")]

mod collector;
mod inputs;
mod processes;
mod proxy;
mod settings;
mod world;

mod asked;
mod attacked;
mod bad_input;
mod buckets;
mod console;
mod dropped;
mod first_version;
mod happy;
mod host;
mod keys;
mod killed;
mod live;
mod models;
mod odd_fields;
mod pages;
mod practice;
mod private;
mod saved;
mod telephony;
mod traced;
mod unwell;
mod users;
mod watched;
mod word;
mod workspaces;
mod zoom;
