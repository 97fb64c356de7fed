//! The names of codecs.

use symphonia::core::codecs::audio::AudioCodecId;
use symphonia::core::codecs::audio::well_known as codec;

/// The name of a codec, as the facts of a recording show it.
pub(super) fn name(id: AudioCodecId) -> &'static str {
    match id {
        codec::CODEC_ID_PCM_MULAW => "mulaw",
        codec::CODEC_ID_PCM_ALAW => "alaw",
        codec::CODEC_ID_PCM_U8 | codec::CODEC_ID_PCM_S8 => "pcm_8",
        codec::CODEC_ID_PCM_S16LE | codec::CODEC_ID_PCM_S16BE => "pcm_16",
        codec::CODEC_ID_PCM_S24LE | codec::CODEC_ID_PCM_S24BE => "pcm_24",
        codec::CODEC_ID_PCM_S32LE | codec::CODEC_ID_PCM_S32BE => "pcm_32",
        codec::CODEC_ID_PCM_F32LE
        | codec::CODEC_ID_PCM_F32BE
        | codec::CODEC_ID_PCM_F64LE
        | codec::CODEC_ID_PCM_F64BE => "pcm_float",
        codec::CODEC_ID_ADPCM_MS | codec::CODEC_ID_ADPCM_IMA_WAV | codec::CODEC_ID_ADPCM_IMA_QT => "adpcm",
        codec::CODEC_ID_ADPCM_G722 => "g722",
        codec::CODEC_ID_ADPCM_G726 | codec::CODEC_ID_ADPCM_G726LE => "g726",
        codec::CODEC_ID_VORBIS => "vorbis",
        codec::CODEC_ID_OPUS => "opus",
        codec::CODEC_ID_SPEEX => "speex",
        codec::CODEC_ID_MP1 | codec::CODEC_ID_MP2 => "mp2",
        codec::CODEC_ID_MP3 => "mp3",
        codec::CODEC_ID_AAC => "aac",
        codec::CODEC_ID_AC3 | codec::CODEC_ID_EAC3 => "ac3",
        codec::CODEC_ID_FLAC => "flac",
        codec::CODEC_ID_ALAC => "alac",
        codec::CODEC_ID_WMA => "wma",
        _ => "unknown",
    }
}
