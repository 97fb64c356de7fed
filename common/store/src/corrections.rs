//! What people corrected in a call: who its speakers are, the words of a line, and the summary.
//!
//! A transcript and an analysis stay as they were made. The corrections are kept beside them and laid over them whenever they
//! are read. So they hold for what is made again, and no moment exists in which something is read without them.

use sqlx::types::Json;
use uuid::Uuid;

use super::audit::{self, OperatorRequest};
use super::call_index;
use super::columns::storable;
use super::kept_corrections::{KeptCorrections, corrections_columns};
use super::replays::{Start, start_again};
use super::stage_runs::RunKey;
use super::{Result, Store, Tx, execute, query, read};
use domain::analysis::Analysis;
use domain::call::{CallId, WorkspaceId};
use domain::corrections::Corrections;
use domain::moment::Moment;
use domain::speakers::Correction;
use domain::transcript::Transcript;

/// What became of corrections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Corrected {
    /// The batch that the audit keeps the request under.
    pub batch: Uuid,
    /// The runs that do again what follows. There is none where the call never came to their stages: the first runs will
    /// read the corrections.
    pub runs: Vec<RunKey>,
}

/// What became of a correction of words that somebody read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rewritten {
    Done(Corrected),
    /// The words are others by now, because somebody else corrected them or because they were made again. Nothing was
    /// changed.
    Changed {
        now: String,
    },
    /// There is no such line, or no summary.
    Missing,
}

/// Which stages do the call again after a correction, and how their input is encoded.
pub struct Again<'a, F> {
    pub stages: &'a [&'static str],
    pub input_of: F,
}

impl Store {
    /// What people corrected in a call.
    pub async fn corrections(&self, workspace: WorkspaceId, call: CallId) -> Result<Corrections> {
        let row = read!(
            fetch_optional,
            KeptCorrections,
            self,
            concat!(
                "SELECT ",
                corrections_columns!(),
                " FROM speaker_corrections WHERE workspace = $1 AND call_id = $2"
            ),
            workspace,
            call,
        )?;
        Ok(row.unwrap_or_default().all())
    }

    /// Keeps corrections of a call's speakers, and does the call again, in one transaction. A later correction of a speaker
    /// takes the place of an earlier one, but a name or a role that it leaves out stays.
    pub async fn correct_speakers(
        &self,
        request: &OperatorRequest<'_>,
        call: CallId,
        corrections: &[Correction],
        again: Again<'_, impl Fn(&RunKey) -> String + Send>,
    ) -> Result<Corrected> {
        let now = self.now();
        let mut tx = self.begin_tx().await?;
        let mut kept = locked(&mut tx, request.workspace, call, now).await?;
        for correction in corrections {
            match kept.speakers.iter_mut().find(|known| known.speaker == correction.speaker) {
                Some(known) => known.add(correction),
                None => kept.speakers.push(correction.clone()),
            }
        }
        self.keep(tx, request, call, &kept, again, now).await
    }

    /// Corrects the words of a line. `shown` are the words that the person saw.
    pub async fn correct_line(
        &self,
        request: &OperatorRequest<'_>,
        call: CallId,
        line: LineSaid<'_>,
        again: Again<'_, impl Fn(&RunKey) -> String + Send>,
    ) -> Result<Rewritten> {
        let now = self.now();
        let mut tx = self.begin_tx().await?;
        let mut kept = locked(&mut tx, request.workspace, call, now).await?;
        let made = query!(
            fetch_optional,
            (Json<Transcript>,),
            tx,
            "SELECT transcript FROM transcripts WHERE workspace = $1 AND call_id = $2",
            request.workspace,
            call,
        )?;
        let made = made.as_ref().and_then(|(Json(transcript),)| transcript.segment(line.segment));
        let Some(made) = made else {
            tx.roll_back().await?;
            return Ok(Rewritten::Missing);
        };
        let mut corrections =
            kept.lines.iter().filter(|kept| kept.segment == made.id && kept.was == made.text);
        let current = corrections.next().map_or(&made.text, |kept| &kept.text);
        if current != line.shown {
            let now = current.clone();
            tx.roll_back().await?;
            return Ok(Rewritten::Changed { now });
        }
        kept.set_line(made.id, &made.text, line.text);
        self.keep(tx, request, call, &kept, again, now).await.map(Rewritten::Done)
    }

    /// Corrects the summary. `shown` is the summary that the person saw.
    pub async fn correct_summary(
        &self,
        request: &OperatorRequest<'_>,
        call: CallId,
        shown: &str,
        text: &str,
        again: Again<'_, impl Fn(&RunKey) -> String + Send>,
    ) -> Result<Rewritten> {
        let now = self.now();
        let mut tx = self.begin_tx().await?;
        let mut kept = locked(&mut tx, request.workspace, call, now).await?;
        let made = query!(
            fetch_optional,
            (Json<Analysis>,),
            tx,
            "SELECT analysis FROM analyses WHERE workspace = $1 AND call_id = $2",
            request.workspace,
            call,
        )?;
        let Some((Json(made),)) = made else {
            tx.roll_back().await?;
            return Ok(Rewritten::Missing);
        };
        let current = kept.summary.as_deref().unwrap_or(&made.summary);
        if current != shown {
            let now = current.to_owned();
            tx.roll_back().await?;
            return Ok(Rewritten::Changed { now });
        }
        kept.summary = (text != made.summary).then(|| text.to_owned());
        self.keep(tx, request, call, &kept, again, now).await.map(Rewritten::Done)
    }

    /// Stores the corrections, and does the call again.
    async fn keep(
        &self,
        mut tx: Tx,
        request: &OperatorRequest<'_>,
        call: CallId,
        kept: &Corrections,
        again: Again<'_, impl Fn(&RunKey) -> String + Send>,
        now: Moment,
    ) -> Result<Corrected> {
        execute!(
            tx,
            "UPDATE speaker_corrections SET corrections = $2, lines = $3, summary = $4 WHERE call_id = $1",
            call,
            storable(&kept.speakers),
            storable(&kept.lines),
            kept.summary.as_deref(),
        )?;
        let start = Start { workspace: request.workspace, call, stages: again.stages, lane: "live" };
        let runs = start_again(&mut tx, &start, again.input_of, now).await?;
        if runs.is_empty() {
            // Nothing else changes the call, and whoever follows the changes has to read it again.
            execute!(
                tx,
                "UPDATE calls SET updated_at = $3 WHERE workspace = $1 AND id = $2",
                request.workspace,
                call,
                now,
            )?;
        }
        call_index::refresh(&mut tx, &self.facts, call, now).await?;
        let batch = audit::note(&mut tx, request, now).await?;
        tx.commit().await?;
        Ok(Corrected { batch, runs })
    }
}

/// What a person makes of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineSaid<'a> {
    pub segment: u32,
    /// The words that the person saw.
    pub shown: &'a str,
    pub text: &'a str,
}

/// The corrections of a call. Their row is made or locked, so that of two people who correct at once none loses a
/// correction.
async fn locked(tx: &mut Tx, workspace: WorkspaceId, call: CallId, now: Moment) -> Result<Corrections> {
    let kept = query!(
        fetch_one,
        KeptCorrections,
        *tx,
        concat!(
            "INSERT INTO speaker_corrections (call_id, workspace, corrections, updated_at) VALUES ($1, $2, $3, $4)
             ON CONFLICT (call_id) DO UPDATE SET updated_at = excluded.updated_at RETURNING ",
            corrections_columns!()
        ),
        call,
        workspace,
        storable(&[(); 0]),
        now,
    )?;
    Ok(kept.all())
}
