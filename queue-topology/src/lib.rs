//! Stages, the queues between them, and how one delivery is carried from receive to acknowledge.
//! The only crate that names the AMQP client.

pub mod apply;
pub mod broker;
mod deliver;
pub mod effect;
pub mod export;
pub mod intake;
pub mod keeper;
pub mod lease;
mod metrics;
pub mod pipeline;
pub mod replay;
pub mod retry;
pub mod scrub;
mod shares;
pub mod stage;
pub mod table;
pub mod wake;

pub use deliver::Engine;
pub use effect::{Effect, Receipt, Scope, Unknown};
pub use pipeline::{Pipeline, Worker};
pub use stage::{Cx, Outcome, Run, Stage, StageError};
