//! Effects: what changes somebody else's system, or costs money, happens once, even when we crash.
//!
//! Before a request goes out, its intent is committed under the run's fence. What is known to have
//! happened is never done again; what may have happened is settled by asking the destination, or, where
//! nobody can be asked, by a policy. A key holds no attempt and no generation, so a retry and a replay
//! converge on the same remote record.
//!
//! A process that was stopped between the commit of its intent and its request, and is continued after the
//! deadline, sends nothing. What no design can do: one that is stopped right at its socket write, and continued
//! much later, can reach a destination that cannot tell two requests apart.

#[cfg(test)]
mod tests;

use std::future::Future;
use std::time::Duration;

use anyhow::anyhow;
use common::fault::Fault;
use common::moment::Moment;
use common::store::{EffectKey, EffectWant, Intent};
use serde_json::Value;
use uuid::Uuid;

use crate::deliver::STORE_PAUSE;
use crate::stage::{Cx, Sent, StageError};

/// Between two answers "absent", so that a record that is just appearing is not missed.
const ABSENT_TWICE_AFTER: Duration = Duration::from_secs(15);
/// What a request may take beyond its own timeout before it is given up here.
const GRACE: Duration = Duration::from_secs(2);

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

impl Unknown {
    /// Reads a policy for a destination that cannot be asked: `hold` (the default) or `resend`.
    pub fn policy(values: &common::config::Values, name: &str) -> Result<Self, common::config::ConfigError> {
        match values.text(name).as_deref() {
            None | Some("hold") => Ok(Self::Hold),
            Some("resend") => Ok(Self::Resend),
            Some(other) => {
                Err(common::config::ConfigError::new(name, format!("`{other}` is neither hold nor resend")))
            }
        }
    }
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
    /// A change made twice must be as one made once: one of which nobody knows is made again.
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
    /// Looks for it at the destination, for [`Unknown::Ask`]: a record of which nobody knows whether it was
    /// made. Its request was sent after `since`, by the store's clock, if it was. Asking changes nothing.
    fn ask(
        &self,
        _key: Uuid,
        _since: Moment,
    ) -> impl Future<Output = Result<Option<Receipt>, StageError>> + Send {
        async { Ok(None) }
    }
}

pub(crate) async fn once(cx: &Cx, effect: &impl Effect) -> Result<Receipt, StageError> {
    let key = key(cx, effect);
    let want = EffectWant {
        digest: effect.digest(),
        generation: cx.run.generation,
        timeout: effect.timeout() + GRACE,
        can_update: effect.can_update(),
        resend_unknown: effect.unknown() == Unknown::Resend,
    };
    loop {
        let asked_at = cx.store.now();
        // When the intent was written, or a little before.
        let mut intended_at = asked_at;
        let intend = || {
            intended_at = cx.store.now();
            cx.store.intend_asked(asked_at, &cx.claim, &key, &want)
        };
        return match until_stored(intend).await {
            Intent::Send { prior } => {
                send(cx, effect, &key, prior.as_deref(), intended_at.plus(want.timeout)).await
            }
            Intent::Done { remote_id, replaced } => {
                Ok(Receipt { remote_id: remote_id.unwrap_or_default(), replaced })
            }
            Intent::Wait(pause) => Err(in_flight(&key, pause)),
            Intent::Unknown { since, absent_since } => {
                let receipt = settle(cx, effect, &key, since, absent_since).await?;
                confirm(cx, key.id, receipt).await;
                // What is there can be of before the content changed.
                continue;
            }
            Intent::NotOurs => {
                Err(StageError::transient("run_taken_over", anyhow!("another process took the run over")))
            }
        };
    }
}

pub(crate) async fn void(cx: &Cx, effect: &impl Effect) -> Result<(), StageError> {
    Ok(cx.store.void_effect(key(cx, effect).id).await?)
}

fn key(cx: &Cx, effect: &impl Effect) -> EffectKey {
    let scope = match effect.scope() {
        Scope::Workspace => cx.run.workspace.0,
        Scope::Call => cx.run.call.0,
    };
    EffectKey::new(scope, effect.target(), &effect.object())
}

