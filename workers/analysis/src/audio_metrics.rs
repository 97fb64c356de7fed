//! Counts the times of a call from the sound of its recording: who is heard when, and not when a provider says that
//! somebody spoke.
//!
//! The transcript says who speaks, and the sound says when. There are two cases:
//!
//! - **A channel for each side.** A speaker belongs to the channel in which most of the speaker's segments are heard.
//!   Where a channel has one speaker, all speech in it is that speaker's. Where it has several, each of them has the parts
//!   of the channel's speech that lie in the speaker's segments.
//! - **One channel, or channels that hold the same.** A speaker has the parts of the speech that lie in the speaker's
//!   segments.
//!
//! In both cases silence is the time between the first and the last speech in which nobody is heard, in whatever channel.

use std::collections::{BTreeMap, BTreeSet};

use domain::analysis::{MeasuredFrom, Metrics};
use domain::audio::{AudioFacts, ChannelLayout, Interval, overlap, total_ms, union};
use domain::call::Role;
use domain::transcript::Transcript;

use crate::metrics::{self, Timed};

/// Two speakers must be heard together for so long before one of them interrupts the other.
const INTERRUPTION_MS: i64 = 200;
/// A shorter word of another speaker, such as "yes", does not end a monologue.
const INTERJECTION_MS: i64 = 500;
/// How much of what the transcript calls speech must be heard. Otherwise the two do not belong together.
const HEARD_SHARE: f64 = 0.5;

/// Computes the metrics of a call from what was measured in its recording. The words and the questions are those of the
/// transcript. `None` where the sound does not tell who speaks, or where it does not belong to the transcript.
pub fn metrics_from_audio(facts: &AudioFacts, transcript: &Transcript) -> Option<Metrics> {
    let said: Vec<Timed> = transcript.segments.iter().filter_map(Timed::of).collect();
    let speakers = Speaker::all(&said);
    let all = union(facts.channels.iter().map(|channel| channel.speech.as_slice()));
    if speakers.is_empty() || all.is_empty() {
        return None;
    }
    let heard = match facts.layout {
        ChannelLayout::Separate => by_channel(facts, &speakers),
        ChannelLayout::Mono | ChannelLayout::Mixed => {
            speakers.iter().map(|speaker| overlap(&speaker.said, &all)).collect()
        }
    };
    if !belong_together(&speakers, &all) {
        return None;
    }
    let mut timed: Vec<Timed> = speakers.iter().zip(&heard).flat_map(|(of, heard)| of.timed(heard)).collect();
    timed.sort_by_key(|stretch| (stretch.start, stretch.end));
    let counted = metrics::compute(transcript);
    Some(Metrics {
        talk_ms: metrics::talk(&timed),
        silence_ms: silence_ms(&all),
        interruptions: interruptions(&timed),
        talk_ratio: metrics::talk_ratio(&timed),
        longest_monologue_ms: metrics::longest_monologue(&without_interjections(timed)),
        measured_from: MeasuredFrom::Audio,
        ..counted
    })
}

/// A speaker, and when the transcript says that the speaker talks.
struct Speaker {
    name: String,
    role: Option<Role>,
    said: Vec<Interval>,
}

impl Speaker {
    fn all(said: &[Timed]) -> Vec<Self> {
        let mut speakers: BTreeMap<&str, (Option<Role>, Vec<Interval>)> = BTreeMap::new();
        for segment in said {
            let (role, of_speaker) = speakers.entry(&segment.speaker).or_default();
            *role = role.or(segment.role);
            of_speaker.push(Interval { start_ms: segment.start, end_ms: segment.end });
        }
        let speaker = |(name, (role, said)): (&str, (Option<Role>, Vec<Interval>))| Self {
            name: name.to_owned(),
            role,
            said: union([said.as_slice()]),
        };
        speakers.into_iter().map(speaker).collect()
    }

