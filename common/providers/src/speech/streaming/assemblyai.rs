//! AssemblyAI's universal streaming: <https://www.assemblyai.com/docs/streaming/message-sequence>.
//!
//! `transcript` is the whole running turn, so it replaces what came before. A turn that is over can come twice with one
//! `turn_order`: as it was spoken and then with punctuation. The open time of a connection is billed, so it is always
//! ended with `Terminate`.

use domain::refusal::{Refusal, Remote};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use platform::config::{ConfigError, Values};
use platform::http::{self, HttpError};
use reqwest::header::AUTHORIZATION;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use url::Url;

use super::connection::Connection;
use super::protocol::{Broken, Heard, Pace, Protocol, Utterance, Word, bytes};
use super::{RATE, StreamWanted, StreamingSpeech};
use crate::speech::assemblyai::{BASE_URL, REMOTE};
use crate::speech::requests::price;
use crate::speech::words::{Limits, fitting};
use crate::versions::ASSEMBLYAI_STREAM_MODEL as MODEL;
use crate::websocket::LazyClient;

/// The provider takes 100 terms of at most 50 characters.
const WORDS: Limits = Limits { entries: 100, words_of_entry: 6, chars_of_entry: 50, chars: 3_000 };

/// The models whose final turns come without punctuation, unless one asks for it. The others always write it.
const UNFORMATTED: &str = "universal-streaming";

pub(super) struct AssemblyAiStream {
    client: LazyClient,
    base: Url,
    key: SecretString,
    model: String,
    price: Option<f64>,
}

impl AssemblyAiStream {
    pub(super) fn from_values(values: &Values) -> Result<Option<Self>, ConfigError> {
        let base = match values.text("ASSEMBLYAI_STREAM_URL") {
            Some(_) => values.url("ASSEMBLYAI_STREAM_URL", BASE_URL)?,
            None => streaming_host(values.url("ASSEMBLYAI_BASE_URL", BASE_URL)?),
        };
        let price = match price(values, "ASSEMBLYAI_STREAM_PRICE_MINUTE")? {
            Some(price) => Some(price),
            None => price(values, "ASSEMBLYAI_PRICE_MINUTE")?,
        };
        let Some(key) = values.secret("ASSEMBLYAI_API_KEY") else { return Ok(None) };
        let model = values.text(MODEL.setting).unwrap_or_else(|| MODEL.default.to_owned());
        Ok(Some(Self { client: LazyClient::default(), base, key, model, price }))
    }

    async fn connect(&self, wanted: &StreamWanted) -> Result<Connection, Refusal> {
        let is_formatting = self.model.starts_with(UNFORMATTED);
        let mut query: Vec<(&str, String)> = vec![
            ("sample_rate", RATE.to_string()),
            ("encoding", "pcm_s16le".into()),
            ("speech_model", self.model.clone()),
        ];
        if is_formatting {
            query.push(("format_turns", "true".into()));
        }
        if wanted.voices {
            query.push(("speaker_labels", "true".into()));
        }
        let words = fitting(&wanted.words, WORDS);
        if !words.is_empty() {
            query.push(("keyterms_prompt", json!(words).to_string()));
        }
        let request = self
            .client
            .get()
            .get(http::join(&self.base, "/v3/ws"))
            .query(&query)
            .header(AUTHORIZATION, self.key.expose_secret());
        let protocol = Box::new(Conversation { is_formatting });
        Connection::open(request, protocol, &REMOTE, refusal).await
    }
}

/// What a request that opened no stream means. Its text can quote a key, so only its status counts.
fn refusal(error: &HttpError) -> Refusal {
    Refusal::of(&REMOTE, &error.failure(None))
}

/// The host for streams that belongs to a host for recordings. Another host than the provider's own serves both.
fn streaming_host(mut base: Url) -> Url {
    let host =
        base.host_str().and_then(|host| host.strip_prefix("api.")).map(|rest| format!("streaming.{rest}"));
    if let Some(host) = host.filter(|host| host.ends_with(".assemblyai.com")) {
        // Such a host can always be set.
        base.set_host(Some(&host)).ok();
    }
    base
}

