//! Calls, and what arrived about them.

use std::cmp::Reverse;
use std::str::FromStr;

use sqlx::types::Json;
use uuid::Uuid;

use super::call_status;
use super::columns::{bounded, storable};
use super::stage_runs::{self, NewRun};
use super::{EffectName, Result, Store, Tx, execute, query, read};
use domain::call::{Call, CallDetails, CallId, CallKind, CallStatus, WorkspaceId};
use domain::event::Material;
use domain::moment::Moment;

/// One delivery about a call, in the form that dedup passes to the store.
#[derive(Clone, Debug, PartialEq)]
pub struct Arrival {
    pub event_id: Uuid,
    pub workspace: WorkspaceId,
    pub call: CallId,
    pub source: String,
    pub external_id: String,
    pub kind: CallKind,
    pub details: CallDetails,
    pub materials: Vec<Material>,
}

/// What an arrival changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TakenIn {
    /// The arrival brought usable material that the call did not have. Work starts at this generation.
    Accepted { generation: i64 },
    /// The store had taken in this very event before. If `waiting`, its work has not started yet, and the caller
    /// announces it again.
    Repeated { generation: i64, waiting: bool },
    /// The arrival brought facts only, or material that the call had already.
    Noted,
}

/// Material that arrived, with its time.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredMaterial {
    pub material: Material,
    pub received_at: Moment,
}

/// One piece of material that a delivery brought, or the delivery itself if it brought none.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct DeliveredRow {
    pub event_id: Uuid,
    /// `recording`, `transcript` or `session`, or `announcement` if the delivery brought nothing from which a
    /// transcript can be made.
    pub kind: String,
    /// Empty for an announcement.
    pub digest: String,
    pub received_at: Moment,
}

/// Which calls a list shows. Every field that is set narrows the list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallFilter {
    pub status: Option<CallStatus>,
    pub source: Option<String>,
    pub agent: Option<String>,
    pub from: Option<Moment>,
    pub to: Option<Moment>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    pub offset: i64,
    pub limit: i64,
}

/// How many calls a workspace has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct Stats {
    pub total: i64,
    pub completed: i64,
    pub failed: i64,
    /// Calls for which the effect that the caller named is confirmed.
    pub delivered: i64,
}

#[derive(sqlx::FromRow)]
struct CallRow {
    id: CallId,
    workspace: WorkspaceId,
    source: String,
    external_id: String,
    kind: String,
    status: String,
    generation: i64,
    details: Json<CallDetails>,
    received_at: Moment,
    updated_at: Moment,
}

impl TryFrom<CallRow> for Call {
    type Error = sqlx::Error;

    fn try_from(row: CallRow) -> std::result::Result<Self, sqlx::Error> {
        Ok(Self {
            kind: column(&row.kind, "kind of call")?,
            status: column(&row.status, "status of a call")?,
            id: row.id,
            workspace: row.workspace,
            source: row.source,
            external_id: row.external_id,
            generation: row.generation,
            details: row.details.0,
            received_at: row.received_at,
            updated_at: row.updated_at,
        })
    }
}

/// Reads a column whose text is the name of a value.
fn column<T: FromStr>(text: &str, what: &str) -> std::result::Result<T, sqlx::Error> {
    text.parse().map_err(|_| sqlx::Error::Decode(format!("`{text}` is no {what}").into()))
}

const SELECT_CALL: &str =
    "SELECT id, workspace, source, external_id, kind, status, generation, details, received_at, updated_at FROM calls
     WHERE workspace = $1 AND id = $2";

