//! The JSON of what was measured in a recording.

use std::borrow::Cow;

use domain::audio::{AudioFacts, ChannelFacts, Waveform};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::Object;

use super::{name_of, one_of};

/// What was measured in the recording of a call. Times count from the start of the recording.
#[derive(Serialize, ToSchema)]
#[schema(as = Audio)]
pub struct AudioView {
    /// What the file really is: `wav`, `mp3`, `mp4`, `ogg`, `webm`, `flac`, `aac`, `aiff`, `au` or `raw`.
    pub container: String,
    pub codec: String,
    /// In Hz.
    pub sample_rate: u32,
    /// How long the recording is, as it was decoded.
    pub duration_ms: i64,
    /// `separate` when each channel holds speakers of its own, and `mixed` when all channels hold the same speakers.
    #[schema(schema_with = layout)]
    pub layout: Cow<'static, str>,
    pub channels: Vec<ChannelView>,
    /// The time in which somebody speaks, in any channel.
    pub speech_ms: i64,
    /// The time in which nobody speaks.
    pub silence_ms: i64,
}

#[derive(Serialize, ToSchema)]
#[schema(as = AudioChannel)]
pub struct ChannelView {
    /// The stretches of speech in order. Each is its start and its end in milliseconds.
    pub speech: Vec<[i64; 2]>,
    pub speech_ms: i64,
    /// How long music plays. Music is not counted as speech.
    pub music_ms: i64,
    /// The loudness by EBU R 128, in LUFS. It is null where the channel is silent.
    pub loudness_lufs: Option<f64>,
    /// The level of the speech, in dB below full scale. It is null where nobody speaks.
    pub speech_dbfs: Option<f64>,
    /// The highest sample, from 0 to 1.
    pub peak: f64,
}

/// The outline of a recording for a page.
#[derive(Serialize, ToSchema)]
#[schema(as = Waveform)]
pub struct WaveformView {
    /// How much time one point stands for.
    pub bucket_ms: i64,
    /// For each channel the highest sample of each stretch of time, from 0 to 255.
    #[schema(value_type = Vec<Vec<i64>>)]
    pub channels: Vec<Vec<u8>>,
}

pub fn audio(of: &AudioFacts) -> AudioView {
    AudioView {
        container: of.container.clone(),
        codec: of.codec.clone(),
        sample_rate: of.sample_rate,
        duration_ms: of.duration_ms,
        layout: name_of(&of.layout),
        channels: of.channels.iter().map(channel).collect(),
        speech_ms: of.speech_ms,
        silence_ms: of.silence_ms,
    }
}

fn channel(of: &ChannelFacts) -> ChannelView {
    ChannelView {
        speech: of.speech.iter().map(|stretch| [stretch.start_ms, stretch.end_ms]).collect(),
        speech_ms: of.speech_ms,
        music_ms: of.music_ms,
        loudness_lufs: of.loudness_lufs,
        speech_dbfs: of.speech_dbfs,
        peak: of.peak,
    }
}

pub fn waveform(of: Waveform) -> WaveformView {
    WaveformView { bucket_ms: of.bucket_ms, channels: of.channels }
}

fn layout() -> Object {
    one_of(&["mono", "separate", "mixed"])
}
