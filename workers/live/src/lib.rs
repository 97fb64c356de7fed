//! Calls while they are spoken: audio in, in pieces or as a stream; words, mood and advice out while it still helps.
//!
//! The routes only store what came in and wake the run of the session. The stage [`Listen`] does the work, so any process
//! takes a piece, and when a process dies another one goes on. Everything that a listener sees is an event with a number.
//! It is stored first and sent second, so a listener that was away asks for what came after the number that it has.

mod counsel;
mod faults;
mod help;
mod hub;
mod metrics;
mod order;
mod places;
mod progress;
mod roles;
mod routes;
mod service;
mod settings;
mod sockets;
mod sound;
mod stage;
mod streams;
mod told;
mod windows;

pub use counsel::SumUp;
pub use hub::Hub;
pub use routes::document;
pub use service::{Live, ReadMetadata};
pub use settings::Settings;
pub use stage::{Listen, wants_model};

use std::sync::Arc;

use axum::Router;
use platform::cache::Cache;
use platform::config::{ConfigError, Values};
use providers::Slots;
use providers::speech::streaming::{self, StreamingSpeech};

/// The providers that transcribe streams while they are spoken, unless `LIVE_STREAMING` turns that off.
pub fn streaming(
    values: &Values,
    cache: Arc<dyn Cache>,
) -> Result<Vec<Arc<dyn StreamingSpeech>>, ConfigError> {
    let is_on = values.text("LIVE_STREAMING").is_none() || values.flag("LIVE_STREAMING")?;
    let made = streaming::configured(values, &Slots::new(cache, 1), "LIVE_SPEECH")?;
    Ok(if is_on { made } else { Vec::new() })
}

/// The routes of live calls: those with a description, Socket.IO, and the streams of telephony providers.
/// [`web::finish`] adds the layers that are common to the routes of all roles.
pub fn router(live: Live) -> Router {
    metrics::declare();
    routes::router(live.clone()).merge(sockets::router(live.clone())).merge(streams::router(live))
}

/// The routes with a description alone, for the pages of the same process.
pub fn described(live: Live) -> Router {
    metrics::declare();
    routes::router(live)
}
