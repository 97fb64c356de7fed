//! The sessions: how they begin, and how they end once.

use serde_json::Value;
use sqlx::types::Json;
use strum::{EnumString, IntoStaticStr};

use super::super::columns::bounded;
use super::super::{Result, Store, execute, query, read};
use super::events::{self, NewLiveEvent};
use super::{InputOf, lock_call, wake};
use domain::call::{CallId, WorkspaceId};
use domain::moment::Moment;

const MAX_REASON_CHARS: usize = 40;

/// A session that somebody wants to begin. Its call is in the store already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewLiveSession {
    pub workspace: WorkspaceId,
    pub call: CallId,
    /// The id that the sender gave the session.
    pub session_id: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumString, IntoStaticStr)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum LiveState {
    /// Audio can come.
    Active,
    /// No audio is taken any more.
    Ended,
}

impl LiveState {
    pub const fn name(self) -> &'static str {
        self.into_str()
    }
}

/// A session as the store knows it.
#[derive(Clone, Debug, PartialEq)]
pub struct LiveSession {
    pub call: CallId,
    pub workspace: WorkspaceId,
    pub session_id: String,
    pub state: LiveState,
    pub started_at: Moment,
    /// When the last audio came, or else when the session began.
    pub heard_at: Moment,
    pub ended_at: Option<Moment>,
    /// Why the session ended: `asked`, or `silence` where nobody ended it.
    pub end_reason: Option<String>,
    /// How many pieces of audio are on disk.
    pub pieces: i64,
    /// The number of the last event. It is 0 before the first.
    pub last_event: i64,
    /// How far the work on the audio is, in the form that the worker gave it.
    pub progress: Value,
    /// When the whole call went into the pipeline.
    pub delivered_at: Option<Moment>,
    /// When the listeners were told the result of the pipeline.
    pub finished_at: Option<Moment>,
}

/// What became of a request to begin a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionStart {
    /// The session began. This is the generation of its run.
    Started { generation: i64 },
    /// The session is active already.
    Active,
    /// The session has ended before.
    Ended,
}

/// What became of a request to end a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndAsked {
    /// The session ended by this request. This is the generation of the run that does the rest.
    Ended { generation: i64 },
    /// The session had ended before, or audio came meanwhile.
    Before,
}

#[derive(sqlx::FromRow)]
struct SessionRow {
    call_id: CallId,
    workspace: WorkspaceId,
    session_id: String,
    state: String,
    started_at: Moment,
    heard_at: Moment,
    ended_at: Option<Moment>,
    end_reason: Option<String>,
    pieces: i64,
    last_event: i64,
    progress: Json<Value>,
    delivered_at: Option<Moment>,
    finished_at: Option<Moment>,
}

impl From<SessionRow> for LiveSession {
    fn from(row: SessionRow) -> Self {
        Self {
            call: row.call_id,
            workspace: row.workspace,
            session_id: row.session_id,
            state: row.state.parse().unwrap_or(LiveState::Ended),
            started_at: row.started_at,
            heard_at: row.heard_at,
            ended_at: row.ended_at,
            end_reason: row.end_reason,
            pieces: row.pieces,
            last_event: row.last_event,
            progress: row.progress.0,
            delivered_at: row.delivered_at,
            finished_at: row.finished_at,
        }
    }
}

macro_rules! select_session {
    ($where:literal) => {
        concat!(
            "SELECT call_id, workspace, session_id, state, started_at, heard_at, ended_at, end_reason, pieces, last_event,
                progress, delivered_at, finished_at
             FROM live_sessions WHERE ",
            $where
        )
    };
}

