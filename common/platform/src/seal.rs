//! Seals (encrypts) secrets that pass through queues and rows. A recording's URL is one, because it can hold a
//! password.
//!
//! Opening a sealed text needs the key and the context for which it was sealed: the id of a call. So a row that
//! somebody copies to another call cannot be opened there.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use domain::call::{CallId, WorkspaceId};

/// Every sealed text starts with this. It stands for the algorithm and the layout: a nonce of 96 bits, the ciphertext,
/// the tag.
const PREFIX: &str = "s1.";

#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("failed to open a sealed value: it is not a sealed value")]
    Malformed,
    /// The text was sealed with another key or in another context, or it was changed.
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

    /// Seals `plain` in the context `aad` (the "additional authenticated data" of the algorithm). [`Sealer::open`]
    /// needs the same context.
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

/// The context in which the secrets of a call are sealed.
pub fn of_call(workspace: WorkspaceId, call: CallId) -> Vec<u8> {
    format!("{workspace}/{call}").into_bytes()
}

/// Compares two secrets. The time that this takes does not depend on them, so nobody can guess a secret by measuring
/// it.
pub fn same_secret(one: &str, other: &str) -> bool {
    let digest = |secret: &str| Sha256::digest(secret.as_bytes());
    digest(one).as_slice().ct_eq(digest(other).as_slice()).into()
}

/// The header that a provider sends with its webhook. It proves that the provider got the webhook's address from us.
pub const WEBHOOK_SECRET_HEADER: &str = "X-Debrief-Webhook-Secret";

/// The value that a provider has to send in [`WEBHOOK_SECRET_HEADER`]. It is the configured secret. When none is
/// configured, it is derived from the provider's API key, so that every process computes the same one.
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
    fn a_sealed_url_can_be_opened_only_for_its_own_call() {
        let sealer = Sealer::from_key(Sealer::generate_key());
        let value = sealer.seal(b"call 1", URL);
        assert!(!value.contains("recordings"), "{value}");
        assert_eq!(sealer.open(b"call 1", &value).unwrap(), URL);
        assert!(matches!(sealer.open(b"call 2", &value), Err(OpenError::Refused)));
        assert_ne!(value, sealer.seal(b"call 1", URL), "sealing the same text again gives another value");
    }

    #[test]
    fn a_text_sealed_with_another_key_or_changed_is_refused() {
        let sealer = Sealer::from_key([1; 32]);
        let value = sealer.seal(b"", URL);
        assert!(matches!(Sealer::from_key([2; 32]).open(b"", &value), Err(OpenError::Refused)));
        let changed = format!("{PREFIX}A{}", &value[PREFIX.len() + 1..]);
        assert!(changed == value || sealer.open(b"", &changed).is_err());
        for text in ["", "s1.", "s1.AAAA", "s1.%%%", URL] {
            assert!(matches!(sealer.open(b"", text), Err(OpenError::Malformed)), "{text}");
        }
    }

    #[test]
    fn a_webhook_secret_does_not_show_the_key_from_which_it_is_derived() {
        let derived = webhook_secret(None, "api key");
        assert_eq!(derived, webhook_secret(None, "api key"));
        assert_eq!(derived.len(), 64);
        assert_eq!(webhook_secret(Some("chosen"), "api key"), "chosen");
        assert!(same_secret("chosen", "chosen") && !same_secret("chosen", "chose"));
    }
}
