//! Deletes a call with everything that the store knows of it.
//!
//! One transaction deletes the rows of every table that refer to the call. It deletes the row of the call first, which
//! whoever works on the call has to lock. So a run that ends meanwhile finds no row of its own any more, and leaves nothing
//! behind. A search finds the call no more, the sums are without it, and whoever follows the changes does not hear of it
//! again. Rows of the audit stay.

use domain::call::{CallId, WorkspaceId};
use domain::event::{Material, MaterialAt};
use sqlx::types::Json;

use super::audit::{self, Audit};
use super::{Result, Store, Tx, execute, query};

/// What refers to a call and holds no blob. The facts take themselves out of the sums when they are deleted.
const ROWS: [&str; 20] = [
    "DELETE FROM sample_calls WHERE call_id = $1",
    "DELETE FROM stage_runs WHERE call_id = $1",
    "DELETE FROM stage_history WHERE call_id = $1",
    "DELETE FROM effects WHERE call_id = $1",
    "DELETE FROM dead_letters WHERE call_id = $1",
    "DELETE FROM doubted_calls WHERE call_id = $1",
    "DELETE FROM later_looks WHERE call_id = $1",
    "DELETE FROM transcripts WHERE call_id = $1",
    "DELETE FROM analyses WHERE call_id = $1",
    "DELETE FROM speaker_corrections WHERE call_id = $1",
    "DELETE FROM audio WHERE call_id = $1",
    "DELETE FROM speech_attempts WHERE call_id = $1",
    "DELETE FROM usage WHERE call_id = $1",
    "DELETE FROM call_facts WHERE call_id = $1",
    "DELETE FROM call_topics WHERE call_id = $1",
    "DELETE FROM call_search WHERE call_id = $1",
    "DELETE FROM call_changes WHERE call_id = $1",
    "DELETE FROM live_sessions WHERE call_id = $1",
    "DELETE FROM live_events WHERE call_id = $1",
    "UPDATE practice_meetings SET call_id = NULL WHERE call_id = $1",
];

impl Store {
    /// Deletes a call, and counts it in the request of `audit`. Returns the keys of the blobs that belonged to it, and
    /// `None` where the workspace has no such call.
    pub async fn delete_call(
        &self,
        audit: &Audit,
        workspace: WorkspaceId,
        call: CallId,
    ) -> Result<Option<Vec<String>>> {
        let mut tx = self.begin_tx().await?;
        let gone = execute!(tx, "DELETE FROM calls WHERE workspace = $1 AND id = $2", workspace, call)?;
        if gone == 0 {
            tx.roll_back().await?;
            return Ok(None);
        }
        let blobs = delete_blobs(&mut tx, call).await?;
        if let Tx::Sqlite(_) = tx {
            let words =
                "DELETE FROM call_words WHERE rowid IN (SELECT id FROM call_search WHERE call_id = $1)";
            execute!(tx, words, call)?;
        }
        for sql in ROWS {
            execute!(tx, sql, call)?;
        }
        audit::count(&mut tx, audit).await?;
        tx.commit().await?;
        Ok(Some(blobs))
    }
}

/// Deletes the rows that name blobs, and returns their keys.
async fn delete_blobs(tx: &mut Tx, call: CallId) -> Result<Vec<String>> {
    let materials = query!(
        fetch_all,
        (Option<Json<Material>>,),
        *tx,
        "DELETE FROM materials WHERE call_id = $1 RETURNING material",
        call,
    )?;
    let key = |Json(material): Json<Material>| match material.at {
        MaterialAt::Blob(key) => key,
        // This is where the transcription keeps what it fetched.
        MaterialAt::SealedUrl(_) => format!("recordings/{call}/{}", material.digest),
    };
    let mut blobs: Vec<String> = materials.into_iter().filter_map(|(material,)| material.map(key)).collect();
    let pieces =
        query!(fetch_all, (String,), *tx, "DELETE FROM live_pieces WHERE call_id = $1 RETURNING blob", call)?;
    let turns =
        query!(fetch_all, (String,), *tx, "DELETE FROM live_turns WHERE call_id = $1 RETURNING blob", call)?;
    blobs.extend(pieces.into_iter().chain(turns).map(|(blob,)| blob));
    Ok(blobs)
}
