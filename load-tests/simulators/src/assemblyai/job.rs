//! A job of the provider, and the transcript that it becomes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use crate::dialogue::Utterance;

/// Audio that was uploaded.
#[derive(Clone, Debug)]
pub(super) struct Upload {
    pub(super) digest: String,
    pub(super) utterances: Arc<[Utterance]>,
    /// Who is heard in each channel.
    pub(super) channels: Vec<String>,
    pub(super) is_undecodable: bool,
    pub(super) duration_ms: u64,
}

#[derive(Clone, Debug)]
pub(super) struct Job {
    /// The time at which the job was submitted.
    pub(super) submitted: Instant,
    /// The same time by the clock.
    pub(super) created: DateTime<Utc>,
    pub(super) request: Map<String, Value>,
    /// `None` when the audio in the request was not uploaded to this simulator.
    pub(super) upload: Option<Upload>,
    /// Whether somebody had the transcript deleted.
    pub(super) is_deleted: bool,
}

impl Job {
    /// Whether the request sets a switch.
    fn asks_for(&self, name: &str) -> bool {
        self.request.get(name).and_then(Value::as_bool).unwrap_or(false)
    }

    /// Returns the status of a job that takes this time.
    pub(super) fn status(&self, takes: Duration) -> &'static str {
        let passed = self.submitted.elapsed();
        match &self.upload {
            _ if passed < takes / 3 => "queued",
            _ if passed < takes => "processing",
            Some(upload) if !upload.is_undecodable => "completed",
            _ => "error",
        }
    }

    /// The address of the audio, as lists show it.
    pub(super) fn audio_url(&self) -> &str {
        if self.is_deleted {
            return "http://deleted_by_user";
        }
        self.request.get("audio_url").and_then(Value::as_str).unwrap_or_default()
    }

    /// Returns the job as the provider shows it.
    pub(super) fn view(&self, id: &str, takes: Duration) -> Value {
        let status = self.status(takes);
        let mut view = json!({
            "id": id,
            "status": status,
            "audio_url": self.request["audio_url"],
            "speech_models": self.request["speech_models"],
            "language_code": self.request.get("language_code").cloned().unwrap_or_else(|| "en_us".into()),
            "speaker_labels": self.asks_for("speaker_labels"),
            "multichannel": self.asks_for("multichannel"),
            "webhook_url": self.request.get("webhook_url"),
            "text": null, "words": null, "utterances": null, "confidence": null, "audio_duration": null,
        });
        match &self.upload {
            _ if self.is_deleted => {
                view["audio_url"] = self.audio_url().into();
                view["text"] = "Deleted by user.".into();
            }
            Some(upload) if status == "completed" => self.add_transcript(&mut view, upload),
            Some(_) if status == "error" => {
                view["error"] = "Transcoding failed. File type is unsupported or the file is damaged".into();
            }
            None if status == "error" => {
                view["error"] = "Download error, unable to download the file at audio_url".into();
            }
            _ => {}
        }
        view
    }

    fn add_transcript(&self, view: &mut Value, upload: &Upload) {
        let (labels, channels) = (self.asks_for("speaker_labels"), self.asks_for("multichannel"));
        let mut names: Vec<&str> =
            if channels { upload.channels.iter().map(String::as_str).collect() } else { Vec::new() };
        let mut utterances = Vec::new();
        for spoken in upload.utterances.iter() {
            let nth = names.iter().position(|name| *name == spoken.speaker).unwrap_or_else(|| {
                names.push(&spoken.speaker);
                names.len() - 1
            });
            let text = if self.asks_for("redact_pii") { redacted(&spoken.text) } else { spoken.text.clone() };
            // The provider knows no names: it calls the speakers A, B, C, and the channels 1, 2, 3.
            let label = if channels { (nth + 1).to_string() } else { letters(nth) };
            let speaker = if labels || channels { json!(label) } else { Value::Null };
            let mut utterance = json!({
                "speaker": speaker, "text": text, "start": spoken.start, "end": spoken.end, "confidence": 0.95,
                "words": words_of(&text, spoken.start, spoken.end, &speaker),
            });
            if channels {
                utterance["channel"] = json!(label);
            }
            utterances.push(utterance);
        }
        let texts: Vec<&str> = utterances.iter().filter_map(|one| one["text"].as_str()).collect();
        view["text"] = texts.join(" ").into();
        let words = utterances.iter().filter_map(|one| one["words"].as_array()).flatten().cloned();
        view["words"] = words.collect();
        view["confidence"] = json!(0.95);
        // This length is in whole seconds, unlike every other time.
        view["audio_duration"] = upload.duration_ms.div_ceil(1000).into();
        if labels || channels {
            view["utterances"] = utterances.into();
        }
    }
}

/// Returns the label of a speaker: A to Z, and then AA, BB, and so on.
fn letters(nth: usize) -> String {
    let letter = char::from(b'A' + u8::try_from(nth % 26).unwrap_or_default());
    letter.to_string().repeat(nth / 26 + 1)
}

/// Hides digits and addresses as `redact_pii_sub: hash` does.
fn redacted(text: &str) -> String {
    let hide = |word: &str| match word {
        word if word.contains('@') => "#".repeat(word.chars().count()),
        word => word.chars().map(|c| if c.is_ascii_digit() { '#' } else { c }).collect(),
    };
    text.split(' ').map(hide).collect::<Vec<_>>().join(" ")
}

/// Splits a text into words, each with its share of the time.
fn words_of(text: &str, start: u64, end: u64, speaker: &Value) -> Vec<Value> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let count = words.len().max(1) as u64;
    let at = |nth: u64| start.saturating_add(end.saturating_sub(start).saturating_mul(nth) / count);
    let word = |(nth, word): (u64, &str)| {
        json!({
            "text": word, "start": at(nth), "end": at(nth + 1), "confidence": 0.95, "speaker": speaker,
        })
    };
    (0_u64..).zip(words).map(word).collect()
}
