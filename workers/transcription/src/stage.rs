//! The stage: from an accepted call to its transcript.
//!
//! A supplied transcript is read at once. A recording is handed to a provider, which works on a job ([`crate::job`])
//! or answers at once ([`crate::answer`]). Either costs money, so it is an effect: a retry, a replay or a crash finds
//! what was paid for.

use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use domain::event::{CallAccepted, CallTranscribed, Envelope, Material, MaterialKind};
use domain::transcript::Transcript;
use platform::blobs::Blobs;
use platform::cache::Cache;
use platform::config::{ConfigError, Installation, Values};
use platform::fetch::{Allow, Credential, Fetcher, Limits};
use platform::seal::Sealer;
use providers::speech::{self, SpeechToText};
use providers::{Slots, telephony};
use queue_topology::table::{self, Queue};
use queue_topology::{Cx, Outcome, Stage, StageError};
use store::Write;
use url::Url;

use crate::material::{self, Source};
use crate::{answer, job, roles};
use media::transcripts;

/// What this stage takes from the configuration.
#[derive(Clone, Debug)]
pub struct Settings {
    /// In which a session's times without an offset are read.
    pub zone: chrono_tz::Tz,
    /// `DEBRIEF_ALLOW_PRIVATE_FETCH`.
    pub allow: Allow,
    /// In bytes; what is fetched may be as long as what is uploaded.
    pub max_audio_bytes: u64,
    /// What telephony providers ask for before they give out a recording, each for its own hosts.
    pub credentials: Vec<Credential>,
    /// Our own address as providers see it. Absent: jobs are only looked at.
    pub public: Option<Url>,
}

impl Settings {
    pub fn read(values: &Values, installation: &Installation) -> Result<Self, ConfigError> {
        Ok(Self {
            zone: installation.timezone,
            allow: Allow::from_values(values)?,
            max_audio_bytes: installation.max_upload_bytes,
            credentials: telephony::credentials(values)?,
            public: installation.public_url.clone(),
        })
    }
}

pub struct Transcription {
    source: Source,
    speech: Option<SpeechToText>,
    zone: chrono_tz::Tz,
    public: Option<Url>,
}

/// What became of a recording.
pub(crate) enum Heard {
    Transcript(Transcript),
    /// The provider works on it: look again after this long.
    Later(Duration),
}

impl Transcription {
    /// With the provider that `values` configure, if any. `cache` hands out the slots of its rate limit.
    pub fn from_values(
        values: &Values,
        installation: &Installation,
        blobs: Blobs,
        sealer: Sealer,
        cache: Arc<dyn Cache>,
    ) -> Result<Self, ConfigError> {
        let slots = Slots::new(cache, Self::QUEUE.spec.may_wait());
        let speech = speech::configured(values, &slots)?;
        Ok(Self::new(Settings::read(values, installation)?, speech, blobs, sealer))
    }

    pub fn new(settings: Settings, speech: Option<SpeechToText>, blobs: Blobs, sealer: Sealer) -> Self {
        let Settings { zone, allow, max_audio_bytes, credentials, public } = settings;
        let limits = Limits { max_bytes: max_audio_bytes, ..Limits::default() };
        let fetcher = Fetcher::new(allow, limits, credentials);
        Self { source: Source { blobs, sealer, fetcher, max_audio_bytes }, speech, zone, public }
    }

    async fn supplied(&self, cx: &Cx, material: &Material) -> Result<Transcript, StageError> {
        let bytes = self.source.text(cx.run.workspace, cx.run.call, material).await?;
        let (kind, zone) = (material.kind, self.zone);
        // Megabytes of somebody else's text: not on a thread that others wait for.
        let parsed = tokio::task::spawn_blocking(move || transcripts::parse(kind, &bytes, zone))
            .await
            .map_err(|error| StageError::transient("transcript_reader_failed", error))?
            .map_err(|why| {
                StageError::permanent(
                    "transcript_unreadable",
                    anyhow::Error::new(why).context("failed to read the transcript"),
                )
            })?;
        tracing::debug!(
            segments = parsed.transcript.segments.len(),
            skipped = parsed.skipped,
            "read a supplied transcript"
        );
        Ok(parsed.transcript)
    }

    async fn heard(&self, cx: &Cx, material: &Material) -> Result<Heard, StageError> {
        match &self.speech {
            Some(SpeechToText::Job(provider)) => {
                job::heard(cx, &self.source, provider.as_ref(), material, self.public.as_ref()).await
            }
            Some(SpeechToText::AtOnce(provider)) => {
                let heard = answer::heard(cx, &self.source, provider, material);
                heard.await.map(Heard::Transcript)
            }
            None => Err(StageError::unavailable(
                speech::NOBODY,
                "speech_to_text_not_configured",
                anyhow!("no speech-to-text provider is configured: set {}", speech::keys()),
            )),
        }
    }
}

impl Stage for Transcription {
    type In = CallAccepted;
    type Out = CallTranscribed;
    const QUEUE: Queue<CallAccepted> = table::TRANSCRIPTION;

    async fn handle(
        &self,
        cx: &Cx,
        _event: &Envelope<CallAccepted>,
    ) -> Result<Outcome<CallTranscribed>, StageError> {
        let arrived = cx.store.materials(cx.run.workspace, cx.run.call).await?;
        let material = material::best(&arrived).ok_or_else(|| {
            StageError::permanent("no_material", anyhow!("nothing to make a transcript from"))
        })?;
        let mut transcript = match material.kind {
            MaterialKind::Session | MaterialKind::Transcript => self.supplied(cx, material).await?,
            MaterialKind::Recording => match self.heard(cx, material).await? {
                Heard::Transcript(transcript) => transcript,
                Heard::Later(wait) => return Ok(Outcome::Later(wait)),
            },
        };
        roles::assign_roles(&mut transcript, &cx.call().await?.details);
        cx.keep(Write::Transcript(transcript));
        Ok(Outcome::Emit(CallTranscribed {}))
    }
}
