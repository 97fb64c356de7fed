//! What the listeners of a session see, by number. An event is stored first and sent second.
//!
//! The session's row gives the numbers, and it is locked until the events are committed. So whoever sees an event has
//! every event before it in the store.

use serde_json::Value;
use sqlx::types::Json;

use super::super::columns::storable;
use super::super::{Result, Store, Tx, execute, in_time, query, read};
use super::notices;
use domain::call::{CallId, WorkspaceId};
use domain::moment::Moment;

/// Something that the listeners of a session are to be told.
#[derive(Clone, Debug, PartialEq)]
pub struct NewLiveEvent {
    /// The name of the event, such as `transcript_update`.
    pub kind: &'static str,
    pub data: Value,
}

/// An event as it was stored.
#[derive(Clone, Debug, PartialEq)]
pub struct LiveEvent {
    /// Its number in the session. The first has 1.
    pub seq: i64,
    pub kind: String,
    pub at: Moment,
    pub data: Value,
}

impl Store {
    /// Up to `limit` events of a session with numbers above `after`, in their order.
    pub async fn live_events(
        &self,
        workspace: WorkspaceId,
        call: CallId,
        after: i64,
        limit: i64,
    ) -> Result<Vec<LiveEvent>> {
        let rows = read!(
            fetch_all,
            (i64, String, Moment, Json<Value>),
            self,
            "SELECT seq, kind, at, data FROM live_events WHERE workspace = $1 AND call_id = $2 AND seq > $3
             ORDER BY seq LIMIT $4",
            workspace,
            call,
            after,
            limit,
        )?;
        Ok(rows.into_iter().map(|(seq, kind, at, Json(data))| LiveEvent { seq, kind, at, data }).collect())
    }

    /// The last event of this kind, if there is one.
    pub async fn last_live_event(
        &self,
        workspace: WorkspaceId,
        call: CallId,
        kind: &str,
    ) -> Result<Option<LiveEvent>> {
        let row = read!(
            fetch_optional,
            (i64, String, Moment, Json<Value>),
            self,
            "SELECT seq, kind, at, data FROM live_events WHERE workspace = $1 AND call_id = $2 AND kind = $3
             ORDER BY seq DESC LIMIT 1",
            workspace,
            call,
            kind,
        )?;
        Ok(row.map(|(seq, kind, at, Json(data))| LiveEvent { seq, kind, at, data }))
    }
}

/// Adds events in the caller's transaction, and returns the number of the last event. Other processes are told when the
/// transaction is committed.
pub(super) async fn add(
    tx: &mut Tx,
    (workspace, call): (WorkspaceId, CallId),
    events: &[NewLiveEvent],
    now: Moment,
) -> Result<i64> {
    let count = i64::try_from(events.len()).unwrap_or(i64::MAX);
    let row = query!(
        fetch_optional,
        (i64,),
        *tx,
        "UPDATE live_sessions SET last_event = last_event + $3 WHERE workspace = $1 AND call_id = $2
         RETURNING last_event",
        workspace,
        call,
        count,
    )?;
    let Some((last,)) = row else { return Ok(0) };
    for (seq, event) in (last - count + 1..).zip(events) {
        execute!(
            *tx,
            "INSERT INTO live_events (call_id, seq, workspace, kind, at, data) VALUES ($1, $2, $3, $4, $5, $6)",
            call,
            seq,
            workspace,
            event.kind,
            now,
            storable(&event.data),
        )?;
    }
    if let (Tx::Postgres(tx), false) = (tx, events.is_empty()) {
        let notify = sqlx::query("SELECT pg_notify($1, $2)").bind(notices::CHANNEL).bind(call.to_string());
        in_time(notify.execute(&mut **tx)).await?;
    }
    Ok(last)
}
