//! What every provider of speech to text hears in audio: the dialogue that the recording carries, its length, and how
//! many channels it has.

use axum::body::Body;
use axum::extract::multipart::{Field, Multipart};
use axum::http::StatusCode;
use futures::StreamExt as _;
use sha2::{Digest as _, Sha256};

use crate::dialogue::Utterance;
use crate::dialogue::reader::DialogueReader;

/// Audio that was read to its end.
#[derive(Debug)]
pub(crate) struct Heard {
    pub(crate) digest: String,
    pub(crate) bytes: u64,
    pub(crate) duration_ms: u64,
    pub(crate) utterances: Vec<Utterance>,
    /// Who is heard in each channel. It is empty where everybody is heard in one channel.
    pub(crate) channels: Vec<String>,
}

/// A word of an utterance, with its share of the time in seconds.
#[derive(Debug)]
pub(crate) struct Word {
    pub(crate) text: String,
    pub(crate) start: f64,
    pub(crate) end: f64,
}

#[derive(Default)]
struct Ear {
    reader: DialogueReader,
    hash: Sha256,
    bytes: u64,
}

impl Ear {
    fn hear(&mut self, chunk: &[u8], max_bytes: u64) -> Result<(), StatusCode> {
        self.bytes += chunk.len() as u64;
        if self.bytes > max_bytes {
            return Err(StatusCode::PAYLOAD_TOO_LARGE);
        }
        self.reader.read(chunk);
        self.hash.update(chunk);
        Ok(())
    }

    fn heard(self) -> Heard {
        Heard {
            digest: hex::encode(&self.hash.finalize()[..16]),
            bytes: self.bytes,
            duration_ms: self.reader.duration_ms(),
            channels: self.reader.channels(),
            utterances: self.reader.utterances(),
        }
    }
}

/// Reads the whole body as audio.
pub(crate) async fn body(body: Body, max_bytes: u64) -> Result<Heard, StatusCode> {
    let mut ear = Ear::default();
    let mut chunks = body.into_data_stream();
    while let Some(chunk) = chunks.next().await {
        ear.hear(&chunk.map_err(|_| StatusCode::BAD_REQUEST)?, max_bytes)?;
    }
    Ok(ear.heard())
}

/// A form with a file.
#[derive(Debug, Default)]
pub(crate) struct Form {
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) file_name: Option<String>,
    pub(crate) file: Option<Heard>,
}

impl Form {
    /// The value of a field, or of the first of several fields of one name.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn is_true(&self, name: &str) -> bool {
        self.value(name) == Some("true")
    }
}

/// Reads a form whose field `file` is audio.
pub(crate) async fn form(mut parts: Multipart, max_bytes: u64) -> Result<Form, StatusCode> {
    let mut form = Form::default();
    while let Some(part) = parts.next_field().await.map_err(|_| StatusCode::BAD_REQUEST)? {
        let name = part.name().unwrap_or_default().to_owned();
        if name == "file" {
            form.file_name = part.file_name().map(str::to_owned);
            form.file = Some(file(part, max_bytes).await?);
        } else {
            form.fields.push((name, part.text().await.map_err(|_| StatusCode::BAD_REQUEST)?));
        }
    }
    Ok(form)
}

async fn file(mut part: Field<'_>, max_bytes: u64) -> Result<Heard, StatusCode> {
    let mut ear = Ear::default();
    while let Some(chunk) = part.chunk().await.map_err(|_| StatusCode::BAD_REQUEST)? {
        ear.hear(&chunk, max_bytes)?;
    }
    Ok(ear.heard())
}

impl Heard {
    /// The utterances with the numbers of their speakers, from 0: the speakers in the order of their channels, and then
    /// those who are in no channel in the order in which they speak.
    pub(crate) fn numbered(&self) -> Vec<(usize, &Utterance)> {
        let mut names: Vec<&str> = self.channels.iter().map(String::as_str).collect();
        let mut numbered = Vec::with_capacity(self.utterances.len());
        for spoken in &self.utterances {
            let number = names.iter().position(|name| *name == spoken.speaker).unwrap_or_else(|| {
                names.push(&spoken.speaker);
                names.len() - 1
            });
            numbered.push((number, spoken));
        }
        numbered
    }

    pub(crate) fn text(&self) -> String {
        self.utterances.iter().map(|spoken| spoken.text.as_str()).collect::<Vec<_>>().join(" ")
    }

    pub(crate) fn seconds(&self) -> f64 {
        seconds(self.duration_ms)
    }
}

/// Milliseconds as seconds.
#[expect(clippy::cast_precision_loss, reason = "the length of a recording is far below 2^52 ms")]
pub(crate) fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}

pub(crate) fn words(of: &Utterance) -> Vec<Word> {
    let words: Vec<&str> = of.text.split_whitespace().collect();
    let count = words.len().max(1) as u64;
    let at = |nth: u64| seconds(of.start + of.end.saturating_sub(of.start) * nth / count);
    let word = |(nth, text): (u64, &str)| Word { text: text.to_owned(), start: at(nth), end: at(nth + 1) };
    (0_u64..).zip(words).map(word).collect()
}
