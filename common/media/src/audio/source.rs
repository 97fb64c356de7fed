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

/// Four bytes that are read in place of those of the file, and where they stand. A header that says something impossible
/// is mended in this way, and the file itself stays as it is.
pub(super) type Repair = (u64, [u8; 4]);

/// A source of known length, as demuxers want it. Its clones read the same source, one after the other.
pub(super) struct Noting<S> {
    source: Arc<Mutex<S>>,
    at: u64,
    bytes: u64,
    failed: Failed,
    pub(super) is_seekable: bool,
    pub(super) repairs: Vec<Repair>,
}

impl<S> Clone for Noting<S> {
    fn clone(&self) -> Self {
        Self {
            source: Arc::clone(&self.source),
            at: 0,
            bytes: self.bytes,
            failed: self.failed.clone(),
            is_seekable: self.is_seekable,
            repairs: self.repairs.clone(),
        }
    }
}

impl<S: Source> Noting<S> {
    pub(super) fn new(mut source: S) -> Result<(Self, Failed), AudioError> {
        let bytes = source.seek(SeekFrom::End(0)).map_err(AudioError::Source)?;
        source.rewind().map_err(AudioError::Source)?;
        let failed = Failed::default();
        let noting = Self {
            source: Arc::new(Mutex::new(source)),
            at: 0,
            bytes,
            failed: failed.clone(),
            is_seekable: true,
            repairs: Vec::new(),
        };
        Ok((noting, failed))
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl<S: Source> Read for Noting<S> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut source = self.source.lock().unwrap_or_else(PoisonError::into_inner);
        let read = source.seek(SeekFrom::Start(self.at)).and_then(|_| source.read(into));
        drop(source);
        let read = read.inspect_err(|error| {
            if error.kind() != io::ErrorKind::Interrupted {
                self.failed.note(error);
            }
        })?;
        for (place, bytes) in &self.repairs {
            for (place, byte) in (*place..).zip(bytes) {
                let within = place.checked_sub(self.at).and_then(|within| usize::try_from(within).ok());
                if let Some(read) = within.and_then(|within| into[..read].get_mut(within)) {
                    *read = *byte;
                }
            }
        }
        self.at += read as u64;
        Ok(read)
    }
}

impl<S: Source> Seek for Noting<S> {
    /// A place behind the end is an error of the file and not of the source: a damaged file names such places.
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let place = match to {
            SeekFrom::Start(place) => Some(place),
            SeekFrom::End(offset) => self.bytes.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.at.checked_add_signed(offset),
        };
        self.at = place.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.at)
    }
}

impl<S: Source> MediaSource for Noting<S> {
    fn is_seekable(&self) -> bool {
        self.is_seekable
    }

    fn byte_len(&self) -> Option<u64> {
        Some(self.bytes)
    }
}

impl<S: Source> Noting<S> {
    pub(super) fn rewind_to_start(&mut self) -> Result<(), AudioError> {
        self.rewind().map_err(AudioError::Source)
    }
}
