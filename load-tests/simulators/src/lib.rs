//! Simulated providers: small servers on loopback that answer Debrief as the real providers do.
//!
//! Each provider is one module with one constant, `PROVIDER`. It says what the provider is called, which routes it
//! has, and which settings point Debrief at it. The table in `table.rs` joins these constants, and everything else
//! reads the table. A simulator knows no sample call: it derives each answer from the request.
//!
//! The feature `testing` adds what only tests and fault runs use: faults on request, and functions that read what
//! arrived and what was made.

pub mod assemblyai;
pub mod call_data;
mod control;
pub mod deepgram;
mod dialogue;
mod digest;
pub mod elevenlabs;
pub mod exotel;
#[cfg(feature = "testing")]
mod faults;
mod heard;
pub mod oidc;
pub mod openai;
mod options;
mod pace;
mod provider;
mod record;
mod recording_store;
pub mod recordings;
pub mod salesforce;
mod simulator;
pub mod slack;
mod spoken;
mod state;
mod stream_plan;
mod streams;
mod table;
pub mod twilio;
pub mod zoom;

pub use dialogue::{Sound, Utterance, recording_as, recording_with};
#[cfg(feature = "testing")]
pub use faults::{Fault, Faults, ModelFault};
pub use options::Options;
pub use provider::{Provider, Setting};
pub use record::{Effects, Received};
pub use recording_store::{Recording, Variant};
pub use simulator::{Simulator, Simulators};
pub use table::PROVIDERS;
