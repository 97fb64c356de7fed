//! `debrief dead`: lists the dead letters (messages whose work was given up), and starts their work again.

use std::process::ExitCode;
use std::time::Duration;

use domain::call::WorkspaceId;
use domain::moment::Moment;
use platform::config::Values;
use queue_topology::replay;
use serde_json::json;
use store::{Action, DeadFilter, DeadLetter, Page, Store};
use uuid::Uuid;

use super::{audit, print};
use crate::deployment::open_workspace;
use crate::outcome::{Ended, failed};

/// Chooses the dead letters of a command.
#[derive(clap::Args)]
pub(crate) struct Which {
    #[arg(long)]
    pub(crate) stage: Option<String>,
    #[arg(long)]
    pub(crate) group: Option<String>,
    /// Only those that died at this time or later, such as 2026-01-31T12:00:00Z
    #[arg(long, value_parser = print::moment)]
    pub(crate) since: Option<Moment>,
    #[arg(long, value_parser = print::moment)]
    pub(crate) until: Option<Moment>,
}

const SHOWN: i64 = 500;

impl From<Which> for DeadFilter {
    fn from(which: Which) -> Self {
        Self { stage: which.stage, group: which.group, since: which.since, until: which.until }
    }
}

pub(crate) async fn list(values: &Values, workspace: &str, which: Which, as_json: bool) -> Ended {
    let (store, workspace) = open_workspace(values, workspace).await?;
    let (letters, total) = letters(&store, workspace, &which.into()).await?;
    if as_json {
        print::json(&json!({"items": letters.iter().map(view).collect::<Vec<_>>(), "total": total}))?;
    } else {
        let rows = letters.iter().map(|letter| {
            [
                letter.id.to_string(),
                letter.stage.clone(),
                letter.error_group.clone(),
                letter.call_id.map(|id| id.to_string()).unwrap_or_default(),
                letter.died_at.to_string(),
                letter.error_text.clone(),
            ]
        });
        print::table(["id", "stage", "group", "call", "died", "why"], rows);
        say!("{} of {total}", letters.len());
    }
    store.close().await;
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn show(values: &Values, workspace: &str, id: Uuid) -> Ended {
    let (store, workspace) = open_workspace(values, workspace).await?;
    let letter = store.dead_letter(workspace, id).await.map_err(anyhow::Error::from)?;
    store.close().await;
    let Some(letter) = letter else { return failed(format!("there is no dead letter {id}")) };
    let mut shown = view(&letter);
    shown["body"] = serde_json::from_str(&letter.body).unwrap_or_else(|_| json!(letter.body));
    print::json(&shown)?;
    Ok(ExitCode::SUCCESS)
}

/// Starts the work of dead letters again, oldest first. If the command is stopped midway, the same command continues
/// where the first one stopped.
pub(crate) async fn replay(
    values: &Values,
    workspace: &str,
    which: Which,
    dry_run: bool,
    rate: Option<u32>,
    why: Option<&str>,
) -> Ended {
    let (store, workspace) = open_workspace(values, workspace).await?;
    let filter = DeadFilter::from(which);
    if dry_run {
        let total = store.count_dead(workspace, &filter).await.map_err(anyhow::Error::from)?;
        store.close().await;
        say!("{total} would be replayed");
        return Ok(ExitCode::SUCCESS);
    }
    let pause = rate.map(|rate| Duration::from_secs(1) / rate);
    let actor = audit::actor();
    let who = (workspace, &*actor);
    let batch = replay::letters(&store, who, (&filter, why), pause).await.map_err(anyhow::Error::from)?;
    store.close().await;
    let replay::Batch { id, resumed, matched, replayed } = batch;
    say!("{replayed} of {matched} are done again (batch {id})");
    if resumed {
        say!(
            "this was the rest of a batch that was interrupted; dead letters that are newer than the batch were left out"
        );
    }
    audit::told(&actor, Action::ReplayDeadLetters, &replay::letters_as_asked(&filter, why), id);
    Ok(ExitCode::SUCCESS)
}

async fn letters(
    store: &Store,
    workspace: WorkspaceId,
    filter: &DeadFilter,
) -> anyhow::Result<(Vec<DeadLetter>, i64)> {
    Ok(store.dead_letters(workspace, filter, Page { offset: 0, limit: SHOWN }).await?)
}

fn view(letter: &DeadLetter) -> serde_json::Value {
    json!({
        "id": letter.id, "call": letter.call_id, "stage": letter.stage, "generation": letter.generation,
        "attempts": letter.attempts, "code": letter.error_code, "error": letter.error_text,
        "group": letter.error_group, "died_at": letter.died_at, "replayed_at": letter.replayed_at,
    })
}
