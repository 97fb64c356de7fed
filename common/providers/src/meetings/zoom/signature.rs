//! Checks the signature of Zoom's webhooks, and answers the question whether an address is ours.
//!
//! Zoom signs `v0:{timestamp}:{body}` with the secret token of the app
//! (<https://developers.zoom.us/docs/api/webhooks/#verify-with-zooms-header>). The body counts as it came: Zoom's own
//! samples write it anew first, and then other bytes are signed. Zoom asks every 72 hours whether an address is ours,
//! and wants the same HMAC of a text that it chooses. A text such as `v0:…:{…}` would make us sign a webhook that Zoom
//! has never sent, so such a text is refused.

use std::time::Duration;

use ring::hmac;

/// How far the time of a webhook and our own time may be apart.
pub const FRESH_FOR: Duration = Duration::from_mins(5);
const VERSION: &str = "v0";
/// The longest text that is signed for Zoom. Zoom's own have 22 characters.
const MAX_QUESTION_CHARS: usize = 255;

/// Why a webhook is not taken for one of Zoom's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Forged {
    #[error("x-zm-signature or x-zm-request-timestamp is missing")]
    Missing,
    #[error("x-zm-request-timestamp is more than five minutes away from our own time")]
    Stale,
    #[error("x-zm-signature is wrong")]
    Wrong,
}

/// Checks the headers of a webhook against the bytes of its body. `now` is Unix time in seconds.
pub fn check(
    secret: &str,
    timestamp: Option<&str>,
    signature: Option<&str>,
    body: &[u8],
    now: i64,
) -> Result<(), Forged> {
    let (timestamp, signature) = timestamp.zip(signature).ok_or(Forged::Missing)?;
    let signature = signature.trim().strip_prefix(VERSION).and_then(|rest| rest.strip_prefix('='));
    let signature = signature.and_then(|hex| hex::decode(hex).ok()).ok_or(Forged::Wrong)?;
    hmac::verify(&key(secret), &signed(timestamp, body), &signature).map_err(|_| Forged::Wrong)?;
    // The time is signed, so it is looked at last: whoever forges learns nothing from it.
    let sent: i64 = timestamp.trim().parse().map_err(|_| Forged::Stale)?;
    if sent.abs_diff(now) > FRESH_FOR.as_secs() { Err(Forged::Stale) } else { Ok(()) }
}

/// The signature of a webhook, as Zoom makes it.
pub fn sign(secret: &str, timestamp: &str, body: &[u8]) -> String {
    let tag = hmac::sign(&key(secret), &signed(timestamp, body));
    format!("{VERSION}={}", hex::encode(tag))
}

/// The answer to Zoom's question whether this address is ours. The error says why the text is not signed.
pub fn answer(secret: &str, question: &str) -> Result<String, &'static str> {
    match question {
        "" => Err("is missing"),
        _ if question.contains(':') => Err("must not hold a colon: it could be the text of a webhook"),
        _ if question.chars().count() > MAX_QUESTION_CHARS => Err("is longer than 255 characters"),
        _ if question.chars().any(char::is_control) => Err("must not hold control characters"),
        _ => Ok(hex::encode(hmac::sign(&key(secret), question.as_bytes()))),
    }
}

fn key(secret: &str) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes())
}

