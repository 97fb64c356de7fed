//! Recordings that carry what is said in them.
//!
//! A simulator cannot recognise speech. So a recording made here is a playable WAV file, with a quiet tone
//! where somebody speaks, whose comment (`ICMT` in a RIFF `LIST`/`INFO` chunk) holds the spoken dialogue as
//! JSON, and the speech-to-text simulator reads it back from the bytes it was sent. Audio without
//! such a comment is only measured.

use std::f64::consts::TAU;

use serde::{Deserialize, Serialize};

/// 8 kHz, 8 bits, one channel: a telephone's quality, one byte a sample.
const SAMPLES_PER_SECOND: u32 = 8000;
const SILENCE: u8 = 128;
/// Four hours. A dialogue that claims to be longer is cut in its sound, not in its words.
const MAX_SOUND_MS: u64 = 4 * 60 * 60 * 1000;
/// A comment beyond this is not read.
const MAX_LIST_BYTES: usize = 4 * 1024 * 1024;
/// What audio of an unknown format is taken to need: 64 kbit/s.
const BYTES_PER_SECOND: u64 = 8000;

/// What one speaker says in one go. Times are milliseconds from the beginning of the recording.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Utterance {
    pub speaker: String,
    pub start: u64,
    pub end: u64,
    pub text: String,
}

#[derive(Serialize, Deserialize)]
struct Dialogue {
    utterances: Vec<Utterance>,
}

/// A playable WAV file in which `dialogue` is spoken.
#[expect(clippy::missing_panics_doc, reason = "strings and numbers can always be written as JSON")]
pub fn recording_with(dialogue: &[Utterance]) -> Vec<u8> {
    let sound = sound_of(dialogue);
    let dialogue = Dialogue { utterances: dialogue.to_vec() };
    let mut comment = serde_json::to_vec(&dialogue).expect("strings and numbers can be written as JSON");
    comment.push(0);

    let mut info = b"INFO".to_vec();
    chunk(&mut info, *b"ICMT", &comment);
    let mut format = Vec::new();
    format.extend(1_u16.to_le_bytes()); // PCM
    format.extend(1_u16.to_le_bytes()); // channels
    format.extend(SAMPLES_PER_SECOND.to_le_bytes());
    format.extend(SAMPLES_PER_SECOND.to_le_bytes()); // bytes per second
    format.extend(1_u16.to_le_bytes()); // bytes per frame
    format.extend(8_u16.to_le_bytes()); // bits per sample

    let mut wave = b"WAVE".to_vec();
    chunk(&mut wave, *b"fmt ", &format);
    chunk(&mut wave, *b"LIST", &info);
    chunk(&mut wave, *b"data", &sound);
    let mut file = Vec::with_capacity(wave.len() + 8);
    chunk(&mut file, *b"RIFF", &wave);
    file
}

/// A RIFF chunk: its name, its length, its bytes, and a zero where the length is odd.
fn chunk(out: &mut Vec<u8>, name: [u8; 4], bytes: &[u8]) {
    out.extend(name);
    out.extend(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes());
    out.extend(bytes);
    if bytes.len() % 2 == 1 {
        out.push(0);
    }
}

fn sound_of(dialogue: &[Utterance]) -> Vec<u8> {
    let sample = |ms: u64| usize::try_from(ms.min(MAX_SOUND_MS) * 8).unwrap_or(usize::MAX);
    let end = dialogue.iter().map(|utterance| sample(utterance.end)).max().unwrap_or_default();
    let mut sound = vec![SILENCE; end];
    for utterance in dialogue {
        let pitch = pitch_of(&utterance.speaker);
        let range = sample(utterance.start).min(end)..sample(utterance.end);
        let Some(part) = sound.get_mut(range) else { continue };
        for (at, value) in (0_u32..).zip(part) {
            let wave = (TAU * pitch * f64::from(at) / f64::from(SAMPLES_PER_SECOND)).sin();
            *value = if wave >= 0.0 { SILENCE + 6 } else { SILENCE - 6 };
        }
    }
    sound
}

/// Each speaker hums in a voice of their own, 120 to 320 Hz.
fn pitch_of(speaker: &str) -> f64 {
    let sum: u32 = speaker.bytes().map(u32::from).sum();
    f64::from(120 + (sum * 37) % 200)
}

/// What a listener makes of audio that arrives in pieces. It keeps the comment, never the sound.
#[derive(Debug, Default)]
pub(crate) struct Listener {
    seen: u64,
    /// Bytes of the current chunk header or of a chunk that is kept.
    pending: Vec<u8>,
    state: State,
    bytes_per_second: Option<u64>,
    sound_bytes: u64,
    dialogue: Option<Dialogue>,
}

#[derive(Debug, Default, Clone, Copy)]
enum State {
    /// Before the 12 bytes `RIFF`, length, `WAVE`.
    #[default]
    Start,
    /// Before the 8 bytes of a chunk's header.
    Header,
    /// Within a chunk whose bytes are wanted whole.
    Keep {
        name: [u8; 4],
        bytes: usize,
    },
    Skip {
        left: u64,
    },
    /// No RIFF file, or none that can be followed further.
    Unknown,
}

impl std::fmt::Debug for Dialogue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Dialogue of {}", self.utterances.len())
    }
}

