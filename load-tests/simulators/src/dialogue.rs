//! Recordings that carry the dialogue that is spoken in them.
//!
//! A simulator cannot recognise speech. So the recordings that are made here are playable WAV files with a quiet tone
//! where somebody speaks, and the comment of the file (`ICMT` in a RIFF `LIST`/`INFO` chunk) holds the dialogue as
//! JSON. The simulator of a speech provider reads the dialogue back from the bytes that it is sent. It can only
//! measure the length of audio that has no such comment.

pub(crate) mod reader;

use std::f64::consts::TAU;

use serde::{Deserialize, Serialize};

/// The sound has the quality of a telephone: 8 kHz, 8 bits, one channel, and so one byte a sample.
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
}

/// Makes a playable WAV file in which `dialogue` is spoken.
#[expect(clippy::missing_panics_doc, reason = "strings and numbers can always be written as JSON")]
pub fn recording_with(dialogue: &[Utterance]) -> Vec<u8> {
    let sound = sound_for(dialogue);
    let dialogue = Dialogue { utterances: dialogue.to_vec() };
    let mut comment = serde_json::to_vec(&dialogue).expect("strings and numbers can be written as JSON");
    comment.push(0);

    let mut info = b"INFO".to_vec();
    write_chunk(&mut info, *b"ICMT", &comment);
    let mut format = Vec::new();
    format.extend(1_u16.to_le_bytes()); // PCM
    format.extend(1_u16.to_le_bytes()); // channels
    format.extend(SAMPLES_PER_SECOND.to_le_bytes());
    format.extend(SAMPLES_PER_SECOND.to_le_bytes()); // bytes per second
    format.extend(1_u16.to_le_bytes()); // bytes per frame
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

fn sound_for(dialogue: &[Utterance]) -> Vec<u8> {
    let sample = |ms: u64| usize::try_from(ms.min(MAX_SOUND_MS) * 8).unwrap_or(usize::MAX);
    let end = dialogue.iter().map(|utterance| sample(utterance.end)).max().unwrap_or_default();
    let mut sound = vec![SILENCE; end];
    for utterance in dialogue {
        let pitch = pitch_for(&utterance.speaker);
        let range = sample(utterance.start).min(end)..sample(utterance.end);
        let Some(part) = sound.get_mut(range) else { continue };
        for (at, value) in (0_u32..).zip(part) {
            let wave = (TAU * pitch * f64::from(at) / f64::from(SAMPLES_PER_SECOND)).sin();
            *value = if wave >= 0.0 { SILENCE + 6 } else { SILENCE - 6 };
        }
    }
    sound
}

/// Gives each speaker a tone of their own, from 120 to 320 Hz.
fn pitch_for(speaker: &str) -> f64 {
    let sum: u32 = speaker.bytes().map(u32::from).sum();
    f64::from(120 + (sum * 37) % 200)
}
