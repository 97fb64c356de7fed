//! A transcript as subtitles: `WebVTT` and `SubRip`.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::Value;

use super::{Account, error, is_allowed, refusal, unknown};
use crate::state::lock;

const DEFAULT_CHARS: usize = 128;

#[derive(Deserialize)]
pub(super) struct Wanted {
    /// The greatest length of one caption.
    chars_per_caption: Option<usize>,
}

/// A caption with its times in milliseconds.
#[derive(Debug, PartialEq, Eq)]
struct Caption {
    start: u64,
    end: u64,
    text: String,
}

pub(super) async fn export(
    State(account): State<Arc<Account>>,
    Path((id, format)): Path<(String, String)>,
    Query(wanted): Query<Wanted>,
    headers: HeaderMap,
) -> Response {
    if !is_allowed(&headers) {
        return refusal(StatusCode::UNAUTHORIZED);
    }
    let view = match lock(&account.jobs).get(&id) {
        Some(job) => job.view(&id, account.transcription_time),
        None => return unknown(),
    };
    if view["status"] != "completed" {
        let text = format!(
            "This transcript has a status of {}. Transcripts must have a status of \"completed\" before requesting captions.",
            view["status"]
        );
        return error(StatusCode::BAD_REQUEST, &text);
    }
    let captions = captions(&view, wanted.chars_per_caption.unwrap_or(DEFAULT_CHARS).max(1));
    match format.as_str() {
        "srt" => ([(header::CONTENT_TYPE, "application/x-subrip")], srt(&captions)).into_response(),
        "vtt" => ([(header::CONTENT_TYPE, "text/vtt")], vtt(&captions)).into_response(),
        _ => refusal(StatusCode::NOT_FOUND),
    }
}

/// Cuts the words into captions. The words of two utterances never share one.
fn captions(view: &Value, max_chars: usize) -> Vec<Caption> {
    let mut captions: Vec<Caption> = Vec::new();
    let whole = std::slice::from_ref(view);
    for utterance in view["utterances"].as_array().map_or(whole, Vec::as_slice) {
        let first = captions.len();
        for word in utterance["words"].as_array().into_iter().flatten() {
            let text = word["text"].as_str().unwrap_or_default();
            let (start, end) =
                (word["start"].as_u64().unwrap_or_default(), word["end"].as_u64().unwrap_or_default());
            match captions[first..].last_mut() {
                Some(last) if last.text.chars().count() + 1 + text.chars().count() <= max_chars => {
                    last.text.push(' ');
                    last.text.push_str(text);
                    last.end = end;
                }
                _ => captions.push(Caption { start, end, text: text.to_owned() }),
            }
        }
    }
    captions
}

fn srt(captions: &[Caption]) -> String {
    let mut text = String::new();
    for (nth, Caption { start, end, text: words }) in (1..).zip(captions) {
        let time = |ms: &u64| {
            format!("{:02}:{:02}:{:02},{:03}", ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60, ms % 1000)
        };
        let _infallible = write!(text, "{nth}\n{} --> {}\n{words}\n\n", time(start), time(end));
    }
    text
}

fn vtt(captions: &[Caption]) -> String {
    let mut text = "WEBVTT\n\n".to_owned();
    for Caption { start, end, text: words } in captions {
        let time = |ms: &u64| match ms / 3_600_000 {
            0 => format!("{:02}:{:02}.{:03}", ms / 60_000, ms / 1000 % 60, ms % 1000),
            hours => format!("{hours:02}:{:02}:{:02}.{:03}", ms / 60_000 % 60, ms / 1000 % 60, ms % 1000),
        };
        let _infallible = write!(text, "{} --> {}\n{words}\n\n", time(start), time(end));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_in_the_form_of_each_format() {
        let captions = [Caption { start: 250, end: 3_661_007, text: "Hi.".into() }];
        assert_eq!(srt(&captions), "1\n00:00:00,250 --> 01:01:01,007\nHi.\n\n");
        assert_eq!(vtt(&captions), "WEBVTT\n\n00:00.250 --> 01:01:01.007\nHi.\n\n");
    }
}
