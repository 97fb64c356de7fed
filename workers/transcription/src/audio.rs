//! Measures a recording before a provider is paid for it.
//!
//! What is certainly no recording is refused here, and says what it is. What we cannot decode goes to the provider all the
//! same, with a note, because a provider may know formats that we do not know.
//!
//! The measurement of a long recording takes some seconds, and a run comes back many times while a provider works. So the
//! measurement is kept as a blob, and a run that comes back reads it.

use std::sync::LazyLock;

use anyhow::anyhow;
use bytes::Bytes;
use domain::audio::{ChannelLayout, MeasuredAudio};
use domain::event::Material;
use domain::note::Note;
use domain::refusal::Destination;
use media::audio::{AudioError, Decoder, kind, measure};
use platform::blobs::{BlobError, BlobReader};
use queue_topology::{Cx, StageError};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use crate::material::{self, Source};
use crate::twins;

/// The longest measurement that is kept: that of eight channels with as many stretches of speech as there may be.
const MAX_KEPT_BYTES: u64 = 16 * 1024 * 1024;

/// A measurement keeps a core busy, so half of the cores are left to everything else.
static CORES: LazyLock<Semaphore> = LazyLock::new(|| {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    Semaphore::new((cores / 2).max(1))
});

/// What was found out about a recording.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Measured {
    /// The digest of the material that brought the same bytes before. What was paid for is kept under that digest.
    #[serde(default)]
    pub(crate) same_as: Option<String>,
    /// `None` where the recording could not be measured, and then `note` says why.
    pub(crate) audio: Option<MeasuredAudio>,
    pub(crate) note: Option<Note>,
}

impl Measured {
    /// The material under which is kept what was paid for the recording. It is another one where the same bytes came by
    /// two ways.
    pub(crate) fn paid_as(&self, material: &Material) -> Material {
        let digest = self.same_as.clone().unwrap_or_else(|| material.digest.clone());
        Material { digest, ..material.clone() }
    }

    /// How many channels there are, where each of them holds speakers of its own. A meeting that was recorded in stereo
    /// has everybody in both channels, and a channel in which nobody is heard has no speaker.
    pub(crate) fn channels(&self) -> Option<u16> {
        let facts = &self.audio.as_ref()?.facts;
        (facts.layout == ChannelLayout::Separate).then(|| u16::try_from(facts.channels.len()).ok()).flatten()
    }
}

/// Measures a recording, or reads what was measured before. It is fetched for that, if it is behind a URL.
pub(crate) async fn measured(cx: &Cx, source: &Source, material: &Material) -> Result<Measured, StageError> {
    let at = |digest: &str| format!("measured/{}/{digest}", cx.run.call);
    let kept = at(&material.digest);
    if let Some(measured) = read(source, &kept).await? {
        return Ok(measured);
    }
    let stored = source.stored(cx, material).await?;
    let same_as = twins::first_of(cx, source, material, &stored).await?;
    let before = match &same_as {
        Some(digest) => read(source, &at(digest)).await?,
        None => None,
    };
    let measured = match before {
        Some(before) => before,
        None => of_blob(source, &stored.key).await?,
    };
    let measured = Measured { same_as, ..measured };
    let bytes = serde_json::to_vec(&measured)
        .map_err(|error| StageError::permanent("measurement_unwritable", error))?;
    source.blobs.put(&kept, Bytes::from(bytes)).await.map_err(material::blob_fault)?;
    if let Some(audio) = &measured.audio {
        let facts = &audio.facts;
        tracing::info!(
            audio_ms = facts.duration_ms,
            speech_ms = facts.speech_ms,
            channels = facts.channels.len(),
            codec = facts.codec,
            "measured a recording"
        );
    }
    Ok(measured)
}

/// What was measured before, if it is kept.
async fn read(source: &Source, key: &str) -> Result<Option<Measured>, StageError> {
    match source.blobs.get(key, MAX_KEPT_BYTES).await {
        // What an older program kept may have another form. Then it is measured again.
        Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
        Err(BlobError::NotFound(_)) => Ok(None),
        Err(error) => Err(material::blob_fault(error)),
    }
}

