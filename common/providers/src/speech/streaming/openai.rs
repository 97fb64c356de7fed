//! `OpenAI`'s realtime transcription: <https://developers.openai.com/api/docs/guides/realtime-transcription>.
//!
//! Its models find no turns by themselves, so we end them at the pauses that we hear ourselves. A turn without audio is an
//! error there. Answers come in any order, so they are put into the order of the turns by `previous_item_id`. They have no times,
//! so a turn has those of the audio that was sent for it.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::refusal::{Refusal, Remote};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use media::audio::Block;
use media::audio::resample::Resampler;
use platform::config::{ConfigError, Values};
use platform::http::{self, HttpError};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use url::Url;

use super::connection::Connection;
use super::pauses::{Pauses, ms_of, samples_of};
use super::protocol::{Broken, Heard, Pace, Protocol, Utterance, bytes};
use super::{RATE, StreamWanted, StreamingSpeech};
use crate::speech::openai::{BASE_URL, REMOTE};
use crate::speech::requests::price;
use crate::versions::OPENAI_STREAM_MODEL as MODEL;
use crate::websocket::LazyClient;

/// The rate that the provider takes.
const THEIR_RATE: u32 = 24_000;
/// A pause of this length ends a turn, and somebody who does not pause is cut after this time.
const PAUSE_MS: i64 = 600;
const LONGEST_MS: i64 = 20_000;
/// The shortest turn that may be ended. The provider refuses less than a tenth of a second.
const SHORTEST_MS: i64 = 200;
/// So much silence at the start of a turn is thrown away, because it would be paid for.
const SILENCE_MS: i64 = 15_000;

pub(super) struct OpenAiStream {
    client: LazyClient,
    base: Url,
    key: SecretString,
    model: String,
    price: Option<f64>,
}

impl OpenAiStream {
    pub(super) fn from_values(values: &Values) -> Result<Option<Self>, ConfigError> {
        let base = values.url("OPENAI_BASE_URL", BASE_URL)?;
        let price = match price(values, "OPENAI_STREAM_PRICE_MINUTE")? {
            Some(price) => Some(price),
            None => price(values, "OPENAI_TRANSCRIBE_PRICE_MINUTE")?,
        };
        let model = values.text(MODEL.setting).unwrap_or_else(|| MODEL.default.to_owned());
        let Some(key) = values.secret("OPENAI_API_KEY") else { return Ok(None) };
        Ok(Some(Self { client: LazyClient::default(), base, key, model, price }))
    }

    async fn connect(&self, wanted: &StreamWanted) -> Result<Connection, Refusal> {
        let request = self
            .client
            .get()
            .get(http::join(&self.base, "/realtime"))
            .query(&[("intent", "transcription")])
            .bearer_auth(self.key.expose_secret());
        let conversation = Conversation::new(self.model.clone(), wanted);
        Connection::open(request, Box::new(conversation), &REMOTE, refusal).await
    }
}

fn refusal(error: &HttpError) -> Refusal {
    Refusal::of(&REMOTE, &error.failure(None))
}

impl StreamingSpeech for OpenAiStream {
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
    model: String,
    language: Option<String>,
    resampler: Resampler,
    pauses: Pauses,
    /// How many samples were sent, and how many before the turn that is spoken.
    sent: u64,
    committed: u64,
    /// The times of turns whose item is not known yet.
    spans: VecDeque<(i64, i64)>,
    /// The items in the order of the turns. The first has the number `first`.
    items: VecDeque<Item>,
    first: i64,
    /// What came for items whose place is not known yet, in the order in which they came.
    early: Vec<(String, String)>,
    is_finishing: bool,
}

struct Item {
    id: String,
    span: (i64, i64),
    text: String,
    is_done: bool,
}

