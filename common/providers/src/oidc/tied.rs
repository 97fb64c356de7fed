//! What ties the way back from the provider to the browser that began, and the comparison of such texts.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

/// What is derived from the secret of one sign-in.
pub(super) struct Tied {
    pub(super) state: String,
    pub(super) nonce: String,
    pub(super) verifier: String,
}

impl Tied {
    pub(super) fn of(secret: &str) -> Self {
        let derived = |name: &str| URL_SAFE_NO_PAD.encode(Sha256::digest(format!("{name}:{secret}")));
        Self { state: derived("state"), nonce: derived("nonce"), verifier: derived("verifier") }
    }

    pub(super) fn challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(&self.verifier))
    }
}

pub(super) fn is_secret(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Compares two texts in a time that says nothing about where they differ.
pub(super) fn same(one: &str, other: &str) -> bool {
    let digest = |text: &str| Sha256::digest(text);
    one.len() == other.len() && digest(one) == digest(other)
}
