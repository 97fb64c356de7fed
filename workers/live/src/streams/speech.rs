//! The words of a stream while it is spoken: a transcriber for each channel of a recorder, and a task that stores and tells
//! what it hears.
//!
//! The audio goes to the provider as it comes, beside the recording, which never waits for it. Where the provider is gone
//! for good, the pieces that follow are not marked as streamed any more, and the run of the session transcribes the rest.

mod samples;
mod so_far;
mod writer;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use domain::call::Call;
use providers::speech::streaming::{Opening, StreamWanted, Transcriber};
use store::live::LiveSession;
use tokio::task::JoinHandle;

use super::format::{Encoding, Format};
use crate::metrics::{self, Stream};
use crate::service::Live;
use samples::Samples;
use writer::Writer;

/// How long the last words are waited for when the stream is over.
const LAST_WORDS_WITHIN: Duration = Duration::from_secs(9);

/// The transcribers of a recorder.
pub(super) struct Speech {
    ears: Vec<Ear>,
    samples: Samples,
}

/// The transcriber of one channel.
struct Ear {
    transcriber: Transcriber,
    writing: JoinHandle<()>,
    /// Whether somebody will say the words of what comes.
    is_heard: Arc<AtomicBool>,
}

/// What a recorder records: a channel and who speaks in it, where its sender says that.
pub(super) struct Side<'a> {
    pub(super) channel: Option<i64>,
    pub(super) speaker: Option<&'a str>,
    pub(super) format: Format,
}

impl Speech {
    /// Begins to transcribe. `None` where no provider transcribes streams, or where the session cannot be read.
    pub(super) async fn open(live: &Live, session: &Arc<LiveSession>, side: Side<'_>) -> Option<Self> {
        if live.streaming.is_empty() {
            return None;
        }
        let call = match live.store.call(session.workspace, session.call).await {
            Ok(call) => call?,
            Err(error) => {
                tracing::warn!(%error, "failed to read a call, so its stream is transcribed piece by piece");
                return None;
            }
        };
        let channels: Vec<i64> = match side.channel {
            Some(channel) => vec![channel],
            None => (0..i64::from(side.format.channels)).collect(),
        };
        // Where nobody says who speaks in the one channel, everybody may.
        let voices = channels.len() == 1 && side.channel.is_none() && side.speaker.is_none();
        let mut ears = Vec::with_capacity(channels.len());
        for channel in channels {
            match Ear::open(live, session, &call, (channel, side.speaker), voices).await {
                Ok(ear) => ears.push(ear),
                Err(error) => {
                    tracing::warn!(%error, "failed to begin with a stream, so it is transcribed piece by piece");
                    return None;
                }
            }
        }
        Some(Self { ears, samples: Samples::of(side.format) })
    }

    /// Whether all words of what comes will be said.
    pub(super) fn is_heard(&self) -> bool {
        self.ears.iter().all(|ear| ear.is_heard.load(Ordering::Acquire))
    }

    /// Takes the bytes of a stream of samples.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let channels = self.samples.push(bytes);
        self.give(channels);
    }

    /// Takes a piece of a stream of packets, which cannot be read byte by byte.
    pub(super) async fn push_file(&mut self, file: &Bytes, encoding: Encoding) {
        if encoding != Encoding::Opus {
            return;
        }
        match crate::sound::decode(file.clone()).await {
            Ok(channels) => self.give(channels.iter().map(|channel| samples::pcm(channel)).collect()),
            Err(error) => tracing::debug!(%error, "failed to decode a piece of a stream"),
        }
    }

    fn give(&self, channels: Vec<Vec<i16>>) {
        for (ear, samples) in self.ears.iter().zip(channels) {
            if !samples.is_empty()
                && ear.is_heard.load(Ordering::Acquire)
                && !ear.transcriber.push(samples)
                // What does not reach the transcriber is not transcribed by it.
                && ear.is_heard.swap(false, Ordering::AcqRel)
            {
                metrics::stream(Stream::GivenUp);
            }
        }
    }

    /// No more audio comes. Waits for the last words.
    pub(super) async fn finish(mut self) {
        let rest = self.samples.finish();
        self.give(rest);
        let finishing = self.ears.into_iter().map(|ear| async move {
            ear.transcriber.finish().await;
            let mut writing = ear.writing;
            if tokio::time::timeout(LAST_WORDS_WITHIN, &mut writing).await.is_err() {
                // The run of the session transcribes what was not said.
                writing.abort();
            }
        });
        futures::future::join_all(finishing).await;
    }
}

impl Ear {
    async fn open(
        live: &Live,
        session: &Arc<LiveSession>,
        call: &Call,
        (channel, speaker): (i64, Option<&str>),
        voices: bool,
    ) -> anyhow::Result<Self> {
        // From here on no earlier stream says words of this channel, so what is read now stays as it is.
        let stream = live.store.begin_stream((session.workspace, session.call), channel).await?;
        let so_far = so_far::read(live, session, channel, voices).await?;
        let people = call.details.participants.iter().filter_map(|person| person.name.as_ref());
        let words = people.chain(&call.details.agent_name).chain(&live.settings.words).cloned().collect();
        let wanted = StreamWanted { words, language: live.settings.language.clone(), voices };
        let (covered_ms, known) = (so_far.covered_ms(), so_far.known);
        let (transcriber, told) = Transcriber::open(Opening {
            providers: live.streaming.clone(),
            wanted,
            starts_at: so_far.starts_at,
            audio: so_far.audio,
            covered: so_far.covered,
            known,
        });
        let is_heard = Arc::new(AtomicBool::new(true));
        let writer = Writer::new(live, session, call, (stream, speaker), covered_ms, Arc::clone(&is_heard));
        writer.forget(&so_far.left_open).await?;
        let writing = tokio::spawn(writer.run(told));
        Ok(Self { transcriber, writing, is_heard })
    }
}
