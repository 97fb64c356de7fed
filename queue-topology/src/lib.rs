//! Stages, the queues between them, and how one delivery is carried from receive to acknowledge.
//! The only crate that names the AMQP client.

pub mod effect;
pub mod stage;
pub mod table;

pub use effect::{Effect, Receipt, Scope, Unknown};
pub use stage::{Cx, Outcome, Stage, StageError};
