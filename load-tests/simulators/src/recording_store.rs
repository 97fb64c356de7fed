//! Recordings, and the ways in which they can be served.

use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::http::StatusCode;

use crate::state::{BoundedMap, lock};

const MAX_RECORDINGS: usize = 10_000;

/// How a recording is served.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Variant {
    /// The whole recording is served, or the range of the request.
    #[default]
    Whole,
    /// The request is refused with this status (`404`, `403`, `410`, …).
    Status(StatusCode),
    /// The answer is a page that asks the user to sign in, with status 200.
    Html,
    /// The bytes are served, and then silence without end.
    Endless,
    /// The first half of the bytes is served, and then nothing more while the connection stays open.
    Stall,
    /// The answer is a redirect to this address.
    Redirect(String),
    /// The bytes are served at 16 KiB every 200 ms.
    Slow,
    /// One byte is served every ten seconds, without end.
    Drip,
    /// The bytes are served, and then silence up to this length in bytes. The silence is not kept in memory.
    Long(u64),
}

impl std::str::FromStr for Variant {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(address) = text.strip_prefix("redirect:") {
            return Ok(Self::Redirect(address.to_owned()));
        }
        if let Some(bytes) = text.strip_prefix("long:") {
            return bytes.parse().map(Self::Long).map_err(|_| format!("`{bytes}` is not a number of bytes"));
        }
        match text {
            "" | "whole" => Ok(Self::Whole),
            "html" => Ok(Self::Html),
            "endless" => Ok(Self::Endless),
            "stall" => Ok(Self::Stall),
            "slow" => Ok(Self::Slow),
            "drip" => Ok(Self::Drip),
            code => code.parse().map(Self::Status).map_err(|_| {
                format!(
                    "`{code}` must be one of whole, html, endless, stall, slow, drip, long:<bytes>, redirect:<url>, or a status"
                )
            }),
        }
    }
}

#[derive(Clone, Debug)]
pub struct Recording {
    pub bytes: Bytes,
    pub content_type: String,
    pub variant: Variant,
}

impl Recording {
    /// Makes a recording from a WAV file, which is served whole.
    pub fn wav(bytes: impl Into<Bytes>) -> Self {
        Self { bytes: bytes.into(), content_type: "audio/wav".to_owned(), variant: Variant::Whole }
    }

    /// Makes a recording without any bytes of its own, which is served as `variant` says.
    pub fn variant(variant: Variant) -> Self {
        Self { variant, ..Self::wav(Bytes::new()) }
    }
}

/// The recordings that are served, by their names.
#[derive(Clone, Debug)]
pub(crate) struct RecordingStore(Arc<Mutex<BoundedMap<Recording>>>);

impl Default for RecordingStore {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(BoundedMap::new(MAX_RECORDINGS))))
    }
}

impl RecordingStore {
    /// Adds a recording. One of the same name is replaced.
    pub(crate) fn put(&self, name: &str, recording: Recording) {
        lock(&self.0).insert(name.to_owned(), recording);
    }

    pub(crate) fn get(&self, name: &str) -> Option<Recording> {
        lock(&self.0).get(name).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variant_is_read_from_its_name() {
        assert_eq!("".parse(), Ok(Variant::Whole));
        assert_eq!("long:7".parse(), Ok(Variant::Long(7)));
        assert_eq!("410".parse(), Ok(Variant::Status(StatusCode::GONE)));
        assert!("nonsense".parse::<Variant>().unwrap_err().contains("endless"));
    }
}
