//! `debrief replay --call`: processes a call again, from a stage that the user names.

use std::process::ExitCode;

use platform::config::{ConfigError, Values};
use queue_topology::replay::{self, Replayed, Start};
use store::Action;

use super::audit;
use super::calls::find;
use crate::deployment::open_workspace;
use crate::outcome::{Ended, failed};

pub(crate) async fn call(values: &Values, workspace: &str, id: &str, from: &str) -> Ended {
    let start = Start::named(from).ok_or_else(|| {
        ConfigError::new(
            "--from",
            format!("`{from}` is no stage; the stages are {}", Start::names().join(", ")),
        )
    })?;
    let (store, workspace) = open_workspace(values, workspace).await?;
    let Some(call) = find(&store, workspace, id).await? else {
        return failed(format!("there is no call `{id}`"));
    };
    let actor = audit::actor();
    let replayed =
        replay::call(&store, (workspace, &actor), call.id, start).await.map_err(anyhow::Error::from)?;
    store.close().await;
    let Start { stage, .. } = start;
    let Some(Replayed { generation, batch }) = replayed else {
        return failed(format!("call {} never came to {stage}", call.id));
    };
    say!("call {} is done again from {stage} on, as generation {generation}", call.id);
    audit::told(&actor, Action::ReplayCall, &replay::call_as_asked(call.id, stage), batch);
    Ok(ExitCode::SUCCESS)
}
