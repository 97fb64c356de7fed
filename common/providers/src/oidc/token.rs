//! Checks an ID token (`OpenID` Connect Core, 3.1.3.7). Nothing in it is believed before its signature is checked.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::moment::Moment;
use serde::Deserialize;
use serde_json::Value;

use super::keys::{Algorithm, Keys};
use super::tied::same;

/// By how many seconds the clocks of the provider and of this machine may differ.
const SKEW_SECONDS: i64 = 60;
/// A token is made for one sign-in, so an old one is of another.
const MAX_AGE_SECONDS: i64 = 600;
const MAX_TOKEN_BYTES: usize = 64 * 1024;
const MAX_SUBJECT_CHARS: usize = 255;

/// Why a token proves nothing.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unproven {
    #[error("it is no token")]
    NoToken,
    #[error("it is signed in a way that is not accepted; RS256 and ES256 are")]
    Algorithm,
    #[error("it asks for something that is not understood")]
    Critical,
    #[error("it is signed with a key that the provider does not list")]
    UnknownKey,
    #[error("its signature is wrong")]
    Signature,
    #[error("it was issued by somebody else")]
    Issuer,
    #[error("it is for another client")]
    Audience,
    #[error("its time is over, or it was not issued now; are the clocks right?")]
    Time,
    #[error("it is of another sign-in")]
    Nonce,
    #[error("it does not say who was signed in")]
    Subject,
}

/// What a token must say.
pub(super) struct Expected<'a> {
    pub(super) issuer: &'a str,
    pub(super) client_id: &'a str,
    pub(super) nonce: &'a str,
    pub(super) now: Moment,
}

#[derive(Deserialize)]
struct Head {
    alg: String,
    kid: Option<String>,
    crit: Option<Value>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Claims {
    iss: String,
    pub(super) sub: String,
    aud: Value,
    azp: Option<String>,
    exp: i64,
    iat: i64,
    nbf: Option<i64>,
    #[serde(default)]
    nonce: String,
    email: Option<String>,
    #[serde(default)]
    email_verified: Value,
    pub(super) name: Option<String>,
}

impl Claims {
    pub(super) fn verified_email(&self) -> Option<String> {
        // Some providers write the truth as a text.
        let is_verified = self.email_verified == true || self.email_verified == "true";
        self.email.clone().filter(|_| is_verified)
    }

    fn audience(&self) -> Vec<&str> {
        match &self.aud {
            Value::String(one) => vec![one],
            Value::Array(all) => all.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        }
    }
}

pub(super) fn verified(token: &str, keys: &Keys, expected: &Expected<'_>) -> Result<Claims, Unproven> {
    if token.len() > MAX_TOKEN_BYTES {
        return Err(Unproven::NoToken);
    }
    let (message, signature) = token.rsplit_once('.').ok_or(Unproven::NoToken)?;
    let (head, claims) = message.split_once('.').ok_or(Unproven::NoToken)?;
    let decoded = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| Unproven::NoToken);
    let head: Head = serde_json::from_slice(&decoded(head)?).map_err(|_| Unproven::NoToken)?;
    let algorithm = Algorithm::of(&head.alg).ok_or(Unproven::Algorithm)?;
    if head.crit.is_some() {
        return Err(Unproven::Critical);
    }
    let signed = keys.have_signed(algorithm, head.kid.as_deref(), message.as_bytes(), &decoded(signature)?);
    match signed {
        None => return Err(Unproven::UnknownKey),
        Some(false) => return Err(Unproven::Signature),
        Some(true) => {}
    }
    let claims: Claims = serde_json::from_slice(&decoded(claims)?).map_err(|_| Unproven::NoToken)?;
    check(&claims, expected)?;
    Ok(claims)
}

fn check(claims: &Claims, expected: &Expected<'_>) -> Result<(), Unproven> {
    if claims.iss != expected.issuer {
        return Err(Unproven::Issuer);
    }
    let audience = claims.audience();
    let is_for_others = audience.len() > 1 && claims.azp.is_none();
    let is_of_another = claims.azp.as_deref().is_some_and(|party| party != expected.client_id);
    if !audience.contains(&expected.client_id) || is_for_others || is_of_another {
        return Err(Unproven::Audience);
    }
    let now = expected.now.micros() / 1_000_000;
    let is_over = claims.exp.saturating_add(SKEW_SECONDS) <= now;
    let is_early = claims.nbf.is_some_and(|from| from > now + SKEW_SECONDS);
    let age = now.saturating_sub(claims.iat);
    if is_over || is_early || !(-SKEW_SECONDS..=MAX_AGE_SECONDS).contains(&age) {
        return Err(Unproven::Time);
    }
    if !same(&claims.nonce, expected.nonce) {
        return Err(Unproven::Nonce);
    }
    if claims.sub.is_empty() || claims.sub.chars().count() > MAX_SUBJECT_CHARS {
        return Err(Unproven::Subject);
    }
    Ok(())
}
