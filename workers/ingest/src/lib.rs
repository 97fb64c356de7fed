//! Ingest: takes what the outside sends, says at once what is wrong with it, and publishes the rest as
//! `call.received`. It asks no database and waits for no stage.
//!
//! A 2xx is sent only for what is on disk somewhere: confirmed by the broker, or in the store's outbox.

mod arrival;
mod fields;
mod fingerprint;
mod form;
mod linger;
mod overload;
mod publish;
mod routes;
mod sources;
mod time;

use std::num::NonZeroUsize;
use std::sync::Arc;

use platform::blobs::Blobs;
use platform::cache::Cache;
use platform::config::{ConfigError, Installation, Values};
use platform::seal::{Sealer, webhook_secret};
use queue_topology::broker::Lane;
use secrecy::{ExposeSecret, SecretString};
use web::Access;

pub use publish::{Nudge, Outbox, Outgoing, PublishFault, Publisher};
pub use routes::router;

const MIB: u64 = 1024 * 1024;
const BESIDE_AUDIO_BYTES: u64 = 64 * MIB;
/// Enough to keep a broker busy, and few enough that one that confirms 300 a second confirms each in time.
const MAX_REQUESTS: NonZeroUsize = NonZeroUsize::new(256).expect("it is above zero");

/// What ingest works with. The process that serves it fills this in.
#[derive(Clone)]
pub struct Ingest {
    pub settings: Settings,
    pub access: Arc<Access>,
    pub blobs: Blobs,
    pub sealer: Sealer,
    pub cache: Arc<dyn Cache>,
    pub publisher: Arc<dyn Publisher>,
    pub outbox: Arc<dyn Outbox>,
    /// Bulk for imports, so that a backfill never stands before a live call.
    pub lane: Lane,
}

#[derive(Clone)]
pub struct Settings {
    /// In which a time without an offset is read.
    pub timezone: chrono_tz::Tz,
    /// The longest recording, in bytes.
    pub max_audio_bytes: u64,
    /// `DEBRIEF_MAX_REQUESTS`: how many are in hand at once; what comes on top is answered 503.
    pub max_requests: usize,
    /// What AssemblyAI's webhook has to bring; absent where neither `ASSEMBLYAI_API_KEY` nor
    /// `ASSEMBLYAI_WEBHOOK_SECRET` is set.
    pub assemblyai_secret: Option<SecretString>,
}

impl Settings {
    /// What a form may take, its recording and what stands beside it.
    fn longest_form(&self) -> u64 {
        self.max_audio_bytes.saturating_add(BESIDE_AUDIO_BYTES)
    }

    pub fn read(values: &Values, installation: &Installation) -> Result<Self, ConfigError> {
        let max_requests: NonZeroUsize =
            values.parse("DEBRIEF_MAX_REQUESTS", "a number above 0")?.unwrap_or(MAX_REQUESTS);
        let (configured, api_key) =
            (values.secret("ASSEMBLYAI_WEBHOOK_SECRET"), values.secret("ASSEMBLYAI_API_KEY"));
        let assemblyai_secret = (configured.is_some() || api_key.is_some()).then(|| {
            let api_key = api_key.as_ref().map_or("", |key| key.expose_secret());
            webhook_secret(configured.as_ref().map(ExposeSecret::expose_secret), api_key).into()
        });
        Ok(Self {
            timezone: installation.timezone,
            max_audio_bytes: installation.max_upload_bytes,
            max_requests: max_requests.get(),
            assemblyai_secret,
        })
    }
}