impl StreamingSpeech for AssemblyAiStream {
    fn remote(&self) -> &'static Remote {
        &REMOTE
    }

    fn model(&self) -> &str {
        &self.model
    }

    fn connect<'a>(&'a self, wanted: &'a StreamWanted) -> BoxFuture<'a, Result<Connection, Refusal>> {
        self.connect(wanted).boxed()
    }

    fn price_per_minute(&self) -> Option<f64> {
        self.price
    }
}

struct Conversation {
    /// Whether the final words of a turn come a second time, with punctuation.
    is_formatting: bool,
}

#[derive(Deserialize)]
#[serde(tag = "type")]
enum Said {
    #[serde(rename = "Turn")]
    Spoken(Spoken),
    Termination,
    Error {
        #[serde(default)]
        error_code: Option<u32>,
    },
    /// `Begin`, `SpeechStarted`, and whatever comes later.
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Spoken {
    #[serde(rename = "turn_order")]
    order: i64,
    #[serde(default, rename = "turn_is_formatted")]
    is_formatted: bool,
    #[serde(default, rename = "end_of_turn")]
    is_over: bool,
    #[serde(default)]
    transcript: String,
    #[serde(default)]
    words: Vec<SpokenWord>,
    #[serde(default)]
    speaker_label: Option<String>,
    #[serde(default)]
    language_code: Option<String>,
}

#[derive(Deserialize)]
struct SpokenWord {
    #[serde(default)]
    text: String,
    #[serde(default)]
    start: f64,
    #[serde(default)]
    end: f64,
    #[serde(default)]
    confidence: Option<f64>,
}

impl Spoken {
    fn utterance(self) -> Utterance {
        let spoken = self.words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ");
        let text = if self.transcript.trim().is_empty() { spoken } else { self.transcript };
        let known: Vec<f64> = self.words.iter().filter_map(|word| word.confidence).collect();
        #[expect(clippy::cast_precision_loss, reason = "a turn has far fewer than 2^52 words")]
        let confidence = (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64);
        let words: Vec<Word> = self.words.iter().map(word).collect();
        Utterance {
            turn: self.order,
            text: text.trim().to_owned(),
            start_ms: words.first().map_or(0, |word| word.start_ms),
            end_ms: words.last().map_or(0, |word| word.end_ms),
            confidence,
            speaker: self.speaker_label.filter(|label| !label.is_empty() && label != "UNKNOWN"),
            language: self.language_code,
            words,
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a time of a stream in milliseconds")]
fn word(spoken: &SpokenWord) -> Word {
    Word { text: spoken.text.clone(), start_ms: spoken.start as i64, end_ms: spoken.end as i64 }
}

impl Protocol for Conversation {
    fn audio(&mut self, samples: &[i16]) -> Vec<Message> {
        vec![Message::binary(bytes(samples))]
    }

    fn read(&mut self, message: &str) -> Result<Vec<Heard>, Broken> {
        let said: Said = serde_json::from_str(message)
            .map_err(|_| Broken("it sent a message that cannot be read".into()))?;
        Ok(match said {
            Said::Spoken(spoken) => {
                let (is_over, is_formatted) = (spoken.is_over, spoken.is_formatted);
                let utterance = spoken.utterance();
                // A turn begins with messages that have no words yet.
                if utterance.text.is_empty() {
                    Vec::new()
                } else if !is_over {
                    vec![Heard::Partial(utterance)]
                } else if self.is_formatting && !is_formatted {
                    vec![Heard::Ending(utterance)]
                } else {
                    vec![Heard::Final(utterance)]
                }
            }
            Said::Termination => vec![Heard::Finished],
            Said::Error { error_code } => {
                let code = error_code.map_or_else(|| "no code".to_owned(), |code| format!("the code {code}"));
                return Err(Broken(format!("it reports an error with {code}")));
            }
            Said::Other => Vec::new(),
        })
    }

    fn end_turn(&mut self) -> Option<Message> {
        Some(text(&json!({"type": "ForceEndpoint"})))
    }

    fn finish(&mut self) -> Vec<Message> {
        vec![text(&json!({"type": "Terminate"}))]
    }

    fn pace(&self) -> Pace {
        // Frames outside 50 to 1,000 ms, and audio that comes much faster than it was spoken, close the connection with
        // 3007.
        Pace { shortest_ms: 50, longest_ms: 500, speed: 1.25 }
    }
}

fn text(message: &Value) -> Message {
    Message::text(message.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(messages: &[Value]) -> Vec<Heard> {
        let mut conversation = Conversation { is_formatting: true };
        messages.iter().flat_map(|message| conversation.read(&message.to_string()).unwrap()).collect()
    }

    fn turn(order: i64, transcript: &str, ended: bool, formatted: bool, words: &[(&str, i64, i64)]) -> Value {
        let words: Vec<Value> = words
            .iter()
            .map(|(text, start, end)| {
                json!({"text": text, "start": start, "end": end, "confidence": 0.9, "word_is_final": true})
            })
            .collect();
        json!({"type": "Turn", "turn_order": order, "turn_is_formatted": formatted, "end_of_turn": ended,
            "transcript": transcript, "end_of_turn_confidence": 0.4, "words": words, "utterance": transcript})
    }

    #[test]
    fn the_golden_conversation_is_one_running_turn_that_comes_twice_at_its_end() {
        let words = [("hello", 480, 800), ("there", 840, 1_100)];
        let told = heard(&[
            json!({"type": "Begin", "id": "cfd280c7-5a9b-4dd6-8c05-235ccfa3c97f", "expires_at": 1_745_483_367}),
            json!({"type": "SpeechStarted", "timestamp": 480}),
            turn(0, "", false, false, &[]),
            turn(0, "hello", false, false, &words[..1]),
            // A whole utterance is no end of the turn.
            turn(0, "hello there", false, false, &words),
            turn(0, "hello there", true, false, &words),
            turn(0, "Hello there.", true, true, &words),
            json!({"type": "Termination", "audio_duration_seconds": 2, "session_duration_seconds": 3}),
        ]);
        let shown: Vec<(&str, &str)> = told
            .iter()
            .map(|heard| match heard {
                Heard::Partial(spoken) => ("partial", spoken.text.as_str()),
                Heard::Ending(spoken) => ("ending", spoken.text.as_str()),
                Heard::Final(spoken) => ("final", spoken.text.as_str()),
                Heard::Finished => ("finished", ""),
            })
            .collect();
        assert_eq!(
            shown,
            [
                ("partial", "hello"),
                ("partial", "hello there"),
                ("ending", "hello there"),
                ("final", "Hello there."),
                ("finished", "")
            ]
        );
        let Heard::Final(last) = &told[3] else { panic!("it is not final") };
        assert_eq!((last.turn, last.start_ms, last.end_ms), (0, 480, 1_100));
        assert!((last.confidence.unwrap() - 0.9).abs() < 1e-9);
    }

    #[test]
    fn a_model_that_always_writes_punctuation_ends_a_turn_once() {
        let mut conversation = Conversation { is_formatting: false };
        let ended = turn(1, "Bye.", true, false, &[("Bye.", 0, 300)]).to_string();
        assert!(matches!(&conversation.read(&ended).unwrap()[..], [Heard::Final(_)]));
    }

    #[test]
    fn an_error_ends_the_connection_and_repeats_no_words() {
        let mut conversation = Conversation { is_formatting: true };
        let error = json!({"type": "Error", "error_code": 3007, "error": "Input duration violation: 12 ms."});
        let broken = conversation.read(&error.to_string()).unwrap_err();
        assert_eq!(broken.0, "it reports an error with the code 3007");
        assert!(conversation.read("hello").is_err());
    }

    #[test]
    fn the_host_for_streams_follows_the_region_and_a_proxy_serves_both() {
        let host = |base: &str| streaming_host(base.parse().unwrap()).to_string();
        assert_eq!(host("https://api.assemblyai.com"), "https://streaming.assemblyai.com/");
        assert_eq!(host("https://api.eu.assemblyai.com"), "https://streaming.eu.assemblyai.com/");
        assert_eq!(host("http://127.0.0.1:9/"), "http://127.0.0.1:9/");
    }
}
