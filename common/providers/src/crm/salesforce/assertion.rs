//! Makes the assertion with which we sign in without a password (RFC 7523). It is signed with RS256.
//!
//! `jsonwebtoken` reads the key and writes the token. The signature comes from ring, which this program uses for all
//! other cryptography too.

use std::fmt;

use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, KeyUtils};
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use serde::Serialize;
use signature::Signer;

/// An RSA key for RS256.
pub(super) struct JwtKey(EncodingKey);

impl fmt::Debug for JwtKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JwtKey")
    }
}

impl JwtKey {
    /// Reads a key in PEM, with PKCS 8 or PKCS 1. Line breaks may be written `\n`, so that the key fits on one line.
    /// `None` where the text is no key that can sign.
    pub(super) fn read(pem: &str) -> Option<Self> {
        let pem = pem.replace("\\n", "\n");
        let key = EncodingKey::from_rsa_pem(pem.trim().as_bytes()).ok()?;
        RsaKeyPair::from_der(key.as_bytes()).ok()?;
        Some(Self(key))
    }

    /// The signed token with these claims. `None` where the key cannot sign.
    pub(super) fn sign(&self, claims: &impl Serialize) -> Option<String> {
        // An error says that a provider is installed already. It is ours, because no other part signs tokens.
        RING.install_default().ok();
        jsonwebtoken::encode(&Header::new(Algorithm::RS256), claims, &self.0).ok()
    }

    #[cfg(test)]
    pub(super) fn public(&self) -> Vec<u8> {
        use ring::signature::KeyPair as _;
        RsaKeyPair::from_der(self.0.as_bytes()).unwrap().public_key().as_ref().to_vec()
    }
}

static RING: CryptoProvider = CryptoProvider {
    signer_factory: |algorithm, key| match algorithm {
        Algorithm::RS256 => Ok(Box::new(Rs256(key.clone()))),
        _ => Err(Error::from(ErrorKind::InvalidAlgorithm)),
    },
    verifier_factory: |_: &Algorithm, _: &DecodingKey| Err(Error::from(ErrorKind::InvalidAlgorithm)),
    key_utils: KeyUtils::new_unimplemented(),
};

struct Rs256(EncodingKey);

impl Signer<Vec<u8>> for Rs256 {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, signature::Error> {
        let failed = |_| signature::Error::new();
        let key = RsaKeyPair::from_der(self.0.as_bytes()).map_err(|_| signature::Error::new())?;
        let mut signature = vec![0; key.public().modulus_len()];
        key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature).map_err(failed)?;
        Ok(signature)
    }
}

impl JwtSigner for Rs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::RS256
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PKCS8: &str = include_str!("../../../tests/samples/salesforce/jwt_test_key.pem");
    const PKCS1: &str = include_str!("../../../tests/samples/salesforce/jwt_test_key_pkcs1.pem");

    #[test]
    fn a_key_is_read_in_both_forms_and_on_one_line() {
        let on_one_line = PKCS8.trim().replace('\n', "\\n");
        for pem in [PKCS8, PKCS1, on_one_line.as_str()] {
            assert!(JwtKey::read(pem).is_some());
        }
        for pem in ["-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", "no key", ""] {
            assert!(JwtKey::read(pem).is_none(), "{pem}");
        }
    }
}