    fn timed(&self, heard: &[Interval]) -> Vec<Timed> {
        let timed = |stretch: &Interval| Timed {
            speaker: self.name.clone(),
            role: self.role,
            start: stretch.start_ms,
            end: stretch.end_ms,
        };
        heard.iter().map(timed).collect()
    }
}

/// When each speaker is heard, where the sides have channels of their own.
fn by_channel(facts: &AudioFacts, speakers: &[Speaker]) -> Vec<Vec<Interval>> {
    let of_speaker: Vec<usize> = speakers.iter().map(|speaker| channel_of(facts, speaker)).collect();
    let shared: BTreeSet<usize> = of_speaker
        .iter()
        .enumerate()
        .filter(|(at, channel)| of_speaker[..*at].contains(channel))
        .map(|(_, channel)| *channel)
        .collect();
    let heard = |(speaker, channel): (&Speaker, &usize)| {
        let speech =
            facts.channels.get(*channel).map(|channel| channel.speech.as_slice()).unwrap_or_default();
        if shared.contains(channel) { overlap(&speaker.said, speech) } else { speech.to_vec() }
    };
    speakers.iter().zip(&of_speaker).map(heard).collect()
}

/// The channel in which the speaker's segments are heard most. A channel counts what is heard in it alone, because a
/// voice can be heard faintly in the channel of the other side.
fn channel_of(facts: &AudioFacts, speaker: &Speaker) -> usize {
    let heard_alone = |at: usize| {
        let speech = &facts.channels[at].speech;
        let others = facts.channels.iter().enumerate().filter(|(other, _)| *other != at);
        let others = union(others.map(|(_, channel)| channel.speech.as_slice()));
        let heard = overlap(&speaker.said, speech);
        2 * total_ms(&heard) - total_ms(&overlap(&heard, &others))
    };
    // Of channels in which nothing of the speaker is heard, the first counts.
    (0..facts.channels.len()).max_by_key(|at| (heard_alone(*at), std::cmp::Reverse(*at))).unwrap_or_default()
}

#[expect(clippy::cast_precision_loss, reason = "a share needs no exact milliseconds")]
fn belong_together(speakers: &[Speaker], all: &[Interval]) -> bool {
    let said = union(speakers.iter().map(|speaker| speaker.said.as_slice()));
    let said_ms = total_ms(&said);
    said_ms > 0 && total_ms(&overlap(&said, all)) as f64 >= said_ms as f64 * HEARD_SHARE
}

fn silence_ms(speech: &[Interval]) -> i64 {
    speech.windows(2).map(|pair| (pair[1].start_ms - pair[0].end_ms).max(0)).sum()
}

/// How many stretches begin while another speaker is heard, and are heard together with that speaker for some time.
fn interruptions(timed: &[Timed]) -> u32 {
    let mut count = 0;
    let mut latest: Option<&Timed> = None;
    for stretch in timed {
        let interrupts = latest.is_some_and(|latest| {
            let together = latest.end.min(stretch.end) - stretch.start;
            latest.speaker != stretch.speaker && latest.start < stretch.start && together >= INTERRUPTION_MS
        });
        count += u32::from(interrupts);
        if latest.is_none_or(|latest| stretch.end > latest.end) {
            latest = Some(stretch);
        }
    }
    count
}

fn without_interjections(timed: Vec<Timed>) -> Vec<Timed> {
    let long: Vec<Timed> =
        timed.iter().filter(|stretch| stretch.length() >= INTERJECTION_MS).cloned().collect();
    if long.is_empty() { timed } else { long }
}

#[cfg(test)]
mod tests {
    use domain::audio::ChannelFacts;
    use domain::transcript::Segment;

    use super::*;

