//! Pieces of audio. A piece is acknowledged when its blob and its row are on disk. It may come in any order, twice, and
//! through any process.

use super::super::columns::bounded;
use super::super::{Result, Store, Tx, execute, query, read};
use super::events::{self, NewLiveEvent};
use super::sessions::LiveState;
use super::{InputOf, lock_call, wake};
use domain::call::{CallId, WorkspaceId};
use domain::moment::Moment;

const MAX_NAME_CHARS: usize = 255;

/// A piece that came in. Its blob is on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewLivePiece {
    /// Its place among the pieces, from 0. `None` where the sender did not say, and then it comes after the last one.
    pub sequence: Option<i64>,
    pub blob: String,
    /// The SHA-256 of its bytes, in hex.
    pub digest: String,
    pub bytes: i64,
    pub media_type: Option<String>,
    pub filename: String,
    /// The channel whose audio it is.
    pub channel: Option<i64>,
    /// Who speaks in it, in the sender's word.
    pub speaker: Option<String>,
    /// The key with which the sender recognises a repeated request.
    pub request_key: Option<String>,
    /// Whether a stream says the words of its audio.
    pub is_streamed: bool,
}

/// What became of a piece.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PieceKept {
    /// The piece is kept. `pieces` counts those of the session, and `generation` is that of the run that hears it.
    New {
        pieces: i64,
        filename: String,
        generation: i64,
    },
    /// The same piece was kept before.
    Known {
        pieces: i64,
        filename: String,
    },
    /// Another piece has this place, so the sender counts in another way than we do.
    PlaceTaken {
        sequence: i64,
    },
    /// The session takes no audio any more.
    Ended,
    Unknown,
}

/// A piece as it was kept.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct LivePiece {
    pub sequence: i64,
    pub blob: String,
    pub bytes: i64,
    pub media_type: Option<String>,
    pub channel: Option<i64>,
    pub speaker: Option<String>,
    /// The place in the order in which the pieces were heard.
    pub position: Option<i64>,
    pub received_at: Moment,
    /// Whether a stream says the words of its audio.
    pub is_streamed: bool,
}

macro_rules! select_pieces {
    ($rest:literal) => {
        concat!(
            "SELECT sequence, blob, bytes, media_type, channel, speaker, position, received_at, is_streamed
             FROM live_pieces
             WHERE workspace = $1 AND call_id = $2 AND ",
            $rest
        )
    };
}

impl Store {
    /// Keeps a piece, makes the work on the session due, and tells the listeners.
    pub async fn add_live_piece(
        &self,
        (workspace, call): (WorkspaceId, CallId),
        piece: &NewLivePiece,
        told: &NewLiveEvent,
        input_of: InputOf<'_>,
    ) -> Result<PieceKept> {
        let now = self.now();
        let mut tx = self.begin_tx().await?;
        lock_call(&mut tx, workspace, call).await?;
        let generation = wake(&mut tx, (workspace, call), input_of, now).await?;
        let session = query!(
            fetch_optional,
            (String, i64),
            tx,
            "UPDATE live_sessions SET heard_at = CASE WHEN state = 'active' THEN $3 ELSE heard_at END
             WHERE workspace = $1 AND call_id = $2 RETURNING state, pieces",
            workspace,
            call,
            now,
        )?;
        let Some((state, pieces)) = session else {
            tx.roll_back().await?;
            return Ok(PieceKept::Unknown);
        };
        if let Some(kept) = known(&mut tx, (workspace, call), piece, pieces).await? {
            tx.roll_back().await?;
            return Ok(kept);
        }
        if state != LiveState::Active.name() {
            tx.roll_back().await?;
            return Ok(PieceKept::Ended);
        }
        execute!(
            tx,
            "INSERT INTO live_pieces (call_id, sequence, workspace, blob, digest, bytes, media_type, filename, channel,
                speaker, request_key, received_at, is_streamed)
             VALUES ($1, COALESCE($2, (SELECT MAX(sequence) + 1 FROM live_pieces WHERE call_id = $1), 0), $3, $4, $5, $6,
                $7, $8, $9, $10, $11, $12, $13)",
            call,
            piece.sequence,
            workspace,
            &piece.blob,
            &piece.digest,
            piece.bytes,
            piece.media_type.as_deref(),
            bounded(&piece.filename, MAX_NAME_CHARS),
            piece.channel,
            piece.speaker.as_deref().map(|speaker| bounded(speaker, MAX_NAME_CHARS)),
            piece.request_key.as_deref(),
            now,
            piece.is_streamed,
        )?;
        let pieces = pieces + 1;
        execute!(
            tx,
            "UPDATE live_sessions SET pieces = $3 WHERE workspace = $1 AND call_id = $2",
            workspace,
            call,
            pieces,
        )?;
        events::add(&mut tx, (workspace, call), std::slice::from_ref(told), now).await?;
        platform::failpoint!("live.piece.commit");
        tx.commit().await?;
        platform::failpoint!("live.piece.committed");
        Ok(PieceKept::New { pieces, filename: piece.filename.clone(), generation })
    }

    /// The name of the last piece whose request key begins with `prefix`.
    pub async fn last_live_piece(
        &self,
        workspace: WorkspaceId,
        call: CallId,
        prefix: &str,
    ) -> Result<Option<String>> {
        let row = read!(
            fetch_optional,
            (String,),
            self,
            "SELECT filename FROM live_pieces
             WHERE workspace = $1 AND call_id = $2 AND SUBSTR(request_key, 1, $4) = $3 ORDER BY sequence DESC LIMIT 1",
            workspace,
            call,
            prefix,
            i32::try_from(prefix.chars().count()).unwrap_or(i32::MAX),
        )?;
        Ok(row.map(|(filename,)| filename))
    }

    /// The pieces that were not heard yet, in the order of their sequence.
    pub async fn unheard_live_pieces(
        &self,
        workspace: WorkspaceId,
        call: CallId,
        limit: i64,
    ) -> Result<Vec<LivePiece>> {
        Ok(read!(
            fetch_all,
            LivePiece,
            self,
            select_pieces!("position IS NULL ORDER BY sequence LIMIT $3"),
            workspace,
            call,
            limit,
        )?)
    }

    /// The pieces that were heard, the last one first.
    pub async fn heard_live_pieces(&self, workspace: WorkspaceId, call: CallId) -> Result<Vec<LivePiece>> {
        Ok(read!(
            fetch_all,
            LivePiece,
            self,
            select_pieces!("position IS NOT NULL ORDER BY position DESC"),
            workspace,
            call,
        )?)
    }
}

/// What is known of a piece that came before, by the sender's key or by its place.
async fn known(
    tx: &mut Tx,
    (workspace, call): (WorkspaceId, CallId),
    piece: &NewLivePiece,
    pieces: i64,
) -> Result<Option<PieceKept>> {
    let row = query!(
        fetch_optional,
        (i64, String, String, Option<String>),
        *tx,
        "SELECT sequence, digest, filename, request_key FROM live_pieces
         WHERE workspace = $1 AND call_id = $2 AND (request_key = $3 OR sequence = $4) LIMIT 1",
        workspace,
        call,
        piece.request_key.as_deref(),
        piece.sequence,
    )?;
    let Some((sequence, digest, filename, key)) = row else { return Ok(None) };
    let is_same = digest == piece.digest || (key.is_some() && key == piece.request_key);
    Ok(Some(if is_same { PieceKept::Known { pieces, filename } } else { PieceKept::PlaceTaken { sequence } }))
}
