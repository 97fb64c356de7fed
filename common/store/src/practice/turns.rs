//! What was said in a practice meeting. Only who has the floor writes it.

use serde_json::Value;
use sqlx::types::Json;
use strum::{EnumString, IntoStaticStr};
use uuid::Uuid;

use super::MAX_TEXT_CHARS;
use crate::columns::{bounded, storable};
use crate::{Result, Store, execute, query, read};
use domain::call::WorkspaceId;
use domain::moment::Moment;

#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumString, IntoStaticStr)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum TurnState {
    Said,
    /// The words still come.
    Speaking,
    /// Only a part was said.
    Cut,
}

impl TurnState {
    pub const fn name(self) -> &'static str {
        self.into_str()
    }
}

#[derive(Clone, Copy, Debug)]
pub struct NewTurn<'a> {
    /// `salesperson`, or the id of a representative.
    pub speaker: &'a str,
    pub name: &'a str,
    pub role: &'a str,
    pub said: &'a str,
    pub state: TurnState,
    pub details: &'a Value,
    /// The salesperson's turn that this one answers.
    pub answers: Option<i64>,
    /// The key with which the turn was sent, and a hash of what was sent.
    pub request: Option<(Uuid, Uuid)>,
    pub audio: Option<&'a str>,
    pub duration_ms: i64,
}

#[derive(Clone, Debug, PartialEq)]
pub struct TurnRow {
    pub number: i64,
    pub speaker: String,
    pub name: String,
    pub role: String,
    pub said: String,
    pub state: TurnState,
    pub details: Value,
    pub answers: Option<i64>,
    pub is_answered: bool,
    pub request_hash: Option<Uuid>,
    /// The key of the blob with the sound.
    pub audio: Option<String>,
    pub duration_ms: i64,
    pub created_at: Moment,
}

#[derive(sqlx::FromRow)]
struct Columns {
    number: i64,
    speaker: String,
    name: String,
    role: String,
    said: String,
    state: String,
    details: Json<Value>,
    answers: Option<i64>,
    is_answered: bool,
    request_hash: Option<Uuid>,
    audio: Option<String>,
    duration_ms: i64,
    created_at: Moment,
}

impl From<Columns> for TurnRow {
    fn from(row: Columns) -> Self {
        Self {
            number: row.number,
            speaker: row.speaker,
            name: row.name,
            role: row.role,
            said: row.said,
            // A state that only a newer version knows is not taken for a whole turn.
            state: row.state.parse().unwrap_or(TurnState::Cut),
            details: row.details.0,
            answers: row.answers,
            is_answered: row.is_answered,
            request_hash: row.request_hash,
            audio: row.audio,
            duration_ms: row.duration_ms,
            created_at: row.created_at,
        }
    }
}

macro_rules! turn_columns {
    () => {
        "SELECT number, speaker, name, role, said, state, details, answers, is_answered, request_hash, audio, duration_ms,
            created_at
         FROM practice_turns "
    };
}

impl Store {
    /// Adds a turn and returns its number. `None` where `holder` has the floor no longer.
    pub async fn add_turn(
        &self,
        workspace: WorkspaceId,
        meeting: Uuid,
        holder: Uuid,
        turn: NewTurn<'_>,
    ) -> Result<Option<i64>> {
        let mut tx = self.begin_tx().await?;
        let number = query!(
            fetch_optional,
            (i64,),
            tx,
            "UPDATE practice_meetings SET turns = turns + 1 WHERE workspace = $1 AND id = $2 AND floor = $3
             RETURNING turns",
            workspace,
            meeting,
            holder,
        )?;
        let Some((number,)) = number else {
            tx.roll_back().await?;
            return Ok(None);
        };
        execute!(
            tx,
            "INSERT INTO practice_turns (workspace, meeting, number, speaker, name, role, said, state, details, answers,
                request, request_hash, audio, duration_ms, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
            workspace,
            meeting,
            number,
            turn.speaker,
            bounded(turn.name, 200),
            bounded(turn.role, 200),
            bounded(turn.said, MAX_TEXT_CHARS),
            turn.state.name(),
            storable(turn.details),
            turn.answers,
            turn.request.map(|(key, _)| key),
            turn.request.map(|(_, hash)| hash),
            turn.audio,
            turn.duration_ms,
            self.now(),
        )?;
        tx.commit().await?;
        Ok(Some(number))
    }

