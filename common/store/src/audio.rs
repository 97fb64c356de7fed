//! What was measured in the recordings of calls.

use sqlx::types::Json;

use super::{Result, Store, read};
use domain::audio::{AudioFacts, Waveform};
use domain::call::{CallId, WorkspaceId};

impl Store {
    /// What was measured in the recording of a call. `None` where there is no recording, or none that could be measured.
    pub async fn audio_facts(&self, workspace: WorkspaceId, call: CallId) -> Result<Option<AudioFacts>> {
        let row = read!(
            fetch_optional,
            (Json<AudioFacts>,),
            self,
            "SELECT facts FROM audio WHERE workspace = $1 AND call_id = $2",
            workspace,
            call,
        )?;
        Ok(row.map(|(Json(facts),)| facts))
    }

    /// The outline of the recording of a call.
    pub async fn waveform(&self, workspace: WorkspaceId, call: CallId) -> Result<Option<Waveform>> {
        let row = read!(
            fetch_optional,
            (Json<Waveform>,),
            self,
            "SELECT waveform FROM audio WHERE workspace = $1 AND call_id = $2",
            workspace,
            call,
        )?;
        Ok(row.map(|(Json(waveform),)| waveform))
    }
}
