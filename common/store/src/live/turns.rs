//! Turns: the stretches of speech into which the audio of a session is cut. Each is transcribed by itself.

use serde_json::Value;
use sqlx::types::Json;

use super::super::{Result, Store, Tx, execute, query, read};
use domain::call::{CallId, WorkspaceId};

/// A turn that was cut out of the audio. Its sound is in a blob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewLiveTurn {
    pub channel: i64,
    /// Who speaks, in the sender's word.
    pub speaker: Option<String>,
    pub start_ms: i64,
    pub end_ms: i64,
    pub blob: String,
}

/// A turn as it was kept.
#[derive(Clone, Debug, PartialEq)]
pub struct LiveTurn {
    /// Its place among the turns of the session, from 1, in the order in which they began to be worked on.
    pub number: i64,
    pub channel: i64,
    pub speaker: Option<String>,
    pub start_ms: i64,
    pub end_ms: i64,
    /// Its sound. It is empty where a stream says the words.
    pub blob: String,
    /// What was said, in the form that the worker gave it. `None` until it is transcribed.
    pub words: Option<Value>,
}

#[derive(sqlx::FromRow)]
struct TurnRow {
    number: i64,
    channel: i64,
    speaker: Option<String>,
    start_ms: i64,
    end_ms: i64,
    blob: String,
    words: Option<Json<Value>>,
}

impl Store {
    /// The turns of a session, in the order in which they were cut.
    pub async fn live_turns(&self, workspace: WorkspaceId, call: CallId) -> Result<Vec<LiveTurn>> {
        let rows = read!(
            fetch_all,
            TurnRow,
            self,
            "SELECT number, channel, speaker, start_ms, end_ms, blob, words FROM live_turns
             WHERE workspace = $1 AND call_id = $2 ORDER BY number",
            workspace,
            call,
        )?;
        let turn = |row: TurnRow| LiveTurn {
            number: row.number,
            channel: row.channel,
            speaker: row.speaker,
            start_ms: row.start_ms,
            end_ms: row.end_ms,
            blob: row.blob,
            words: row.words.map(|Json(words)| words),
        };
        Ok(rows.into_iter().map(turn).collect())
    }
}

/// Who says the words of a turn.
#[derive(Clone, Copy, Debug)]
pub(super) enum SaidBy {
    /// The run of the session, which has the turn's sound.
    Run,
    /// A stream that begins with this turn.
    NewStream,
    /// The stream that began with the turn of this number.
    Stream(i64),
}

/// Adds a turn behind all others of the session, and returns its number. The transaction must have locked the call.
pub(super) async fn add(
    tx: &mut Tx,
    (workspace, call): (WorkspaceId, CallId),
    turn: &NewLiveTurn,
    said_by: SaidBy,
) -> Result<i64> {
    let (last,) = query!(
        fetch_one,
        (Option<i64>,),
        *tx,
        "SELECT MAX(number) FROM live_turns WHERE workspace = $1 AND call_id = $2",
        workspace,
        call,
    )?;
    let number = last.unwrap_or(0) + 1;
    let stream = match said_by {
        SaidBy::Run => None,
        SaidBy::NewStream => Some(number),
        SaidBy::Stream(stream) => Some(stream),
    };
    execute!(
        *tx,
        "INSERT INTO live_turns (call_id, number, workspace, channel, speaker, start_ms, end_ms, blob, stream)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        call,
        number,
        workspace,
        turn.channel,
        turn.speaker.as_deref(),
        turn.start_ms,
        turn.end_ms,
        &turn.blob,
        stream,
    )?;
    Ok(number)
}
