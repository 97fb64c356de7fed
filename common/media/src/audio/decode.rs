//! Opens a recording and decodes it, block by block.
//!
//! Demuxers and decoders are other people's code that reads other people's files. So a panic in them is caught and
//! becomes an error, a packet that cannot be decoded is skipped and counted, and a file that ends too early gives what is
//! there. Whoever measures a recording is told about all of it.

mod track;

use std::io::{Seek as _, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};

use symphonia::core::common::Limit;
use symphonia::core::errors::Error;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader};
use symphonia::core::io::{MediaSourceStream, MediaSourceStreamOptions};
use symphonia::core::meta::MetadataOptions;
use symphonia::core::units::TimeBase;

use super::block::Block;
use super::raw::{Raw, RawReader};
use super::source::{AudioError, Failed, Noting, Source};
use super::{MAX_CHANNELS, SPEECH_RATE, au, codec, container, kind};
use track::{Codec, audio_track, duration_ms};

/// After so many packets in a row that cannot be read the rest of a file is given up.
const MAX_DAMAGED_IN_A_ROW: u32 = 64;
/// How much of a tag is read, in bytes. A picture of a cover is not looked at.
const MAX_TAG_BYTES: usize = 1024 * 1024;
/// The longest recording that is decoded. A small file can claim to hold years.
const MAX_SECONDS: u64 = 24 * 60 * 60;
/// The sample rates of recordings, in Hz.
const RATES: std::ops::RangeInclusive<u32> = 2_000..=384_000;
/// How much shorter than its container says a recording may be, before it counts as cut: two seconds, or a fiftieth.
const CUT_SECONDS: f64 = 2.0;
const CUT_SHARE: f64 = 0.02;

/// What a file really is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probed {
    /// `wav`, `mp3`, `mp4`, `ogg`, `webm`, `flac`, `aac`, `aiff`, `au`, or `raw`.
    pub container: &'static str,
    pub codec: &'static str,
    pub channels: usize,
    /// In Hz, as the container says it.
    pub sample_rate: u32,
    /// How long the container says that the recording is.
    pub duration_ms: Option<i64>,
}

/// How a recording ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ended {
    /// Whether the file ends before the recording does.
    pub is_cut: bool,
    /// Whether the recording is longer than [`MAX_SECONDS`], and the rest of it was not decoded.
    pub is_too_long: bool,
    /// How many packets could not be decoded.
    pub damaged: u64,
}

/// Decodes one recording.
pub struct Decoder {
    input: Input,
    probed: Probed,
    failed: Failed,
    block: Block,
    ended: Ended,
    is_over: bool,
    seconds: f64,
    damaged_in_a_row: u32,
    /// How long the container says that the recording is, where it is to be believed.
    promised_seconds: Option<f64>,
}

enum Input {
    Container { format: Box<dyn FormatReader>, track: u32, time_base: Option<TimeBase>, codec: Codec },
    Raw(RawReader),
}

impl Decoder {
    /// Opens a recording and finds out what it is.
    pub fn open(source: impl Source + 'static) -> Result<Self, AudioError> {
        let (mut source, failed) = Noting::new(source)?;
        let bytes = source.bytes();
        let mut head = vec![0; kind::HEAD_BYTES];
        let read = fill(&mut source, &mut head)?;
        // The demuxers look for their marks in the first megabyte, and find some in any file. So the beginning decides.
        if kind::media_type(&head[..read]).is_none() {
            return Err(AudioError::UnknownContainer);
        }
        if let Some((raw, from)) = au::header(&head[..read]) {
            source.seek(SeekFrom::Start(from)).map_err(AudioError::Source)?;
            return Self::samples("au", source, failed, raw);
        }
        let is_whole = match head.get(..4) {
            Some(b"OggS") => container::ogg_is_whole(&mut source, bytes)?,
            Some(b"RIFF") => {
                let (repairs, is_whole) = container::wav_repairs(&mut source, bytes)?;
                source.repairs = repairs;
                is_whole
            }
            _ => true,
        };
        source.rewind_to_start()?;
        // Demuxers look at the end of a file, and some give up when it is damaged. They do not look at the end of a
        // stream.
        let mut stream = source.clone();
        stream.is_seekable = false;
        let opened = match attempt(source) {
            Err(AudioError::Damaged(_)) => attempt(stream),
            opened => opened,
        };
        let (input, probed, is_reliable) = match opened {
            Err(error) => return Err(failed.take().unwrap_or(error)),
            Ok(opened) => opened,
        };
        #[expect(clippy::cast_precision_loss, reason = "a duration needs no exact milliseconds")]
        let promised_seconds =
            probed.duration_ms.filter(|_| is_reliable).map(|duration| duration as f64 / 1_000.0);
        let ended = Ended { is_cut: !is_whole, ..Ended::default() };
        Ok(Self { ended, promised_seconds, ..Self::over(input, probed, failed) })
    }

