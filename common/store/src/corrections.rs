//! What people said about the speakers of a call.
//!
//! A transcript stays as it was made. The corrections are kept beside it and laid over it whenever it is read. So they
//! hold for a transcript that is made again, and no moment exists in which a transcript is read without them.

use sqlx::types::Json;
use uuid::Uuid;

use super::audit::{self, OperatorRequest};
use super::call_index;
use super::columns::storable;
use super::replays::{Start, start_again};
use super::stage_runs::RunKey;
use super::{Result, Store, execute, query};
use domain::call::CallId;
use domain::speakers::Correction;

/// What became of corrections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Corrected {
    /// The batch that the audit keeps the request under.
    pub batch: Uuid,
    /// The run that does again what follows from the speakers. Absent where the call never came to that stage: its
    /// first run will read the corrections.
    pub run: Option<RunKey>,
}

impl Store {
    /// Keeps corrections of a call's speakers, and does the call again from `stage` on, in one transaction. A later
    /// correction of a speaker takes the place of an earlier one, but a name or a role that it leaves out stays.
    pub async fn correct_speakers(
        &self,
        request: &OperatorRequest<'_>,
        call: CallId,
        corrections: &[Correction],
        stage: &'static str,
        input_of: impl Fn(&RunKey) -> String + Send,
    ) -> Result<Corrected> {
        let now = self.now();
        let mut tx = self.begin_tx().await?;
        // This makes the row or locks it, so that of two people who correct at once none loses a correction.
        let (Json(mut kept),) = query!(
            fetch_one,
            (Json<Vec<Correction>>,),
            tx,
            "INSERT INTO speaker_corrections (call_id, workspace, corrections, updated_at) VALUES ($1, $2, $3, $4)
             ON CONFLICT (call_id) DO UPDATE SET updated_at = excluded.updated_at RETURNING corrections",
            call,
            request.workspace,
            storable(&[(); 0]),
            now,
        )?;
        for correction in corrections {
            match kept.iter_mut().find(|known| known.speaker == correction.speaker) {
                Some(known) => known.add(correction),
                None => kept.push(correction.clone()),
            }
        }
        execute!(
            tx,
            "UPDATE speaker_corrections SET corrections = $2 WHERE call_id = $1",
            call,
            storable(&kept),
        )?;
        let start = Start { workspace: request.workspace, call, stage, lane: "live" };
        let run = start_again(&mut tx, &start, input_of, now).await?;
        if run.is_none() {
            // Nothing else changes the call, and whoever follows the changes has to read the transcript again.
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
        Ok(Corrected { batch, run })
    }
}
