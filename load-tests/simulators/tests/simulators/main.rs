//! The simulators as Debrief sees them: over HTTP, and checked against what the providers publish.

#![expect(clippy::unwrap_used, reason = "a test fails when something is missing")]

mod assemblyai;
mod call_data;
mod contract;
mod control;
mod faults;
mod openai;
mod playground;
mod recordings;
mod salesforce;
mod slack;
mod speech;
mod streams;
mod telephony;
mod zoom;
