//! Finds where a recording or a transcript is that a provider keeps.
//!
//! The provider is asked before each attempt. A file that is not ready is waited for and spends no attempt, but the
//! provider's patience bounds that wait.

use std::time::Duration;

use anyhow::anyhow;
use domain::fault::Fault;
use domain::held_file::HeldFile;
use domain::moment::in_words;
use domain::note::Note;
use platform::fetch::{Address, FetchError};
use providers::holders::{self, Holders};
use providers::recordings::{Located, RecordingHolder};
use queue_topology::{Cx, StageError, Whom};

/// The code of a file that its holder announced and did not have in time.
const NEVER_CAME: &str = "recording_never_came";
/// The code of a file that its holder does not have and will not have.
const NOT_KEPT: &str = "recording_not_kept";

/// An address, and the holder that named it.
pub(crate) struct Place<'a> {
    pub(crate) address: Address,
    held: Option<(&'a dyn RecordingHolder, HeldFile)>,
}

/// Finds the address behind `opened`, the text of a sealed address: a URL, or the address of a held file.
pub(crate) async fn place<'a>(
    cx: &Cx,
    holders: &'a Holders,
    opened: String,
) -> Result<Place<'a>, StageError> {
    let Some(file) = HeldFile::read(&opened) else {
        return Ok(Place { address: Address::from_outside(opened), held: None });
    };
    let Some(holder) = holders.get(file.holder()) else {
        let name = file.holder().name();
        return Err(StageError::unavailable(
            name,
            "recording_holder_not_configured",
            anyhow!(
                "{name} keeps the recording, and it is not configured: set {}",
                holders::key(file.holder())
            ),
        ));
    };
    let located = {
        let _held = cx.wait_for(Whom::Provider(&holder.remote().destination)).await?;
        holder.locate(&file).await?
    };
    match located {
        Located::At(address) => Ok(Place { address, held: Some((holder.as_ref(), file)) }),
        Located::NotYet => Err(not_yet(cx, holder.as_ref())),
        Located::Nothing { why } => Err(StageError::permanent(NOT_KEPT, anyhow!(why))),
    }
}

impl Place<'_> {
    /// Where else the file is, after it could not be fetched from here. The holder can know another address. Where it
    /// knows none, the error says what follows.
    pub(crate) async fn elsewhere(&self, cx: &Cx, error: &FetchError) -> Result<Address, StageError> {
        let (Some((holder, file)), FetchError::Status { status, .. }) = (&self.held, error) else {
            return Err(self.fault(cx, error));
        };
        match holder.locate_again(file, status.as_u16()).await? {
            Some(Located::At(address)) => Ok(address),
            Some(Located::NotYet) => Err(not_yet(cx, *holder)),
            Some(Located::Nothing { why }) => Err(StageError::permanent(NOT_KEPT, anyhow!(why))),
            None => Err(self.fault(cx, error)),
        }
    }

    /// What follows when the file could not be fetched from this address.
    pub(crate) fn fault(&self, cx: &Cx, error: &FetchError) -> StageError {
        match (&self.held, error) {
            (Some((holder, _)), FetchError::Status { status, .. })
                if holder.means_not_yet(status.as_u16()) =>
            {
                not_yet(cx, *holder)
            }
            _ => error.refusal().into(),
        }
    }

    /// Adds to the call what the holder knows of it by now.
    pub(crate) async fn add_facts(&self, cx: &Cx) -> Result<(), StageError> {
        match &self.held {
            Some((holder, file)) => add_facts(cx, *holder, file).await,
            None => Ok(()),
        }
    }
}

/// Adds to the call what the holder of a file knows of it by now. A call goes on without that, so a failure is only logged.
pub(crate) async fn add_facts(
    cx: &Cx,
    holder: &dyn RecordingHolder,
    file: &HeldFile,
) -> Result<(), StageError> {
    let facts = {
        let _held = cx.wait_for(Whom::Provider(&holder.remote().destination)).await?;
        holder.facts(file).await
    };
    match facts {
        Ok(Some(facts)) => cx.store.add_facts(cx.run.workspace, cx.run.call, &facts).await?,
        Ok(None) => {}
        Err(refusal) => tracing::warn!(error = %refusal, "the details of a call cannot be read"),
    }
    if let Some(after) = holder.facts_settle_after() {
        cx.store.look_later(cx.run.workspace, cx.run.call, &file.name(), after).await?;
    }
    Ok(())
}

/// The note of a call whose recording its holder does not have. `None` for every other error. Such a call ends without a
/// recording, as if it had never been announced, and a later delivery can still bring one.
pub(crate) fn without_recording(error: &StageError) -> Option<Note> {
    [NEVER_CAME, NOT_KEPT].contains(&error.code).then(|| Note::new(error.code, format!("{error}.")))
}

fn not_yet(cx: &Cx, holder: &dyn RecordingHolder) -> StageError {
    let age = cx.now().since(cx.run.since);
    let title = holder.remote().title;
    if age < holder.patience() {
        let wait = holder.look_again_after(age).max(Duration::from_millis(1));
        let why = anyhow!("{title} does not have the recording yet");
        return StageError::new(Fault::Throttled(wait), "recording_not_ready", why).retry_after(Some(wait));
    }
    StageError::permanent(
        NEVER_CAME,
        anyhow!("{title} announced a recording and did not have it within {}", in_words(age)),
    )
}
