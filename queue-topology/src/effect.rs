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

mod requests;
#[cfg(test)]
pub(crate) mod tests;

use std::future::Future;
use std::time::Duration;

use anyhow::anyhow;
use domain::fault::Fault;
use domain::moment::Moment;
use domain::refusal::Destination;
use serde_json::Value;
use store::{EffectKey, EffectWant, Intent, Store};
use tokio::runtime::Handle;
use uuid::Uuid;

use requests::OnItsWay;
pub(crate) use requests::Requests;

use crate::deliver::STORE_PAUSE;
use crate::stage::{Cx, Sent, StageError};

/// Between two answers "absent", so that a record that is just appearing is not missed.
const ABSENT_TWICE_AFTER: Duration = Duration::from_secs(15);
/// Who else sends for a key, such as a contact that two calls share, is mostly done long before its time is over.
const LOOK_AGAIN: Duration = Duration::from_secs(10);
/// What a request may take beyond its own timeout before it is given up here.
const GRACE: Duration = Duration::from_secs(2);
/// How long a run that is given up waits for the store to take how its request ended. After that it is recorded
/// when the store answers, if the process still runs then.
const RECORDED_WITHIN: Duration = Duration::from_secs(5);

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
    pub fn policy(
        values: &platform::config::Values,
        name: &str,
    ) -> Result<Self, platform::config::ConfigError> {
        match values.text(name).as_deref() {
            None | Some("hold") => Ok(Self::Hold),
            Some("resend") => Ok(Self::Resend),
            Some(other) => {
                Err(platform::config::ConfigError::new(name, format!("`{other}` is neither hold nor resend")))
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
        if cx.requests.are_over() {
            return Err(taken_over());
        }
        let asked_at = cx.store.now();
        // When the intent was written, or a little before.
        let mut intended_at = asked_at;
        let mut intending = Intending { store: &cx.store, key: &key, asked_at, answered: false };
        let ask = || {
            intended_at = cx.store.now();
            cx.store.intend_asked(asked_at, &cx.claim, &key, &want)
        };
        let intent = until_stored(ask).await;
        intending.answered = true;
        return match intent {
            Intent::Send { prior } => {
                let Some(request) = cx.requests.begin() else {
                    intending.answered = false;
                    return Err(taken_over());
                };
                let intended = Intended { key: &key, asked_at, deadline: intended_at.plus(want.timeout) };
                send(cx, effect, intended, prior.as_deref(), request).await
            }
            Intent::Done { remote_id, replaced } => {
                Ok(Receipt { remote_id: remote_id.unwrap_or_default(), replaced })
            }
            Intent::Wait(pause) => Err(in_flight(&key, pause.min(LOOK_AGAIN))),
            Intent::Unknown { since, absent_since } => {
                let receipt = settle(cx, effect, &key, since, absent_since).await?;
                let found = || cx.store.found_effect(key.id, &receipt.remote_id, receipt.replaced.as_ref());
                until_stored(found).await;
                // What is there can be of before the content changed.
                continue;
            }
            Intent::NotOurs => Err(taken_over()),
        };
    }
}

fn taken_over() -> StageError {
    StageError::transient("run_taken_over", anyhow!("another process took the run over"))
}

/// An intent that is being written. Where nobody waits for the answer any more, nothing is sent for it.
struct Intending<'a> {
    store: &'a Store,
    key: &'a EffectKey,
    asked_at: Moment,
    answered: bool,
}

impl Drop for Intending<'_> {
    fn drop(&mut self) {
        if let (false, Ok(runtime)) = (self.answered, Handle::try_current()) {
            let (store, id, asked_at) = (self.store.clone(), self.key.id, self.asked_at);
            runtime.spawn(async move {
                until_stored(|| store.fail_effect(id, asked_at, false, "run_taken_over")).await;
            });
        }
    }
}

/// An intent that is written.
struct Intended<'a> {
    key: &'a EffectKey,
    /// Names it: a later intent for the same key was asked for later.
    asked_at: Moment,
    deadline: Moment,
}

pub(crate) async fn void(cx: &Cx, effect: &impl Effect) -> Result<(), StageError> {
    if cx.requests.are_over() {
        return Err(taken_over());
    }
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
    Intended { key, asked_at, deadline }: Intended<'_>,
    prior: Option<&str>,
    request: OnItsWay,
) -> Result<Receipt, StageError> {
    platform::failpoint!("send", key.target);
    // Whoever takes over relies on the deadline. A process that was stopped until then sends nothing any more.
    let left = deadline.since(cx.now());
    if left.is_zero() {
        let (code, store, id) = ("effect_too_late", cx.store.clone(), key.id);
        let failing = async move { until_stored(|| store.fail_effect(id, asked_at, false, code)).await };
        record(request, id, failing).await;
        let late = anyhow!("nothing was sent to `{}`: the process stood still for too long", key.target);
        return Err(StageError::transient(code, late));
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
    platform::failpoint!("sent", key.target);
    let (store, id) = (cx.store.clone(), key.id);
    match sent {
        Ok(receipt) => {
            let (digest, Receipt { remote_id, replaced }) = (effect.digest(), receipt.clone());
            let confirming = async move {
                let confirm = || store.confirm_effect(id, (asked_at, &digest), &remote_id, replaced.as_ref());
                if !until_stored(confirm).await {
                    tracing::info!(effect = %id, "what was done is on record, or something newer is");
                }
            };
            record(request, id, confirming).await;
            Ok(receipt)
        }
        Err(error) => {
            let (unknown, code) = (error.sent == Sent::Maybe, error.code);
            let failing = async move {
                until_stored(|| store.fail_effect(id, asked_at, unknown, code)).await;
            };
            record(request, id, failing).await;
            if unknown && effect.unknown() != Unknown::Resend { Err(unsettled(error)) } else { Err(error) }
        }
    }
}

/// Only we know how a request ended, so that is recorded even when the run is given up meanwhile.
async fn record(request: OnItsWay, id: Uuid, recording: impl Future<Output = ()> + Send + 'static) {
    let mut recording = tokio::spawn(recording);
    let soon = tokio::time::timeout(RECORDED_WITHIN, &mut recording).await;
    drop(request);
    let recorded = match soon {
        Ok(recorded) => recorded,
        Err(_) => recording.await,
    };
    if let Err(error) = recorded {
        tracing::error!(%error, effect = %id, "failed to record what was done");
    }
}

/// Repeats a call to the store until it answers. A run that is cancelled stops asking.
async fn until_stored<T, F>(mut ask: impl FnMut() -> F) -> T
where
    F: Future<Output = store::Result<T>>,
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
            Destination::effect(key.id),
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
    let Some(since) = absent_since else {
        cx.store.absent_effect(key.id).await?;
        return Err(in_flight(key, ABSENT_TWICE_AFTER));
    };
    let absent_for = cx.now().since(since);
    if absent_for < ABSENT_TWICE_AFTER {
        return Err(in_flight(key, ABSENT_TWICE_AFTER.saturating_sub(absent_for)));
    }
    cx.store.still_absent_effect(key.id, since).await?;
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
