//! Recordings that carry the dialogue that is spoken in them.
//!
//! A simulator cannot recognise speech. So the recordings that are made here are playable WAV files with something
//! like speech where somebody speaks, and the comment of the file (`ICMT` in a RIFF `LIST`/`INFO` chunk) holds the dialogue as
//! JSON. The simulator of a speech provider reads the dialogue back from the bytes that it is sent. It can only
//! measure the length of audio that has no such comment.

pub(crate) mod reader;

use std::f64::consts::TAU;

use serde::{Deserialize, Serialize};

/// The sound has the quality of a telephone: 8 kHz, 8 bits, and so one byte a sample in each channel.
const SAMPLES_PER_SECOND: u32 = 8000;
const SILENCE: u8 = 128;
/// The longest sound that is made: four hours. The words of a longer dialogue are all there, its sound is cut.
const MAX_SOUND_MS: u64 = 4 * 60 * 60 * 1000;

/// What one speaker says without a break. The times are milliseconds from the beginning of the recording.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Utterance {
    pub speaker: String,
    pub start: u64,
    pub end: u64,
    pub text: String,
}

/// The form of the comment.
#[derive(Debug, Serialize, Deserialize)]
struct Dialogue {
    utterances: Vec<Utterance>,
    /// Who is heard in each channel. It is empty where everybody is heard in one channel.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    channels: Vec<String>,
    /// The providers that cannot decode the recording.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    undecodable_for: Vec<String>,
}

/// How a recording is made, beside what is spoken in it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sound<'a> {
    /// Who is heard in each channel. An empty list makes one channel with everybody.
    pub channels: &'a [&'a str],
    /// The names of the providers that cannot decode the recording.
    pub undecodable_for: &'a [&'a str],
}

/// Makes a playable WAV file in which `dialogue` is spoken.
pub fn recording_with(dialogue: &[Utterance]) -> Vec<u8> {
    recording_as(dialogue, &Sound::default())
}

/// Makes a playable WAV file in which `dialogue` is spoken, in this way.
#[expect(clippy::missing_panics_doc, reason = "strings and numbers can always be written as JSON")]
pub fn recording_as(dialogue: &[Utterance], as_made: &Sound<'_>) -> Vec<u8> {
    let sound = sound_for(dialogue, as_made.channels);
    let channels = u16::try_from(as_made.channels.len().max(1)).unwrap_or(1);
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let dialogue = Dialogue {
        utterances: dialogue.to_vec(),
        channels: owned(as_made.channels),
        undecodable_for: owned(as_made.undecodable_for),
    };
    let mut comment = serde_json::to_vec(&dialogue).expect("strings and numbers can be written as JSON");
    comment.push(0);

    let mut info = b"INFO".to_vec();
    write_chunk(&mut info, *b"ICMT", &comment);
    let mut format = Vec::new();
    format.extend(1_u16.to_le_bytes()); // PCM
    format.extend(channels.to_le_bytes());
    format.extend(SAMPLES_PER_SECOND.to_le_bytes());
    format.extend((SAMPLES_PER_SECOND * u32::from(channels)).to_le_bytes()); // bytes per second
    format.extend(channels.to_le_bytes()); // bytes per frame
    format.extend(8_u16.to_le_bytes()); // bits per sample

    let mut wave = b"WAVE".to_vec();
    write_chunk(&mut wave, *b"fmt ", &format);
    write_chunk(&mut wave, *b"LIST", &info);
    write_chunk(&mut wave, *b"data", &sound);
    let mut file = Vec::with_capacity(wave.len() + 8);
    write_chunk(&mut file, *b"RIFF", &wave);
    file
}

/// Writes a RIFF chunk: its name, its length, its bytes, and a zero when the length is odd.
fn write_chunk(out: &mut Vec<u8>, name: [u8; 4], bytes: &[u8]) {
    out.extend(name);
    out.extend(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes());
    out.extend(bytes);
    if bytes.len() % 2 == 1 {
        out.push(0);
    }
}

/// The samples of all channels, in turns. A speaker who is in no channel is heard in all of them.
fn sound_for(dialogue: &[Utterance], channels: &[&str]) -> Vec<u8> {
    let sample = |ms: u64| usize::try_from(ms.min(MAX_SOUND_MS) * 8).unwrap_or(usize::MAX);
    let end = dialogue.iter().map(|utterance| sample(utterance.end)).max().unwrap_or_default();
    let count = channels.len().max(1);
    let mut sound = vec![SILENCE; end * count];
    for utterance in dialogue {
        let pitch = pitch_for(&utterance.speaker);
        let own = channels.iter().position(|name| *name == utterance.speaker);
        for at in sample(utterance.start).min(end)..sample(utterance.end).min(end) {
            let voice = voice(pitch, at);
            for channel in (0..count).filter(|channel| own.is_none_or(|own| own == *channel)) {
                sound[at * count + channel] = voice;
            }
        }
    }
    sound
}

/// One sample of somebody who speaks: a buzz at the pitch of the voice, in syllables, with the two loudest resonances of
/// a mouth. It is no language, but it is speech to whoever looks for speech.
fn voice(pitch: f64, at: usize) -> u8 {
    const LOUDNESS: f64 = 40.0;
    #[expect(clippy::cast_precision_loss, reason = "a recording has far fewer than 2^52 samples")]
    let seconds = at as f64 / f64::from(SAMPLES_PER_SECOND);
    let syllable = (TAU * 4.0 * seconds).sin().max(0.0).sqrt();
    let first = 550.0 + 200.0 * (TAU * 1.3 * seconds).sin();
    let second = 1_500.0 + 400.0 * (TAU * 0.9 * seconds).sin();
    let mut sum = 0.0;
    for overtone in 1..16 {
        let frequency = pitch * f64::from(overtone);
        let near = |formant: f64, width: f64| 1.0 / (1.0 + ((frequency - formant) / width).powi(2));
        let strength = near(first, 120.0) + 0.5 * near(second, 180.0) + 0.02;
        sum += strength * (TAU * frequency * seconds).sin();
    }
    let value = f64::from(SILENCE) + (LOUDNESS * syllable * sum).clamp(-120.0, 120.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is from 8 to 248")]
    let sample = value.round() as u8;
    sample
}

/// Gives each speaker a pitch of their own, from 100 to 220 Hz.
fn pitch_for(speaker: &str) -> f64 {
    let sum: u32 = speaker.bytes().map(u32::from).sum();
    f64::from(100 + (sum * 37) % 120)
}
