//! Reads the files of JSON in a model's folder, and says what is wrong with one.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use serde::de::DeserializeOwned;

/// What is wrong with a model's folder. The text completes "failed to use the model:".
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct ModelError(String);

impl ModelError {
    pub(super) fn new(problem: String) -> Self {
        Self(problem)
    }
}

/// The network's own word for an error, without the list of calls that led to it.
pub(super) fn in_words(error: &candle_core::Error) -> String {
    error.to_string().lines().next().unwrap_or("the network failed").to_owned()
}

/// Reads a file of JSON that has no more than so many bytes.
pub(super) fn json<T: DeserializeOwned>(path: &Path, max_bytes: u64) -> Result<T, ModelError> {
    let said =
        |error: &dyn std::fmt::Display| ModelError(format!("failed to read `{}`: {error}", path.display()));
    let file = File::open(path).map_err(|error| said(&error))?;
    let mut bytes = Vec::new();
    let read = file.take(max_bytes + 1).read_to_end(&mut bytes).map_err(|error| said(&error))?;
    if read as u64 > max_bytes {
        return Err(said(&"it is too long"));
    }
    serde_json::from_slice(&bytes).map_err(|error| said(&error))
}
