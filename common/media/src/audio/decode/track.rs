//! The track of a recording in a container, and the codec that decodes its packets.

use symphonia::core::audio::{Channels, GenericAudioBufferRef};
use symphonia::core::codecs::audio::well_known::CODEC_ID_OPUS;
use symphonia::core::codecs::audio::{AudioCodecParameters, AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error;
use symphonia::core::formats::{FormatReader, Track, TrackType};
use symphonia::core::packet::Packet;
use symphonia::core::units::TimeBase;

use super::{MAX_SECONDS, RATES, Step};
use crate::audio::block::Block;
use crate::audio::opus::Opus;
use crate::audio::source::AudioError;
use crate::audio::{SPEECH_RATE, codec};

/// What decodes the packets of a track.
pub(super) enum Codec {
    Other(Box<dyn AudioDecoder>),
    Opus(Box<Opus>),
}

/// The track of the recording, and how its sound is encoded.
pub(super) fn audio_track(format: &dyn FormatReader) -> Option<(&Track, AudioCodecParameters)> {
    let track = format.default_track(TrackType::Audio).or_else(|| format.first_track(TrackType::Audio))?;
    let params = track.codec_params.as_ref()?.audio()?.clone();
    Some((track, params))
}

/// How long the container says that a track is.
pub(super) fn duration_ms(track: &Track, sample_rate: u32) -> Option<i64> {
    let by_time = track.time_base.zip(track.duration).and_then(|(base, long)| base.calc_duration(long));
    let by_frames = || {
        let ms = u128::from(track.num_frames?) * 1_000 / u128::from(sample_rate);
        i64::try_from(ms).ok()
    };
    let ms = by_time.and_then(|time| i64::try_from(time.as_millis()).ok()).or_else(by_frames)?;
    // A stream that is written while it is recorded says nothing, or the greatest number there is.
    (ms > 0 && u64::try_from(ms).is_ok_and(|ms| ms <= MAX_SECONDS * 1_000)).then_some(ms)
}

impl Codec {
    pub(super) fn new(params: &AudioCodecParameters) -> Result<Self, AudioError> {
        if params.codec == CODEC_ID_OPUS {
            let channels = params.channels.as_ref().map(Channels::count);
            return Ok(Self::Opus(Box::new(Opus::new(params.extra_data.as_deref(), channels)?)));
        }
        let made =
            symphonia::default::get_codecs().make_audio_decoder(params, &AudioDecoderOptions::default());
        made.map(Self::Other).map_err(|error| {
            AudioError::Unsupported(format!("the codec {} ({error})", codec::name(params.codec)))
        })
    }

    pub(super) fn channels(&self, params: &AudioCodecParameters) -> usize {
        match self {
            Self::Opus(opus) => opus.channels(),
            Self::Other(decoder) => decoder
                .codec_params()
                .channels
                .as_ref()
                .or(params.channels.as_ref())
                .map_or(1, Channels::count),
        }
    }

    pub(super) fn decode(&mut self, packet: &Packet, time_base: Option<TimeBase>, block: &mut Block) -> Step {
        match self {
            Self::Opus(opus) => {
                block.start(SPEECH_RATE, opus.channels());
                let trimmed = time_base.and_then(|base| base.calc_duration(packet.trim_end));
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "a packet is short"
                )]
                let trim_end = trimmed.map_or(0, |time| {
                    (time.as_secs_f64().clamp(0.0, 1.0) * f64::from(SPEECH_RATE)).round() as usize
                });
                match opus.decode(&packet.data, trim_end, &mut block.channels) {
                    Ok(()) => Step::Block,
                    Err(_) => Step::Damaged,
                }
            }
            Self::Other(decoder) => match decoder.decode(packet) {
                Ok(sound) => read(&sound, block),
                Err(Error::ResetRequired) => {
                    decoder.reset();
                    Step::Damaged
                }
                Err(_) => Step::Damaged,
            },
        }
    }
}

fn read(decoded: &GenericAudioBufferRef<'_>, block: &mut Block) -> Step {
    let (rate, channels) = (decoded.spec().rate(), decoded.spec().channels().count());
    if !RATES.contains(&rate) || channels == 0 {
        return Step::Damaged;
    }
    block.start(rate, channels);
    decoded.copy_to_vecs_planar(&mut block.channels);
    Step::Block
}
