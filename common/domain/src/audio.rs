//! What was measured in the recording of a call: who spoke when, by the sound and not by the words.
//!
//! Everything here is bounded, however long the recording is.

use serde::{Deserialize, Serialize};

use crate::note::Note;

/// The most stretches of speech that are kept of a channel.
pub const MAX_INTERVALS: usize = 4_000;

/// A stretch of time, in milliseconds from the start of the recording. In JSON it is `[start, end]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "[i64; 2]", into = "[i64; 2]")]
pub struct Interval {
    pub start_ms: i64,
    pub end_ms: i64,
}

impl Interval {
    pub fn length_ms(self) -> i64 {
        (self.end_ms - self.start_ms).max(0)
    }
}

impl From<[i64; 2]> for Interval {
    fn from([start_ms, end_ms]: [i64; 2]) -> Self {
        Self { start_ms, end_ms }
    }
}

impl From<Interval> for [i64; 2] {
    fn from(interval: Interval) -> Self {
        [interval.start_ms, interval.end_ms]
    }
}

/// What the channels of a recording hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChannelLayout {
    /// There is one channel.
    Mono,
    /// Each channel holds speakers of its own, as in a telephone call with a channel for each side.
    Separate,
    /// The channels hold the same sound, or all speakers are heard in each of them.
    Mixed,
}

/// What was measured in a recording.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AudioFacts {
    /// The container that the file really is: `wav`, `mp3`, `mp4`, `ogg`, `webm`, `flac`, `aac`, `aiff`, `au` or `raw`.
    pub container: String,
    pub codec: String,
    /// In Hz.
    pub sample_rate: u32,
    /// How long the recording is, as it was decoded.
    pub duration_ms: i64,
    pub layout: ChannelLayout,
    pub channels: Vec<ChannelFacts>,
    /// The time in which somebody speaks, in any channel.
    pub speech_ms: i64,
    /// The time in which nobody speaks.
    pub silence_ms: i64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Note>,
}

/// What was measured in one channel.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ChannelFacts {
    /// The stretches of speech in order. No two of them touch.
    pub speech: Vec<Interval>,
    pub speech_ms: i64,
    /// How long music plays.
    pub music_ms: i64,
    /// The loudness by EBU R 128, in LUFS. It is absent where the channel is silent.
    pub loudness_lufs: Option<f64>,
    /// The level of the speech, in dB below full scale. It is absent where nobody speaks.
    pub speech_dbfs: Option<f64>,
    /// The highest sample, from 0 to 1.
    pub peak: f64,
}

/// The outline of a recording for a page.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waveform {
    /// How much time one point stands for.
    pub bucket_ms: i64,
    /// For each channel the highest sample of each stretch, from 0 to 255.
    pub channels: Vec<Vec<u8>>,
}

/// A recording that was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MeasuredAudio {
    pub facts: AudioFacts,
    pub waveform: Waveform,
}

/// The stretches of time that are in any of `lists`.
pub fn union<'i>(lists: impl IntoIterator<Item = &'i [Interval]>) -> Vec<Interval> {
    let mut all: Vec<Interval> = lists.into_iter().flatten().copied().collect();
    all.sort_unstable();
    let mut joined: Vec<Interval> = Vec::new();
    for interval in all {
        match joined.last_mut() {
            Some(last) if interval.start_ms <= last.end_ms => last.end_ms = last.end_ms.max(interval.end_ms),
            _ => joined.push(interval),
        }
    }
    joined
}

/// The stretches of time that are in both lists. Each list is in order, and its stretches do not touch.
pub fn overlap(one: &[Interval], other: &[Interval]) -> Vec<Interval> {
    let (mut at_one, mut at_other, mut both) = (0, 0, Vec::new());
    while let (Some(a), Some(b)) = (one.get(at_one), other.get(at_other)) {
        let common = Interval { start_ms: a.start_ms.max(b.start_ms), end_ms: a.end_ms.min(b.end_ms) };
        if common.start_ms < common.end_ms {
            both.push(common);
        }
        if a.end_ms <= b.end_ms {
            at_one += 1;
        } else {
            at_other += 1;
        }
    }
    both
}

/// How long all of the stretches are together. They do not overlap.
pub fn total_ms(intervals: &[Interval]) -> i64 {
    intervals.iter().map(|interval| interval.length_ms()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(pairs: &[[i64; 2]]) -> Vec<Interval> {
        pairs.iter().map(|pair| Interval::from(*pair)).collect()
    }

    #[test]
    fn stretches_are_joined_and_what_two_lists_have_in_common_is_found() {
        let (one, other) = (list(&[[0, 10], [20, 30]]), list(&[[5, 25], [40, 50]]));
        assert_eq!(union([one.as_slice(), other.as_slice()]), list(&[[0, 30], [40, 50]]));
        assert_eq!(overlap(&one, &other), list(&[[5, 10], [20, 25]]));
        assert_eq!(total_ms(&other), 30);
    }

    #[test]
    fn a_stretch_is_two_numbers_in_json() {
        assert_eq!(serde_json::to_string(&Interval { start_ms: 1, end_ms: 2 }).unwrap(), "[1,2]");
    }
}
