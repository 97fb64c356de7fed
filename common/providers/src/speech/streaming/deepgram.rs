//! Deepgram's live transcription: <https://developers.deepgram.com/reference/speech-to-text/listen-streaming>.
//!
//! A turn comes in parts. A part with `is_final` does not change any more, and the turn is over with `speech_final`, with
//! `UtteranceEnd` where that was missed, or when we asked for it. A connection on which nothing comes for ten seconds is
//! closed, so a text keeps it open.

use domain::refusal::{Refusal, Remote};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use platform::config::{ConfigError, Values};
use platform::http::{self, HttpError};
use reqwest::header::{AUTHORIZATION, HeaderValue};
use serde::Deserialize;
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;
use url::Url;

use super::connection::Connection;
use super::protocol::{Broken, Heard, Pace, Protocol, Utterance, Word, bytes};
use super::{RATE, StreamWanted, StreamingSpeech};
use crate::speech::deepgram::{BASE_URL, REMOTE, WORDS, authorization};
use crate::speech::requests::price;
use crate::speech::words::fitting;
use crate::versions::DEEPGRAM_MODEL as MODEL;
use crate::websocket::LazyClient;

pub(super) struct DeepgramStream {
    client: LazyClient,
    base: Url,
    authorization: HeaderValue,
    model: String,
    price: Option<f64>,
}

impl DeepgramStream {
    pub(super) fn from_values(values: &Values) -> Result<Option<Self>, ConfigError> {
        let base = values.url("DEEPGRAM_BASE_URL", BASE_URL)?;
        let price = match price(values, "DEEPGRAM_STREAM_PRICE_MINUTE")? {
            Some(price) => Some(price),
            None => price(values, "DEEPGRAM_PRICE_MINUTE")?,
        };
        let model = values.text(MODEL.setting).unwrap_or_else(|| MODEL.default.to_owned());
        let Some(authorization) = authorization(values)? else { return Ok(None) };
        // The whisper models transcribe recordings only.
        if model.starts_with("whisper") {
            return Ok(None);
        }
        Ok(Some(Self { client: LazyClient::default(), base, authorization, model, price }))
    }

    async fn connect(&self, wanted: &StreamWanted) -> Result<Connection, Refusal> {
        let request = self
            .client
            .get()
            .get(http::join(&self.base, "/v1/listen"))
            .query(&self.parameters(wanted))
            .header(AUTHORIZATION, self.authorization.clone());
        Connection::open(request, Box::<Conversation>::default(), &REMOTE, refusal).await
    }

    fn parameters(&self, wanted: &StreamWanted) -> Vec<(&'static str, String)> {
        let mut parameters = vec![("model", self.model.clone()), ("sample_rate", RATE.to_string())];
        let mut say = |name, value: &str| parameters.push((name, value.to_owned()));
        say("encoding", "linear16");
        say("channels", "1");
        say("smart_format", "true");
        say("interim_results", "true");
        say("endpointing", "300");
        say("utterance_end_ms", "1000");
        let is_nova_3 = self.model.starts_with("nova-3");
        match &wanted.language {
            Some(language) => say("language", language),
            // A stream has no detection of the language. These models know several at once.
            None if is_nova_3 => say("language", "multi"),
            None => {}
        }
        if wanted.voices {
            say("diarize_model", "latest");
        }
        if is_nova_3 {
            for word in fitting(&wanted.words, WORDS) {
                say("keyterm", word);
            }
        }
        parameters
    }
}

fn refusal(error: &HttpError) -> Refusal {
    Refusal::of(&REMOTE, &error.failure(None))
}

