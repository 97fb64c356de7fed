//! Ends sessions.

use queue_topology::live;
use serde_json::json;
use store::live::{EndAsked, LiveSession};
use web::Problem;

use super::{Live, away};
use crate::told;

impl Live {
    /// Ends a session and wakes the work on it, unless it has ended before.
    pub(crate) async fn end(&self, session: &LiveSession, reason: &str) -> Result<(), Problem> {
        let (workspace, call) = (session.workspace, session.call);
        let why = json!({"reason": reason, "audio_files_count": session.pieces});
        let told = told::call_status(&session.session_id, "ended", &why, self.store.now());
        let input = live::input(&self.store, workspace, call);
        let ended = self.store.end_live_session((workspace, call), (reason, None), &told, &input).await;
        if let EndAsked::Ended { generation } = ended.map_err(|error| away(&error))? {
            self.hub.tell(call);
            live::wake(self.broker.as_ref(), &self.store, &live::run(workspace, call, generation)).await;
            tracing::info!(%call, "a live session ended");
        }
        Ok(())
    }
}
