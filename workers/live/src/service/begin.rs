//! Begins a session.

use axum::http::StatusCode;
use domain::call::{CallDetails, CallId, CallKind};
use domain::principal::Principal;
use queue_topology::live;
use serde_json::json;
use store::Arrival;
use store::live::{NewLiveSession, SessionStart};
use uuid::Uuid;
use web::Problem;

use super::{Live, away};
use crate::told;

impl Live {
    /// Begins a session, or finds the active one with this id. Returns its call.
    pub(crate) async fn begin(
        &self,
        who: &Principal,
        source: String,
        session_id: String,
        details: CallDetails,
    ) -> Result<CallId, Problem> {
        let workspace = who.workspace;
        let call = CallId::derive(workspace, &source, &session_id);
        let arrival = Arrival {
            event_id: Uuid::new_v5(&call.0, b"live session"),
            workspace,
            call,
            source,
            external_id: session_id.clone(),
            kind: CallKind::Phone,
            details,
            materials: Vec::new(),
        };
        // The call is there before its session, so that whoever lists calls sees it at once.
        let known = self.store.live_session(workspace, &session_id).await.map_err(|error| away(&error))?;
        if known.is_none() {
            let agents = self.settings.agents.clone();
            let fill = move |details: &mut CallDetails| {
                agents.fill(details);
                None
            };
            let taken = self.store.take_in_by(&arrival, &[], "live", |_| String::new(), fill).await;
            taken.map_err(|error| away(&error))?;
        }
        let call = known.map_or(call, |known| known.call);
        let new = NewLiveSession { workspace, call, session_id: session_id.clone() };
        let begun = json!({"call_id": call});
        let told = told::call_status(&session_id, "started", &begun, self.store.now());
        let input = live::input(&self.store, workspace, call);
        let started =
            self.store.start_live_session(&new, &told, &input).await.map_err(|error| away(&error))?;
        match started {
            SessionStart::Started { generation } => {
                self.hub.tell(call);
                let run = live::run(workspace, call, generation);
                live::wake(self.broker.as_ref(), &self.store, &run).await;
                tracing::info!(%call, %workspace, "a live session began");
            }
            SessionStart::Active => {}
            SessionStart::Ended => {
                return Err(Problem::new(StatusCode::CONFLICT, "the session with this id has ended"));
            }
        }
        Ok(call)
    }
}
