//! Ingest: takes what the outside sends, says at once what is wrong with it, and publishes the rest as
//! `call.received`. It asks no database and waits for no stage.
//!
//! A 2xx is sent only for what is on disk somewhere: confirmed by the broker, or in the store's outbox.

mod door;
mod fields;
pub mod files;
mod form;
mod overload;
mod refusal;
pub mod sources;
mod time;

use std::num::NonZeroUsize;
use std::sync::Arc;

use platform::config::{ConfigError, Installation, Values};
use queue_topology::intake::Intake;
use secrecy::SecretString;
use web::Access;

pub use sources::{document, router};

const MIB: u64 = 1024 * 1024;
const BESIDE_AUDIO_BYTES: u64 = 64 * MIB;
/// Enough to keep a broker busy, and few enough that one that confirms 300 a second confirms each in time.
const MAX_REQUESTS: NonZeroUsize = NonZeroUsize::new(256).expect("it is above zero");

/// What ingest works with. The process that serves it fills this in.
#[derive(Clone)]
pub struct Ingest {
    pub settings: Settings,
    pub access: Arc<Access>,
    pub intake: Intake,
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
        Ok(Self {
            timezone: installation.timezone,
            max_audio_bytes: installation.max_upload_bytes,
            max_requests: max_requests.get(),
            assemblyai_secret: sources::assemblyai_secret(values),
        })
    }
}
