//! Reads the audio of pieces and of turns.

use std::io::Cursor;

use bytes::Bytes;
use domain::audio::Interval;
use media::audio::filter::HighPass;
use media::audio::resample::Resampler;
use media::audio::voice::VoiceDetector;
use media::audio::{AudioError, Decoder, SPEECH_RATE, mix};
use platform::blobs::{BlobError, Blobs};
use store::live::LivePiece;

use crate::places::MAX_PIECE_BYTES;

/// The channels of a piece, at the rate at which speech is detected.
pub(crate) type Channels = Vec<Vec<f32>>;

/// Decodes a piece. What can be read of a damaged piece is kept. More than two channels are mixed to one.
pub(crate) async fn decode(bytes: Bytes) -> Result<Channels, AudioError> {
    let decoding = tokio::task::spawn_blocking(move || decode_all(bytes));
    decoding.await.unwrap_or_else(|_| Err(AudioError::Unsupported("the decoder failed".into())))
}

fn decode_all(bytes: Bytes) -> Result<Channels, AudioError> {
    let mut decoder = Decoder::open(Cursor::new(bytes))?;
    let channels = decoder.probed().channels;
    let mut resampler = Resampler::new(SPEECH_RATE);
    let mut decoded = vec![Vec::new(); channels];
    while let Some(block) = decoder.next_block()? {
        resampler.push(block, &mut decoded)?;
    }
    resampler.finish(&mut decoded)?;
    Ok(if channels > 2 { vec![mix(&decoded)] } else { decoded })
}

/// The sound of a piece, by its channel. `None` where it cannot be decoded.
pub(crate) async fn of_piece(
    blobs: &Blobs,
    piece: &LivePiece,
) -> Result<Option<Vec<(i64, Vec<f32>)>>, BlobError> {
    let bytes = match blobs.get(&piece.blob, MAX_PIECE_BYTES).await {
        Ok(bytes) => bytes,
        Err(BlobError::NotFound(_) | BlobError::TooLarge { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    let decoded = match decode(bytes).await {
        Ok(decoded) => decoded,
        Err(error) => {
            tracing::debug!(%error, sequence = piece.sequence, "failed to decode a piece");
            return Ok(None);
        }
    };
    Ok(Some(match piece.channel {
        Some(channel) => vec![(channel, mix(&decoded))],
        None => (0..).zip(decoded).collect(),
    }))
}

/// The sound of one channel of a piece. It is empty where the piece has none of it.
pub(crate) async fn of_channel(
    blobs: &Blobs,
    piece: &LivePiece,
    channel: i64,
) -> Result<Vec<f32>, BlobError> {
    let sound = of_piece(blobs, piece).await?.unwrap_or_default();
    Ok(sound.into_iter().find(|(own, _)| *own == channel).map(|(_, samples)| samples).unwrap_or_default())
}

/// The stretches in which somebody speaks.
pub(crate) fn speech(samples: &[f32]) -> Vec<Interval> {
    let mut filtered = samples.to_vec();
    HighPass::default().run(&mut filtered);
    let mut detector = VoiceDetector::default();
    detector.push(&filtered);
    detector.finish().speech
}
