//! What every provider of a voice says: a tone for each word, as plain samples.
//!
//! The length is that of speech, so whoever plays it takes as long as with a real voice.

use axum::body::{Body, Bytes};
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use futures::stream;

/// Samples in a second, each of 16 bits with the low byte first.
const SAMPLE_RATE: f64 = 24_000.0;
/// How long a word takes at the usual speed: 150 words take a minute.
const WORD_S: f64 = 0.4;
/// The part of a word's time in which it sounds. The rest is the gap to the next word.
const SOUNDING: f64 = 0.8;
const LOUDNESS: f64 = 6_000.0;
/// The length of a piece of an answer, in bytes: a tenth of a second.
const PIECE_BYTES: usize = 4_800;

/// Answers with the sound of `text` by this voice.
pub(crate) fn answer(text: &str, voice: &str, speed: f64, media_type: &'static str) -> Response {
    let samples = samples(text, voice, speed);
    let pieces: Vec<Bytes> = samples.chunks(PIECE_BYTES).map(Bytes::copy_from_slice).collect();
    let pieces = stream::iter(pieces.into_iter().map(Ok::<_, std::convert::Infallible>));
    ([(header::CONTENT_TYPE, media_type)], Body::from_stream(pieces)).into_response()
}

fn samples(text: &str, voice: &str, speed: f64) -> Vec<u8> {
    let pitch = 120.0 + f64::from(voice.bytes().fold(0_u8, u8::wrapping_add)) / 2.0;
    let frames = rounded(SAMPLE_RATE * WORD_S / speed.clamp(0.25, 4.0));
    let mut all = Vec::new();
    for word in text.split_whitespace() {
        // A longer word sounds higher, so that a listener hears that something is said.
        let pitch = pitch + f64::from(u8::try_from(word.len()).unwrap_or(u8::MAX)) * 4.0;
        for frame in 0..frames {
            let at = f64::from(frame) / SAMPLE_RATE;
            let sounds = f64::from(frame) < f64::from(frames) * SOUNDING;
            let value = if sounds { (at * pitch * std::f64::consts::TAU).sin() * LOUDNESS } else { 0.0 };
            all.extend(sample(value).to_le_bytes());
        }
    }
    all
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a word has some thousand samples"
)]
fn rounded(frames: f64) -> u32 {
    frames.round().max(0.0) as u32
}

#[expect(clippy::cast_possible_truncation, reason = "the loudness is far below the largest sample")]
fn sample(value: f64) -> i16 {
    value as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_takes_as_long_as_speech_and_less_when_somebody_speaks_fast() {
        let seconds = |text: &str, speed| {
            let bytes = u32::try_from(samples(text, "v", speed).len()).unwrap();
            f64::from(bytes) / 2.0 / SAMPLE_RATE
        };
        assert!((seconds("one two three four five", 1.0) - 2.0).abs() < 0.001);
        assert!((seconds("one two three four five", 2.0) - 1.0).abs() < 0.001);
        assert!(samples("one two", "v", 1.0) != samples("one two", "w", 1.0));
    }
}
