//! Turns that are cut out of the audio and not stored yet.

use bytes::Bytes;
use domain::audio::Interval;
use media::audio::wav;
use queue_topology::StageError;
use store::live::{LiveSession, NewLiveTurn};
use uuid::Uuid;

use super::Listen;
use crate::faults;
use crate::places::place;

/// A turn that was cut and is not stored yet.
pub(super) struct NewCut {
    pub(super) channel: i64,
    pub(super) speaker: Option<String>,
    pub(super) at: Interval,
    pub(super) sound: Vec<i16>,
}

impl NewCut {
    /// Stores the sound.
    pub(super) async fn stored(
        self,
        listen: &Listen,
        session: &LiveSession,
    ) -> Result<NewLiveTurn, StageError> {
        let blob = place(session, &format!("turn-{}.wav", Uuid::now_v7()));
        let file = Bytes::from(wav::file(&self.sound));
        listen.blobs.put(&blob, file).await.map_err(faults::of_blobs)?;
        Ok(NewLiveTurn {
            channel: self.channel,
            speaker: self.speaker,
            start_ms: self.at.start_ms,
            end_ms: self.at.end_ms,
            blob,
        })
    }
}