async fn of_blob(source: &Source, key: &str) -> Result<Measured, StageError> {
    let absent = || material::blob_fault(BlobError::NotFound(key.to_owned()));
    let bytes = source.blobs.head(key).await.map_err(material::blob_fault)?.ok_or_else(absent)?;
    if bytes == 0 {
        return Err(StageError::permanent("recording_empty", anyhow!("the recording has no bytes")));
    }
    let head = 0..bytes.min(kind::HEAD_BYTES as u64);
    let head = source.blobs.get_range(key, head).await.map_err(material::blob_fault)?;
    if let Some(found) = kind::other_kind(&head) {
        let why = anyhow!("the file is {found}, not a recording");
        return Err(StageError::permanent("recording_not_audio", why));
    }
    let reader = source.blobs.reader(key, bytes);
    let _core = CORES.acquire().await.map_err(|error| StageError::transient("measurement_failed", error))?;
    let measured = tokio::task::spawn_blocking(move || listen(reader))
        .await
        .map_err(|error| StageError::transient("measurement_failed", error))?;
    match measured {
        Ok(Some(audio)) => Ok(Measured { audio: Some(audio), ..Measured::default() }),
        Ok(None) => Ok(unmeasured("it holds no sound that can be decoded")),
        Err(AudioError::NoAudio) => {
            Err(StageError::permanent("recording_without_sound", AudioError::NoAudio))
        }
        Err(error @ AudioError::Source(_)) => {
            Err(StageError::unavailable(Destination::BLOBS, "blobs_unavailable", error))
        }
        Err(error) => Ok(unmeasured(&error.to_string())),
    }
}

fn listen(reader: BlobReader) -> Result<Option<MeasuredAudio>, AudioError> {
    measure::measure(Decoder::open(reader)?)
}

fn unmeasured(why: &str) -> Measured {
    let text =
        format!("The recording could not be measured, so its times are those of the transcript: {why}.");
    Measured { note: Some(Note::new("audio_not_measured", text).of_field("audio")), ..Measured::default() }
}

#[cfg(test)]
mod tests {
    use domain::fault::Fault;
    use platform::blobs::Blobs;
    use platform::fetch::{Allow, Fetcher, Limits};
    use platform::seal::Sealer;
    use providers::holders::Holders;

    use super::*;

    /// A recording of the crate that reads recordings.
    fn recording(name: &str) -> Vec<u8> {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../common/media/test-data/audio");
        std::fs::read(std::path::Path::new(folder).join(name)).unwrap()
    }

    async fn measured(bytes: Vec<u8>) -> Result<Measured, StageError> {
        rustls::crypto::ring::default_provider().install_default().ok();
        let folder = tempfile::tempdir().unwrap();
        let blobs = Blobs::local(folder.path()).unwrap();
        blobs.put("recording", Bytes::from(bytes)).await.unwrap();
        let source = Source {
            blobs,
            sealer: Sealer::from_key([7; 32]),
            fetcher: Fetcher::new(Allow::None, Limits::default(), Vec::new()),
            holders: Holders::default(),
            max_audio_bytes: 1_000_000,
        };
        of_blob(&source, "recording").await
    }

    #[tokio::test]
    async fn a_recording_is_measured_even_where_its_index_stands_at_its_end() {
        for (name, container) in [("index-last.m4a", "mp4"), ("opus.webm", "webm"), ("pcm_mulaw.wav", "wav")]
        {
            let found = measured(recording(name)).await.unwrap().audio.unwrap().facts;
            assert_eq!((found.container.as_str(), found.channels.len()), (container, 2), "{name}");
        }
    }

    #[tokio::test]
    async fn what_is_no_recording_is_refused_for_good_with_what_it_is() {
        for (bytes, kind) in [
            (&b"<!DOCTYPE html><title>Sign in</title>"[..], "a page of text"),
            (b"PK\x03\x04\x14\0\x06\0\x08\0", "a ZIP archive"),
            (b"Please call me back.", "text"),
        ] {
            let error = measured(bytes.to_vec()).await.unwrap_err();
            assert_eq!((error.fault, error.code), (Fault::Permanent, "recording_not_audio"));
            assert!(error.to_string().contains(kind), "{error}");
        }
    }

    #[tokio::test]
    async fn what_we_cannot_decode_goes_on_with_a_note() {
        let noise: Vec<u8> = (0..5_000_u32).map(|at| u8::try_from(at * 37 % 251).unwrap() | 0x80).collect();
        for bytes in [recording("wma.wma"), b"#!AMR\n\x3c\x08\xff".to_vec(), noise] {
            let found = measured(bytes).await.unwrap();
            assert_eq!(found.audio, None);
            assert_eq!(found.note.unwrap().code, "audio_not_measured");
        }
    }

    #[tokio::test]
    async fn a_recording_that_ends_in_the_middle_is_measured_as_far_as_it_goes_and_noted() {
        let mut cut = recording("flac.flac");
        cut.truncate(cut.len() / 2);
        let facts = measured(cut).await.unwrap().audio.unwrap().facts;
        assert!(facts.notes.iter().any(|note| note.code == "audio_cut_short"), "{:?}", facts.notes);
        assert!((200..800).contains(&facts.duration_ms), "{} ms", facts.duration_ms);
    }
}
