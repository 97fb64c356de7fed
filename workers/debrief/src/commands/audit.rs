//! `debrief audit`: shows who started work again, who decided about effects, and who made or revoked keys.

use std::process::ExitCode;

use platform::config::Values;
use serde_json::{Value, json};
use store::{Action, Page};
use uuid::Uuid;

use super::print;
use crate::deployment::open_workspace;
use crate::outcome::Ended;

pub(crate) async fn list(values: &Values, workspace: &str, limit: i64, as_json: bool) -> Ended {
    let (store, workspace) = open_workspace(values, workspace).await?;
    let page = Page { offset: 0, limit };
    let (rows, total) = store.audit(workspace, page).await.map_err(anyhow::Error::from)?;
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

/// Tells the user what was put on record, and under which batch `debrief audit list` shows it. The line goes to
/// standard error, because standard output holds only the answer of the command.
pub(crate) fn told(actor: &str, action: Action, asked: &Value, batch: Uuid) {
    complain!("{}", record(actor, action, asked, batch));
}

fn record(actor: &str, action: Action, asked: &Value, batch: Uuid) -> String {
    format!("debrief: on record: {actor} {} {asked} (batch {batch})", action.name())
}

/// The name on the audit record: the user of this machine who runs the command.
pub(crate) fn actor() -> String {
    format!("cli:{}", whoami::username().unwrap_or_else(|_| "unknown".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_says_who_what_and_where_to_find_it() {
        let line = record("cli:ada", Action::ReplayDeadLetters, &json!({"stage": "crm"}), Uuid::nil());
        let wanted = r#"debrief: on record: cli:ada dead_letters_replay {"stage":"crm"} (batch 00000000-0000-0000-0000-000000000000)"#;
        assert_eq!(line, wanted);
    }
}