#[derive(Deserialize)]
#[serde(tag = "type")]
enum Said {
    #[serde(rename = "input_audio_buffer.committed")]
    Committed {
        item_id: String,
        #[serde(default)]
        previous_item_id: Option<String>,
    },
    #[serde(rename = "conversation.item.input_audio_transcription.delta")]
    Delta {
        item_id: String,
        #[serde(default)]
        delta: String,
    },
    #[serde(rename = "conversation.item.input_audio_transcription.completed")]
    Completed {
        item_id: String,
        #[serde(default)]
        transcript: String,
    },
    #[serde(rename = "conversation.item.input_audio_transcription.failed")]
    Failed { item_id: String },
    #[serde(rename = "error")]
    Error {
        #[serde(default)]
        error: Problem,
    },
    #[serde(other)]
    Other,
}

#[derive(Default, Deserialize)]
struct Problem {
    #[serde(default)]
    code: Option<String>,
}

impl Conversation {
    fn new(model: String, wanted: &StreamWanted) -> Self {
        let language = wanted.language.as_deref();
        let language = language.map(|tag| tag.split(['-', '_']).next().unwrap_or(tag).to_owned());
        Self {
            model,
            language,
            resampler: Resampler::new(THEIR_RATE),
            pauses: Pauses::default(),
            sent: 0,
            committed: 0,
            spans: VecDeque::new(),
            items: VecDeque::new(),
            first: 0,
            early: Vec::new(),
            is_finishing: false,
        }
    }

    /// Whether somebody has spoken since the last turn ended.
    fn has_speech(&self) -> bool {
        self.pauses.last_speech().is_some_and(|end| end > self.committed)
    }

    /// Ends the turn that is spoken, if there is enough of it.
    fn commit(&mut self) -> Option<Message> {
        if !self.has_speech() || ms_of(self.sent - self.committed) < SHORTEST_MS {
            return None;
        }
        let start = self.pauses.began().max(self.committed);
        let end = self.pauses.last_speech().unwrap_or(self.sent).min(self.sent);
        self.spans.push_back((ms_of(start.min(end)), ms_of(end)));
        self.committed = self.sent;
        Some(text(&json!({"type": "input_audio_buffer.commit"})))
    }

    fn position(&self, item: &str) -> Option<usize> {
        self.items.iter().position(|known| known.id == item)
    }

    /// A turn has got its item.
    fn add(&mut self, item_id: String, previous: Option<&str>) {
        let span = self.spans.pop_front().unwrap_or((ms_of(self.committed), ms_of(self.committed)));
        let early = self.early.iter().position(|(id, _)| *id == item_id);
        let early = early.map(|at| self.early.remove(at).1).unwrap_or_default();
        let place =
            previous.and_then(|previous| self.position(previous)).map_or(self.items.len(), |at| at + 1);
        self.items.insert(place, Item { id: item_id, span, text: early, is_done: false });
    }

    /// More words of an item.
    fn delta(&mut self, item_id: String, delta: &str) -> Utterance {
        if let Some(at) = self.position(&item_id) {
            self.items[at].text.push_str(delta);
            return self.utterance(at);
        }
        // The words of the turn that is spoken can come before its place is known. It is behind all others.
        let at = self.early.iter().position(|(id, _)| *id == item_id).unwrap_or_else(|| {
            self.early.push((item_id, String::new()));
            self.early.len() - 1
        });
        self.early[at].1.push_str(delta);
        Utterance {
            turn: self.first + i64::try_from(self.items.len() + at).unwrap_or_default(),
            text: self.early[at].1.trim().to_owned(),
            start_ms: ms_of(self.pauses.began()),
            end_ms: ms_of(self.sent),
            ..Utterance::default()
        }
    }

    fn utterance(&self, at: usize) -> Utterance {
        let Item { span, text, .. } = &self.items[at];
        Utterance {
            turn: self.first + i64::try_from(at).unwrap_or_default(),
            text: text.trim().to_owned(),
            start_ms: span.0,
            end_ms: span.1,
            ..Utterance::default()
        }
    }

