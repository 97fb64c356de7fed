//! Reads the dialogue out of audio that arrives in pieces. It keeps the comment and never the sound.

use super::{Dialogue, Utterance};

/// The longest chunk that is kept whole. A longer comment is not read.
const MAX_KEPT_CHUNK_BYTES: usize = 4 * 1024 * 1024;
/// The rate that is assumed of audio in an unknown format: 64 kbit/s.
const BYTES_PER_SECOND: u64 = 8000;

#[derive(Debug, Default)]
pub(crate) struct DialogueReader {
    /// The number of bytes that have arrived.
    arrived: u64,
    /// The bytes so far of a header, or of a chunk that is kept.
    pending: Vec<u8>,
    state: State,
    /// The rate that the file itself names.
    bytes_per_second: Option<u64>,
    /// The length of the sound that the file itself names.
    sound_bytes: u64,
    dialogue: Option<Dialogue>,
}

/// What the next bytes belong to.
#[derive(Debug, Default, Clone, Copy)]
enum State {
    /// The 12 bytes with which the file begins: `RIFF`, the length, `WAVE`.
    #[default]
    FileHeader,
    /// The 8 bytes with which a chunk begins.
    ChunkHeader,
    /// A chunk that is kept whole.
    Kept { name: [u8; 4], bytes: usize },
    /// A chunk that is skipped.
    Skipped { left: u64 },
    /// A file that is not a RIFF file, or that cannot be followed further.
    Unknown,
}

impl DialogueReader {
    /// Reads the next piece of the audio.
    pub(crate) fn read(&mut self, mut bytes: &[u8]) {
        self.arrived += bytes.len() as u64;
        while !bytes.is_empty() {
            let wanted = match self.state {
                State::FileHeader => 12,
                State::ChunkHeader => 8,
                State::Kept { bytes, .. } => bytes,
                State::Skipped { left } => {
                    let step = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                    bytes = &bytes[step..];
                    let left = left - step as u64;
                    self.state = if left == 0 { State::ChunkHeader } else { State::Skipped { left } };
                    continue;
                }
                State::Unknown => return,
            };
            let step = (wanted - self.pending.len()).min(bytes.len());
            self.pending.extend(&bytes[..step]);
            bytes = &bytes[step..];
            if self.pending.len() == wanted {
                let whole = std::mem::take(&mut self.pending);
                self.state = self.next_state(&whole);
            }
        }
    }

    /// Takes a header or a kept chunk that is now complete, and returns the next state.
    fn next_state(&mut self, whole: &[u8]) -> State {
        match self.state {
            State::FileHeader if whole.starts_with(b"RIFF") && whole.ends_with(b"WAVE") => State::ChunkHeader,
            State::ChunkHeader => {
                let (name, length) = chunk_header(whole);
                let padded = u64::from(length) + u64::from(length % 2);
                if name == *b"data" {
                    self.sound_bytes += u64::from(length);
                }
                match usize::try_from(padded) {
                    Ok(bytes) if [*b"fmt ", *b"LIST"].contains(&name) && bytes <= MAX_KEPT_CHUNK_BYTES => {
                        State::Kept { name, bytes }
                    }
                    _ => State::Skipped { left: padded },
                }
                .unless_empty()
            }
            State::Kept { name, .. } => {
                if name == *b"fmt " {
                    let rate = whole.get(8..12).and_then(|bytes| bytes.try_into().ok());
                    self.bytes_per_second = rate.map(|bytes| u64::from(u32::from_le_bytes(bytes)));
                } else if let Some(dialogue) = dialogue_in(whole) {
                    self.dialogue = Some(dialogue);
                }
                State::ChunkHeader
            }
            _ => State::Unknown,
        }
    }

    /// Returns the length of the audio, from the header of the file or else from its size.
    pub(crate) fn duration_ms(&self) -> u64 {
        match self.bytes_per_second {
            // The header names a greater length than has arrived when the file was cut or was written as a stream.
            Some(rate) if rate > 0 && self.sound_bytes > 0 => {
                self.sound_bytes.min(self.arrived) * 1000 / rate
            }
            _ => self.arrived * 1000 / BYTES_PER_SECOND,
        }
    }

    /// Who is heard in each channel. It is empty where everybody is heard in one channel.
    pub(crate) fn channels(&self) -> Vec<String> {
        self.dialogue.as_ref().map(|dialogue| dialogue.channels.clone()).unwrap_or_default()
    }

    /// Whether this provider cannot decode the recording.
    pub(crate) fn is_undecodable_for(&self, provider: &str) -> bool {
        self.dialogue
            .as_ref()
            .is_some_and(|dialogue| dialogue.undecodable_for.iter().any(|name| name == provider))
    }

    /// Returns the dialogue that the audio carries, or else one sentence that says how long the audio is.
    pub(crate) fn utterances(self) -> Vec<Utterance> {
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
    /// Goes on to the next header when the chunk has no bytes.
    fn unless_empty(self) -> Self {
        match self {
            Self::Kept { bytes: 0, .. } | Self::Skipped { left: 0 } => Self::ChunkHeader,
            other => other,
        }
    }
}

/// Returns the name and the length with which a chunk begins.
fn chunk_header(bytes: &[u8]) -> ([u8; 4], u32) {
    let mut name = [0; 4];
    let mut length = [0; 4];
    name.copy_from_slice(&bytes[..4]);
    length.copy_from_slice(&bytes[4..8]);
    (name, u32::from_le_bytes(length))
}

/// Returns the dialogue in a `LIST` chunk, if there is one.
fn dialogue_in(list: &[u8]) -> Option<Dialogue> {
    let mut rest = list.strip_prefix(b"INFO")?;
    while rest.len() >= 8 {
        let (name, length) = chunk_header(rest);
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
    use super::super::recording_with;
    use super::*;

    fn utterance(speaker: &str, start: u64, end: u64, text: &str) -> Utterance {
        Utterance { speaker: speaker.to_owned(), start, end, text: text.to_owned() }
    }

    #[test]
    fn the_dialogue_of_a_recording_is_read_again_in_pieces_of_any_size() {
        let dialogue =
            vec![utterance("A", 0, 900, "Hello."), utterance("B", 1000, 2501, "Ünïcode, \"quoted\".")];
        let file = recording_with(&dialogue);
        for size in [1, 7, 4096, file.len()] {
            let mut reader = DialogueReader::default();
            file.chunks(size).for_each(|piece| reader.read(piece));
            assert_eq!(reader.duration_ms(), 2501);
            assert_eq!(reader.utterances(), dialogue);
        }
    }

    #[test]
    fn audio_without_a_dialogue_is_only_measured() {
        let mut reader = DialogueReader::default();
        reader.read(&vec![0xff; 16_000]);
        let utterances = reader.utterances();
        assert_eq!(utterances[0].text, "This recording has 2.0 seconds of audio.");
        assert_eq!((utterances.len(), utterances[0].end), (1, 2000));
    }

    #[test]
    fn a_file_with_wrong_lengths_does_no_harm() {
        let mut file = recording_with(&[utterance("A", 0, 10, "Hi.")]);
        for at in 0..file.len() {
            let mut broken = file.clone();
            broken[at] = 0xff;
            let mut reader = DialogueReader::default();
            reader.read(&broken);
            assert_eq!(reader.utterances().len(), 1);
        }
        file.truncate(30);
        let mut reader = DialogueReader::default();
        reader.read(&file);
        assert_eq!(reader.utterances().len(), 1);
    }
}
