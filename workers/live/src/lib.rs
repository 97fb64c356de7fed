//! Calls while they are spoken: audio in, in pieces or as a stream; words, mood and advice out while it still helps.
//!
//! The routes only store what came in and wake the run of the session. The stage [`Listen`] does the work, so any process
//! takes a piece, and when a process dies another one goes on. Everything that a listener sees is an event with a number.
//! It is stored first and sent second, so a listener that was away asks for what came after the number that it has.

mod counsel;
mod ending;
mod faults;
mod hearing;
mod help;
mod hub;
mod metrics;
mod order;
mod progress;
mod roles;
mod routes;
mod settings;
mod sockets;
mod sound;
mod stage;
mod streams;
mod tails;
mod told;
mod transcribing;
mod windows;

pub use counsel::SumUp;
pub use hub::Hub;
pub use routes::{Live, ReadMetadata, document, router};
pub use settings::Settings;
pub use stage::Listen;