fn signed(timestamp: &str, body: &[u8]) -> Vec<u8> {
    [VERSION.as_bytes(), b":", timestamp.as_bytes(), b":", body].concat()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;

    const SECRET: &str = "x8Jq1vP0R7aZ";
    const NOW: i64 = 1_795_996_800;

    fn checked(timestamp: &str, signature: &str, body: &[u8]) -> Result<(), Forged> {
        check(SECRET, Some(timestamp), Some(signature), body, NOW)
    }

    #[derive(Deserialize)]
    struct Vector {
        secret: String,
        timestamp: String,
        body: String,
        signature: String,
        plain_token: String,
        encrypted_token: String,
    }

    #[test]
    fn what_a_script_of_another_language_signed_is_taken_and_its_answers_are_ours() {
        let vectors: Vec<Vector> =
            serde_json::from_str(include_str!("../../../tests/samples/zoom/signatures.json")).unwrap();
        assert!(vectors.len() >= 4, "{}", vectors.len());
        for vector in vectors {
            let now = vector.timestamp.parse().unwrap();
            let (timestamp, signature) = (Some(vector.timestamp.as_str()), Some(vector.signature.as_str()));
            let body = vector.body.as_bytes();
            assert_eq!(check(&vector.secret, timestamp, signature, body, now), Ok(()), "{}", vector.body);
            assert_eq!(sign(&vector.secret, &vector.timestamp, body), vector.signature);
            assert_eq!(answer(&vector.secret, &vector.plain_token).as_deref(), Ok(&*vector.encrypted_token));
        }
    }

    #[test]
    fn a_webhook_is_taken_for_five_minutes_before_and_after_its_time() {
        for (age, taken) in
            [(0, true), (300, true), (-300, true), (301, false), (-301, false), (86_400, false)]
        {
            let timestamp = (NOW - age).to_string();
            let signature = sign(SECRET, &timestamp, b"{}");
            assert_eq!(checked(&timestamp, &signature, b"{}").is_ok(), taken, "{age}");
        }
        let signature = sign(SECRET, "soon", b"{}");
        assert_eq!(checked("soon", &signature, b"{}"), Err(Forged::Stale));
    }

    #[test]
    fn a_signature_is_one_of_these_very_bytes_at_this_very_time() {
        let time = NOW.to_string();
        let signature = sign(SECRET, &time, br#"{"a": 1}"#);
        assert_eq!(checked(&time, &signature, br#"{"a": 1}"#), Ok(()));
        for (time, signature, body) in [
            (NOW.to_string(), signature.clone(), br#"{"a":1}"#.as_slice()),
            ((NOW + 1).to_string(), signature.clone(), br#"{"a": 1}"#.as_slice()),
            (NOW.to_string(), signature[3..].to_owned(), br#"{"a": 1}"#.as_slice()),
            (NOW.to_string(), format!("v1={}", &signature[3..]), br#"{"a": 1}"#.as_slice()),
            (NOW.to_string(), "v0=".to_owned(), br#"{"a": 1}"#.as_slice()),
            (NOW.to_string(), "v0=zz".to_owned(), br#"{"a": 1}"#.as_slice()),
        ] {
            assert_eq!(checked(&time, &signature, body), Err(Forged::Wrong), "{signature}");
        }
        assert_eq!(check(SECRET, None, Some(&signature), b"", NOW), Err(Forged::Missing));
        assert_eq!(check(SECRET, Some(&time), None, b"", NOW), Err(Forged::Missing));
    }

    #[test]
    fn the_question_whose_answer_would_be_the_signature_of_a_webhook_is_refused() {
        let forged = format!("v0:{NOW}:{{\"event\":\"recording.completed\"}}");
        assert!(answer(SECRET, &forged).is_err());
        for odd in ["", "a:b", "a\nb", &"x".repeat(256)] {
            assert!(answer(SECRET, odd).is_err(), "{odd}");
        }
        assert!(answer(SECRET, "qgg8vlvZRS6UYooatFL8Aw").is_ok());
    }

    proptest! {
        #[test]
        fn no_answer_is_ever_the_signature_of_a_webhook(question in ".{0,60}", time in "[0-9]{1,12}", body in ".{0,40}") {
            let questions = [question, format!("v0:{time}:{body}")];
            for question in questions {
                if let Ok(answer) = answer(SECRET, &question) {
                    prop_assert_ne!(format!("v0={answer}"), sign(SECRET, &time, body.as_bytes()));
                }
            }
        }
    }
}
