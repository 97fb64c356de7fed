//! The stage that makes the transcript of an accepted call.
//!
//! A supplied transcript is read at once. A recording is sent to a provider, which works on a job ([`crate::job`]) or
//! answers at once ([`crate::answer`]). Both cost money, so the request is an effect in the ledger. After a retry, a
//! replay or a crash, the stage finds what was paid for.

use std::sync::Arc;

use anyhow::anyhow;
use domain::call::CallDetails;
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

use crate::audio::{self, Measured};
use crate::job::{self, Heard};
use crate::material::{self, Source};
use crate::{answer, roles};
use media::transcripts::{self, People};

/// The settings of this stage.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The time zone in which the times of a session without an offset are read.
    pub zone: chrono_tz::Tz,
    /// `DEBRIEF_ALLOW_PRIVATE_FETCH`: the private addresses from which recordings may be fetched.
    pub allow: Allow,
    /// The limits of a fetch. The largest file is the same as for uploads.
    pub limits: Limits,
    /// The credentials that telephony providers need before they give out a recording. Each belongs to the hosts of
    /// its provider.
    pub credentials: Vec<Credential>,
    /// Our own address as providers see it. `None` where providers cannot call us, and then jobs are only polled.
    pub public: Option<Url>,
}

impl Settings {
    pub fn read(values: &Values, installation: &Installation) -> Result<Self, ConfigError> {
        Ok(Self {
            zone: installation.timezone,
            allow: Allow::from_values(values)?,
            limits: Limits { max_bytes: installation.max_upload_bytes, ..Limits::read(values)? },
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

impl Transcription {
    /// Makes the stage with the provider that `values` configure, if there is one. `cache` keeps the rate limit of
    /// the provider for all processes.
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
        let Settings { zone, allow, limits, credentials, public } = settings;
        let max_audio_bytes = limits.max_bytes;
        let fetcher = Fetcher::new(allow, limits, credentials);
        Self { source: Source { blobs, sealer, fetcher, max_audio_bytes }, speech, zone, public }
    }

    async fn supplied(&self, cx: &Cx, material: &Material) -> Result<Transcript, StageError> {
        let bytes = self.source.text(cx, material).await?;
        let (kind, zone) = (material.kind, self.zone);
        // The text can have megabytes, so it is not read on a thread that other tasks wait for.
        let details = cx.call().await?.details;
        let people = people(&details);
        let transcript = tokio::task::spawn_blocking(move || transcripts::parse(kind, &bytes, zone, &people))
            .await
            .map_err(|error| StageError::transient("transcript_reader_failed", error))?
            .map_err(|why| {
                StageError::permanent(
                    "transcript_unreadable",
                    anyhow::Error::new(why).context("failed to read the transcript"),
                )
            })?;
        let (segments, notes) = (transcript.segments.len(), transcript.notes.len());
        tracing::debug!(segments, notes, "read a supplied transcript");
        Ok(transcript)
    }

    /// Measures a recording before anybody is paid for it. Where nobody can transcribe it, it is not even fetched.
    async fn measured(&self, cx: &Cx, material: &Material) -> Result<Option<Measured>, StageError> {
        match self.speech {
            Some(_) => audio::measured(cx, &self.source, material).await.map(Some),
            None => Ok(None),
        }
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

/// Everybody who is known to have been in the call.
fn people(details: &CallDetails) -> People {
    let listed = details.participants.iter().filter_map(|person| person.name.as_deref());
    People::of(listed.chain(details.agent_name.as_deref()))
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
            MaterialKind::Recording => {
                let measured = self.measured(cx, material).await?;
                match self.heard(cx, material).await? {
                    Heard::Transcript(mut transcript) => {
                        if let Some(Measured { audio, note }) = measured {
                            transcript.notes.extend(note);
                            audio.into_iter().for_each(|audio| cx.keep(Write::Audio(Box::new(audio))));
                        }
                        transcript
                    }
                    Heard::Later(wait) => return Ok(Outcome::Later(wait)),
                }
            }
        };
        roles::assign_roles(&mut transcript, &cx.call().await?.details);
        cx.keep(Write::Transcript(transcript));
        Ok(Outcome::Emit(CallTranscribed {}))
    }
}
