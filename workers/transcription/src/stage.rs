//! The stage that makes the transcript of an accepted call.
//!
//! A supplied transcript is read at once. A recording is sent to the providers in their order ([`crate::chain`]). A
//! provider works on a job ([`crate::job`]) or answers at once ([`crate::answer`]). Both cost money, so the request is
//! an effect in the ledger. After a retry, a replay or a crash, the stage finds what was paid for.

use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use domain::audio::MeasuredAudio;
use domain::call::CallDetails;
use domain::event::{CallAccepted, CallTranscribed, Envelope, Material, MaterialKind};
use domain::parties::SupportLines;
use domain::speakers::{self, Known};
use domain::transcript::Transcript;
use platform::blobs::Blobs;
use platform::cache::Cache;
use platform::config::{ConfigError, Installation, Values};
use platform::fetch::{Allow, Credential, Fetcher, Limits};
use platform::seal::Sealer;
use providers::Slots;
use providers::holders::Holders;
use providers::meetings::{self, Attendance};
use providers::speech::{self, SpeechToText, Wanted};
use queue_topology::table::{self, Queue};
use queue_topology::{Cx, Outcome, Stage, StageError};
use store::Write;
use url::Url;

use crate::audio::Measured;
use crate::chain::Chain;
use crate::cutting::{AtSilence, Cutter};
use crate::material::Source;
use crate::pieces::{self, Gathering, Part, Piece};
use crate::recording::{Heard, Made, Recording};
use crate::treatment::Wishes;
use crate::{audio, held, participants, unfetched, words};
use media::transcripts::{self, People};

/// The settings of this stage.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The time zone in which the times of a session without an offset are read.
    pub zone: chrono_tz::Tz,
    /// Our own numbers, which tell who called whom.
    pub lines: SupportLines,
    /// `DEBRIEF_ALLOW_PRIVATE_FETCH`: the private addresses from which recordings may be fetched.
    pub allow: Allow,
    /// The limits of a fetch. The largest file is the same as for uploads.
    pub limits: Limits,
    /// The credentials that telephony providers need before they give out a recording. Each belongs to the hosts of
    /// its provider.
    pub credentials: Vec<Credential>,
    /// Our own address as providers see it. `None` where providers cannot call us, and then jobs are only polled.
    pub public: Option<Url>,
    /// `SPEECH_WORDS`: names and words that are likely to be spoken in any call.
    pub words: Vec<String>,
    /// `SPEECH_LANGUAGE`: the language of all calls. `None` where the provider finds out.
    pub language: Option<String>,
    /// What is done to the sound of the pieces into which we cut a recording.
    pub wishes: Wishes,
    /// How long a provider that is away is asked after the others.
    pub away_for: Duration,
}

/// A provider that is away is seldom back sooner.
const AWAY_FOR: Duration = Duration::from_secs(30);

impl Settings {
    pub fn read(values: &Values, installation: &Installation) -> Result<Self, ConfigError> {
        Ok(Self {
            zone: installation.timezone,
            lines: installation.lines.clone(),
            allow: Allow::from_values(values)?,
            limits: Limits { max_bytes: installation.max_upload_bytes, ..Limits::read(values)? },
            credentials: Holders::configured(values, &Slots::of_this_process())?.credentials(),
            public: installation.public_url.clone(),
            words: values.list("SPEECH_WORDS"),
            language: language(values)?,
            wishes: Wishes::read(values)?,
            away_for: AWAY_FOR,
        })
    }
}

