//! Effects: what changes somebody else's system, or costs money, happens once, even when we crash.
//!
//! Before a request goes out, its intent is committed under the run's fence. What is known to have
//! happened is never done again; what may have happened is settled by asking the destination, or, where
//! nobody can be asked, by a policy. A key holds no attempt and no generation, so a retry and a replay
//! converge on the same remote record.

use std::future::Future;
use std::time::Duration;

use serde_json::Value;
use uuid::Uuid;

use crate::stage::{Cx, StageError};

/// Whose thing an effect makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Shared by the calls of a workspace: `contact:<e-mail>`, `company:<domain>`.
    Workspace,
    /// The call's own: `log`, `post`, `part:3`.
    Call,
}

/// What to do about an effect of which nobody knows whether it happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// [`Effect::ask`] can find it at the destination.
    Ask,
    /// Nobody can be asked: it stands as unknown until a person resolves it.
    Hold,
    /// Nobody can be asked, and twice is better than never.
    Resend,
}

/// What the destination said about what was done.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Receipt {
    /// The destination's own id of the record (a Slack `ts`, a Salesforce id, a provider's job).
    pub remote_id: String,
    /// The values that were replaced, so that it can be taken back.
    pub replaced: Option<Value>,
}

/// One change to somebody else's system.
pub trait Effect: Send + Sync {
    /// The destination: `slack`, `salesforce`, `call_data`, `assemblyai`.
    fn target(&self) -> &str;
    fn scope(&self) -> Scope;
    /// Names the thing within its scope; never the ordinal of something a model listed.
    fn object(&self) -> String;
    /// SHA-256 of what is sent, in hex: another digest means the remote record is out of date.
    fn digest(&self) -> String;
    fn unknown(&self) -> Unknown;
    /// How long the request may take before it is given up.
    fn timeout(&self) -> Duration {
        Duration::from_secs(30)
    }
    /// Whether a record that exists can be changed. Where it cannot, it is shown as outdated, never made again.
    fn can_update(&self) -> bool {
        false
    }
    /// Does it. `prior` is the remote id of the record to change, where one exists. `key` is the
    /// effect's own id, for destinations that can carry it.
    fn send(
        &self,
        key: Uuid,
        prior: Option<&str>,
    ) -> impl Future<Output = Result<Receipt, StageError>> + Send;
    /// Looks for it at the destination, for [`Unknown::Ask`].
    fn ask(&self, _key: Uuid) -> impl Future<Output = Result<Option<Receipt>, StageError>> + Send {
        async { Ok(None) }
    }
}

pub(crate) async fn once(_cx: &Cx, _effect: &impl Effect) -> Result<Receipt, StageError> {
    unimplemented!("written next")
}

pub(crate) async fn void(_cx: &Cx, _effect: &impl Effect) -> Result<(), StageError> {
    unimplemented!("written next")
}