    /// Reads samples without a header.
    pub fn raw(source: impl Source + 'static, raw: Raw) -> Result<Self, AudioError> {
        let (source, failed) = Noting::new(source)?;
        Self::samples("raw", source, failed, raw)
    }

    fn samples(
        container: &'static str,
        source: impl Source + 'static,
        failed: Failed,
        raw: Raw,
    ) -> Result<Self, AudioError> {
        if !RATES.contains(&raw.sample_rate) || !(1..=MAX_CHANNELS).contains(&raw.channels) {
            return Err(AudioError::Unsupported("samples with such a rate or so many channels".into()));
        }
        let probed = Probed {
            container,
            codec: raw.encoding.name(),
            channels: raw.channels,
            sample_rate: raw.sample_rate,
            duration_ms: None,
        };
        Ok(Self::over(Input::Raw(RawReader::new(Box::new(source), raw)), probed, failed))
    }

    fn over(input: Input, probed: Probed, failed: Failed) -> Self {
        Self {
            input,
            probed,
            failed,
            block: Block::default(),
            ended: Ended::default(),
            is_over: false,
            seconds: 0.0,
            damaged_in_a_row: 0,
            promised_seconds: None,
        }
    }

    pub fn probed(&self) -> &Probed {
        &self.probed
    }

    /// How the recording ended. It is known when [`Self::next_block`] has returned `None`.
    pub fn ended(&self) -> Ended {
        self.ended
    }

    /// Decodes the next block. Its channels are as many as [`Probed::channels`]; its rate can change within a file.
    pub fn next_block(&mut self) -> Result<Option<&Block>, AudioError> {
        while !self.is_over {
            // A panic leaves the decoder in a state that nobody knows, so nothing more is read from it.
            let step = guarded(|| self.step()).unwrap_or(Step::End { is_cut: true });
            if let Some(failed) = self.failed.take() {
                self.is_over = true;
                return Err(failed);
            }
            match step {
                Step::Nothing => {}
                Step::Damaged => {
                    self.ended.damaged += 1;
                    self.damaged_in_a_row += 1;
                    if self.damaged_in_a_row >= MAX_DAMAGED_IN_A_ROW {
                        self.end(true);
                    }
                }
                Step::End { is_cut } => self.end(is_cut),
                Step::Block => {
                    self.damaged_in_a_row = 0;
                    self.tidy();
                    #[expect(clippy::cast_precision_loss, reason = "a block has few frames")]
                    let seconds = self.block.frames() as f64 / f64::from(self.block.sample_rate);
                    self.seconds += seconds;
                    #[expect(clippy::cast_precision_loss, reason = "a day has few seconds")]
                    if self.seconds > MAX_SECONDS as f64 {
                        self.ended.is_too_long = true;
                        self.is_over = true;
                    }
                    if self.block.frames() > 0 {
                        return Ok(Some(&self.block));
                    }
                }
            }
        }
        Ok(None)
    }

    fn end(&mut self, is_cut: bool) {
        self.is_over = true;
        let is_short = self
            .promised_seconds
            .is_some_and(|promised| self.seconds < promised - CUT_SECONDS.max(promised * CUT_SHARE));
        self.ended.is_cut |= is_cut || is_short;
    }

    fn step(&mut self) -> Step {
        match &mut self.input {
            Input::Raw(reader) => match reader.next(&mut self.block) {
                Ok(Some(is_whole)) => {
                    self.ended.is_cut |= !is_whole;
                    Step::Block
                }
                Ok(None) | Err(_) => Step::End { is_cut: false },
            },
            Input::Container { format, track, time_base, codec } => {
                let packet = match format.next_packet() {
                    Ok(Some(packet)) => packet,
                    Ok(None) => return Step::End { is_cut: false },
                    Err(Error::ResetRequired) => return self.reset(),
                    Err(Error::IoError(_)) => return Step::End { is_cut: true },
                    Err(_) => return Step::Damaged,
                };
                if packet.track_id != *track {
                    return Step::Nothing;
                }
                codec.decode(&packet, *time_base, &mut self.block)
            }
        }
    }