    /// Writes what was said so far in a turn whose words still come. Returns false where `holder` has the floor no longer.
    pub async fn set_turn(
        &self,
        workspace: WorkspaceId,
        meeting: Uuid,
        holder: Uuid,
        number: i64,
        (said, state, duration_ms): (&str, TurnState, i64),
    ) -> Result<bool> {
        let mut tx = self.one_statement().await?;
        let written = execute!(
            tx,
            "UPDATE practice_turns SET said = $5, state = $6, duration_ms = $7
             WHERE workspace = $1 AND meeting = $2 AND number = $4 AND state = 'speaking'
               AND EXISTS (SELECT 1 FROM practice_meetings WHERE workspace = $1 AND id = $2 AND floor = $3)",
            workspace,
            meeting,
            holder,
            number,
            bounded(said, MAX_TEXT_CHARS),
            state.name(),
            duration_ms,
        )?;
        tx.commit().await?;
        Ok(written == 1)
    }

    /// Keeps the key of the blob with the sound of a turn. Returns false where there is no such turn.
    pub async fn set_turn_audio(
        &self,
        workspace: WorkspaceId,
        meeting: Uuid,
        number: i64,
        audio: &str,
    ) -> Result<bool> {
        let mut tx = self.one_statement().await?;
        let kept = execute!(
            tx,
            "UPDATE practice_turns SET audio = $4 WHERE workspace = $1 AND meeting = $2 AND number = $3",
            workspace,
            meeting,
            number,
            audio,
        )?;
        tx.commit().await?;
        Ok(kept == 1)
    }

    /// Notes that a turn of the salesperson was answered, and gives the floor back.
    pub async fn end_exchange(
        &self,
        workspace: WorkspaceId,
        meeting: Uuid,
        holder: Uuid,
        number: i64,
    ) -> Result<bool> {
        let mut tx = self.begin_tx().await?;
        let had = execute!(
            tx,
            "UPDATE practice_meetings SET floor = NULL, floor_until = NULL
             WHERE workspace = $1 AND id = $2 AND floor = $3",
            workspace,
            meeting,
            holder,
        )?;
        if had == 0 {
            tx.roll_back().await?;
            return Ok(false);
        }
        execute!(
            tx,
            "UPDATE practice_turns SET is_answered = $4 WHERE workspace = $1 AND meeting = $2 AND number = $3",
            workspace,
            meeting,
            number,
            true,
        )?;
        tx.commit().await?;
        Ok(true)
    }

    /// The turns of a meeting in their order.
    pub async fn turns_of(&self, workspace: WorkspaceId, meeting: Uuid) -> Result<Vec<TurnRow>> {
        let sql = concat!(turn_columns!(), "WHERE workspace = $1 AND meeting = $2 ORDER BY number");
        let rows = read!(fetch_all, Columns, self, sql, workspace, meeting)?;
        Ok(rows.into_iter().map(Into::into).collect())
    }

    /// The turn that was sent with this key.
    pub async fn turn_of_request(
        &self,
        workspace: WorkspaceId,
        meeting: Uuid,
        request: Uuid,
    ) -> Result<Option<TurnRow>> {
        let sql = concat!(turn_columns!(), "WHERE workspace = $1 AND meeting = $2 AND request = $3");
        Ok(read!(fetch_optional, Columns, self, sql, workspace, meeting, request)?.map(Into::into))
    }
}