impl Store {
    /// Begins a session, unless there is one with this id, and tells `first` to its listeners.
    pub async fn start_live_session(
        &self,
        new: &NewLiveSession,
        first: &NewLiveEvent,
        input_of: InputOf<'_>,
    ) -> Result<SessionStart> {
        let now = self.now();
        let (workspace, call) = (new.workspace, new.call);
        let mut tx = self.begin_tx().await?;
        lock_call(&mut tx, workspace, call).await?;
        let begun = execute!(
            tx,
            "INSERT INTO live_sessions (call_id, workspace, session_id, state, started_at, heard_at, pieces, last_event,
                progress)
             VALUES ($1, $2, $3, 'active', $4, $4, 0, 0, $5) ON CONFLICT DO NOTHING",
            call,
            workspace,
            &new.session_id,
            now,
            Json(Value::Null),
        )?;
        if begun == 0 {
            tx.roll_back().await?;
            let known = self.live_session(workspace, &new.session_id).await?;
            let is_active = known.is_some_and(|known| known.state == LiveState::Active);
            return Ok(if is_active { SessionStart::Active } else { SessionStart::Ended });
        }
        let generation = wake(&mut tx, (workspace, call), input_of, now).await?;
        events::add(&mut tx, (workspace, call), std::slice::from_ref(first), now).await?;
        tx.commit().await?;
        Ok(SessionStart::Started { generation })
    }

    /// The session with this id.
    pub async fn live_session(
        &self,
        workspace: WorkspaceId,
        session_id: &str,
    ) -> Result<Option<LiveSession>> {
        let row = read!(
            fetch_optional,
            SessionRow,
            self,
            select_session!("workspace = $1 AND session_id = $2"),
            workspace,
            session_id,
        )?;
        Ok(row.map(LiveSession::from))
    }

    /// The session of this call.
    pub async fn live_session_of(&self, workspace: WorkspaceId, call: CallId) -> Result<Option<LiveSession>> {
        let row = read!(
            fetch_optional,
            SessionRow,
            self,
            select_session!("workspace = $1 AND call_id = $2"),
            workspace,
            call,
        )?;
        Ok(row.map(LiveSession::from))
    }

    /// The sessions of a workspace, the newest first.
    pub async fn live_sessions(&self, workspace: WorkspaceId, limit: i64) -> Result<Vec<LiveSession>> {
        let rows = read!(
            fetch_all,
            SessionRow,
            self,
            select_session!("workspace = $1 ORDER BY started_at DESC, call_id LIMIT $2"),
            workspace,
            limit,
        )?;
        Ok(rows.into_iter().map(LiveSession::from).collect())
    }

    /// Ends a session, once. `told` is what its listeners are told, and it is told only by the request that ends it. If
    /// `silent_since` is given, the session goes on where audio came after that moment.
    pub async fn end_live_session(
        &self,
        (workspace, call): (WorkspaceId, CallId),
        (reason, silent_since): (&str, Option<Moment>),
        told: &NewLiveEvent,
        input_of: InputOf<'_>,
    ) -> Result<EndAsked> {
        let now = self.now();
        let mut tx = self.begin_tx().await?;
        lock_call(&mut tx, workspace, call).await?;
        let generation = wake(&mut tx, (workspace, call), input_of, now).await?;
        let ended = query!(
            fetch_optional,
            (CallId,),
            tx,
            "UPDATE live_sessions SET state = 'ended', ended_at = $3, end_reason = $4
             WHERE workspace = $1 AND call_id = $2 AND state = 'active' AND ($5 IS NULL OR heard_at <= $5)
             RETURNING call_id",
            workspace,
            call,
            now,
            bounded(reason, MAX_REASON_CHARS),
            silent_since,
        )?;
        if ended.is_none() {
            tx.roll_back().await?;
            return Ok(EndAsked::Before);
        }
        events::add(&mut tx, (workspace, call), std::slice::from_ref(told), now).await?;
        tx.commit().await?;
        Ok(EndAsked::Ended { generation })
    }

    /// Makes the work on a session due, though nothing came in.
    pub async fn wake_live_session(
        &self,
        workspace: WorkspaceId,
        call: CallId,
        input_of: InputOf<'_>,
    ) -> Result<i64> {
        let now = self.now();
        let mut tx = self.begin_tx().await?;
        lock_call(&mut tx, workspace, call).await?;
        let generation = wake(&mut tx, (workspace, call), input_of, now).await?;
        tx.commit().await?;
        Ok(generation)
    }
}