async fn send(
    cx: &Cx,
    effect: &impl Effect,
    key: &EffectKey,
    prior: Option<&str>,
    deadline: Moment,
) -> Result<Receipt, StageError> {
    common::failpoint!("send", key.target);
    // Whoever takes over relies on the deadline. A process that was stopped until then sends nothing any more.
    let left = deadline.since(cx.now());
    if left.is_zero() {
        let late = anyhow!("nothing was sent to `{}`: the process stood still for too long", key.target);
        return Err(StageError::transient("effect_too_late", late));
    }
    let sent = tokio::select! {
        biased;
        () = tokio::time::sleep(left) => Err(StageError::transient(
            "effect_timed_out",
            anyhow!("`{}` did not answer within {:?}", key.target, effect.timeout()),
        )
        .maybe_sent()),
        sent = effect.send(key.id, prior) => sent,
    };
    common::failpoint!("sent", key.target);
    match sent {
        Ok(receipt) => {
            confirm(cx, key.id, receipt.clone()).await;
            Ok(receipt)
        }
        Err(error) => {
            let unknown = error.sent == Sent::Maybe;
            until_stored(|| cx.store.fail_effect(key.id, unknown, error.code)).await;
            if unknown && effect.unknown() != Unknown::Resend { Err(unsettled(error)) } else { Err(error) }
        }
    }
}

/// Only we know that it happened, so that is recorded even when the run is cancelled meanwhile.
async fn confirm(cx: &Cx, id: Uuid, receipt: Receipt) {
    let store = cx.store.clone();
    let recording = tokio::spawn(async move {
        until_stored(|| store.confirm_effect(id, &receipt.remote_id, receipt.replaced.as_ref())).await;
    });
    if let Err(error) = recording.await {
        tracing::error!(%error, effect = %id, "failed to record what was done");
    }
}

/// Repeats a call to the store until it answers. A run that is cancelled stops asking.
async fn until_stored<T, F>(mut ask: impl FnMut() -> F) -> T
where
    F: Future<Output = common::store::Result<T>>,
{
    loop {
        match ask().await {
            Ok(answer) => return answer,
            Err(error) => {
                tracing::warn!(%error, "the store does not answer; waiting");
                tokio::time::sleep(STORE_PAUSE).await;
            }
        }
    }
}

/// Finds out whether an effect happened of which nobody knows: its receipt, if it did.
async fn settle(
    cx: &Cx,
    effect: &impl Effect,
    key: &EffectKey,
    since: Moment,
    absent_since: Option<Moment>,
) -> Result<Receipt, StageError> {
    if effect.unknown() != Unknown::Ask {
        return Err(StageError::unavailable(
            format!("effect:{}", key.id),
            "effect_unknown",
            anyhow!(
                "nobody knows whether `{}` took it; say `debrief effects resolve {} --sent` or `--resend`",
                key.target,
                key.id
            ),
        ));
    }
    if let Some(receipt) = effect.ask(key.id, since).await? {
        return Ok(receipt);
    }
    cx.store.absent_effect(key.id).await?;
    let absent_for = absent_since.map(|since| cx.now().since(since)).unwrap_or_default();
    if absent_for < ABSENT_TWICE_AFTER {
        return Err(in_flight(key, ABSENT_TWICE_AFTER.saturating_sub(absent_for)));
    }
    cx.store.void_effect(key.id).await?;
    Err(in_flight(key, Duration::ZERO))
}

fn in_flight(key: &EffectKey, wait: Duration) -> StageError {
    StageError::new(
        Fault::Throttled(wait),
        "effect_in_flight",
        anyhow!("an earlier request to `{}` may still arrive", key.target),
    )
}

/// A request that may have taken effect: looked at again when nothing of it can be on its way any more.
fn unsettled(mut error: StageError) -> StageError {
    error.fault = Fault::Throttled(error.retry_after.unwrap_or_default());
    error
}