fn language(values: &Values) -> Result<Option<String>, ConfigError> {
    let Some(tag) = values.text("SPEECH_LANGUAGE") else { return Ok(None) };
    let mut parts = tag.split('-');
    let base = parts.next().unwrap_or_default();
    let is_base = (2..=3).contains(&base.len()) && base.bytes().all(|byte| byte.is_ascii_alphabetic());
    let is_rest = parts
        .all(|part| (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    if is_base && is_rest && tag.len() <= 35 {
        Ok(Some(tag))
    } else {
        Err(ConfigError::not("SPEECH_LANGUAGE", &tag, "a language, such as en or pt-BR"))
    }
}

pub struct Transcription {
    source: Source,
    chain: Chain,
    zone: chrono_tz::Tz,
    lines: SupportLines,
    public: Option<Url>,
    words: Vec<String>,
    language: Option<String>,
    wishes: Wishes,
    cutter: Arc<dyn Cutter>,
    attendance: Vec<Arc<dyn Attendance>>,
}

impl Transcription {
    /// Makes the stage with the providers that `values` configure. `cache` keeps the rate limits of the providers for
    /// all processes.
    pub fn from_values(
        values: &Values,
        installation: &Installation,
        blobs: Blobs,
        sealer: Sealer,
        cache: Arc<dyn Cache>,
    ) -> Result<Self, ConfigError> {
        let slots = Slots::new(cache, Self::QUEUE.spec.may_wait());
        let speech = speech::configured(values, &slots)?;
        let holders = Holders::configured(values, &slots)?;
        let attendance = meetings::attendance(values, &slots)?;
        let stage = Self::new(Settings::read(values, installation)?, speech, blobs, sealer);
        Ok(stage.with_holders(holders).with_attendance(attendance))
    }

    /// The stage with these systems that know who was in a meeting.
    pub fn with_attendance(self, attendance: Vec<Arc<dyn Attendance>>) -> Self {
        Self { attendance, ..self }
    }

    /// The stage with these systems that keep recordings.
    pub fn with_holders(mut self, holders: Holders) -> Self {
        self.source.holders = holders;
        self
    }

    /// Makes the stage with these providers, in the order in which they are tried.
    pub fn new(settings: Settings, speech: Vec<SpeechToText>, blobs: Blobs, sealer: Sealer) -> Self {
        let Settings { zone, lines, allow, limits, credentials, public, words, language, wishes, away_for } =
            settings;
        let max_audio_bytes = limits.max_bytes;
        let fetcher = Fetcher::new(allow, limits, credentials);
        let source = Source { blobs, sealer, fetcher, holders: Holders::default(), max_audio_bytes };
        let chain = Chain::new(speech, away_for);
        Self {
            source,
            chain,
            zone,
            lines,
            public,
            words,
            language,
            wishes,
            cutter: Arc::new(AtSilence),
            attendance: Vec::new(),
        }
    }

    /// The same stage, with another way to cut recordings that are too long for a provider.
    pub fn cutting_with(self, cutter: Arc<dyn Cutter>) -> Self {
        Self { cutter, ..self }
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

    /// Returns what is said in all pieces of the call, or how long to wait for it.
    async fn gathered(
        &self,
        cx: &Cx,
        pieces: &[Piece<'_>],
        sounds: &mut Vec<MeasuredAudio>,
    ) -> Result<Part, StageError> {
        if pieces.is_empty() {
            return Err(StageError::permanent("no_material", anyhow!("nothing to make a transcript from")));
        }
        let mut gathering = Gathering::of(pieces);
        for piece in pieces {
            gathering.add(piece, self.read(cx, piece.material, sounds).await)?;
        }
        gathering.end()
    }

    /// Returns what is said in one material, or how long to wait for it. What was measured in it is added to `sounds`.
    async fn read(
        &self,
        cx: &Cx,
        material: &Material,
        sounds: &mut Vec<MeasuredAudio>,
    ) -> Result<Part, StageError> {
        Ok(match material.kind {
            MaterialKind::Session | MaterialKind::Transcript => {
                Part::Transcript(self.supplied(cx, material).await?)
            }
            MaterialKind::Recording => {
                let measured = self.measured(cx, material).await?;
                let material = &measured.paid_as(material);
                match self.heard(cx, material, &measured).await? {
                    Heard::Transcript(Made { mut transcript, .. }) => {
                        transcript.notes.extend(measured.note);
                        sounds.extend(measured.audio);
                        Part::Transcript(transcript)
                    }
                    Heard::Later(wait) => Part::Later(wait),
                }
            }
        })
    }

    /// Measures a recording before anybody is paid for it. Where nobody can transcribe it, it is not even fetched.
    async fn measured(&self, cx: &Cx, material: &Material) -> Result<Measured, StageError> {
        if self.chain.is_empty() {
            Ok(Measured::default())
        } else {
            audio::measured(cx, &self.source, material).await
        }
    }

    async fn heard(&self, cx: &Cx, material: &Material, measured: &Measured) -> Result<Heard, StageError> {
        let words = words::likely(&cx.call().await?.details, &self.words);
        let recording = Recording {
            cx,
            source: &self.source,
            material,
            wanted: Wanted { words, language: self.language.clone(), channels: measured.channels() },
            public: self.public.as_ref(),
            sound: measured.audio.as_ref().map(|audio| &audio.facts),
            wishes: self.wishes,
            cutter: self.cutter.as_ref(),
        };
        self.chain.heard(&recording).await
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
        let pieces = pieces::of(&arrived);
        let mut sounds = Vec::new();
        let transcript = match self.gathered(cx, &pieces, &mut sounds).await {
            Ok(Part::Transcript(transcript)) => transcript,
            Ok(Part::Later(wait)) => return Ok(Outcome::Later(wait)),
            Err(error) => {
                let note = held::without_recording(&error).ok_or(error)?;
                cx.keep(Write::NoRecording(note));
                return Ok(Outcome::Done);
            }
        };
        unfetched::add_facts(cx, &self.source, &arrived, &pieces).await?;
        let mut call = cx.call().await?;
        let found = participants::found(cx, &self.attendance, &call).await?;
        for found in found.into_iter().chain(pieces::whole(&pieces, &sounds, &call)) {
            call.details.merge(found.clone());
            cx.keep(Write::Details(Box::new(found)));
        }
        let known = Known {
            details: &call.details,
            direction: self.lines.parties(&call).known_direction,
            // A provider names voices by letters and channels by numbers.
            is_by_channel: pieces.iter().any(|piece| piece.material.kind == MaterialKind::Recording),
        };
        // What was measured has the times of one recording, so it says nothing about a call in several pieces.
        if let (Some(sound), 1) = (sounds.pop(), pieces.len()) {
            cx.keep(Write::Audio(Box::new(sound)));
        }
        cx.keep(Write::Transcript(speakers::identify(transcript, &known)));
        Ok(Outcome::Emit(CallTranscribed {}))
    }
}
