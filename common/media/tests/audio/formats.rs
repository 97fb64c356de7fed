//! The small files of `test-data/audio`: each holds a tone of 440 Hz on the left and one of 880 Hz on the right.

use std::io::Cursor;
use std::path::PathBuf;

use media::audio::raw::{Encoding, Raw};
use media::audio::{AudioError, Decoder, Ended};

fn bytes(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("test-data/audio").join(name);
    std::fs::read(path).unwrap()
}

/// What was decoded: the samples of each channel with their rate, and how the file ended.
struct Heard {
    rate: u32,
    channels: Vec<Vec<f32>>,
    ended: Ended,
}

impl Heard {
    fn seconds(&self) -> f64 {
        let frames = self.channels.first().map_or(0, Vec::len);
        frames as f64 / f64::from(self.rate.max(1))
    }

    /// The frequency of a channel, from how often it passes zero.
    fn frequency(&self, channel: usize) -> f64 {
        let samples = &self.channels[channel];
        let inner = &samples[samples.len() / 10..samples.len() * 9 / 10];
        let passes = inner.windows(2).filter(|pair| (pair[0] < 0.0) != (pair[1] < 0.0)).count();
        passes as f64 / 2.0 / (inner.len() as f64 / f64::from(self.rate))
    }
}

fn heard(mut decoder: Decoder) -> Heard {
    let mut heard = Heard { rate: 0, channels: Vec::new(), ended: Ended::default() };
    while let Some(block) = decoder.next_block().unwrap() {
        heard.rate = block.sample_rate;
        heard.channels.resize(block.channels.len(), Vec::new());
        for (all, new) in heard.channels.iter_mut().zip(&block.channels) {
            all.extend(new);
        }
    }
    heard.ended = decoder.ended();
    heard
}

#[track_caller]
fn decode(bytes: Vec<u8>) -> Heard {
    heard(Decoder::open(Cursor::new(bytes)).unwrap())
}

const FILES: [(&str, &str, &str, f64); 25] = [
    ("pcm_u8.wav", "wav", "pcm_8", 0.2),
    ("pcm_s16le.wav", "wav", "pcm_16", 0.2),
    ("pcm_s24le.wav", "wav", "pcm_24", 0.2),
    ("pcm_s32le.wav", "wav", "pcm_32", 0.2),
    ("pcm_f32le.wav", "wav", "pcm_float", 0.2),
    ("pcm_f64le.wav", "wav", "pcm_float", 0.2),
    ("pcm_mulaw.wav", "wav", "mulaw", 0.2),
    ("pcm_alaw.wav", "wav", "alaw", 0.2),
    ("adpcm_ms.wav", "wav", "adpcm", 0.2),
    ("adpcm_ima_wav.wav", "wav", "adpcm", 0.2),
    ("pcm.aiff", "aiff", "pcm_16", 0.2),
    ("mulaw.au", "au", "mulaw", 0.2),
    ("pcm.au", "au", "pcm_16", 0.2),
    ("mp3.mp3", "mp3", "mp3", 1.0),
    ("bare.mp3", "mp3", "mp3", 1.0),
    ("adts.aac", "aac", "aac", 1.0),
    ("index-last.m4a", "mp4", "aac", 1.0),
    ("index-first.m4a", "mp4", "aac", 1.0),
    ("fragmented.mp4", "mp4", "aac", 1.0),
    ("video.mp4", "mp4", "aac", 1.0),
    ("flac.flac", "flac", "flac", 1.0),
    ("vorbis.ogg", "ogg", "vorbis", 1.0),
    ("opus.ogg", "ogg", "opus", 1.0),
    ("opus.webm", "webm", "opus", 1.0),
    ("vorbis.webm", "webm", "vorbis", 1.0),
];

#[test]
fn every_format_is_named_and_its_two_channels_are_decoded_each_for_itself() {
    for (name, container, codec, seconds) in FILES {
        let decoder =
            Decoder::open(Cursor::new(bytes(name))).unwrap_or_else(|error| panic!("{name}: {error}"));
        let probed = decoder.probed().clone();
        assert_eq!((probed.container, probed.codec, probed.channels), (container, codec, 2), "{name}");
        let heard = heard(decoder);
        assert_eq!(heard.ended, Ended::default(), "{name}");
        // A frame of a codec is up to 128 ms long at this rate, and a container without an index does not tell padding.
        assert!((heard.seconds() - seconds).abs() < 0.14, "{name}: {} s", heard.seconds());
        for (channel, wanted) in [(0, 440.0), (1, 880.0)] {
            let found = heard.frequency(channel);
            // The four bits of ADPCM make a tone rough where it passes zero, as ffmpeg decodes it too.
            let tolerance = match (codec, channel) {
                ("adpcm", 0) => continue,
                ("adpcm", _) => 0.1,
                _ => 0.03,
            };
            assert!((found - wanted).abs() < wanted * tolerance, "{name}: {found} Hz on channel {channel}");
        }
    }
}

