//! The stage: from an accepted call to its transcript.
//!
//! A supplied transcript is read at once. A recording is handed to a provider, whose job is looked at from time to
//! time; no delivery is held while somebody else works. The job is an effect: it costs money, so a retry, a
//! replay or a crash finds the one that was made.

use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use domain::event::{CallAccepted, CallTranscribed, Envelope, Material, MaterialKind};
use domain::moment::Moment;
use domain::transcript::Transcript;
use platform::blobs::Blobs;
use platform::cache::Cache;
use platform::config::{ConfigError, Values};
use platform::fetch::{Allow, Credential, Fetcher, Limits};
use platform::http;
use platform::seal::{self, Sealer};
use queue_topology::table::{self, Queue};
use queue_topology::{Cx, Effect, Outcome, Receipt, Scope, Stage, StageError, Unknown};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest as _, Sha256};
use store::{EffectState, Write};
use url::Url;
use uuid::Uuid;

use crate::material::{self, Source};
use crate::roles;
use crate::speech::assemblyai::AssemblyAi;
use crate::speech::{Audio, Failed, Notify, Progress, SpeechError, SpeechToText};
use media::transcripts;

/// Ten hours of audio, the longest that is taken, are done in well under one.
const DEADLINE: Duration = Duration::from_hours(3);
const MIN_POLL: Duration = Duration::from_secs(3);
const MAX_POLL: Duration = Duration::from_secs(30);
const SUBMIT_TIMEOUT: Duration = Duration::from_secs(30);

/// What this stage takes from the configuration.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `DEBRIEF_TIMEZONE`: in which a session's times without an offset are read.
    pub zone: chrono_tz::Tz,
    /// `DEBRIEF_ALLOW_PRIVATE_FETCH`.
    pub allow: Allow,
    /// `DEBRIEF_MAX_UPLOAD_MB`, in bytes; what is fetched may be as long as what is uploaded.
    pub max_audio_bytes: u64,
    /// `EXOTEL_API_KEY` and `EXOTEL_API_TOKEN`, for Exotel's own hosts.
    pub exotel: Option<Credential>,
    /// `ASSEMBLYAI_POLL`: how often a job is looked at. Absent: from every 3 s to every 30 s, as it gets older.
    pub poll: Option<Duration>,
    /// How long a provider may work on one job.
    pub deadline: Duration,
    /// `DEBRIEF_PUBLIC_URL` and the secret of the provider's webhook. Absent: polling only.
    pub webhook: Option<(Url, SecretString)>,
}

impl Settings {
    pub fn read(values: &Values) -> Result<Self, ConfigError> {
        let zone = values.parse("DEBRIEF_TIMEZONE", "a time zone such as Asia/Kolkata")?;
        let max_mb: u64 = values.parse("DEBRIEF_MAX_UPLOAD_MB", "a number of megabytes")?.unwrap_or(2048);
        let exotel = values.text("EXOTEL_API_KEY").zip(values.secret("EXOTEL_API_TOKEN"));
        let poll = values.text("ASSEMBLYAI_POLL").map(|_| values.duration("ASSEMBLYAI_POLL", MIN_POLL));
        let public = values.text("DEBRIEF_PUBLIC_URL").map(|text| values.url("DEBRIEF_PUBLIC_URL", &text));
        let configured = values.secret("ASSEMBLYAI_WEBHOOK_SECRET");
        let secret = values.secret("ASSEMBLYAI_API_KEY").map(|key| {
            let configured = configured.as_ref().map(ExposeSecret::expose_secret);
            SecretString::from(seal::webhook_secret(configured, key.expose_secret()))
        });
        Ok(Self {
            zone: zone.unwrap_or(chrono_tz::UTC),
            allow: Allow::from_values(values)?,
            max_audio_bytes: max_mb.saturating_mul(1024 * 1024),
            exotel: exotel.map(|(user, password)| Credential {
                hosts: ["exotel.com", "*.exotel.com", "*.exotel.in"].map(str::to_owned).to_vec(),
                user,
                password,
            }),
            poll: poll.transpose()?,
            deadline: DEADLINE,
            webhook: public.transpose()?.zip(secret),
        })
    }
}

