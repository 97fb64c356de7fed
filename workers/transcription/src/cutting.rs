//! What cuts a recording that is too long for a provider.

use std::io::{self, Cursor};

use bytes::Bytes;
use futures::channel::mpsc;
use futures::future::ready;
use futures::stream::{self, BoxStream};
use futures::{SinkExt as _, StreamExt as _};
use media::audio::cut::{self, Limits, Treatment};
use media::audio::{AudioError, Decoder};
use platform::blobs::{BlobError, BlobReader};
use tokio::task::JoinError;

/// The longest piece. It is 19 MB of sound, which is what is in memory of a recording.
const LONGEST_MS: i64 = 10 * 60 * 1000;

/// A piece of a recording: a WAV file with one channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Where the piece begins in the recording. It can begin before the one before it ends.
    pub start_ms: i64,
    pub end_ms: i64,
    pub bytes: Bytes,
}

/// Why a recording cannot be cut.
#[derive(Debug, thiserror::Error)]
pub enum CutError {
    /// Nobody can decode the recording.
    #[error("failed to cut the recording: {0}")]
    Undecodable(String),
    /// The recording broke off while it was read.
    #[error(transparent)]
    Source(BlobError),
}

/// How a recording is to be cut.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CutOrder {
    /// The largest and the longest piece that the provider takes.
    pub max_bytes: u64,
    pub max_ms: i64,
    pub treatment: Treatment,
}

/// Cuts recordings.
pub trait Cutter: Send + Sync {
    /// Cuts the recording at silences into pieces, in the order in which they were said. Together
    /// they hold everything that was said. The same recording is cut in the same way each time, because what was paid for
    /// is found by the times of the pieces.
    fn cut(&self, recording: BlobReader, order: CutOrder) -> BoxStream<'static, Result<Piece, CutError>>;
}

/// Cuts every recording that our own decoder knows. All channels are mixed, and each piece begins where the one before
/// it ends.
#[derive(Clone, Copy, Debug, Default)]
pub struct AtSilence;

impl Cutter for AtSilence {
    fn cut(&self, recording: BlobReader, order: CutOrder) -> BoxStream<'static, Result<Piece, CutError>> {
        // The next piece is decoded while the one before it is stored.
        let (mut pieces, cut) = mpsc::channel(0);
        let runtime = tokio::runtime::Handle::current();
        let cutting = tokio::task::spawn_blocking(move || {
            let CutOrder { max_bytes, max_ms, treatment } = order;
            let limits = Limits { max_ms: max_ms.min(LONGEST_MS), max_bytes };
            let mut cutter = match Decoder::open(recording) {
                Ok(decoder) => cut::Cutter::new(decoder, limits, treatment),
                Err(error) => {
                    // Nobody waits for the pieces any more where this cannot be sent.
                    drop(runtime.block_on(pieces.send(Err(fault(error)))));
                    return;
                }
            };
            loop {
                let mut file = Cursor::new(Vec::new());
                let piece = match cutter.next_piece(&mut file) {
                    Ok(None) => return,
                    Ok(Some(cut::Piece { start_ms, end_ms, .. })) => {
                        Ok(Piece { start_ms, end_ms, bytes: file.into_inner().into() })
                    }
                    Err(cut::CutError::Audio(error)) => Err(fault(error)),
                    Err(error @ cut::CutError::Write(_)) => Err(CutError::Undecodable(error.to_string())),
                };
                let is_last = piece.is_err();
                if runtime.block_on(pieces.send(piece)).is_err() || is_last {
                    return;
                }
            }
        });
        // Where the decoder panics, the pieces end too early. That must not look like the end of the recording.
        let gave_up = |ended: Result<(), JoinError>| {
            ready(ended.err().map(|_| Err(CutError::Undecodable("the decoder gave up".to_owned()))))
        };
        cut.chain(stream::once(cutting).filter_map(gave_up)).boxed()
    }
}

fn fault(error: AudioError) -> CutError {
    match error {
        AudioError::Source(error) => CutError::Source(of_blob(error)),
        error => CutError::Undecodable(error.to_string()),
    }
}

/// The blob's own error where the reader passed one on.
fn of_blob(error: io::Error) -> BlobError {
    let text = error.to_string();
    match error.downcast::<BlobError>() {
        Ok(error) => error,
        Err(_) => BlobError::Store(text),
    }
}

#[cfg(test)]
mod tests {
    use futures::TryStreamExt as _;
    use platform::blobs::Blobs;

    use super::*;

    async fn pieces(bytes: Vec<u8>, max_bytes: u64) -> Result<Vec<Piece>, CutError> {
        let folder = tempfile::tempdir().unwrap();
        let blobs = Blobs::local(folder.path()).unwrap();
        let length = bytes.len() as u64;
        blobs.put("recording", bytes.into()).await.unwrap();
        let order = CutOrder { max_bytes, max_ms: i64::MAX, treatment: Treatment::default() };
        AtSilence.cut(blobs.reader("recording", length), order).try_collect().await
    }

    /// Ten seconds of a tone with a pause after each second, in one channel of 16 bits at 16 kHz.
    fn recording() -> Vec<u8> {
        let sound: Vec<u8> = (0..160_000_u32)
            .flat_map(|at| {
                let is_pause = at % 16_000 > 14_000;
                let sample: i16 = if is_pause {
                    0
                } else if at / 40 % 2 == 0 {
                    8_000
                } else {
                    -8_000
                };
                sample.to_le_bytes()
            })
            .collect();
        let mut file =
            b"RIFF\x24\xe2\x04\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x80\x3e\0\0\0\x7d\0\0\x02\0\x10\0data"
                .to_vec();
        file.extend(u32::try_from(sound.len()).unwrap().to_le_bytes());
        file.extend(sound);
        file
    }

    #[tokio::test]
    async fn the_pieces_of_a_recording_fit_the_limit_and_leave_nothing_out() {
        let cut = pieces(recording(), 100_000).await.unwrap();
        assert!(cut.len() >= 4, "{} pieces", cut.len());
        assert!(cut.iter().all(|piece| piece.bytes.len() <= 100_000 && piece.bytes.starts_with(b"RIFF")));
        assert_eq!((cut[0].start_ms, cut.last().unwrap().end_ms), (0, 10_000));
        assert!(cut.windows(2).all(|pair| pair[0].end_ms == pair[1].start_ms));
        let again = pieces(recording(), 100_000).await.unwrap();
        assert_eq!(cut, again, "the same recording is cut in the same way");
    }

    #[tokio::test]
    async fn what_cannot_be_decoded_is_not_cut() {
        let error = pieces(b"#!AMR\n\x3c\x08\xff".to_vec(), 100_000).await.unwrap_err();
        assert!(matches!(error, CutError::Undecodable(_)), "{error}");
    }
}
