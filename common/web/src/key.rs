//! Makes keys, and decides what is stored of a key.
//!
//! A key begins with our own name. So people and programs that search for leaked secrets recognise it, and a text
//! that cannot be a key is refused without asking the store.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::SecretString;
use sha2::{Digest as _, Sha256};

const PREFIX: &str = "debrief_";
const RANDOM_BYTES: usize = 32;
/// The length of the random part of a key: 32 bytes in base64 without padding.
const RANDOM_CHARS: usize = 43;

/// The SHA-256 of a key. Digests are compared in constant time, so the comparison tells nothing about a key, not even
/// its length.
pub(crate) type KeyDigest = [u8; 32];

/// Makes a key of 256 random bits, in characters that need no escaping in a URL or a header.
pub fn generate() -> SecretString {
    generate_with(PREFIX)
}

/// Makes a secret of 256 random bits that begins with `prefix`.
pub(crate) fn generate_with(prefix: &str) -> SecretString {
    let random: [u8; RANDOM_BYTES] = rand::random();
    format!("{prefix}{}", URL_SAFE_NO_PAD.encode(random)).into()
}

/// The part of a key that the store keeps and searches for: its SHA-256 in hexadecimal digits.
pub fn hash(key: &str) -> String {
    hex::encode(digest(key))
}

pub(crate) fn digest(key: &str) -> KeyDigest {
    Sha256::digest(key.as_bytes()).into()
}

/// Whether the text has the form of a key that [`generate`] makes.
pub(crate) fn is_ours(key: &str) -> bool {
    has_form(key, PREFIX)
}

/// Whether the text has the form of a secret that [`generate_with`] makes.
pub(crate) fn has_form(text: &str, prefix: &str) -> bool {
    text.strip_prefix(prefix).is_some_and(|random| {
        random.len() == RANDOM_CHARS
            && random.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    })
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn a_key_that_was_made_looks_like_one_and_no_two_are_the_same() {
        let (one, other) = (generate(), generate());
        assert!(is_ours(one.expose_secret()) && is_ours(other.expose_secret()));
        assert_ne!(one.expose_secret(), other.expose_secret());
        let made = one.expose_secret();
        for wrong in
            ["", "debrief_", "secret", &made[1..], &made[..50], &format!("{made}a"), &made.replace('_', "/")]
        {
            assert!(!is_ours(wrong), "{wrong}");
        }
    }

    #[test]
    fn what_is_kept_of_a_key_is_its_sha_256() {
        let wanted = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hash("abc"), wanted);
    }
}
