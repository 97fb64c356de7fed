//! Writes what a stream heard in pieces. A piece that is on disk is acknowledged.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use media::audio::ogg::packet_samples;
use sha2::{Digest as _, Sha256};
use store::live::{LiveSession, NewLivePiece, PieceKept};
use uuid::Uuid;

use super::Closing;
use super::format::{self, Encoding, Format};
use super::speech::{Side, Speech};
use crate::places::place;
use crate::service::Live;

pub(super) struct Recorder {
    live: Live,
    session: Arc<LiveSession>,
    format: Format,
    channel: Option<i64>,
    speaker: Option<String>,
    /// Tells the pieces of this stream from other pieces of the session.
    stream: String,
    /// How many bytes of the stream are on disk.
    on_disk: u64,
    /// How many of the next bytes are on disk already, because the sender did not hear of it.
    skip: u64,
    buffer: Buffer,
    /// Who says the words while they are spoken. `None` where nobody does, and before the first audio.
    speech: Option<Speech>,
    has_begun: bool,
}

/// What was received and is not on disk yet.
enum Buffer {
    Samples(BytesMut),
    Packets { packets: Vec<Bytes>, samples: u64 },
}

/// A second of Opus, in the samples in which it counts.
const SECOND_OF_OPUS: u64 = 48_000;

impl Recorder {
    /// A recorder of the stream with this name. It goes on where an earlier one stopped.
    pub(super) async fn resumed(
        live: &Live,
        session: &Arc<LiveSession>,
        stream: &str,
        format: Format,
    ) -> Result<Self, Closing> {
        let last = live.store.last_live_piece(session.workspace, session.call, &format!("{stream}:")).await;
        let last = last.map_err(|error| {
            tracing::warn!(%error, "failed to look where a stream stopped");
            Closing::again("the store cannot be used at the moment")
        })?;
        let on_disk = last.as_deref().and_then(format::bytes_until).unwrap_or(0);
        Ok(Self {
            live: live.clone(),
            session: Arc::clone(session),
            format,
            channel: None,
            speaker: None,
            stream: stream.to_owned(),
            on_disk,
            skip: 0,
            buffer: if format.encoding == Encoding::Opus {
                Buffer::Packets { packets: Vec::new(), samples: 0 }
            } else {
                Buffer::Samples(BytesMut::new())
            },
            speech: None,
            has_begun: false,
        })
    }

    /// The same recorder, for the sound of one side.
    pub(super) fn of(self, channel: i64, speaker: &str) -> Self {
        Self { channel: Some(channel), speaker: Some(speaker.to_owned()), ..self }
    }

    /// How many bytes of the stream are on disk.
    pub(super) fn on_disk(&self) -> u64 {
        self.on_disk
    }

    /// The sender goes on from this byte on. Returns false where bytes between would be missing.
    pub(super) fn goes_on_from(&mut self, from: u64) -> bool {
        self.skip = self.on_disk.saturating_sub(from);
        from <= self.on_disk
    }

    /// Begins to transcribe with the first audio.
    async fn begin(&mut self) {
        if self.has_begun {
            return;
        }
        self.has_begun = true;
        let side = Side { channel: self.channel, speaker: self.speaker.as_deref(), format: self.format };
        self.speech = Speech::open(&self.live, &self.session, side).await;
    }

    /// Takes a message of the sender.
    pub(super) async fn push(&mut self, bytes: &Bytes) -> Result<(), Closing> {
        self.begin().await;
        let skipped = usize::try_from(self.skip).unwrap_or(usize::MAX).min(bytes.len());
        self.skip -= skipped as u64;
        match &mut self.buffer {
            Buffer::Samples(buffer) => {
                buffer.extend_from_slice(&bytes[skipped..]);
                if let Some(speech) = &mut self.speech {
                    speech.push(&bytes[skipped..]);
                }
            }
            // A packet is on disk as a whole, or not at all.
            Buffer::Packets { .. } if skipped > 0 => {}
            Buffer::Packets { packets, samples } => {
                *samples +=
                    packet_samples(bytes).ok_or_else(|| Closing::protocol("a message is no Opus packet"))?;
                packets.push(bytes.clone());
            }
        }
        Ok(())
    }

    /// Whether there is enough for a piece.
    pub(super) fn is_due(&self) -> bool {
        match &self.buffer {
            Buffer::Samples(buffer) => buffer.len() >= self.format.second(),
            Buffer::Packets { samples, .. } => *samples >= SECOND_OF_OPUS,
        }
    }

    /// Writes what is there as a piece. What is less than a frame waits for its rest.
    pub(super) async fn flush(&mut self) -> Result<(), Closing> {
        let (whole, file) = match &self.buffer {
            Buffer::Samples(buffer) => {
                let whole = buffer.len() - buffer.len() % self.format.frame();
                (whole, self.format.file(&buffer[..whole]))
            }
            Buffer::Packets { packets, .. } => {
                (packets.iter().map(Bytes::len).sum(), self.format.file_of_packets(packets))
            }
        };
        if whole == 0 {
            return Ok(());
        }
        let file = Bytes::from(file);
        if let Some(speech) = &mut self.speech {
            speech.push_file(&file, self.format.encoding).await;
        }
        let (from, to) = (self.on_disk, self.on_disk + whole as u64);
        let blob = place(&self.session, &format!("pieces/piece-{}", Uuid::now_v7()));
        let (digest, bytes) =
            (hex::encode(Sha256::digest(&file)), i64::try_from(file.len()).unwrap_or(i64::MAX));
        self.live.blobs.put(&blob, file).await.map_err(|error| {
            tracing::error!(%error, "failed to store a piece of a stream");
            Closing::again("the audio cannot be stored at the moment")
        })?;
        let piece = NewLivePiece {
            sequence: None,
            blob,
            digest,
            bytes,
            media_type: Some(
                if self.format.encoding == Encoding::Opus { "audio/ogg" } else { "audio/wav" }.into(),
            ),
            filename: format::name(&self.stream, from, to),
            channel: self.channel,
            speaker: self.speaker.clone(),
            request_key: Some(format!("{}:{from}", self.stream)),
            is_streamed: self.speech.as_ref().is_some_and(Speech::is_heard),
        };
        let session = (self.session.workspace, self.session.call);
        let kept = self.live.keep_piece(session, &self.session.session_id, &piece).await;
        match kept.map_err(|problem| Closing::again(problem.detail))? {
            PieceKept::New { .. } => {}
            PieceKept::Ended | PieceKept::Unknown => return Err(Closing::policy("the session has ended")),
            // Somebody else has written what comes here.
            PieceKept::Known { .. } | PieceKept::PlaceTaken { .. } => {
                return Err(Closing::policy("another stream has taken this session over"));
            }
        }
        self.on_disk = to;
        match &mut self.buffer {
            Buffer::Samples(buffer) => drop(buffer.split_to(whole)),
            Buffer::Packets { packets, samples } => {
                packets.clear();
                *samples = 0;
            }
        }
        Ok(())
    }

    /// No more audio comes. What is there is on disk, and the last words are waited for.
    pub(super) async fn finish(&mut self) {
        if let Some(speech) = self.speech.take() {
            speech.finish().await;
        }
    }
}