impl Listener {
    pub(crate) fn hear(&mut self, mut bytes: &[u8]) {
        self.seen += bytes.len() as u64;
        while !bytes.is_empty() {
            let wanted = match self.state {
                State::Start => 12,
                State::Header => 8,
                State::Keep { bytes, .. } => bytes,
                State::Skip { left } => {
                    let step = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                    bytes = &bytes[step..];
                    let left = left - step as u64;
                    self.state = if left == 0 { State::Header } else { State::Skip { left } };
                    continue;
                }
                State::Unknown => return,
            };
            let step = (wanted - self.pending.len()).min(bytes.len());
            self.pending.extend(&bytes[..step]);
            bytes = &bytes[step..];
            if self.pending.len() == wanted {
                let whole = std::mem::take(&mut self.pending);
                self.state = self.follow(&whole);
            }
        }
    }

    fn follow(&mut self, whole: &[u8]) -> State {
        match self.state {
            State::Start if whole.starts_with(b"RIFF") && whole.ends_with(b"WAVE") => State::Header,
            State::Header => {
                let (name, length) = header_of(whole);
                let padded = u64::from(length) + u64::from(length % 2);
                if name == *b"data" {
                    self.sound_bytes += u64::from(length);
                }
                match usize::try_from(padded) {
                    Ok(bytes) if [*b"fmt ", *b"LIST"].contains(&name) && bytes <= MAX_LIST_BYTES => {
                        State::Keep { name, bytes }
                    }
                    _ => State::Skip { left: padded },
                }
                .unless_empty()
            }
            State::Keep { name, .. } => {
                if name == *b"fmt " {
                    let rate = whole.get(8..12).and_then(|bytes| bytes.try_into().ok());
                    self.bytes_per_second = rate.map(|bytes| u64::from(u32::from_le_bytes(bytes)));
                } else if let Some(dialogue) = comment_of(whole) {
                    self.dialogue = Some(dialogue);
                }
                State::Header
            }
            _ => State::Unknown,
        }
    }

    /// How long the audio is, from its own header or else from its size.
    pub(crate) fn duration_ms(&self) -> u64 {
        match self.bytes_per_second {
            // A length in the header beyond what arrived is a file that was cut, or a stream's placeholder.
            Some(rate) if rate > 0 && self.sound_bytes > 0 => self.sound_bytes.min(self.seen) * 1000 / rate,
            _ => self.seen * 1000 / BYTES_PER_SECOND,
        }
    }

    /// What was said: the dialogue that the audio carries, else one sentence about its length.
    pub(crate) fn heard(self) -> Vec<Utterance> {
        let end = self.duration_ms();
        match self.dialogue {
            Some(dialogue) => dialogue.utterances,
            None => vec![Utterance {
                speaker: "A".to_owned(),
                start: 0,
                end,
                text: format!("This recording has {}.{} seconds of audio.", end / 1000, end % 1000 / 100),
            }],
        }
    }
}

impl State {
    fn unless_empty(self) -> Self {
        match self {
            Self::Keep { bytes: 0, .. } | Self::Skip { left: 0 } => Self::Header,
            other => other,
        }
    }
}

fn header_of(bytes: &[u8]) -> ([u8; 4], u32) {
    let mut name = [0; 4];
    let mut length = [0; 4];
    name.copy_from_slice(&bytes[..4]);
    length.copy_from_slice(&bytes[4..8]);
    (name, u32::from_le_bytes(length))
}

/// The dialogue in a `LIST` chunk, where it has one.
fn comment_of(list: &[u8]) -> Option<Dialogue> {
    let mut rest = list.strip_prefix(b"INFO")?;
    while rest.len() >= 8 {
        let (name, length) = header_of(rest);
        let length = usize::try_from(length).ok()?;
        let body = rest.get(8..8 + length)?;
        if name == *b"ICMT" {
            let text = body.split(|byte| *byte == 0).next()?;
            return serde_json::from_slice(text).ok();
        }
        rest = rest.get(8 + length + length % 2..)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(speaker: &str, start: u64, end: u64, text: &str) -> Utterance {
        Utterance { speaker: speaker.to_owned(), start, end, text: text.to_owned() }
    }

    #[test]
    fn what_is_put_into_a_recording_is_heard_again_however_it_is_cut() {
        let dialogue = vec![said("A", 0, 900, "Hello."), said("B", 1000, 2501, "Ünïcode, \"quoted\".")];
        let file = recording_with(&dialogue);
        for size in [1, 7, 4096, file.len()] {
            let mut listener = Listener::default();
            file.chunks(size).for_each(|piece| listener.hear(piece));
            assert_eq!(listener.duration_ms(), 2501);
            assert_eq!(listener.heard(), dialogue);
        }
    }

    #[test]
    fn audio_without_words_is_only_measured() {
        let mut listener = Listener::default();
        listener.hear(&vec![0xff; 16_000]);
        let heard = listener.heard();
        assert_eq!(heard[0].text, "This recording has 2.0 seconds of audio.");
        assert_eq!((heard.len(), heard[0].end), (1, 2000));
    }

    #[test]
    fn a_file_that_lies_about_its_lengths_is_no_danger() {
        let mut file = recording_with(&[said("A", 0, 10, "Hi.")]);
        for at in 0..file.len() {
            let mut broken = file.clone();
            broken[at] = 0xff;
            let mut listener = Listener::default();
            listener.hear(&broken);
            assert_eq!(listener.heard().len(), 1);
        }
        file.truncate(30);
        let mut listener = Listener::default();
        listener.hear(&file);
        assert_eq!(listener.heard().len(), 1);
    }
}
