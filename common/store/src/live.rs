//! Live calls: the sessions in which they are spoken, their audio, and everything that their listeners see.
//!
//! Work on a session is a run of the stage [`STAGE`], and its row decides who works on it. Each piece of audio raises the
//! generation of that row. So a piece that comes while somebody works on the session makes the run start again at its end,
//! and no piece is forgotten. This generation is a count of the session's own, and not the generation of the call.
//!
//! Whoever changes a session locks the call's row first, then the row of the run, then the session. Otherwise two
//! transactions could wait for each other.

mod events;
mod listing;
mod notices;
mod pieces;
mod sessions;
mod steps;
mod streamed;
mod turns;

pub use events::{LiveEvent, NewLiveEvent};
pub use listing::ListedSession;
pub use notices::{LiveNotice, LiveNotices};
pub use pieces::{LivePiece, NewLivePiece, PieceKept};
pub use sessions::{EndAsked, LiveSession, LiveState, NewLiveSession, SessionStart};
pub use steps::LiveStep;
pub use streamed::{StreamId, StreamedKept, StreamedWords};
pub use turns::{LiveTurn, NewLiveTurn};

use super::stage_runs::{NewRun, put_waiting};
use super::{Result, Tx, execute, query};
use domain::call::{CallId, WorkspaceId};
use domain::moment::Moment;

/// The stage that works on sessions.
pub const STAGE: &str = "live";

/// Encodes the input of the run at this generation.
pub type InputOf<'a> = &'a (dyn Fn(i64) -> String + Sync);

/// Locks the call's row for this transaction. SQLite has one writer at a time and needs no lock.
pub(super) async fn lock_call(tx: &mut Tx, workspace: WorkspaceId, call: CallId) -> Result<()> {
    if matches!(tx, Tx::Postgres(_)) {
        query!(
            fetch_optional,
            (CallId,),
            *tx,
            "SELECT id FROM calls WHERE workspace = $1 AND id = $2 FOR UPDATE",
            workspace,
            call,
        )?;
    }
    Ok(())
}

/// Makes the work on a session due. Returns the generation of its run. The transaction must have locked the call.
async fn wake(
    tx: &mut Tx,
    (workspace, call): (WorkspaceId, CallId),
    input_of: InputOf<'_>,
    now: Moment,
) -> Result<i64> {
    let known = query!(
        fetch_optional,
        (i64, Option<i64>),
        *tx,
        "SELECT generation, next_generation FROM stage_runs WHERE call_id = $1 AND stage = $2",
        call,
        STAGE,
    )?;
    let generation = known.map_or(0, |(generation, next)| next.unwrap_or(generation)) + 1;
    let run = NewRun { stage: STAGE, generation, lane: "live".into(), input: input_of(generation) };
    put_waiting(tx, workspace, call, &[run], now).await?;
    Ok(generation)
}

/// The same, where nobody sends a message: the keeper wakes the run.
pub(super) async fn wake_now(
    tx: &mut Tx,
    session: (WorkspaceId, CallId),
    input_of: InputOf<'_>,
    now: Moment,
) -> Result<()> {
    wake(tx, session, input_of, now).await?;
    execute!(
        *tx,
        "UPDATE stage_runs SET wake_at = $3 WHERE call_id = $1 AND stage = $2 AND state = 'waiting'",
        session.1,
        STAGE,
        now,
    )?;
    Ok(())
}

/// Whether the run of this claim is still its owner's. From here on nobody takes the run over before the transaction ends.
async fn is_ours(tx: &mut Tx, claim: &super::Claim) -> Result<bool> {
    let rows = execute!(
        *tx,
        "UPDATE stage_runs SET wake_at = wake_at
         WHERE call_id = $1 AND stage = $2 AND owner = $3 AND fence = $4 AND state = 'running'",
        claim.run.call,
        claim.run.stage,
        claim.owner.0,
        claim.fence,
    )?;
    Ok(rows == 1)
}
