//! Effects: a change in somebody else's system, or an expense, happens once, even when we crash.
//!
//! Before a request is sent, its intent is committed under the run's fence. An effect that is known to have happened is
//! never made again. If an effect may have happened, the destination is asked. If nobody can be asked, a policy
//! decides. The key of an effect holds no attempt and no generation, so a retry and a replay find the same record at
//! the destination.
//!
//! A process can be stopped between the commit of its intent and its request, and continued after the deadline. Then it
//! sends nothing. One case is beyond any design: a process that is stopped exactly while it writes to its socket, and
//! continued much later, can still reach a destination that cannot tell two requests apart.

#[cfg(test)]
pub(crate) mod tests;

use std::future::Future;
use std::time::Duration;

use anyhow::anyhow;
use domain::fault::Fault;
use domain::moment::Moment;
use domain::refusal::Destination;
use serde_json::Value;
use store::{EffectKey, Intent, Store, WantedEffect};
use tokio::runtime::Handle;
use uuid::Uuid;

use crate::context::Cx;
use crate::places::Whom;
use crate::requests::OnItsWay;
use crate::stage_error::{Sent, StageError};
use crate::store_outage::until_stored;

/// How long after a first answer that a record is absent the destination is asked again. A record may need a moment to
/// appear.
const ABSENT_TWICE_AFTER: Duration = Duration::from_secs(15);
/// The longest time after which a run looks again while another run sends for the same key, such as a contact that two
/// calls share. The other run is mostly done long before its deadline.
const LOOK_AGAIN: Duration = Duration::from_secs(10);
/// How much longer than its own timeout a request may take before it is given up here.
const GRACE: Duration = Duration::from_secs(2);
/// How long a run that is given up waits until the store has recorded how its request ended. After that, the end is
/// recorded when the store answers, if the process still runs then.
const RECORDED_WITHIN: Duration = Duration::from_secs(5);

/// Who shares the record that an effect makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The calls of a workspace share it: `contact:<e-mail>`, `company:<domain>`.
    Workspace,
    /// It belongs to one call: `log`, `post`, `part:3`.
    Call,
}

/// What to do when nobody knows whether an effect happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// The destination can be asked, by [`Effect::ask`].
    Ask,
    /// Nobody can be asked. The effect stays unknown until a person resolves it.
    Hold,
    /// Nobody can be asked, and to send twice is better than not to send at all.
    Resend,
}

impl Unknown {
    /// Reads the policy for a destination that cannot be asked: `hold` (the default) or `resend`.
    pub fn policy(
        values: &platform::config::Values,
        name: &str,
    ) -> Result<Self, platform::config::ConfigError> {
        match values.text(name).as_deref() {
            None | Some("hold") => Ok(Self::Hold),
            Some("resend") => Ok(Self::Resend),
            Some(other) => Err(platform::config::ConfigError::not(name, other, "hold or resend")),
        }
    }
}

/// The destination's answer to a request that took effect.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Receipt {
    /// The destination's own id of the record (a Slack `ts`, a Salesforce id, a provider's job).
    pub remote_id: String,
    /// The values that were replaced, so that a person can restore them.
    pub replaced: Option<Value>,
}

/// One change to somebody else's system.
pub trait Effect: Send + Sync {
    /// The destination: `slack`, `salesforce`, `call_data`, `assemblyai`.
    fn target(&self) -> &str;
    fn scope(&self) -> Scope;
    /// Names the record within its scope. It is never the position of something in a list that a model made.
    fn object(&self) -> String;
    /// The SHA-256 of the content that is sent, in hex. If the digest is another one than before, the record at the
    /// destination is out of date.
    fn digest(&self) -> String;
    fn unknown(&self) -> Unknown;
    /// How long the request may take before it is given up.
    fn timeout(&self) -> Duration {
        Duration::from_secs(30)
    }
    /// Whether a record that exists can be changed. If it cannot, it is shown as outdated, and never made again. To
    /// change a record twice must be the same as to change it once, because a change of which nobody knows whether it
    /// happened is made again.
    fn can_update(&self) -> bool {
        false
    }
    /// Sends the request. `prior` is the remote id of the record to change, if there is one. `key` is the effect's own
    /// id, for destinations that can store it with the record.
    fn send(
        &self,
        key: Uuid,
        prior: Option<&str>,
    ) -> impl Future<Output = Result<Receipt, StageError>> + Send;
    /// Looks at the destination for a record of which nobody knows whether it was made. Only effects with
    /// [`Unknown::Ask`] need this. If the request was sent, that was after `since`, by the store's clock. To ask must
    /// change nothing.
    fn ask(
        &self,
        _key: Uuid,
        _since: Moment,
    ) -> impl Future<Output = Result<Option<Receipt>, StageError>> + Send {
        async { Ok(None) }
    }
}