impl Store {
    /// Takes an arrival in. One transaction keeps its material and merges its facts into the call. If usable
    /// material is new to the call, the transaction also raises the generation and makes a waiting run for each
    /// stage of `starts`, with the input that `input_of` encodes.
    pub async fn take_in(
        &self,
        arrival: &Arrival,
        starts: &[&'static str],
        lane: &str,
        input_of: impl Fn(i64) -> String + Send,
    ) -> Result<TakenIn> {
        let now = self.now();
        let mut tx = self.begin_tx().await?;
        // This locks the call's row, so that whoever comes second sees what the first one wrote.
        let call = query!(
            fetch_one,
            CallRow,
            tx,
            "INSERT INTO calls (id, workspace, source, external_id, kind, status, generation, details, agent, received_at, updated_at)
             VALUES ($1, $2, $3, $4, $5, 'no_recording', 0, $6, NULL, $7, $7)
             ON CONFLICT (id) DO UPDATE SET updated_at = excluded.updated_at
             RETURNING id, workspace, source, external_id, kind, status, generation, details, received_at, updated_at",
            arrival.call,
            arrival.workspace,
            &arrival.source,
            &arrival.external_id,
            arrival.kind.name(),
            storable(&CallDetails::default()),
            now,
        )?;
        let Some(is_new) = keep(&mut tx, arrival, now).await? else {
            let waiting = stage_runs::is_waiting(&mut tx, arrival.call, starts, call.generation).await?;
            tx.roll_back().await?;
            return Ok(TakenIn::Repeated { generation: call.generation, waiting });
        };
        let generation = call.generation + i64::from(is_new);
        if is_new {
            let waiting = |stage: &&'static str| NewRun {
                stage,
                generation,
                lane: lane.to_owned(),
                input: input_of(generation),
            };
            let runs: Vec<_> = starts.iter().map(waiting).collect();
            stage_runs::put_waiting(&mut tx, arrival.workspace, arrival.call, &runs, now).await?;
        }
        let mut details = call.details.0;
        details.merge(arrival.details.clone());
        execute!(
            tx,
            call_status::status!("details = $3, agent = $4, generation = $5, "),
            arrival.call,
            now,
            storable(&details),
            details.agent_name.as_deref().map(|name| bounded(name, 200)),
            generation,
        )?;
        platform::failpoint!("take_in.commit");
        tx.commit().await?;
        platform::failpoint!("take_in.committed");
        Ok(if is_new { TakenIn::Accepted { generation } } else { TakenIn::Noted })
    }

    pub async fn call(&self, workspace: WorkspaceId, id: CallId) -> Result<Option<Call>> {
        let row = read!(fetch_optional, CallRow, self, SELECT_CALL, workspace, id)?;
        Ok(row.map(Call::try_from).transpose()?)
    }

    /// The call that has this id at its source. If several sources used the same id, it is the newest call.
    pub async fn call_by_external_id(
        &self,
        workspace: WorkspaceId,
        external_id: &str,
    ) -> Result<Option<Call>> {
        // The query does not sort: with an ORDER BY on the time, SQLite would look through all calls by time
        // instead of finding these few by their id.
        let rows = read!(
            fetch_all,
            CallRow,
            self,
            "SELECT id, workspace, source, external_id, kind, status, generation, details, received_at, updated_at
             FROM calls WHERE workspace = $1 AND external_id = $2",
            workspace,
            external_id,
        )?;
        let newest = rows.into_iter().max_by_key(|row| (row.received_at, Reverse(row.id.0)));
        Ok(newest.map(Call::try_from).transpose()?)
    }

    /// The material from which a transcript of the call can be made, oldest first.
    pub async fn materials(&self, workspace: WorkspaceId, call: CallId) -> Result<Vec<StoredMaterial>> {
        let rows = read!(
            fetch_all,
            (Json<Material>, Moment),
            self,
            "SELECT material, received_at FROM materials
             WHERE workspace = $1 AND call_id = $2 AND kind <> 'announcement' ORDER BY received_at, event_id, position",
            workspace,
            call,
        )?;
        Ok(rows
            .into_iter()
            .map(|(Json(material), received_at)| StoredMaterial { material, received_at })
            .collect())
    }

    /// Everything that arrived about a call, announcements included, oldest first.
    pub async fn deliveries(&self, workspace: WorkspaceId, call: CallId) -> Result<Vec<DeliveredRow>> {
        Ok(read!(
            fetch_all,
            DeliveredRow,
            self,
            "SELECT event_id, kind, digest, received_at FROM materials
             WHERE workspace = $1 AND call_id = $2 ORDER BY received_at, event_id, position",
            workspace,
            call,
        )?)
    }

