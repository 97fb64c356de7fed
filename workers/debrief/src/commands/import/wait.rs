//! Waits until the calls of an import have ended, and reports how each call ended.

use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::Duration;

use anyhow::Context as _;
use domain::call::{CallId, CallStatus, WorkspaceId};
use store::{DeadFilter, Page, RunRow, RunState, Store};
use tokio::time::{Instant, sleep};

use super::arrivals::Sent;
use crate::commands::run::StopSignal;
use crate::deployment::StartError;

const LOOK_EVERY: Duration = Duration::from_millis(200);
/// After a call was seen this many times in a row waiting for something outside, the import waits for it no longer.
const PARKED_LOOKS: u32 = 3;
const RELAY_WITHIN: Duration = Duration::from_secs(10);

/// A call that was brought in and has not ended.
#[derive(Debug)]
pub(super) struct Pending {
    /// The file, or whatever else stands for the call in what the user reads.
    pub(super) path: PathBuf,
    sent: Sent,
    /// Whether the store has the material of this import. Until then the status of the call is that of an earlier import.
    taken_in: bool,
    parked_looks: u32,
}

impl Pending {
    pub(super) fn new(path: PathBuf, sent: Sent) -> Self {
        Self { path, sent, taken_in: false, parked_looks: 0 }
    }
}

/// How far a call is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Going,
    /// It waits for something outside, and goes on by itself when that is there.
    Parked,
    /// The error says why it failed.
    Ended(Result<(), String>),
}

impl Pending {
    /// Looks how far the call is.
    pub(super) async fn look(&mut self, store: &Store, workspace: WorkspaceId) -> anyhow::Result<Standing> {
        let standing = look(store, workspace, self).await?;
        self.parked_looks = if standing == Standing::Parked { self.parked_looks + 1 } else { 0 };
        // Once it was parked, the run of another stage can still go on.
        Ok(if standing == Standing::Parked && self.parked_looks < PARKED_LOOKS {
            Standing::Going
        } else {
            standing
        })
    }

    /// What a parked call waits for, in words.
    pub(super) async fn what_is_missing(
        &self,
        store: &Store,
        workspace: WorkspaceId,
    ) -> anyhow::Result<String> {
        what_is_missing(store, workspace, self.sent.call).await
    }
}

/// Looks at the calls until every call has ended, until all open calls wait for something outside, or until the user
/// interrupts. `ended` is called once for each call.
pub(super) async fn until_ended(
    store: &Store,
    workspace: WorkspaceId,
    mut pending: Vec<Pending>,
    mut ended: impl FnMut(&Path, Result<(), String>),
) -> Result<(), StartError> {
    let mut interrupted = pin!(StopSignal::listen()?.given());
    loop {
        let mut left = Vec::with_capacity(pending.len());
        for mut call in pending {
            match look(store, workspace, &mut call).await? {
                Standing::Ended(result) => {
                    ended(&call.path, result);
                    continue;
                }
                Standing::Going => call.parked_looks = 0,
                Standing::Parked => call.parked_looks += 1,
            }
            left.push(call);
        }
        if left.iter().all(|call| call.parked_looks >= PARKED_LOOKS) {
            for call in left {
                ended(&call.path, Err(what_is_missing(store, workspace, call.sent.call).await?));
            }
            return Ok(());
        }
        pending = left;
        tokio::select! {
            () = sleep(LOOK_EVERY) => {}
            () = &mut interrupted => {
                for call in pending {
                    ended(&call.path, Err("was brought in, but not waited for: you interrupted".to_owned()));
                }
                return Ok(());
            }
        }
    }
}

/// Waits until the outbox is empty, but not longer than a while. The next `run` publishes what is left.
pub(super) async fn for_outbox(store: &Store) {
    let until = Instant::now() + RELAY_WITHIN;
    while Instant::now() < until && store.outbox_len().await.is_ok_and(|left| left > 0) {
        sleep(LOOK_EVERY).await;
    }
}

async fn look(store: &Store, workspace: WorkspaceId, pending: &mut Pending) -> anyhow::Result<Standing> {
    let Sent { call, digests } = &pending.sent;
    if !pending.taken_in {
        let known = store.materials(workspace, *call).await.context("look for what was brought in")?;
        pending.taken_in =
            digests.iter().all(|digest| known.iter().any(|known| known.material.digest == *digest));
        if !pending.taken_in {
            return Ok(Standing::Going);
        }
    }
    let Some(known) = store.call(workspace, *call).await.context("look the call up")? else {
        return Ok(Standing::Going);
    };
    Ok(match known.status {
        CallStatus::Queued | CallStatus::Processing => Standing::Going,
        CallStatus::Waiting => Standing::Parked,
        CallStatus::Completed => Standing::Ended(Ok(())),
        CallStatus::NoRecording => {
            Standing::Ended(Err("was brought in, but nothing in it can be transcribed".to_owned()))
        }
        CallStatus::Filtered => {
            Standing::Ended(Err("was brought in, but the settings do not want calls like it".to_owned()))
        }
        CallStatus::Failed => Standing::Ended(Err(what_it_died_of(store, workspace, *call).await?)),
    })
}

async fn runs(
    store: &Store,
    workspace: WorkspaceId,
    call: CallId,
    state: RunState,
) -> anyhow::Result<Vec<RunRow>> {
    let mut runs = store.runs(workspace, call).await.context("look the call's stages up")?;
    runs.retain(|run| run.state == state.name());
    Ok(runs)
}

async fn what_is_missing(store: &Store, workspace: WorkspaceId, call: CallId) -> anyhow::Result<String> {
    let parked = runs(store, workspace, call, RunState::Parked).await?;
    let each = parked.iter().map(|run| {
        let destination = run.destination.as_deref().unwrap_or("something outside");
        let code = run.error_code.as_deref().unwrap_or("no reason given");
        format!("{} waits for {destination} ({code})", run.stage)
    });
    let each = each.collect::<Vec<_>>().join("; ");
    Ok(format!("was brought in as {call}, but {each}"))
}

async fn what_it_died_of(store: &Store, workspace: WorkspaceId, call: CallId) -> anyhow::Result<String> {
    let mut each = Vec::new();
    for run in runs(store, workspace, call, RunState::Dead).await? {
        let code = run.error_code.as_deref().unwrap_or("no reason given");
        let text =
            letter(store, (workspace, call), &run).await?.map(|text| format!(": {text}")).unwrap_or_default();
        each.push(format!("{} failed with {code}{text}", run.stage));
    }
    Ok(each.join("; "))
}

/// The text of the dead letter of `run`. A run and its dead letter are written at the same moment.
async fn letter(
    store: &Store,
    (workspace, call): (WorkspaceId, CallId),
    run: &RunRow,
) -> anyhow::Result<Option<String>> {
    let filter = DeadFilter {
        stage: Some(run.stage.clone()),
        since: run.finished_at,
        until: run.finished_at,
        ..DeadFilter::default()
    };
    let page = Page { offset: 0, limit: 1000 };
    let (letters, _) =
        store.dead_letters(workspace, &filter, page).await.context("look for what it died of")?;
    Ok(letters.into_iter().find(|letter| letter.call_id == Some(call)).map(|letter| letter.error_text))
}