impl Cx {
    /// Makes an effect, once: see [`crate::effect`].
    pub async fn once(&self, effect: &impl Effect) -> Result<Receipt, StageError> {
        once(self, effect).await
    }

    /// Declares that what an effect made is of no use any more (a provider's job that failed), so that the next
    /// [`Cx::once`] makes it again.
    pub async fn void(&self, effect: &impl Effect) -> Result<(), StageError> {
        if self.requests.are_over() {
            return Err(taken_over());
        }
        Ok(self.store.void_effect(key(self, effect).id).await?)
    }
}

async fn once(cx: &Cx, effect: &impl Effect) -> Result<Receipt, StageError> {
    // The place is taken before the intent is written, because an intent that waits would soon be too late.
    let _place = cx.wait_for(Whom::Provider(effect.target())).await?;
    let key = key(cx, effect);
    let wanted = WantedEffect {
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
        // The time at which the intent was written, or a moment before.
        let mut intended_at = asked_at;
        let mut intending = Intending { store: &cx.store, key: &key, asked_at, answered: false };
        let ask = || {
            intended_at = cx.store.now();
            cx.store.intend(&cx.claim, &key, &wanted, asked_at)
        };
        let intent = until_stored(ask).await;
        intending.answered = true;
        return match intent {
            Intent::Send { prior } => {
                let Some(request) = cx.requests.begin() else {
                    intending.answered = false;
                    return Err(taken_over());
                };
                let intended = Intended { key: &key, asked_at, deadline: intended_at.plus(wanted.timeout) };
                send(cx, effect, intended, prior.as_deref(), request).await
            }
            Intent::Done { remote_id, replaced } => {
                Ok(Receipt { remote_id: remote_id.unwrap_or_default(), replaced })
            }
            Intent::Wait(pause) => Err(in_flight(&key, pause.min(LOOK_AGAIN))),
            Intent::Unknown { since, absent_since } => {
                let receipt = settle(cx, effect, &key, since, absent_since).await?;
                let replaced = receipt.replaced.as_ref();
                until_stored(|| cx.store.record_found_effect(key.id, &receipt.remote_id, replaced)).await;
                // The record may have been made before its content changed, so the ledger is asked again.
                continue;
            }
            Intent::NotOurs => Err(taken_over()),
        };
    }
}

fn taken_over() -> StageError {
    StageError::transient("run_taken_over", anyhow!("another process took the run over"))
}

/// An intent that is being written. If its caller goes away before the answer, it is recorded that nothing was sent.
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

/// An intent that the ledger holds.
struct Intended<'a> {
    key: &'a EffectKey,
    /// Names the intent: each later intent for the same key has a later time.
    asked_at: Moment,
    deadline: Moment,
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
    // A process that takes the run over relies on the deadline. So a process that stood still until then sends nothing.
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
                    tracing::info!(effect = %id, "the effect was recorded already, or a newer one was");
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

/// Records how a request ended. Only this process knows that, so it does so even if the run is given up meanwhile.
async fn record(request: OnItsWay, id: Uuid, recording: impl Future<Output = ()> + Send + 'static) {
    let mut recording = tokio::spawn(recording);
    let soon = tokio::time::timeout(RECORDED_WITHIN, &mut recording).await;
    drop(request);
    let recorded = match soon {
        Ok(recorded) => recorded,
        Err(_) => recording.await,
    };
    if let Err(error) = recorded {
        tracing::error!(%error, effect = %id, "failed to record how a request ended");
    }
}

/// Finds out whether an effect happened. Returns its receipt if it did.
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
        cx.store.record_absent_effect(key.id).await?;
        return Err(in_flight(key, ABSENT_TWICE_AFTER));
    };
    let absent_for = cx.now().since(since);
    if absent_for < ABSENT_TWICE_AFTER {
        return Err(in_flight(key, ABSENT_TWICE_AFTER.saturating_sub(absent_for)));
    }
    cx.store.record_effect_not_sent(key.id, since).await?;
    Err(in_flight(key, Duration::ZERO))
}

fn in_flight(key: &EffectKey, wait: Duration) -> StageError {
    StageError::new(
        Fault::Throttled(wait),
        "effect_in_flight",
        anyhow!("an earlier request to `{}` may still arrive", key.target),
    )
}

/// The error of a request that may have taken effect. The run looks at the effect again when the request can no longer
/// be on its way.
fn unsettled(mut error: StageError) -> StageError {
    error.fault = Fault::Throttled(error.retry_after.unwrap_or_default());
    error
}
