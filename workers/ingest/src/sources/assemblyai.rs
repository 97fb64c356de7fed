//! AssemblyAI's word that a transcript is ready. It is a nudge and proves nothing: the worker asks by the
//! job that it stored.

use domain::call::{CallId, WorkspaceId};
use queue_topology::table::TRANSCRIPTION;
use uuid::Uuid;
use web::{FieldProblem, Problem};

use crate::publish::Nudge;

/// From the query that we put into the address when we submitted.
pub(crate) fn nudge(query: &str) -> Result<Nudge, Problem> {
    let value = |wanted: &str| {
        let mut pairs = url::form_urlencoded::parse(query.as_bytes());
        pairs.find(|(name, _)| name == wanted).map(|(_, value)| value.into_owned())
    };
    let (call, workspace) = (id(value("call")), id(value("workspace")));
    let generation = value("generation").and_then(|text| text.parse().ok());
    match (call, workspace, generation) {
        (Some(call), Some(workspace), Some(generation)) => Ok(Nudge {
            stage: TRANSCRIPTION.spec.stage,
            workspace: WorkspaceId(workspace),
            call: CallId(call),
            generation,
        }),
        (call, workspace, generation) => {
            let missing = [
                ("/call", call.is_none()),
                ("/workspace", workspace.is_none()),
                ("/generation", generation.is_none()),
            ];
            let named =
                missing.into_iter().filter(|(_, missing)| *missing).map(|(pointer, _)| FieldProblem {
                    pointer: pointer.to_owned(),
                    detail: "is missing from the query, or is not one".to_owned(),
                });
            Err(Problem::fields(named.collect()))
        }
    }
}

fn id(text: Option<String>) -> Option<Uuid> {
    text?.parse().ok()
}
