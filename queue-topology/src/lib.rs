//! Stages, the queues between them, and how one delivery is carried from receive to acknowledge.
//! The only crate that names the AMQP client.

pub mod broker;
mod delivery;
pub mod effect;
pub mod keeper;
pub mod layout;
pub mod lease;
pub mod management;
mod metrics;
pub mod pipeline;
pub mod replay;
pub mod retry;
pub mod scrubbing;
mod shares;
pub mod stage;
pub mod table;
pub mod wake_ups;

pub use delivery::Engine;
pub use effect::{Effect, Receipt, Scope, Unknown};
pub use pipeline::{Pipeline, Worker};
pub use stage::{Cx, Outcome, Run, Stage, StageError};