#[test]
fn the_duration_is_what_the_container_says() {
    for (name, duration_ms) in [
        ("pcm_s16le.wav", 200),
        ("mp3.mp3", 1_000),
        ("index-last.m4a", 1_000),
        ("flac.flac", 1_000),
        ("vorbis.ogg", 1_000),
        ("opus.ogg", 1_000),
    ] {
        let found = Decoder::open(Cursor::new(bytes(name))).unwrap().probed().duration_ms.unwrap();
        assert!((found - duration_ms).abs() <= 70, "{name}: {found} ms");
    }
}

#[test]
fn a_file_that_ends_in_the_middle_gives_what_is_there_and_says_so() {
    for (name, share) in
        [("pcm_s16le.wav", 0.7), ("flac.flac", 0.7), ("opus.ogg", 0.7), ("adpcm_ima_wav.wav", 0.7)]
    {
        let mut cut = bytes(name);
        let whole = decode(cut.clone()).seconds();
        cut.truncate((cut.len() as f64 * share) as usize);
        let decoder = Decoder::open(Cursor::new(cut)).unwrap_or_else(|error| panic!("{name}: {error}"));
        let heard = heard(decoder);
        assert!(
            heard.seconds() > whole * 0.3 && heard.seconds() < whole * 0.95,
            "{name}: {}",
            heard.seconds()
        );
        assert!(heard.ended.is_cut, "{name}");
    }
    // Nobody can say of a bare stream of frames where it should end.
    let mut bare = bytes("adts.aac");
    bare.truncate(bare.len() / 2);
    assert!(decode(bare).seconds() > 0.3);
}

#[test]
fn a_damaged_packet_is_skipped_and_counted() {
    for name in ["mp3.mp3", "adts.aac", "index-first.m4a", "flac.flac"] {
        let mut damaged = bytes(name);
        let middle = damaged.len() / 2;
        for byte in &mut damaged[middle..middle + 40] {
            *byte = !*byte;
        }
        let heard = decode(damaged);
        assert!(heard.seconds() > 0.5, "{name}: {} s", heard.seconds());
    }
    let mut damaged = bytes("index-first.m4a");
    let at = damaged.len() - 1_500;
    damaged[at..at + 900].fill(0xff);
    assert!(decode(damaged).ended.damaged > 0);
}

#[test]
fn what_is_no_audio_is_refused_with_what_it_is() {
    let refused = |bytes: Vec<u8>| Decoder::open(Cursor::new(bytes)).err().unwrap();
    for other in
        [&b"<!DOCTYPE html><title>Sign in</title>"[..], b"PK\x03\x04\x14\0\x06\0\x08\0", b"", b"Hello."]
    {
        assert!(matches!(refused(other.to_vec()), AudioError::UnknownContainer), "{other:?}");
    }
    assert!(matches!(refused(bytes("silent-film.mp4")), AudioError::NoAudio));
    let wma = refused(bytes("wma.wma"));
    assert!(matches!(wma, AudioError::UnknownContainer | AudioError::Unsupported(_)), "{wma}");
}

#[test]
fn samples_without_a_header_are_read_as_the_caller_says() {
    let wav = bytes("pcm_mulaw.wav");
    let data = wav.windows(4).position(|part| part == b"data").unwrap() + 8;
    let raw = Raw { encoding: Encoding::MuLaw, sample_rate: 8_000, channels: 2 };
    let heard = heard(Decoder::raw(Cursor::new(wav[data..].to_vec()), raw).unwrap());
    assert!((heard.seconds() - 0.2).abs() < 0.01);
    assert!((heard.frequency(1) - 880.0).abs() < 20.0);
    let wrong = Raw { channels: 0, ..raw };
    assert!(Decoder::raw(Cursor::new(Vec::new()), wrong).is_err());
}

#[test]
fn a_wav_file_whose_length_was_never_written_is_read_to_its_end() {
    let mut streamed = bytes("pcm_s16le.wav");
    let data = streamed.windows(4).position(|part| part == b"data").unwrap() + 4;
    for length in [0xffff_ffff_u32, 0x7fff_ffff] {
        streamed[data..data + 4].copy_from_slice(&length.to_le_bytes());
        streamed[4..8].copy_from_slice(&length.to_le_bytes());
        let heard = decode(streamed.clone());
        assert!((heard.seconds() - 0.2).abs() < 0.02, "{length:x}: {} s", heard.seconds());
    }
}

/// A source that fails after some bytes, as a network does.
struct Failing(Cursor<Vec<u8>>);

impl std::io::Read for Failing {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        if self.0.position() > 3_000 {
            return Err(std::io::Error::other("the bucket is gone"));
        }
        let most = into.len().min(512);
        self.0.read(&mut into[..most])
    }
}

impl std::io::Seek for Failing {
    fn seek(&mut self, to: std::io::SeekFrom) -> std::io::Result<u64> {
        self.0.seek(to)
    }
}

#[test]
fn a_source_that_fails_is_an_error_and_not_the_end_of_the_recording() {
    let failed = match Decoder::open(Failing(Cursor::new(bytes("flac.flac")))) {
        Err(error) => error,
        Ok(mut decoder) => loop {
            match decoder.next_block() {
                Ok(Some(_)) => {}
                Ok(None) => panic!("the recording ended"),
                Err(error) => break error,
            }
        },
    };
    assert!(matches!(failed, AudioError::Source(_)), "{failed}");
}