impl StreamingSpeech for DeepgramStream {
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

#[derive(Default)]
struct Conversation {
    /// The number of the turn that is spoken.
    turn: i64,
    /// The parts of it that do not change any more.
    parts: Vec<Part>,
}

#[derive(Clone)]
struct Part {
    words: Vec<SpokenWord>,
    confidence: Option<f64>,
    language: Option<String>,
}

#[derive(Deserialize)]
#[serde(tag = "type")]
enum Said {
    Results(Results),
    UtteranceEnd,
    /// What comes after `CloseStream`, when everything is transcribed.
    Metadata,
    Error,
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Results {
    #[serde(default)]
    start: f64,
    #[serde(default)]
    duration: f64,
    #[serde(default)]
    is_final: bool,
    #[serde(default)]
    speech_final: bool,
    #[serde(default)]
    from_finalize: bool,
    channel: Channel,
}

#[derive(Deserialize)]
struct Channel {
    #[serde(default)]
    alternatives: Vec<Alternative>,
}

#[derive(Deserialize)]
struct Alternative {
    #[serde(default)]
    transcript: String,
    #[serde(default)]
    confidence: Option<f64>,
    #[serde(default)]
    words: Vec<SpokenWord>,
    #[serde(default)]
    languages: Vec<String>,
}

#[derive(Clone, Deserialize)]
struct SpokenWord {
    #[serde(default)]
    word: String,
    #[serde(default)]
    start: f64,
    #[serde(default)]
    end: f64,
    #[serde(default)]
    punctuated_word: Option<String>,
    #[serde(default)]
    speaker: Option<i64>,
}

impl Results {
    /// The part that this message holds, if it has words.
    fn part(self) -> Option<Part> {
        let best = self.channel.alternatives.into_iter().next()?;
        let text = best.transcript.trim();
        if text.is_empty() {
            return None;
        }
        let words = if best.words.is_empty() {
            let (start, end) = (self.start, self.start + self.duration);
            vec![SpokenWord { word: text.to_owned(), start, end, punctuated_word: None, speaker: None }]
        } else {
            best.words
        };
        Some(Part { words, confidence: best.confidence, language: best.languages.into_iter().next() })
    }
}

impl Conversation {
    /// What the parts say, one utterance for each voice that speaks without another between.
    fn utterances(&self, parts: &[Part]) -> Vec<Utterance> {
        let mut spoken: Vec<Utterance> = Vec::new();
        for part in parts {
            for said in &part.words {
                let word = word(said);
                let speaker = said.speaker.map(|number| number.to_string());
                match spoken.last_mut() {
                    Some(last) if last.speaker == speaker => {
                        last.text.push(' ');
                        last.text.push_str(&word.text);
                        last.end_ms = word.end_ms;
                        last.confidence =
                            last.confidence.zip(part.confidence).map(|(one, other)| one.min(other));
                        last.words.push(word);
                    }
                    _ => spoken.push(Utterance {
                        turn: self.turn + i64::try_from(spoken.len()).unwrap_or_default(),
                        text: word.text.clone(),
                        start_ms: word.start_ms,
                        end_ms: word.end_ms,
                        confidence: part.confidence,
                        speaker,
                        language: part.language.clone(),
                        words: vec![word],
                    }),
                }
            }
        }
        spoken
    }

    /// The running turn as one utterance. Who speaks in it is known at its end.
    fn running(&self, parts: &[Part]) -> Option<Utterance> {
        let mut spoken = self.utterances(parts);
        let rest = spoken.split_off(spoken.len().min(1));
        let mut running = spoken.pop()?;
        for next in rest {
            running.text = format!("{} {}", running.text, next.text);
            running.end_ms = next.end_ms;
            running.words.extend(next.words);
            running.speaker = None;
        }
        Some(running)
    }