    /// One page of the calls that match, newest first, and how many match in all.
    pub async fn calls(
        &self,
        workspace: WorkspaceId,
        filter: &CallFilter,
        page: Page,
    ) -> Result<(Vec<Call>, i64)> {
        let from = filter.from.unwrap_or(Moment::from_micros(0));
        let to = filter.to.unwrap_or(Moment::from_micros(253_402_300_799_000_000));
        let status = filter.status.map(CallStatus::name);
        let rows = read!(
            fetch_all,
            CallRow,
            self,
            "SELECT id, workspace, source, external_id, kind, status, generation, details, received_at, updated_at
             FROM calls WHERE workspace = $1 AND received_at >= $2 AND received_at <= $3
                AND (CAST($4 AS TEXT) IS NULL OR status = $4) AND (CAST($5 AS TEXT) IS NULL OR source = $5)
                AND (CAST($6 AS TEXT) IS NULL OR agent = $6)
             ORDER BY received_at DESC, id LIMIT $7 OFFSET $8",
            workspace,
            from,
            to,
            status,
            filter.source.as_deref(),
            filter.agent.as_deref(),
            page.limit,
            page.offset,
        )?;
        let (total,) = read!(
            fetch_one,
            (i64,),
            self,
            "SELECT COUNT(*) FROM calls WHERE workspace = $1 AND received_at >= $2 AND received_at <= $3
                AND (CAST($4 AS TEXT) IS NULL OR status = $4) AND (CAST($5 AS TEXT) IS NULL OR source = $5)
                AND (CAST($6 AS TEXT) IS NULL OR agent = $6)",
            workspace,
            from,
            to,
            status,
            filter.source.as_deref(),
            filter.agent.as_deref(),
        )?;
        let calls = rows.into_iter().map(Call::try_from).collect::<std::result::Result<_, _>>()?;
        Ok((calls, total))
    }

    /// Counts the calls of a workspace. `delivery` names the effect by which a call counts as delivered.
    pub async fn stats(&self, workspace: WorkspaceId, delivery: EffectName<'_>) -> Result<Stats> {
        Ok(read!(
            fetch_one,
            Stats,
            self,
            "SELECT COUNT(*) AS total,
                COUNT(*) FILTER (WHERE status = 'completed') AS completed,
                COUNT(*) FILTER (WHERE status = 'failed') AS failed,
                (SELECT COUNT(*) FROM effects WHERE workspace = $1 AND target = $2 AND object = $3
                    AND state = 'confirmed') AS delivered
             FROM calls WHERE workspace = $1",
            workspace,
            delivery.target,
            delivery.object,
        )?)
    }
}

/// Keeps what the event brought. Returns whether any of it is new to the call, or nothing if this event was kept
/// before.
async fn keep(tx: &mut Tx, arrival: &Arrival, now: Moment) -> Result<Option<bool>> {
    let nothing_usable = arrival.materials.is_empty().then_some(None);
    let rows = arrival.materials.iter().map(Some).chain(nothing_usable);
    let mut is_new = false;
    for (position, material) in (0_i64..).zip(rows) {
        let kept = query!(
            fetch_optional,
            (i64,),
            *tx,
            "INSERT INTO materials (event_id, position, workspace, call_id, kind, digest, material, received_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING
             RETURNING (SELECT COUNT(*) FROM materials AS known
                WHERE known.call_id = $4 AND known.digest = $6 AND known.event_id <> $1)",
            arrival.event_id,
            position,
            arrival.workspace,
            arrival.call,
            material.map_or("announcement", |material| material.kind.name()),
            material.map_or("", |material| material.digest.as_str()),
            material.map(storable),
            now,
        )?;
        let Some((known,)) = kept else { return Ok(None) };
        is_new |= material.is_some() && known == 0;
    }
    Ok(Some(is_new))
}
