//! A short digest of bytes, by which things are counted and told apart.

use sha2::{Digest as _, Sha256};

/// Returns the first half of the SHA-256 of `bytes` in hex: short enough for a person to compare.
pub(crate) fn digest(bytes: &[u8]) -> String {
    hex::encode(&Sha256::digest(bytes)[..16])
}
