//! What every provider of a voice says: a tone for each word, as plain samples.
//!
//! The length is that of speech, so whoever plays it takes as long as with a real voice. Each piece of the sound is made when it
//! is due, so the first one does not wait for the others.

use std::convert::Infallible;
use std::ops::Range;
use std::time::Duration;

use axum::body::Body;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use futures::{StreamExt as _, stream};
use tokio::time::{Instant, sleep_until};

use crate::pace::Pace;

/// Samples in a second, each of 16 bits with the low byte first.
const SAMPLE_RATE: f64 = 24_000.0;
/// How long a word takes at the usual speed: 150 words take a minute.
const WORD_S: f64 = 0.4;
/// The part of a word's time in which it sounds. The rest is the gap to the next word.
const SOUNDING: f64 = 0.8;
const LOUDNESS: f64 = 6_000.0;
/// The samples of a piece of an answer: a tenth of a second.
pub(crate) const PIECE: u32 = 2_400;
pub(crate) const PIECE_LENGTH: Duration = Duration::from_millis(100);

/// Answers with the sound of `text` by this voice, at this pace.
pub(crate) fn answer(text: &str, voice: &str, speed: f64, pace: Pace) -> Response {
    let begun = Instant::now();
    let said = Said::new(text, voice, speed);
    let length = said.length();
    let pieces = (0..length.div_ceil(PIECE)).map(move |nth| nth * PIECE..((nth + 1) * PIECE).min(length));
    let pieces = stream::iter((0_u32..).zip(pieces)).then(move |(nth, piece)| {
        let (due, samples) = (pace.sound(PIECE_LENGTH * nth), said.samples(piece));
        async move {
            if !due.is_zero() {
                sleep_until(begun + due).await;
            }
            Ok::<_, Infallible>(samples)
        }
    });
    ([(header::CONTENT_TYPE, "audio/pcm")], Body::from_stream(pieces)).into_response()
}

/// A text as it is said.
pub(crate) struct Said {
    /// The pitch of each word, in Hz.
    words: Vec<f64>,
    /// The samples of each word.
    frames: u32,
}

impl Said {
    pub(crate) fn new(text: &str, voice: &str, speed: f64) -> Self {
        let pitch = 120.0 + f64::from(voice.bytes().fold(0_u8, u8::wrapping_add)) / 2.0;
        // A longer word sounds higher, so that a listener hears that something is said.
        let of_word = |word: &str| pitch + f64::from(u8::try_from(word.len()).unwrap_or(u8::MAX)) * 4.0;
        let frames = rounded(SAMPLE_RATE * WORD_S / speed.clamp(0.25, 4.0)).max(1);
        Self { words: text.split_whitespace().map(of_word).collect(), frames }
    }

    /// How many samples it has.
    pub(crate) fn length(&self) -> u32 {
        u32::try_from(self.words.len()).unwrap_or(u32::MAX).saturating_mul(self.frames)
    }

    /// The numbers of the words that begin in this range of samples.
    pub(crate) fn words_in(&self, range: &Range<u32>) -> Range<u32> {
        range.start.div_ceil(self.frames)..range.end.div_ceil(self.frames)
    }

    pub(crate) fn samples(&self, range: Range<u32>) -> Vec<u8> {
        range.flat_map(|at| self.sample(at / self.frames, at % self.frames).to_le_bytes()).collect()
    }

    fn sample(&self, word: u32, frame: u32) -> i16 {
        let pitch = usize::try_from(word).ok().and_then(|word| self.words.get(word)).copied();
        let sounds = f64::from(frame) < f64::from(self.frames) * SOUNDING;
        let Some(pitch) = pitch.filter(|_| sounds) else { return 0 };
        let at = f64::from(frame) / SAMPLE_RATE;
        sample((at * pitch * std::f64::consts::TAU).sin() * LOUDNESS)
    }
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
        let seconds = |text: &str, speed| f64::from(Said::new(text, "v", speed).length()) / SAMPLE_RATE;
        assert!((seconds("one two three four five", 1.0) - 2.0).abs() < 0.001);
        assert!((seconds("one two three four five", 2.0) - 1.0).abs() < 0.001);
        let samples = |voice| Said::new("one two", voice, 1.0).samples(0..9_600);
        assert!(samples("v") != samples("w"));
    }

    #[test]
    fn each_word_begins_in_one_piece() {
        let said = Said::new("one two three", "v", 1.1);
        let pieces =
            (0..said.length().div_ceil(PIECE)).map(|nth| nth * PIECE..((nth + 1) * PIECE).min(said.length()));
        let words: Vec<u32> = pieces.flat_map(|piece| said.words_in(&piece)).collect();
        assert_eq!(words, [0, 1, 2]);
    }

    #[test]
    fn the_pieces_make_the_whole() {
        let said = Said::new("one three", "v", 1.0);
        let whole = said.samples(0..said.length());
        assert_eq!(whole.len(), 2 * 9_600 * 2);
        assert_eq!([said.samples(0..7), said.samples(7..said.length())].concat(), whole);
    }
}
