//! Where the bytes of a recording come from, and why it may be impossible to read them.

use std::io::{self, Read, Seek, SeekFrom};
use std::sync::{Arc, Mutex, PoisonError};

use symphonia::core::io::MediaSource;

/// The bytes of a recording: a file, a buffer, or a blob that is read in pieces.
pub trait Source: Read + Seek + Send + Sync {}

impl<S: Read + Seek + Send + Sync> Source for S {}

/// Why a recording could not be read.
#[derive(Debug, thiserror::Error)]
pub enum AudioError {
    /// The source failed, and the recording may be in order.
    #[error("failed to read the bytes of the recording: {0}")]
    Source(#[source] io::Error),
    /// The first bytes are those of no container that we know.
    #[error("the file is in no audio format that we can decode")]
    UnknownContainer,
    /// The container was opened, and there is no sound in it.
    #[error("the file has no audio track")]
    NoAudio,
    /// The text names what it is and what of it cannot be decoded.
    #[error("failed to decode the recording: {0}")]
    Unsupported(String),
    /// The file is damaged so early that nothing of it can be read.
    #[error("the recording is damaged: {0}")]
    Damaged(String),
}

/// The first error of a source. Demuxers take an error for the end of the file, so it is noted where it happens.
#[derive(Clone, Debug, Default)]
pub(super) struct Failed(Arc<Mutex<Option<io::Error>>>);

impl Failed {
    pub(super) fn take(&self) -> Option<AudioError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take().map(AudioError::Source)
    }

    fn note(&self, error: &io::Error) {
        let mut first = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        first.get_or_insert_with(|| io::Error::new(error.kind(), error.to_string()));
    }
}

/// A source of known length, as demuxers want it.
pub(super) struct Noting<S> {
    source: S,
    bytes: u64,
    failed: Failed,
}

impl<S: Source> Noting<S> {
    pub(super) fn new(mut source: S) -> Result<(Self, Failed), AudioError> {
        let bytes = source.seek(SeekFrom::End(0)).map_err(AudioError::Source)?;
        source.rewind().map_err(AudioError::Source)?;
        let failed = Failed::default();
        Ok((Self { source, bytes, failed: failed.clone() }, failed))
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl<S: Source> Read for Noting<S> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.source.read(into).inspect_err(|error| {
            if error.kind() != io::ErrorKind::Interrupted {
                self.failed.note(error);
            }
        })
    }
}

impl<S: Source> Seek for Noting<S> {
    /// A place behind the end is an error of the file and not of the source: a damaged file names such places.
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.source.seek(to)
    }
}

impl<S: Source> MediaSource for Noting<S> {
    fn is_seekable(&self) -> bool {
        true
    }

    fn byte_len(&self) -> Option<u64> {
        Some(self.bytes)
    }
}

impl<S: Source> Noting<S> {
    pub(super) fn rewind_to_start(&mut self) -> Result<(), AudioError> {
        self.source.rewind().map_err(AudioError::Source)
    }
}
