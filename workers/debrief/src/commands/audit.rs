//! `debrief audit`: who had what done again.

use std::process::ExitCode;

use common::call::WorkspaceId;
use common::config::Values;
use common::store::Page;
use serde_json::json;

use super::print;
use crate::deployment::open_store;
use crate::outcome::Ended;

pub(crate) async fn list(values: &Values, limit: i64, as_json: bool) -> Ended {
    let store = open_store(values).await?;
    let page = Page { offset: 0, limit };
    let (rows, total) = store.audit(WorkspaceId::DEFAULT, page).await.map_err(anyhow::Error::from)?;
    store.close().await;
    if as_json {
        let items: Vec<_> = rows.iter().map(api::view::audit_entry).collect();
        print::json(&json!({"items": items, "total": total}))?;
    } else {
        let lines = rows.iter().map(|row| {
            let how = match (row.resumed, row.ended_at) {
                (_, None) => "not ended",
                (true, Some(_)) => "resumed",
                (false, Some(_)) => "whole",
            };
            [
                row.at.to_string(),
                row.actor.clone(),
                row.action.clone(),
                row.asked.clone(),
                row.batch.to_string(),
                row.done.to_string(),
                how.to_owned(),
            ]
        });
        print::table(["at", "who", "what", "asked", "batch", "done", "how"], lines);
        say!("{} of {total}", rows.len());
    }
    Ok(ExitCode::SUCCESS)
}

/// Whom the audit names: the user of this machine who runs the command.
pub(crate) fn actor() -> String {
    format!("cli:{}", whoami::username().unwrap_or_else(|_| "unknown".to_owned()))
}
