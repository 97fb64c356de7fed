//! What a client says in a conversation.

use serde::Deserialize;

use crate::fields::MAX_TEXT;

/// The rates at which sound can be sampled.
const RATES: std::ops::RangeInclusive<u32> = 8_000..=48_000;

#[derive(Debug, Deserialize, PartialEq)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Said {
    /// A piece of what somebody says aloud. It is over when nobody speaks any more.
    AudioChunk {
        #[serde(default)]
        data: Option<String>,
        #[serde(default)]
        is_speaking: Option<bool>,
        /// The sound is 16-bit samples at this rate, and no file.
        #[serde(default)]
        sample_rate: Option<u32>,
    },
    Message {
        text: String,
    },
    /// The voice stops. `text` is what was understood, where the client knows it: signs that somebody listens do not interrupt.
    Interrupt {
        #[serde(default)]
        played_ms: Option<i64>,
        #[serde(default)]
        text: Option<String>,
    },
    Ping,
    Disconnect,
}

impl Said {
    /// Reads a message. The error says what is wrong with it.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let said: Self =
            serde_json::from_str(text).map_err(|error| format!("a message cannot be read: {error}"))?;
        match &said {
            Self::Message { text } if text.chars().count() > MAX_TEXT => {
                Err(format!("a text must have at most {MAX_TEXT} characters"))
            }
            Self::Message { text } if text.contains('\0') => {
                Err("a text must not contain a NUL character".into())
            }
            Self::AudioChunk { sample_rate: Some(rate), .. } if !RATES.contains(rate) => {
                Err("sample_rate must be from 8000 to 48000".into())
            }
            _ => Ok(said),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_message_of_the_protocol_is_read_and_others_are_named() {
        for (text, said) in [
            (r#"{"type": "message", "text": "Hello."}"#, Said::Message { text: "Hello.".into() }),
            (r#"{"type": "interrupt"}"#, Said::Interrupt { played_ms: None, text: None }),
            (r#"{"type": "ping", "extra": 1}"#, Said::Ping),
            (r#"{"type": "disconnect"}"#, Said::Disconnect),
            (
                r#"{"type": "audio_chunk", "data": "AAA=", "is_speaking": true}"#,
                Said::AudioChunk { data: Some("AAA=".into()), is_speaking: Some(true), sample_rate: None },
            ),
        ] {
            assert_eq!(Said::read(text).unwrap(), said);
        }
        let long = format!(r#"{{"type": "message", "text": "{}"}}"#, "x".repeat(MAX_TEXT + 1));
        for wrong in [
            "",
            "[]",
            "{}",
            r#"{"type": "sing"}"#,
            r#"{"type": "message"}"#,
            r#"{"type":"message","text":"\u0000"}"#,
            r#"{"type":"audio_chunk","sample_rate":1}"#,
            &long,
        ] {
            assert!(Said::read(wrong).is_err(), "{wrong}");
        }
    }
}