    /// The words of an item are known, or will never be. Returns the turns that are over now, in their order.
    fn done(&mut self, item: &str, words: Option<String>) -> Vec<Heard> {
        let Some(at) = self.position(item) else { return Vec::new() };
        let known = &mut self.items[at];
        known.is_done = true;
        known.text = words.unwrap_or_default();
        let mut heard = Vec::new();
        while self.items.front().is_some_and(|item| item.is_done) {
            heard.push(Heard::Final(self.utterance(0)));
            self.items.pop_front();
            self.first += 1;
        }
        heard
    }

    fn finished(&self) -> Option<Heard> {
        (self.is_finishing && self.spans.is_empty() && self.items.is_empty()).then_some(Heard::Finished)
    }
}

impl Protocol for Conversation {
    fn hello(&mut self) -> Vec<Message> {
        let mut transcription = json!({"model": self.model});
        if let Some(language) = &self.language {
            transcription["language"] = json!(language);
        }
        vec![text(
            &json!({"type": "session.update", "session": {"type": "transcription", "audio": {"input": {
                "format": {"type": "audio/pcm", "rate": THEIR_RATE},
                "transcription": transcription,
                "turn_detection": null,
            }}}}),
        )]
    }

    fn audio(&mut self, samples: &[i16]) -> Vec<Message> {
        self.pauses.push(samples);
        self.sent += samples.len() as u64;
        let channel = samples.iter().map(|sample| f32::from(*sample) / 32_768.0).collect();
        let block = Block { sample_rate: RATE, channels: vec![channel] };
        let mut resampled = vec![Vec::new()];
        // One channel at a rate that is known can always be resampled.
        if self.resampler.push(&block, &mut resampled).is_err() {
            return Vec::new();
        }
        let samples: Vec<i16> = resampled[0].iter().map(|sample| media::audio::wav::pcm(*sample)).collect();
        let mut messages = Vec::new();
        if !samples.is_empty() {
            let audio = STANDARD.encode(bytes(&samples));
            messages.push(text(&json!({"type": "input_audio_buffer.append", "audio": audio})));
        }
        if self.has_speech() {
            let spoken_ms = ms_of(self.sent - self.pauses.began().max(self.committed));
            if self.pauses.quiet_ms() >= PAUSE_MS || spoken_ms >= LONGEST_MS {
                messages.extend(self.commit());
            }
        } else if self.sent - self.committed > samples_of(SILENCE_MS) {
            self.committed = self.sent;
            messages.push(text(&json!({"type": "input_audio_buffer.clear"})));
        }
        messages
    }

    fn read(&mut self, message: &str) -> Result<Vec<Heard>, Broken> {
        let said: Said = serde_json::from_str(message)
            .map_err(|_| Broken("it sent a message that cannot be read".into()))?;
        let mut heard = match said {
            Said::Committed { item_id, previous_item_id } => {
                self.add(item_id, previous_item_id.as_deref());
                Vec::new()
            }
            Said::Delta { item_id, delta } => vec![Heard::Partial(self.delta(item_id, &delta))],
            Said::Completed { item_id, transcript } => self.done(&item_id, Some(transcript)),
            Said::Failed { item_id } => self.done(&item_id, None),
            Said::Error { error } => match error.code.as_deref() {
                // There was nothing to end, so no item will come for it.
                Some("input_audio_buffer_commit_empty") => {
                    self.spans.pop_back();
                    Vec::new()
                }
                _ => return Err(Broken("it reports an error".into())),
            },
            Said::Other => Vec::new(),
        };
        heard.extend(self.finished());
        Ok(heard)
    }

    fn end_turn(&mut self) -> Option<Message> {
        self.commit()
    }

    fn finish(&mut self) -> Vec<Message> {
        self.is_finishing = true;
        let mut messages: Vec<Message> = self.commit().into_iter().collect();
        if self.spans.is_empty() && self.items.is_empty() {
            // Any message is answered, so that the end is noticed.
            messages.extend(self.hello());
        }
        messages
    }

    fn pace(&self) -> Pace {
        Pace { shortest_ms: 20, longest_ms: 250, speed: 8.0 }
    }
}

fn text(message: &Value) -> Message {
    Message::text(message.to_string())
}
