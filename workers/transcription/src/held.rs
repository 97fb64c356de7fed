//! Finds where a recording or a transcript is that a provider keeps.
//!
//! The provider is asked before each attempt. A file that is not ready is waited for and spends no attempt, but the
//! provider's patience bounds that wait.

use std::time::Duration;

use anyhow::anyhow;
use domain::fault::Fault;
use domain::held_file::HeldFile;
use domain::moment::in_words;
use platform::fetch::{Address, FetchError};
use providers::recordings::{self, Holders, Located, RecordingHolder};
use queue_topology::{Cx, StageError, Whom};

/// An address, and the holder that named it.
pub(crate) struct Place<'a> {
    pub(crate) address: Address,
    holder: Option<&'a dyn RecordingHolder>,
    file: Option<HeldFile>,
}

/// Finds the address behind `opened`, the text of a sealed address: a URL, or the address of a held file.
pub(crate) async fn place<'a>(
    cx: &Cx,
    holders: &'a Holders,
    opened: String,
) -> Result<Place<'a>, StageError> {
    let Some(file) = HeldFile::read(&opened) else {
        return Ok(Place { address: Address::from_outside(opened), holder: None, file: None });
    };
    let Some(holder) = holders.get(file.holder()) else {
        let name = file.holder().name();
        return Err(StageError::unavailable(
            name,
            "recording_holder_not_configured",
            anyhow!(
                "{name} keeps the recording, and it is not configured: set {}",
                recordings::key(file.holder())
            ),
        ));
    };
    let located = {
        let _held = cx.wait_for(Whom::Provider(&holder.remote().destination)).await?;
        holder.locate(&file).await?
    };
    match located {
        Located::At(address) => Ok(Place { address, holder: Some(holder.as_ref()), file: Some(file) }),
        Located::NotYet => Err(not_yet(cx, holder.as_ref())),
        Located::Nothing { why } => Err(StageError::permanent("recording_not_kept", anyhow!(why))),
    }
}

impl Place<'_> {
    /// Where else the file is, after it could not be fetched from here. The holder can know another address. Where it
    /// knows none, the error says what follows.
    pub(crate) async fn elsewhere(&self, cx: &Cx, error: &FetchError) -> Result<Address, StageError> {
        let (Some(holder), Some(file), FetchError::Status { status, .. }) = (self.holder, &self.file, error)
        else {
            return Err(self.fault(cx, error));
        };
        match holder.locate_again(file, status.as_u16()).await? {
            Some(Located::At(address)) => Ok(address),
            Some(Located::NotYet) => Err(not_yet(cx, holder)),
            Some(Located::Nothing { why }) => Err(StageError::permanent("recording_not_kept", anyhow!(why))),
            None => Err(self.fault(cx, error)),
        }
    }

    /// What follows when the file could not be fetched from this address.
    pub(crate) fn fault(&self, cx: &Cx, error: &FetchError) -> StageError {
        match (self.holder, error) {
            (Some(holder), FetchError::Status { status, .. }) if holder.means_not_yet(status.as_u16()) => {
                not_yet(cx, holder)
            }
            _ => error.refusal().into(),
        }
    }
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
        "recording_never_came",
        anyhow!("{title} announced a recording and did not have it within {}", in_words(age)),
    )
}
