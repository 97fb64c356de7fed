//! The systems that keep recordings (and transcripts) and give them out by an id.
//!
//! Such a file is announced before it is there, or with an address that is valid for some minutes only. So the holder
//! is asked where the file is when it is needed, and again each time that it could not be fetched.

use std::sync::Arc;
use std::time::Duration;

use domain::call::CallDetails;
use domain::held_file::{HeldFile, Holder};
use domain::refusal::{Refusal, Remote};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use platform::fetch::{Address, Credential};

use crate::descriptor::{Check, Checked};

const SOONEST_LOOK: Duration = Duration::from_secs(2);
const LATEST_LOOK: Duration = Duration::from_mins(2);

/// A system that keeps files and gives them out by an id.
pub trait RecordingHolder: Check + Send + Sync {
    fn holder(&self) -> Holder;

    fn remote(&self) -> &'static Remote;

    /// Says where a file is now. This is asked before each attempt to fetch it.
    fn locate<'a>(&'a self, file: &'a HeldFile) -> BoxFuture<'a, Result<Located, Refusal>>;

    /// Says where a file is that could not be fetched from where [`Self::locate`] said, because the answer had this
    /// status. `None` where that makes no difference.
    fn locate_again<'a>(
        &'a self,
        _file: &'a HeldFile,
        _status: u16,
    ) -> BoxFuture<'a, Result<Option<Located>, Refusal>> {
        std::future::ready(Ok(None)).boxed()
    }

    /// Whether an answer with this status, from the address that [`Self::locate`] gave, means that the file is not
    /// ready yet. Then the holder is asked again later.
    fn means_not_yet(&self, status: u16) -> bool {
        status == 404
    }

    /// How long to wait before a file that is not ready is looked for again. `age` is how long it was waited for.
    fn look_again_after(&self, age: Duration) -> Duration {
        (age / 4).clamp(SOONEST_LOOK, LATEST_LOOK)
    }

    /// How long a file is waited for that is not ready.
    fn patience(&self) -> Duration;

    /// What the system knows of the call by now. It is asked when the file is here, and again
    /// after [`Self::facts_settle_after`].
    fn facts<'a>(&'a self, _file: &'a HeldFile) -> BoxFuture<'a, Result<Option<CallDetails>, Refusal>> {
        std::future::ready(Ok(None)).boxed()
    }

    /// How long after a file was fetched the system is asked once more for what it knows of the call. `None` where what it
    /// said at first is final.
    fn facts_settle_after(&self) -> Option<Duration> {
        None
    }

    /// The credentials for files of this system whose addresses come from elsewhere, such as from a webhook of Zapier.
    fn credential(&self) -> Option<Credential> {
        None
    }
}

/// Where a file is.
#[derive(Clone, Debug)]
pub enum Located {
    At(Address),
    /// The holder makes the file, or will make it.
    NotYet,
    /// The holder has no such file and will have none.
    Nothing {
        why: &'static str,
    },
}

impl Check for Arc<dyn RecordingHolder> {
    fn check(&self) -> BoxFuture<'_, Result<Checked, Refusal>> {
        (**self).check()
    }

    fn remarks(&self) -> Vec<String> {
        (**self).remarks()
    }
}
