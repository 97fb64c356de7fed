//! The floor of a meeting, while we have it.

use std::time::Duration;

use bytes::Bytes;
use domain::call::WorkspaceId;
use store::{FloorClaim, MeetingStatus, NewTurn};
use tokio::time::Instant;
use uuid::Uuid;

use crate::request::{Answer, Refusal, conflict, not_found, unavailable};
use crate::state::Practice;

/// How long the floor is kept without a sign of life.
pub(crate) const LEASE: Duration = Duration::from_secs(30);
/// How long somebody waits for the floor.
const PATIENCE: Duration = Duration::from_mins(2);
/// How often the floor is tried again that another process has.
const TRY_EVERY: Duration = Duration::from_millis(100);

pub(crate) struct Floor<'a> {
    pub(super) practice: &'a Practice,
    pub(super) workspace: WorkspaceId,
    pub(super) meeting: Uuid,
    pub(crate) holder: Uuid,
}

impl<'a> Floor<'a> {
    /// Waits for the floor and takes it.
    pub(crate) async fn take(practice: &'a Practice, workspace: WorkspaceId, meeting: Uuid) -> Answer<Self> {
        let (holder, until) = (Uuid::now_v7(), Instant::now() + PATIENCE);
        loop {
            // Whoever leaves the floor between the try and the wait is heard.
            let left = practice.floors.notified();
            match practice.store.take_floor(workspace, meeting, holder, LEASE).await? {
                FloorClaim::Taken => return Ok(Self { practice, workspace, meeting, holder }),
                FloorClaim::Gone => return Err(not_found("meeting")),
                FloorClaim::NotActive(MeetingStatus::Completed) => {
                    return Err(conflict("the meeting is over"));
                }
                FloorClaim::NotActive(_) => {
                    return Err(conflict("the meeting has not begun; start it first"));
                }
                FloorClaim::Busy if Instant::now() >= until => {
                    return Err(unavailable("somebody else speaks in this meeting for a long time"));
                }
                FloorClaim::Busy => drop(tokio::time::timeout(TRY_EVERY, left).await),
            }
        }
    }

    /// Does `work`, and keeps the floor until it is done.
    pub(crate) async fn while_working<T>(&self, work: impl Future<Output = Answer<T>>) -> Answer<T> {
        let keeping = async {
            loop {
                tokio::time::sleep(LEASE / 3).await;
                match self.practice.store.keep_floor(self.workspace, self.meeting, self.holder, LEASE).await {
                    Ok(true) => {}
                    Ok(false) => return,
                    Err(error) => tracing::warn!(%error, "failed to keep the floor of a practice meeting"),
                }
            }
        };
        tokio::select! {
            done = work => done,
            () = keeping => Err(lost()),
        }
    }

    pub(crate) async fn leave(self) -> Answer<()> {
        let left = self.practice.store.leave_floor(self.workspace, self.meeting, self.holder).await;
        self.practice.floors.notify_waiters();
        Ok(left?)
    }

    pub(super) async fn add(&self, turn: NewTurn<'_>) -> Answer<i64> {
        let number = self.practice.store.add_turn(self.workspace, self.meeting, self.holder, turn).await?;
        number.ok_or_else(lost)
    }

    /// Keeps the sound of a turn and returns its key. A failure costs the sound and nothing else.
    pub(super) async fn keep_sound(&self, file: Bytes) -> Option<String> {
        let key = format!("{}/practice/sounds/{}", self.workspace, Uuid::now_v7());
        match self.practice.blobs.put(&key, file).await {
            Ok(()) => Some(key),
            Err(error) => {
                tracing::warn!(%error, "failed to keep the sound of a turn");
                None
            }
        }
    }
}

pub(super) fn lost() -> Refusal {
    conflict("the meeting was removed, or another process took over its floor")
}