    fn facts(layout: ChannelLayout, channels: &[&[[i64; 2]]]) -> AudioFacts {
        let channel = |speech: &&[[i64; 2]]| {
            let speech: Vec<Interval> = speech.iter().map(|pair| Interval::from(*pair)).collect();
            ChannelFacts { speech_ms: total_ms(&speech), speech, ..ChannelFacts::default() }
        };
        AudioFacts {
            container: "wav".into(),
            codec: "mulaw".into(),
            sample_rate: 8_000,
            duration_ms: 60_000,
            layout,
            channels: channels.iter().map(channel).collect(),
            speech_ms: 0,
            silence_ms: 0,
            notes: Vec::new(),
        }
    }

    fn transcript(segments: &[(&str, Option<Role>, i64, i64)]) -> Transcript {
        let segment = |(speaker, role, start, end): &(&str, Option<Role>, i64, i64)| Segment {
            id: 0,
            speaker: Some((*speaker).into()),
            role: *role,
            start_ms: Some(*start),
            end_ms: Some(*end),
            text: "Is it so?".into(),
            confidence: None,
        };
        let segments = segments.iter().map(segment).collect();
        Transcript { segments, ..Transcript::default() }.numbered()
    }

    #[test]
    fn with_a_channel_for_each_side_the_sound_says_how_long_each_side_talks() {
        let facts = facts(
            ChannelLayout::Separate,
            &[&[[1_000, 6_000], [9_000, 12_000]], &[[5_500, 8_000], [10_000, 10_300]]],
        );
        let said = transcript(&[
            ("Dana", Some(Role::Agent), 900, 6_500),
            ("Guest", Some(Role::Customer), 5_400, 8_900),
            ("Dana", Some(Role::Agent), 8_900, 12_000),
        ]);
        let found = metrics_from_audio(&facts, &said).unwrap();
        assert_eq!(found.measured_from, MeasuredFrom::Audio);
        assert_eq!((found.talk_ms["Dana"], found.talk_ms["Guest"]), (8_000, 2_800));
        assert_eq!((found.silence_ms, found.interruptions), (1_000, 2));
        assert_eq!(found.longest_monologue_ms, 5_000);
        assert_eq!((found.words, found.questions), (9, 3));
        assert!((found.talk_ratio.unwrap() - 8_000.0 / 10_800.0).abs() < 1e-9);
    }

    #[test]
    fn two_speakers_on_one_channel_share_its_speech_by_their_segments() {
        let facts = facts(ChannelLayout::Separate, &[&[[0, 4_000], [8_000, 10_000]], &[[4_500, 7_500]]]);
        let said =
            transcript(&[("Ann", None, 0, 4_400), ("Cid", None, 4_400, 7_900), ("Bob", None, 7_900, 10_000)]);
        let found = metrics_from_audio(&facts, &said).unwrap();
        assert_eq!((found.talk_ms["Ann"], found.talk_ms["Bob"], found.talk_ms["Cid"]), (4_000, 2_000, 3_000));
    }

    #[test]
    fn on_one_channel_segments_are_cut_to_what_is_heard_and_silence_is_what_nobody_hears() {
        let facts = facts(ChannelLayout::Mono, &[&[[500, 2_000], [4_000, 6_000]]]);
        let said = transcript(&[("A", None, 0, 3_000), ("B", None, 3_000, 7_000)]);
        let found = metrics_from_audio(&facts, &said).unwrap();
        assert_eq!(
            (found.talk_ms["Speaker A"], found.talk_ms["Speaker B"], found.silence_ms),
            (1_500, 2_000, 2_000)
        );
        assert_eq!(found.interruptions, 0);
    }

    #[test]
    fn sound_that_does_not_belong_to_the_transcript_measures_nothing() {
        let far_away = facts(ChannelLayout::Mono, &[&[[40_000, 50_000]]]);
        assert_eq!(metrics_from_audio(&far_away, &transcript(&[("A", None, 0, 9_000)])), None);
        let silent = facts(ChannelLayout::Mono, &[&[]]);
        assert_eq!(metrics_from_audio(&silent, &transcript(&[("A", None, 0, 9_000)])), None);
        let without_times = Transcript::default();
        assert_eq!(metrics_from_audio(&far_away, &without_times), None);
    }
}