    /// Goes on with the next stream of a file that has several, one after the other.
    fn reset(&mut self) -> Step {
        let Input::Container { format, track, time_base, codec } = &mut self.input else {
            return Step::End { is_cut: false };
        };
        let Some((next, params)) = audio_track(format.as_ref()) else { return Step::End { is_cut: true } };
        let Ok(decoder) = Codec::new(&params) else { return Step::End { is_cut: true } };
        (*track, *time_base, *codec) = (next.id, next.time_base, decoder);
        Step::Nothing
    }

    /// Gives the block the channels that were promised, and no samples that are no numbers.
    fn tidy(&mut self) {
        let wanted = self.probed.channels;
        if self.block.channels.len() != wanted {
            let first = self.block.channels.first().cloned().unwrap_or_default();
            self.block.channels.resize(wanted, first);
        }
        for sample in self.block.channels.iter_mut().flatten() {
            if !sample.is_finite() {
                *sample = 0.0;
            }
        }
    }
}

/// What became of an attempt to decode a packet.
enum Step {
    Block,
    Nothing,
    Damaged,
    End { is_cut: bool },
}

const PANICKED: &str = "the decoder came upon something that it does not expect";

/// Runs other people's code. `None` where it panicked.
fn guarded<T>(work: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(work)).ok()
}

fn fill(source: &mut impl Source, into: &mut [u8]) -> Result<usize, AudioError> {
    let mut filled = 0;
    while filled < into.len() {
        match source.read(&mut into[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(AudioError::Source(error)),
        }
    }
    Ok(filled)
}

fn attempt<S: Source + 'static>(source: Noting<S>) -> Result<(Input, Probed, bool), AudioError> {
    guarded(|| open(source)).unwrap_or_else(|| Err(AudioError::Damaged(PANICKED.into())))
}

fn open<S: Source + 'static>(source: Noting<S>) -> Result<(Input, Probed, bool), AudioError> {
    let stream = MediaSourceStream::new(Box::new(source), MediaSourceStreamOptions::default());
    let tags = MetadataOptions::default()
        .limit_tag_bytes(Limit::Maximum(MAX_TAG_BYTES))
        .limit_visual_bytes(Limit::Maximum(MAX_TAG_BYTES));
    let format = symphonia::default::get_probe()
        .probe(&Hint::new(), stream, FormatOptions::default(), tags)
        .map_err(|error| refused(&error))?;
    let name = container::name(format.format_info().format).ok_or(AudioError::UnknownContainer)?;
    let (track, params) = audio_track(format.as_ref()).ok_or(AudioError::NoAudio)?;
    let codec = Codec::new(&params)?;
    let channels = codec.channels(&params);
    let sample_rate = params.sample_rate.unwrap_or(SPEECH_RATE);
    if channels == 0 || channels > MAX_CHANNELS {
        return Err(AudioError::Unsupported(format!("{channels} channels")));
    }
    if !RATES.contains(&sample_rate) {
        return Err(AudioError::Unsupported(format!("a sample rate of {sample_rate} Hz")));
    }
    let probed = Probed {
        container: name,
        codec: codec::name(params.codec),
        channels,
        sample_rate,
        duration_ms: duration_ms(track, sample_rate),
    };
    // Without the header of its encoder, the length of an MP3 file is an estimate.
    let is_reliable = name != "mp3" || track.delay.is_some();
    let (track, time_base) = (track.id, track.time_base);
    Ok((Input::Container { format, track, time_base, codec }, probed, is_reliable))
}

fn refused(error: &Error) -> AudioError {
    match error {
        Error::Unsupported(what) if what.contains("no suitable format reader") => {
            AudioError::UnknownContainer
        }
        Error::Unsupported(what) => AudioError::Unsupported((*what).to_owned()),
        Error::IoError(error) => AudioError::Damaged(error.to_string()),
        error => AudioError::Damaged(error.to_string()),
    }
}
