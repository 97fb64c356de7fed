//! Seals what is a secret on its way through queues and rows: a recording's URL can hold a password.
//!
//! A sealed text opens only with the key and for what it was sealed for (the call's id), so a row that is
//! copied to another call is of no use there.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use domain::call::{CallId, WorkspaceId};

/// Names the algorithm and the layout: 96-bit nonce, ciphertext, tag.
const PREFIX: &str = "s1.";

#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("failed to open a sealed value: it is not one")]
    Malformed,
    /// Another key sealed it, or it was sealed for something else, or it was changed.
    #[error("failed to open a sealed value: the key does not fit, or it was changed")]
    Refused,
}

#[derive(Clone)]
pub struct Sealer {
    key: std::sync::Arc<LessSafeKey>,
}

impl Sealer {
    #[expect(clippy::missing_panics_doc, reason = "a key of 32 bytes fits")]
    pub fn from_key(key: [u8; 32]) -> Self {
        let key = UnboundKey::new(&CHACHA20_POLY1305, &key).expect("a key of 32 bytes fits");
        Self { key: std::sync::Arc::new(LessSafeKey::new(key)) }
    }

    pub fn generate_key() -> [u8; 32] {
        rand::random()
    }

    /// `aad` says what it is sealed for; [`Sealer::open`] needs the same.
    #[expect(clippy::missing_panics_doc, reason = "only a text of 256 GiB cannot be sealed")]
    pub fn seal(&self, aad: &[u8], plain: &str) -> String {
        let nonce: [u8; NONCE_LEN] = rand::random();
        let mut sealed = plain.as_bytes().to_vec();
        self.key
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(aad), &mut sealed)
            .expect("a text that fits in memory can be sealed");
        let sealed = [nonce.as_slice(), &sealed].concat();
        format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(sealed))
    }

    pub fn open(&self, aad: &[u8], sealed: &str) -> Result<String, OpenError> {
        let text = sealed.strip_prefix(PREFIX).ok_or(OpenError::Malformed)?;
        let mut bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| OpenError::Malformed)?;
        let (nonce, body) = bytes.split_at_mut_checked(NONCE_LEN).ok_or(OpenError::Malformed)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| OpenError::Malformed)?;
        let plain = self.key.open_in_place(nonce, Aad::from(aad), body).map_err(|_| OpenError::Refused)?;
        String::from_utf8(plain.to_vec()).map_err(|_| OpenError::Malformed)
    }
}

/// What a call's own secrets are sealed for.
pub fn of_call(workspace: WorkspaceId, call: CallId) -> Vec<u8> {
    format!("{workspace}/{call}").into_bytes()
}

/// Compares two secrets in a time that tells nothing about them.
pub fn same_secret(one: &str, other: &str) -> bool {
    let digest = |secret: &str| Sha256::digest(secret.as_bytes());
    digest(one).as_slice().ct_eq(digest(other).as_slice()).into()
}

/// The header with which a provider's webhook proves that the address came from us.
pub const WEBHOOK_SECRET_HEADER: &str = "X-Debrief-Webhook-Secret";

/// What we tell a provider to send in [`WEBHOOK_SECRET_HEADER`]: the secret that was set for it, else one
/// that every process derives from the provider's API key.
pub fn webhook_secret(configured: Option<&str>, api_key: &str) -> String {
    configured.map_or_else(
        || {
            let key = hmac::Key::new(hmac::HMAC_SHA256, api_key.as_bytes());
            hex::encode(hmac::sign(&key, b"debrief webhook secret"))
        },
        str::to_owned,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://recordings.example.com/a.mp3?token=secret";

    #[test]
    fn a_sealed_url_opens_for_its_call_only() {
        let lock = Sealer::from_key(Sealer::generate_key());
        let sealed = lock.seal(b"call 1", URL);
        assert!(!sealed.contains("recordings"), "{sealed}");
        assert_eq!(lock.open(b"call 1", &sealed).unwrap(), URL);
        assert!(matches!(lock.open(b"call 2", &sealed), Err(OpenError::Refused)));
        assert_ne!(sealed, lock.seal(b"call 1", URL), "the same text is never sealed the same way");
    }

    #[test]
    fn another_key_or_a_changed_text_is_refused() {
        let lock = Sealer::from_key([1; 32]);
        let sealed = lock.seal(b"", URL);
        assert!(matches!(Sealer::from_key([2; 32]).open(b"", &sealed), Err(OpenError::Refused)));
        let changed = format!("{PREFIX}A{}", &sealed[PREFIX.len() + 1..]);
        assert!(changed == sealed || lock.open(b"", &changed).is_err());
        for text in ["", "s1.", "s1.AAAA", "s1.%%%", URL] {
            assert!(matches!(lock.open(b"", text), Err(OpenError::Malformed)), "{text}");
        }
    }

    #[test]
    fn a_webhook_secret_does_not_show_the_key_it_is_made_from() {
        let derived = webhook_secret(None, "api key");
        assert_eq!(derived, webhook_secret(None, "api key"));
        assert_eq!(derived.len(), 64);
        assert_eq!(webhook_secret(Some("chosen"), "api key"), "chosen");
        assert!(same_secret("chosen", "chosen") && !same_secret("chosen", "chose"));
    }
}
