//! Keeps pieces of audio.

use domain::call::{CallId, WorkspaceId};
use queue_topology::live;
use store::live::{NewLivePiece, PieceKept};
use web::Problem;

use super::{Live, away};
use crate::metrics::{self, Piece};
use crate::told;

impl Live {
    /// Keeps a piece whose blob is stored, and wakes the work on the session.
    pub(crate) async fn keep_piece(
        &self,
        (workspace, call): (WorkspaceId, CallId),
        session_id: &str,
        piece: &NewLivePiece,
    ) -> Result<PieceKept, Problem> {
        let told = told::audio_status(session_id, "uploaded", 0.0, self.store.now());
        let input = live::input(&self.store, workspace, call);
        let kept = self.store.add_live_piece((workspace, call), piece, &told, &input).await;
        let kept = kept.map_err(|error| away(&error))?;
        metrics::piece(match kept {
            PieceKept::New { .. } => Piece::Kept,
            PieceKept::Known { .. } => Piece::Repeated,
            PieceKept::PlaceTaken { .. } | PieceKept::Ended | PieceKept::Unknown => Piece::Refused,
        });
        if let PieceKept::New { generation, .. } = kept {
            self.hub.tell(call);
            live::wake(self.broker.as_ref(), &self.store, &live::run(workspace, call, generation)).await;
        }
        Ok(kept)
    }

    /// Removes the blob of a piece that was not kept.
    pub(crate) async fn remove(&self, blob: &str) {
        if let Err(error) = self.blobs.delete(blob).await {
            tracing::warn!(%error, "failed to remove a piece that was not kept");
        }
    }
}
