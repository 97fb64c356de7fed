//! The provider's public keys (a JSON Web Key Set, RFC 7517), and the check of a signature. ring does the arithmetic.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde::Deserialize;
use serde_json::Value;

/// How many keys of a provider are looked at.
const MAX_KEYS: usize = 100;

/// How a token can be signed. Everything else is refused: an unsigned token, and one that is signed with a secret that
/// both sides know, because then the public key could be taken for that secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    Rs256,
    Es256,
}

impl Algorithm {
    pub(super) fn of(name: &str) -> Option<Self> {
        match name {
            "RS256" => Some(Self::Rs256),
            "ES256" => Some(Self::Es256),
            _ => None,
        }
    }
}

pub(super) struct Keys(Vec<Key>);

struct Key {
    id: Option<String>,
    public: Public,
}

enum Public {
    Rsa(RsaPublicKeyComponents<Vec<u8>>),
    P256(Vec<u8>),
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<Value>,
}

#[derive(Deserialize)]
struct Entry {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl Keys {
    /// Reads a set of keys. Keys of other kinds, and those that only encrypt, are left out.
    pub(super) fn read(document: &[u8]) -> Option<Self> {
        let set: Set = serde_json::from_slice(document).ok()?;
        let entries = set.keys.into_iter().take(MAX_KEYS);
        Some(Self(entries.filter_map(|entry| Key::read(serde_json::from_value(entry).ok()?)).collect()))
    }

    pub(super) fn usable(&self) -> usize {
        self.0.len()
    }

    /// Whether the key with this id has signed. `None` where there is no such key. A token without an id is checked with
    /// the only key of its kind.
    pub(super) fn have_signed(
        &self,
        algorithm: Algorithm,
        id: Option<&str>,
        message: &[u8],
        signature: &[u8],
    ) -> Option<bool> {
        let mut fitting = self.0.iter().filter(|key| key.is_for(algorithm));
        let key = match id {
            Some(id) => fitting.find(|key| key.id.as_deref() == Some(id))?,
            None => fitting.next().filter(|_| fitting.next().is_none())?,
        };
        Some(match &key.public {
            Public::Rsa(key) => key.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature).is_ok(),
            Public::P256(point) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature).is_ok()
            }
        })
    }
}

impl Key {
    fn read(entry: Entry) -> Option<Self> {
        let bytes = |text: Option<String>| URL_SAFE_NO_PAD.decode(text?).ok();
        let (public, name) = match entry.kty.as_str() {
            "RSA" => {
                let (n, e) = (bytes(entry.n)?, bytes(entry.e)?);
                (Public::Rsa(RsaPublicKeyComponents { n, e }), "RS256")
            }
            "EC" if entry.crv.as_deref() == Some("P-256") => {
                let (x, y) = (bytes(entry.x)?, bytes(entry.y)?);
                (Public::P256([&[4], &x[..], &y].concat()), "ES256")
            }
            _ => return None,
        };
        let signs = entry.usage.is_none_or(|usage| usage == "sig");
        let fits = entry.alg.is_none_or(|alg| alg == name);
        (signs && fits).then_some(Self { id: entry.kid, public })
    }

    fn is_for(&self, algorithm: Algorithm) -> bool {
        matches!(
            (&self.public, algorithm),
            (Public::Rsa(_), Algorithm::Rs256) | (Public::P256(_), Algorithm::Es256)
        )
    }
}
