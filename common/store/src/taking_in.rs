//! Takes arrivals in: keeps their material, merges their facts into the call, and starts work.

use sqlx::types::Json;
use strum::{EnumString, IntoStaticStr};
use uuid::Uuid;

use super::call_index::{self, Indexed};
use super::call_status;
use super::calls::CallRow;
use super::columns::{bounded, storable};
use super::stage_runs::{self, NewRun};
use super::{Result, Store, Tx, execute, query};
use domain::call::{CallDetails, CallId, CallKind, WorkspaceId};
use domain::event::Material;
use domain::filters;
use domain::moment::Moment;
use domain::note::Note;

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

impl Store {
    /// Takes an arrival in, without any rules. See [`Self::take_in_by`].
    pub async fn take_in(
        &self,
        arrival: &Arrival,
        starts: &[&'static str],
        lane: &str,
        input_of: impl Fn(i64) -> String + Send,
    ) -> Result<TakenIn> {
        self.take_in_by(arrival, starts, lane, input_of, |_| None).await
    }

    /// Takes an arrival in. One transaction keeps its material and merges its facts into the call. If usable
    /// material is new to the call, the transaction also raises the generation and makes a waiting run for each
    /// stage of `starts`, with the input that `input_of` encodes.
    ///
    /// `rules` completes the merged facts, and returns a note that says why the call is not wanted. A call that is not
    /// wanted keeps its material and starts nothing, until a later arrival changes its facts. A call that was begun once
    /// is wanted for ever.
    pub async fn take_in_by(
        &self,
        arrival: &Arrival,
        starts: &[&'static str],
        lane: &str,
        input_of: impl Fn(i64) -> String + Send,
        rules: impl Fn(&mut CallDetails) -> Option<Note> + Send,
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
             RETURNING id, workspace, source, external_id, kind, status, generation, details, received_at, updated_at,
                nothing_made",
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
        let mut details = call.details.0;
        details.merge(arrival.details.clone());
        let unwanted = rules(&mut details).filter(|_| call.generation == 0);
        let before = NothingMade::read(call.nothing_made.as_deref());
        let has_work = is_new
            || match before {
                Some(NothingMade::Filtered) => true,
                // The recording that did not come is announced again.
                Some(NothingMade::NoRecording) => !arrival.materials.is_empty(),
                None => false,
            };
        let nothing_made = match &unwanted {
            Some(_) if has_work => Some(NothingMade::Filtered),
            _ if has_work => None,
            _ => before,
        };
        details.notes.retain(|note| note.code != filters::NOTE);
        let starts_now = has_work && unwanted.is_none();
        if let Some(note) = unwanted {
            details.add_note(note);
        }
        let generation = call.generation + i64::from(starts_now);
        if starts_now {
            let waiting = |stage: &&'static str| NewRun {
                stage,
                generation,
                lane: lane.to_owned(),
                input: input_of(generation),
            };
            let runs: Vec<_> = starts.iter().map(waiting).collect();
            stage_runs::put_waiting(&mut tx, arrival.workspace, arrival.call, &runs, now).await?;
        }
        execute!(
            tx,
            call_status::status!("details = $3, agent = $4, generation = $5, nothing_made = $6, "),
            arrival.call,
            now,
            storable(&details),
            details.agent_name.as_deref().map(|name| bounded(name, 200)),
            generation,
            nothing_made.map(NothingMade::name),
        )?;
        let indexed = Indexed {
            call: arrival.call,
            workspace: arrival.workspace,
            source: &arrival.source,
            external_id: &arrival.external_id,
            kind: arrival.kind,
            details: &details,
            received_at: call.received_at,
        };
        if call.received_at == now {
            call_index::begin(&mut tx, &self.facts, &indexed, now).await?;
        } else {
            call_index::refresh(&mut tx, &self.facts, arrival.call, now).await?;
        }
        platform::failpoint!("take_in.commit");
        tx.commit().await?;
        platform::failpoint!("take_in.committed");
        Ok(if starts_now { TakenIn::Accepted { generation } } else { TakenIn::Noted })
    }

    /// Merges facts into a call that somebody was asked for, such as the length of a call when it is final. Nothing
    /// starts because of that.
    pub async fn add_facts(&self, workspace: WorkspaceId, call: CallId, facts: &CallDetails) -> Result<()> {
        let now = self.now();
        let mut tx = self.begin_tx().await?;
        merge_facts(&mut tx, workspace, call, facts, now).await?;
        call_index::refresh(&mut tx, &self.facts, call, now).await?;
        tx.commit().await?;
        Ok(())
    }
}

/// Merges facts into the call in the caller's transaction.
pub(super) async fn merge_facts(
    tx: &mut Tx,
    workspace: WorkspaceId,
    call: CallId,
    facts: &CallDetails,
    now: Moment,
) -> Result<()> {
    // This locks the call's row, as an arrival does.
    let known = query!(
        fetch_optional,
        (Json<CallDetails>,),
        *tx,
        "UPDATE calls SET updated_at = $3 WHERE workspace = $1 AND id = $2 RETURNING details",
        workspace,
        call,
        now,
    )?;
    let Some((Json(mut details),)) = known else { return Ok(()) };
    details.merge(facts.clone());
    execute!(
        *tx,
        "UPDATE calls SET details = $3, agent = $4 WHERE workspace = $1 AND id = $2",
        workspace,
        call,
        storable(&details),
        details.agent_name.as_deref().map(|name| bounded(name, 200)),
    )?;
    Ok(())
}

/// Why nothing was made of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumString, IntoStaticStr)]
#[strum(serialize_all = "snake_case", const_into_str)]
enum NothingMade {
    Filtered,
    NoRecording,
}

impl NothingMade {
    const fn name(self) -> &'static str {
        self.into_str()
    }

    fn read(text: Option<&str>) -> Option<Self> {
        text?.parse().ok()
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
