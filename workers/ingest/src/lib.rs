//! Ingest takes requests from the outside, says at once what is wrong with a request, and publishes an accepted one
//! as `call.received`. It neither asks a database nor waits for a stage.
//!
//! A 2xx is sent only when the event is on disk: either the broker confirmed it, or it is in the outbox of the store.

mod door;
mod fields;
mod form;
mod overload;
mod pairs;
mod refusal;
mod request_key;
pub mod sources;
mod time;

use std::sync::Arc;

use domain::agents::Agents;
use domain::filters::Filters;
use domain::parties::SupportLines;
use platform::config::{ConfigError, Installation, Values};
use providers::meetings::zoom;
use queue_topology::intake::{Arrival, Intake, NewMaterial};
use secrecy::SecretString;
use url::Url;
use web::Access;

pub use sources::{document, router};

const MIB: u64 = 1024 * 1024;
const BESIDE_AUDIO_BYTES: u64 = 64 * MIB;
/// The default of `DEBRIEF_MAX_REQUESTS`. It is enough to keep a broker busy. It is also low enough that a broker
/// that confirms 300 messages a second confirms each request in time.
const MAX_REQUESTS: usize = 256;

/// Everything that the routes of ingest need. The process that serves the routes fills this in.
#[derive(Clone)]
pub struct Ingest {
    pub settings: Settings,
    pub access: Arc<Access>,
    pub intake: Intake,
}

#[derive(Clone)]
pub struct Settings {
    /// The time zone in which a time without an offset is read.
    pub timezone: chrono_tz::Tz,
    /// The longest recording, in bytes.
    pub max_audio_bytes: u64,
    /// `DEBRIEF_MAX_REQUESTS`: how many requests are in progress at once. Further requests are answered 503.
    pub max_requests: usize,
    /// The secret that AssemblyAI's webhook has to bring. `None` where neither `ASSEMBLYAI_API_KEY` nor
    /// `ASSEMBLYAI_WEBHOOK_SECRET` is set.
    pub assemblyai_secret: Option<SecretString>,
    /// Whether Exotel can be asked for the recording of a call whose callback names none.
    pub exotel_can_be_asked: bool,
    /// What Twilio's callbacks are checked with. `None` where `TWILIO_AUTH_TOKEN` is not set.
    pub twilio: Option<sources::TwilioAccount>,
    /// Our own address as providers see it. `None` where it is not set.
    pub public_url: Option<Url>,
    /// Which telephone calls are transcribed.
    pub filters: Filters,
    /// `SUPPORT_NUMBER`: decides who called whom.
    pub lines: SupportLines,
    /// `AGENTS_FILE`: our own people.
    pub agents: Agents,
    /// The secret token with which Zoom signs its webhooks. `None` where `ZOOM_WEBHOOK_SECRET_TOKEN` is not set.
    pub zoom_secret: Option<SecretString>,
}

impl Settings {
    /// Why a call that arrives will not be transcribed, where this arrival alone says so. Dedup decides it, because it
    /// knows what came before.
    fn skipped(&self, arrival: &Arrival) -> Option<String> {
        let by_hand =
            |material: &NewMaterial| !matches!(material, NewMaterial::Url(_) | NewMaterial::Held { .. });
        if arrival.materials.iter().any(by_hand) {
            return None;
        }
        let mut details = arrival.details.clone();
        self.agents.fill(&mut details);
        let why = self.filters.against(arrival.kind, &details, &self.lines)?;
        why.is_certain().then(|| why.to_string())
    }

    /// The longest form, in bytes: its recording and its other parts.
    fn longest_form(&self) -> u64 {
        self.max_audio_bytes.saturating_add(BESIDE_AUDIO_BYTES)
    }

    pub fn read(values: &Values, installation: &Installation) -> Result<Self, ConfigError> {
        let max_requests = values.number("DEBRIEF_MAX_REQUESTS", MAX_REQUESTS, 1..=1_000_000, "requests")?;
        Ok(Self {
            timezone: installation.timezone,
            max_audio_bytes: installation.max_upload_bytes,
            max_requests,
            assemblyai_secret: sources::assemblyai_secret(values),
            exotel_can_be_asked: values.text("EXOTEL_API_KEY").is_some()
                && values.text("EXOTEL_SID").is_some(),
            twilio: sources::TwilioAccount::read(values),
            public_url: installation.public_url.clone(),
            filters: installation.filters.clone(),
            lines: installation.lines.clone(),
            agents: installation.agents.clone(),
            zoom_secret: zoom::webhook_secret(values),
        })
    }
}
