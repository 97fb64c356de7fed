//! Stages, the queues between them, and how one delivery is carried from the broker to its acknowledgement. This is the
//! only crate that names the AMQP client.

pub mod broker;
mod context;
pub mod correction;
mod delivery;
pub mod effect;
mod emission;
mod engine;
mod history;
mod index;
pub mod intake;
pub mod keeper;
pub mod layout;
pub mod lease;
pub mod live;
pub mod management;
mod memory;
mod metrics;
pub mod pipeline;
mod places;
pub mod presence;
pub mod replay;
mod requests;
pub mod resolution;
pub mod retry;
pub mod scrubbing;
mod shares;
pub mod stage;
mod stage_error;
mod store_outage;
pub mod table;
mod waits;
pub mod wake_ups;
pub mod work;

pub use context::{Cx, Run};
pub use effect::{Effect, Receipt, Scope, Unknown};
pub use engine::Engine;
pub use memory::Memory;
pub use pipeline::{Pipeline, Worker};
pub use places::Whom;
pub use stage::{Outcome, Stage};
pub use stage_error::StageError;
pub use waits::Waits;
