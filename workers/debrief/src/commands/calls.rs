//! `debrief calls`: shows the calls that the store knows.

mod oddity;
mod page;

use std::process::ExitCode;

use anyhow::Context as _;
use domain::call::{Call, CallId, CallStatus, WorkspaceId};
use domain::note::Note;
use domain::parties::SupportLines;
use platform::config::{ConfigError, Installation, Values};
use store::{CallFilter, Page, Store};
use uuid::Uuid;

use super::print;
use crate::deployment::open_workspace;
use crate::outcome::{Ended, failed};

pub(crate) async fn list(
    values: &Values,
    workspace: &str,
    status: Option<&str>,
    limit: i64,
    json: bool,
) -> Ended {
    let status = status
        .map(|name| {
            name.parse().map_err(|_| {
                let names = CallStatus::NAMES.join(", ");
                ConfigError::new("--status", format!("`{name}` is none of {names}"))
            })
        })
        .transpose()?;
    let installation = Installation::read(values)?;
    let (store, workspace) = open_workspace(values, workspace).await?;
    let filter = CallFilter { status, ..CallFilter::default() };
    let page = Page { offset: 0, limit: limit.clamp(1, 1000) };
    let (calls, total) = store.calls(workspace, &filter, page).await.map_err(anyhow::Error::from)?;
    if json {
        let mut views = Vec::new();
        for call in &calls {
            views.push(view(&store, &installation.lines, call).await?);
        }
        print::json(&views)?;
    } else {
        let rows = calls.iter().map(|call| {
            [
                call.id.to_string(),
                call.source.clone(),
                call.external_id.clone(),
                call.status.name().to_owned(),
                call.received_at.to_string(),
            ]
        });
        print::table(["id", "source", "its id there", "status", "received"], rows);
        say!("{} of {total}", calls.len());
    }
    store.close().await;
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn show(values: &Values, workspace: &str, id: &str, json: bool) -> Ended {
    let installation = Installation::read(values)?;
    let (store, workspace) = open_workspace(values, workspace).await?;
    let Some(call) = find(&store, workspace, id).await? else {
        return failed(format!("there is no call `{id}`"));
    };
    if json {
        print::json(&view(&store, &installation.lines, &call).await?)?;
    } else {
        say!("{}", read_page(&store, &installation, &call).await?);
    }
    store.close().await;
    Ok(ExitCode::SUCCESS)
}

async fn view(store: &Store, lines: &SupportLines, call: &Call) -> anyhow::Result<api::view::CallView> {
    let analysis = store.analysis(call.workspace, call.id).await?;
    let effects = store.effects_of(call.workspace, call.id).await?;
    let notes = notes(store, call).await?;
    let attempts = store.speech_attempts(call.workspace, call.id).await?;
    let heard = store.audio_facts(call.workspace, call.id).await?;
    let scores = store.call_scores(call.workspace, call.id).await?;
    Ok(api::view::call(call, lines, analysis.as_ref(), &effects, &notes, heard.as_ref())
        .transcribed(&attempts)
        .judged(&scores))
}

/// What was odd about the transcript of a call.
async fn notes(store: &Store, call: &Call) -> anyhow::Result<Vec<Note>> {
    let transcript = store.transcript(call.workspace, call.id).await?;
    Ok(transcript.map(|transcript| transcript.notes).unwrap_or_default())
}

async fn read_page(store: &Store, installation: &Installation, call: &Call) -> anyhow::Result<String> {
    let (workspace, id) = (call.workspace, call.id);
    let analysis = store.analysis(workspace, id).await?;
    let delivered = store.deliveries(workspace, id).await?;
    let runs = store.runs(workspace, id).await?;
    let ended = store.ended_runs(workspace, id).await?;
    let effects = store.effects_of(workspace, id).await?;
    let letters = store.dead_letters_of(workspace, id).await?;
    let attempts = store.speech_attempts(workspace, id).await?;
    let timeline = api::view::timeline(call, &delivered, &runs, &ended, &effects, store.now());
    let timeline = timeline.transcribed(&attempts);
    Ok(page::page(&page::Shown {
        call,
        lines: &installation.lines,
        timezone: installation.timezone,
        analysis: analysis.as_ref(),
        timeline: &timeline,
        letters: &letters,
        notes: &notes(store, call).await?,
    }))
}

/// Finds a call by our id or by the id that its source gave it.
pub(crate) async fn find(store: &Store, workspace: WorkspaceId, id: &str) -> anyhow::Result<Option<Call>> {
    let ours = match id.parse::<Uuid>() {
        Ok(uuid) => store.call(workspace, CallId(uuid)).await.context("look the call up")?,
        Err(_) => None,
    };
    match ours {
        Some(call) => Ok(Some(call)),
        None => store.call_by_external_id(workspace, id).await.context("look the call up"),
    }
}
