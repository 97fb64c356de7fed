//! How far the work on a session is. It is stored with each step, so that another process can go on from there.

use std::collections::BTreeMap;

use domain::audio::{Interval, overlap, total_ms, union};
use domain::call::Role;
use media::audio::SPEECH_RATE;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::order::Gap;

/// The most stretches of speech that are kept of a channel.
const MAX_STRETCHES: usize = 4_000;
/// An interruption is shorter than this when the other side only says "mm".
const INTERRUPTION_MS: i64 = 500;

/// How far the work on a session is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Progress {
    /// The piece that is expected next.
    pub(crate) next_sequence: i64,
    /// How many pieces were heard.
    pub(crate) heard: i64,
    pub(crate) tracks: BTreeMap<i64, Track>,
    /// The pieces that did not come in time.
    pub(crate) gaps: Vec<Gap>,
    /// The pieces that came too late for their place.
    pub(crate) late: Vec<i64>,
    /// The pieces that could not be decoded.
    pub(crate) unreadable: Vec<i64>,
    /// The length of the last piece.
    pub(crate) last_piece_ms: i64,
    /// How many turns the last summary and the last insights had seen.
    pub(crate) summed_up: i64,
    pub(crate) advised: i64,
    /// When the last summary and the last insights were told, in microseconds.
    pub(crate) summed_up_at: i64,
    pub(crate) advised_at: i64,
    /// The same for the last question to a model.
    pub(crate) asked_model: i64,
    pub(crate) asked_model_at: i64,
    /// The cards that were shown, by their file and line.
    pub(crate) cards: Vec<String>,
}

/// One channel. Its time is that of its own audio.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Track {
    /// How many samples were heard, and how many of them are cut into turns.
    pub(crate) samples: u64,
    pub(crate) cut: u64,
    /// Who speaks in the last piece, in the sender's word.
    pub(crate) speaker: Option<String>,
    /// Whether a stream says the words of the last piece.
    pub(crate) is_streamed: bool,
    /// The stretches of speech whose words a stream should say.
    pub(crate) held: Vec<Interval>,
    pub(crate) speech: Vec<Spoken>,
}

/// A stretch in which somebody spoke.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Spoken {
    pub(crate) at: Interval,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) role: Option<Role>,
}

/// What our own measures say about the session so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Measures {
    pub(crate) duration_ms: i64,
    pub(crate) agent_ms: i64,
    pub(crate) customer_ms: i64,
    pub(crate) silence_ms: i64,
    pub(crate) interruptions: i64,
}

impl Progress {
    pub(crate) fn read(kept: &Value) -> Self {
        serde_json::from_value(kept.clone()).unwrap_or_default()
    }

    pub(crate) fn kept(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    pub(crate) fn measures(&self) -> Measures {
        let of = |wanted: Option<Role>| {
            let lists: Vec<Vec<Interval>> = self.tracks.values().map(|track| track.of(wanted)).collect();
            union(lists.iter().map(Vec::as_slice))
        };
        let (agent, customer, unknown) = (of(Some(Role::Agent)), of(Some(Role::Customer)), of(None));
        let anybody = union([agent.as_slice(), customer.as_slice(), unknown.as_slice()]);
        let duration_ms = self.tracks.values().map(|track| ms(track.samples)).max().unwrap_or(0);
        Measures {
            duration_ms,
            agent_ms: total_ms(&agent),
            customer_ms: total_ms(&customer),
            silence_ms: (duration_ms - total_ms(&anybody)).max(0),
            interruptions: self.interruptions(),
        }
    }

    /// How often somebody began to speak while somebody in another channel spoke, and went on.
    fn interruptions(&self) -> i64 {
        let tracks: Vec<Vec<Interval>> = self.tracks.values().map(Track::all).collect();
        let mut count = 0;
        for (at, one) in tracks.iter().enumerate() {
            for other in &tracks[at + 1..] {
                let both = overlap(one, other);
                count += both.iter().filter(|both| both.length_ms() >= INTERRUPTION_MS).count();
            }
        }
        i64::try_from(count).unwrap_or(i64::MAX)
    }
}

impl Track {
    pub(crate) fn add_speech(&mut self, at: Interval, role: Option<Role>) {
        let is_full = self.speech.len() >= MAX_STRETCHES;
        match self.speech.last_mut() {
            Some(last) if last.role == role && at.start_ms <= last.at.end_ms => {
                last.at.end_ms = last.at.end_ms.max(at.end_ms);
            }
            // A session of many hours keeps its measures roughly right.
            Some(last) if is_full => last.at.end_ms = at.end_ms,
            _ => self.speech.push(Spoken { at, role }),
        }
    }

    fn of(&self, role: Option<Role>) -> Vec<Interval> {
        self.speech.iter().filter(|spoken| spoken.role == role).map(|spoken| spoken.at).collect()
    }

    fn all(&self) -> Vec<Interval> {
        let all: Vec<Interval> = self.speech.iter().map(|spoken| spoken.at).collect();
        union([all.as_slice()])
    }
}

/// The time of so many samples.
pub(crate) fn ms(samples: u64) -> i64 {
    i64::try_from(samples * 1_000 / u64::from(SPEECH_RATE)).unwrap_or(i64::MAX)
}

/// A time in seconds, as the seed gives it.
#[expect(clippy::cast_precision_loss, reason = "a call has far fewer than 2^52 milliseconds")]
pub(crate) fn seconds(ms: i64) -> f64 {
    ms as f64 / 1_000.0
}

/// How many samples there are in this time.
pub(crate) fn samples(ms: i64) -> u64 {
    u64::try_from(ms).unwrap_or_default() * u64::from(SPEECH_RATE) / 1_000
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spoken(track: &mut Track, role: Role, stretches: &[[i64; 2]]) {
        for stretch in stretches {
            track.add_speech(Interval::from(*stretch), Some(role));
        }
    }

    #[test]
    fn talk_time_silence_and_interruptions_come_from_the_sound() {
        let mut progress = Progress::default();
        let mut agent = Track { samples: samples(20_000), ..Track::default() };
        spoken(&mut agent, Role::Agent, &[[0, 5_000], [12_000, 14_000]]);
        let mut customer = Track { samples: samples(18_000), ..Track::default() };
        spoken(&mut customer, Role::Customer, &[[4_000, 11_000], [13_900, 14_100]]);
        progress.tracks.extend([(0, agent), (1, customer)]);
        let measures = progress.measures();
        assert_eq!(
            measures,
            Measures {
                duration_ms: 20_000,
                agent_ms: 7_000,
                customer_ms: 7_200,
                silence_ms: 20_000 - 11_000 - 2_100,
                interruptions: 1
            },
            "a word of a tenth of a second is no interruption"
        );
    }

    #[test]
    fn progress_that_was_kept_is_read_back_and_none_is_a_fresh_start() {
        let mut progress = Progress { heard: 3, ..Progress::default() };
        progress.tracks.insert(1, Track { samples: 5, ..Track::default() });
        assert_eq!(Progress::read(&progress.kept()), progress);
        assert_eq!(Progress::read(&Value::Null), Progress::default());
    }
}