pub struct Transcription {
    source: Source,
    speech: Option<Arc<dyn SpeechToText>>,
    zone: chrono_tz::Tz,
    poll: Option<Duration>,
    deadline: Duration,
    webhook: Option<(Url, SecretString)>,
}

impl Transcription {
    /// With the provider that `values` configure, if any. `cache` hands out the slots of its rate limit.
    pub fn from_values(
        values: &Values,
        blobs: Blobs,
        sealer: Sealer,
        cache: Arc<dyn Cache>,
    ) -> Result<Self, ConfigError> {
        let speech = AssemblyAi::from_values(values, cache)?
            .map(|provider| Arc::new(provider) as Arc<dyn SpeechToText>);
        Ok(Self::new(Settings::read(values)?, speech, blobs, sealer))
    }

    pub fn new(
        settings: Settings,
        speech: Option<Arc<dyn SpeechToText>>,
        blobs: Blobs,
        sealer: Sealer,
    ) -> Self {
        let Settings { zone, allow, max_audio_bytes, exotel, poll, deadline, webhook } = settings;
        let limits = Limits { max_bytes: max_audio_bytes, ..Limits::default() };
        let fetcher = Fetcher::new(allow, limits, exotel.into_iter().collect());
        Self {
            source: Source { blobs, sealer, fetcher, max_audio_bytes },
            speech,
            zone,
            poll,
            deadline,
            webhook,
        }
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

    /// The transcript of a recording, or how long to wait for it.
    async fn heard(&self, cx: &Cx, material: &Material) -> Result<Result<Transcript, Duration>, StageError> {
        let Some(provider) = self.speech.as_deref() else {
            return Err(StageError::unavailable(
                "speech_to_text",
                "speech_to_text_not_configured",
                anyhow!("no speech-to-text provider is configured: set ASSEMBLYAI_API_KEY"),
            ));
        };
        let mut job = Submission { provider, material, uploaded: None, notify: self.notify(cx) };
        let submitted = submitted(cx, &job).await?;
        if submitted.is_none() {
            job.uploaded = Some(self.upload(cx, provider, material).await?);
        }
        let receipt = cx.once(&job).await?;
        let age = submitted.map_or(Duration::ZERO, |submitted| cx.now().since(submitted));
        match provider.look(&receipt.remote_id).await {
            Ok(Progress::Done(transcript)) => Ok(Ok(transcript)),
            Ok(Progress::Running) if age < self.deadline => Ok(Err(self.poll.unwrap_or_else(|| poll(age)))),
            Ok(Progress::Running) => {
                // So that a replay makes a new one.
                cx.void(&job).await?;
                Err(StageError::permanent(
                    "transcription_timed_out",
                    anyhow!("{} has worked for {} minutes", provider.name(), age.as_secs() / 60),
                ))
            }
            Ok(Progress::Failed(failed)) => {
                cx.void(&job).await?;
                Err(given_up(provider.name(), &failed))
            }
            Err(error @ SpeechError::NoSuchJob { .. }) => {
                cx.void(&job).await?;
                Err(error.into())
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn upload(
        &self,
        cx: &Cx,
        provider: &dyn SpeechToText,
        material: &Material,
    ) -> Result<String, StageError> {
        let key = self.source.recording(cx.run.workspace, cx.run.call, material).await?;
        let (bytes, body) = self.source.blobs.get_stream(&key).await.map_err(material::blob_fault)?;
        Ok(provider.upload(Audio { bytes, body }).await?)
    }

    /// Where the provider tells us that it is done. What it says proves nothing: it only wakes this stage.
    fn notify(&self, cx: &Cx) -> Option<Notify> {
        let (public, secret) = self.webhook.as_ref()?;
        let mut url = Url::parse(&http::join(public, "/webhooks/assemblyai")).ok()?;
        url.query_pairs_mut()
            .append_pair("workspace", &cx.run.workspace.to_string())
            .append_pair("call", &cx.run.call.to_string())
            .append_pair("generation", &cx.run.generation.to_string());
        Some(Notify { url: url.into(), header: seal::WEBHOOK_SECRET_HEADER, secret: secret.clone() })
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
                Ok(transcript) => transcript,
                Err(wait) => return Ok(Outcome::Later(wait)),
            },
        };
        roles::assign_roles(&mut transcript, &cx.call().await?.details);
        cx.keep(Write::Transcript(transcript));
        Ok(Outcome::Emit(CallTranscribed {}))
    }
}

/// A provider's job, once for each recording.
struct Submission<'a> {
    provider: &'a dyn SpeechToText,
    material: &'a Material,
    /// Absent where the ledger says that the job was submitted.
    uploaded: Option<String>,
    notify: Option<Notify>,
}

impl Effect for Submission<'_> {
    fn target(&self) -> &str {
        self.provider.name()
    }