    fn end(&mut self) -> Vec<Heard> {
        let parts = std::mem::take(&mut self.parts);
        let spoken = self.utterances(&parts);
        self.turn += i64::try_from(spoken.len()).unwrap_or_default();
        spoken.into_iter().map(Heard::Final).collect()
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a time of a stream in milliseconds")]
fn word(said: &SpokenWord) -> Word {
    let ms = |seconds: f64| (seconds * 1_000.0).round() as i64;
    let text = said.punctuated_word.as_ref().unwrap_or(&said.word).clone();
    Word { text, start_ms: ms(said.start), end_ms: ms(said.end) }
}

impl Protocol for Conversation {
    fn audio(&mut self, samples: &[i16]) -> Vec<Message> {
        vec![Message::binary(bytes(samples))]
    }

    fn read(&mut self, message: &str) -> Result<Vec<Heard>, Broken> {
        let said: Said = serde_json::from_str(message)
            .map_err(|_| Broken("it sent a message that cannot be read".into()))?;
        Ok(match said {
            Said::Results(results) => {
                let is_over = results.speech_final || (results.is_final && results.from_finalize);
                let is_final = results.is_final;
                let part = results.part();
                if is_final {
                    self.parts.extend(part);
                    if is_over { self.end() } else { Vec::new() }
                } else {
                    // What may still change stands behind the parts that do not.
                    let parts: Vec<Part> = self.parts.iter().cloned().chain(part).collect();
                    self.running(&parts).map(Heard::Partial).into_iter().collect()
                }
            }
            Said::UtteranceEnd => self.end(),
            Said::Metadata => {
                let mut rest = self.end();
                rest.push(Heard::Finished);
                rest
            }
            Said::Error => return Err(Broken("it reports an error".into())),
            Said::Other => Vec::new(),
        })
    }

    fn end_turn(&mut self) -> Option<Message> {
        Some(Message::text(json!({"type": "Finalize"}).to_string()))
    }

    fn keep_alive(&self) -> Option<Message> {
        Some(Message::text(json!({"type": "KeepAlive"}).to_string()))
    }

    fn finish(&mut self) -> Vec<Message> {
        vec![Message::text(json!({"type": "CloseStream"}).to_string())]
    }

    fn pace(&self) -> Pace {
        Pace { shortest_ms: 20, longest_ms: 250, speed: 8.0 }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn results(text: &str, words: &[(&str, f64, f64, i64)], flags: [bool; 3]) -> Value {
        let words: Vec<Value> = words
            .iter()
            .map(|(word, start, end, speaker)| {
                json!({"word": word.to_lowercase(), "punctuated_word": word, "start": start, "end": end,
                    "confidence": 0.98, "speaker": speaker})
            })
            .collect();
        json!({"type": "Results", "channel_index": [0, 1], "duration": 1.0, "start": 0.0, "is_final": flags[0],
            "speech_final": flags[1], "from_finalize": flags[2],
            "channel": {"alternatives": [{"transcript": text, "confidence": 0.98, "words": words}]},
            "metadata": {"request_id": "r", "model_uuid": "m"}})
    }

    fn shown(told: &[Heard]) -> Vec<(&'static str, i64, String)> {
        told.iter()
            .map(|heard| match heard {
                Heard::Partial(spoken) => ("partial", spoken.turn, spoken.text.clone()),
                Heard::Ending(spoken) => ("ending", spoken.turn, spoken.text.clone()),
                Heard::Final(spoken) => ("final", spoken.turn, spoken.text.clone()),
                Heard::Finished => ("finished", 0, String::new()),
            })
            .collect()
    }

    fn conversation(messages: &[Value]) -> Vec<Heard> {
        let mut conversation = Conversation::default();
        messages.iter().flat_map(|message| conversation.read(&message.to_string()).unwrap()).collect()
    }

    #[test]
    fn the_golden_conversation_joins_final_parts_until_the_speech_is_final() {
        let (first, second) = (("I", 0.1, 0.3, 0), ("will", 0.3, 0.6, 0));
        let third = ("call.", 1.1, 1.5, 0);
        let told = conversation(&[
            results("I", &[first], [false, false, false]),
            results("I will", &[first, second], [true, false, false]),
            // What was final is not repeated in the next part.
            results("call", &[("call", 1.1, 1.4, 0)], [false, false, false]),
            results("call.", &[third], [true, true, false]),
            results("", &[], [true, false, false]),
            json!({"type": "UtteranceEnd", "channel": [0, 1], "last_word_end": 1.5}),
            json!({"type": "SpeechStarted", "channel": [0], "timestamp": 3.0}),
            results("Bye.", &[("Bye.", 3.1, 3.4, 0)], [true, false, false]),
            json!({"type": "UtteranceEnd", "channel": [0, 1], "last_word_end": 3.4}),
            results("And", &[("And", 5.0, 5.2, 0)], [true, false, true]),
            json!({"type": "Metadata", "request_id": "r", "duration": 6.0, "channels": 1}),
        ]);
        assert_eq!(
            shown(&told),
            [
                ("partial", 0, "I".into()),
                ("partial", 0, "I will call".into()),
                ("final", 0, "I will call.".into()),
                ("final", 1, "Bye.".into()),
                ("final", 2, "And".into()),
                ("finished", 0, String::new())
            ]
        );
        let Heard::Final(first) = &told[2] else { panic!("it is not final") };
        assert_eq!((first.start_ms, first.end_ms), (100, 1_500));
    }

    #[test]
    fn two_voices_in_one_turn_are_two_turns() {
        let words = [("Hello?", 0.0, 0.4, 0), ("Hi,", 0.6, 0.8, 1), ("Ada.", 0.8, 1.1, 1)];
        let told = conversation(&[
            results("Hello? Hi, Ada.", &words, [true, true, false]),
            results("Yes.", &[("Yes.", 2.0, 2.3, 0)], [true, true, false]),
        ]);
        let spoken: Vec<_> = shown(&told);
        assert_eq!(
            spoken,
            [("final", 0, "Hello?".into()), ("final", 1, "Hi, Ada.".into()), ("final", 2, "Yes.".into())]
        );
        let Heard::Final(second) = &told[1] else { panic!("it is not final") };
        assert_eq!(second.speaker.as_deref(), Some("1"));
    }
}
