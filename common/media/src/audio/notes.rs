//! What is odd about a recording, in words for a person.

use domain::audio::{AudioFacts, ChannelLayout};
use domain::note::Note;

use super::decode::Ended;

/// A recording that is shorter holds no conversation.
const SHORT_MS: i64 = 3_000;
/// Speech that is quieter is hard to understand, in dB below full scale.
const QUIET_DBFS: f64 = -45.0;
/// A channel whose highest sample is lower holds nothing, from 0 to 1: 60 dB below full scale.
const DEAD_PEAK: f64 = 0.001;
/// From which share of the samples on clipping is heard.
const CLIPPED_SHARE: f64 = 0.001;
/// How long music must play before it is worth a note.
const MUSIC_MS: i64 = 5_000;

/// What is known beside the facts.
pub(super) struct Seen<'s> {
    pub(super) ended: Ended,
    /// For each channel, which share of its samples is clipped.
    pub(super) clipped: &'s [f64],
    pub(super) is_same: bool,
    pub(super) is_merged: bool,
}

pub(super) fn notes(facts: &AudioFacts, seen: &Seen<'_>) -> Vec<Note> {
    let mut notes = Vec::new();
    let mut note = |applies: bool, code: &str, text: String| {
        if applies {
            notes.push(Note::new(code, text).of_field("audio"));
        }
    };
    let length = seconds(facts.duration_ms);
    note(
        seen.ended.is_cut,
        "audio_cut_short",
        format!("The file ends before the recording does: {length} of it are there."),
    );
    note(
        seen.ended.is_too_long,
        "audio_too_long",
        "The recording is longer than a day. Only its first day was measured.".to_owned(),
    );
    let damaged = seen.ended.damaged;
    note(damaged > 0, "audio_damaged", format!("{damaged} packets of the recording could not be decoded."));
    note(facts.duration_ms < SHORT_MS, "audio_too_short", format!("The recording is only {length} long."));
    let is_dead = |peak: f64| peak < DEAD_PEAK;
    let all_are_dead = facts.channels.iter().all(|channel| is_dead(channel.peak));
    note(all_are_dead, "audio_silent", "The recording is silent.".to_owned());
    note(
        !all_are_dead && facts.speech_ms == 0,
        "audio_no_speech",
        "No speech was found in the recording.".to_owned(),
    );
    note(
        seen.is_same,
        "audio_same_channels",
        "All channels hold the same sound, so they do not tell the speakers apart.".to_owned(),
    );
    for (number, channel) in (1..).zip(&facts.channels) {
        let name = match facts.layout {
            ChannelLayout::Mono => "The recording".to_owned(),
            _ => format!("Channel {number}"),
        };
        note(
            !all_are_dead && is_dead(channel.peak),
            "audio_dead_channel",
            format!("{name} is silent from its beginning to its end."),
        );
        let clipped = seen.clipped.get(number - 1).copied().unwrap_or_default();
        note(
            clipped > CLIPPED_SHARE,
            "audio_clipped",
            format!("{name} was recorded too loud: {:.1} % of its samples are cut off.", clipped * 100.0),
        );
        let level = channel.speech_dbfs.filter(|level| *level < QUIET_DBFS);
        note(
            level.is_some(),
            "audio_too_quiet",
            format!("{name} is very quiet: its speech has {:.0} dB.", level.unwrap_or_default()),
        );
        note(
            channel.music_ms >= MUSIC_MS,
            "audio_music_on_hold",
            format!("{name} holds {} of music, which is not counted as speech.", seconds(channel.music_ms)),
        );
    }
    note(
        seen.is_merged,
        "audio_intervals_merged",
        "The recording has very many stretches of speech, so short pauses between them are not kept."
            .to_owned(),
    );
    notes
}

fn seconds(ms: i64) -> String {
    match ms / 1_000 {
        0 => format!("{ms} ms"),
        1 => "1 second".to_owned(),
        seconds @ 2..=119 => format!("{seconds} seconds"),
        seconds => format!("{} minutes", seconds / 60),
    }
}
