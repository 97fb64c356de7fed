//! The sessions as people see them in a list, and the last events of one kind.

use serde_json::Value;
use sqlx::types::Json;

use super::super::call_status::{call_columns, shown_status};
use super::super::calls::CallRow;
use super::super::{Result, Store, read};
use super::{LiveEvent, LiveState};
use domain::call::{Call, CallId, WorkspaceId};
use domain::moment::Moment;
use domain::principal::Sees;

/// A session of a list, with its call.
#[derive(Clone, Debug, PartialEq)]
pub struct ListedSession {
    pub call: Call,
    pub session_id: String,
    pub state: LiveState,
    pub started_at: Moment,
    pub ended_at: Option<Moment>,
    /// What the last `transcript_update` said, while the session is active.
    pub last_said: Option<Value>,
}

#[derive(sqlx::FromRow)]
struct Row {
    #[sqlx(flatten)]
    call: CallRow,
    session_id: String,
    session_state: String,
    session_started_at: Moment,
    session_ended_at: Option<Moment>,
    last_said: Option<Json<Value>>,
}

impl TryFrom<Row> for ListedSession {
    type Error = sqlx::Error;

    fn try_from(row: Row) -> std::result::Result<Self, sqlx::Error> {
        Ok(Self {
            call: row.call.try_into()?,
            session_id: row.session_id,
            state: row.session_state.parse().unwrap_or(LiveState::Ended),
            started_at: row.session_started_at,
            ended_at: row.session_ended_at,
            last_said: row.last_said.map(|said| said.0),
        })
    }
}

const LISTED: &str = concat!(
    "SELECT ",
    call_columns!(),
    ", session_id, session_state, session_started_at, session_ended_at, last_said
     FROM calls JOIN (
        SELECT live_sessions.call_id, session_id, state AS session_state, started_at AS session_started_at,
            ended_at AS session_ended_at,
            CASE WHEN state = 'active' THEN (
                SELECT data FROM live_events
                WHERE live_events.call_id = live_sessions.call_id AND kind = 'transcript_update'
                ORDER BY seq DESC LIMIT 1) END AS last_said
        FROM live_sessions LEFT JOIN call_facts ON call_facts.call_id = live_sessions.call_id
        WHERE live_sessions.workspace = $1 AND (CAST($2 AS TEXT) IS NULL OR call_facts.agent = $2)
        ORDER BY started_at DESC, live_sessions.call_id LIMIT $3
     ) AS sessions ON sessions.call_id = calls.id
     ORDER BY session_started_at DESC, calls.id"
);

impl Store {
    /// The newest sessions that `sees` lets somebody see, with the last words of those that go on.
    pub async fn live_list(
        &self,
        workspace: WorkspaceId,
        sees: &Sees,
        limit: i64,
    ) -> Result<Vec<ListedSession>> {
        let rows = read!(fetch_all, Row, self, LISTED, workspace, sees.agent(), limit)?;
        Ok(rows.into_iter().map(ListedSession::try_from).collect::<std::result::Result<_, _>>()?)
    }

    /// The last `limit` events of this kind, in their order.
    pub async fn last_live_events(
        &self,
        workspace: WorkspaceId,
        call: CallId,
        kind: &str,
        limit: i64,
    ) -> Result<Vec<LiveEvent>> {
        let rows = read!(
            fetch_all,
            (i64, String, Moment, Json<Value>),
            self,
            "SELECT seq, kind, at, data FROM live_events WHERE workspace = $1 AND call_id = $2 AND kind = $3
             ORDER BY seq DESC LIMIT $4",
            workspace,
            call,
            kind,
            limit,
        )?;
        let event = |(seq, kind, at, Json(data))| LiveEvent { seq, kind, at, data };
        Ok(rows.into_iter().rev().map(event).collect())
    }
}