    fn scope(&self) -> Scope {
        Scope::Call
    }

    fn object(&self) -> String {
        format!("transcript:{}", self.material.digest)
    }

    fn digest(&self) -> String {
        hex::encode(Sha256::digest(format!("{}\n{}", self.target(), self.object())))
    }

    /// A job that nobody knows of costs some cents; a call without a transcript costs more.
    fn unknown(&self) -> Unknown {
        Unknown::Resend
    }

    fn timeout(&self) -> Duration {
        SUBMIT_TIMEOUT
    }

    async fn send(&self, _key: Uuid, _prior: Option<&str>) -> Result<Receipt, StageError> {
        let uploaded = self.uploaded.as_deref().ok_or_else(|| {
            StageError::transient("transcription_lost", anyhow!("the job was declared void meanwhile"))
        })?;
        let remote_id = self.provider.submit(uploaded, self.notify.as_ref()).await?;
        Ok(Receipt { remote_id, replaced: None })
    }
}

/// When the job was made, where the ledger knows it. Audio is uploaded only where it does not: the ledger
/// still decides whether to submit.
async fn submitted(cx: &Cx, job: &Submission<'_>) -> Result<Option<Moment>, StageError> {
    let effects = cx.store.effects_of(cx.run.workspace, cx.run.call).await?;
    let confirmed = effects.into_iter().find(|row| {
        row.target == job.target() && row.object == job.object() && row.state == EffectState::Confirmed.name()
    });
    Ok(confirmed.map(|row| row.updated_at))
}

/// How long to wait before a job of this age is looked at again.
fn poll(age: Duration) -> Duration {
    (age / 10).clamp(MIN_POLL, MAX_POLL)
}

fn given_up(provider: &str, failed: &Failed) -> StageError {
    let why = anyhow!("{provider} gave up: {}", failed.reason);
    if failed.for_good {
        StageError::permanent("transcription_refused", why)
    } else {
        StageError::transient("transcription_failed", why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_looked_at_less_often_as_it_gets_older() {
        let waits = [0, 60, 100, 300, 10_000].map(|age| poll(Duration::from_secs(age)).as_secs());
        assert_eq!(waits, [3, 6, 10, 30, 30]);
    }

    #[test]
    fn settings_say_what_is_wrong_by_name() {
        let read = |name, value| Settings::read(&Values::of([(name, value)]));
        assert!(
            read("DEBRIEF_TIMEZONE", "Mars/Olympus").unwrap_err().to_string().contains("DEBRIEF_TIMEZONE")
        );
        assert!(read("ASSEMBLYAI_POLL", "often").is_err());
        assert!(read("DEBRIEF_PUBLIC_URL", "example.com").is_err());
        assert!(read("DEBRIEF_PUBLIC_URL", "https://debrief.example.com").unwrap().webhook.is_none());
    }
}
