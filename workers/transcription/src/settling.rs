//! Asks the holders of recordings once more for what they know of a call, when it has settled.
//!
//! A call's length and price can be final only some minutes after the call, and the transcript does not wait for that.
//! So the run plans a later look, and this task does it beside the runs. It costs no attempt, and changes only what is
//! known of the call.

use std::sync::Arc;
use std::time::Duration;

use domain::held_file::HeldFile;
use platform::cache::Cache;
use platform::config::{ConfigError, Values};
use providers::Slots;
use providers::holders::Holders;
use queue_topology::Stage as _;
use store::{LaterLook, Store};

use crate::stage::Transcription;

/// The pause between two looks at the store.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// When a look is tried again that failed, or whose process died.
const AGAIN_AFTER: Duration = Duration::from_mins(2);
/// How many looks are taken at a time. The rate limit of a holder makes them slow, and others may take the rest.
const BATCH: u16 = 20;

/// The task that does the looks whose time has come.
pub struct Settling {
    store: Store,
    holders: Holders,
}

impl Settling {
    pub fn from_values(values: &Values, store: Store, cache: Arc<dyn Cache>) -> Result<Self, ConfigError> {
        let slots = Slots::new(cache, Transcription::QUEUE.spec.may_wait());
        Ok(Self::new(store, Holders::configured(values, &slots)?))
    }

    pub fn new(store: Store, holders: Holders) -> Self {
        Self { store, holders }
    }

    /// Does the looks that are due, for as long as it is polled.
    pub async fn run(self) {
        loop {
            match self.look().await {
                // There may be more.
                Ok(done) if done >= usize::from(BATCH) => continue,
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(%error, "failed to look for calls whose details are final by now");
                }
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Does the looks that are due. Returns how many were due.
    pub async fn look(&self) -> store::Result<usize> {
        let due = self.store.due_looks(BATCH, AGAIN_AFTER).await?;
        for look in &due {
            self.settle(look).await?;
        }
        Ok(due.len())
    }

    async fn settle(&self, look: &LaterLook) -> store::Result<()> {
        let Some(file) = HeldFile::read(&look.held) else { return self.store.looked(look).await };
        // A holder that was turned off may be turned on again before the look is given up.
        let Some(holder) = self.holders.get(file.holder()) else { return Ok(()) };
        match holder.facts(&file).await {
            Ok(facts) => {
                if let Some(facts) = facts {
                    self.store.add_facts(look.workspace, look.call_id, &facts).await?;
                    tracing::debug!(call = %look.call_id, "read the details of a call once more");
                }
                self.store.looked(look).await
            }
            Err(refusal) => {
                tracing::warn!(call = %look.call_id, error = %refusal, "the details of a call cannot be read again");
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use domain::call::{CallDetails, CallId, CallKind, WorkspaceId};
    use domain::held_file::Holder;
    use domain::refusal::{Code, Codes, Destination, Failure, Refusal, Remote};
    use futures::FutureExt as _;
    use futures::future::{BoxFuture, ready};
    use providers::recordings::{Located, RecordingHolder};
    use providers::{Check, Checked};
    use store::Arrival;
    use uuid::Uuid;

    use super::*;

    const WORKSPACE: WorkspaceId = WorkspaceId::DEFAULT;
    const HELD: &str = "exotel:CALL-1";

    static REMOTE: Remote = Remote {
        destination: Destination::named("exotel"),
        title: "Exotel",
        advice: "check EXOTEL_API_KEY",
        codes: Codes {
            unreachable: Code::new("exotel_unreachable"),
            no_answer: Code::new("exotel_failed"),
            too_long: Code::new("exotel_answer_too_long"),
            account: Code::new("exotel_refuses_account"),
            throttled: Code::new("exotel_throttled"),
            failed: Code::new("exotel_failed"),
            refused: Code::new("exotel_refused"),
        },
        default_wait: Duration::from_secs(10),
    };

    /// A holder that is away at first, if `is_away`, and knows the length of every call.
    struct Knowing {
        is_away: bool,
        asked: AtomicUsize,
    }

    impl Check for Knowing {
        fn check(&self) -> BoxFuture<'_, Result<Checked, Refusal>> {
            ready(Ok(Checked::reached())).boxed()
        }
    }

    impl RecordingHolder for Knowing {
        fn holder(&self) -> Holder {
            Holder::Exotel
        }

        fn remote(&self) -> &'static Remote {
            &REMOTE
        }

        fn locate<'a>(&'a self, _: &'a HeldFile) -> BoxFuture<'a, Result<Located, Refusal>> {
            ready(Ok(Located::NotYet)).boxed()
        }

        fn patience(&self) -> Duration {
            Duration::ZERO
        }

        fn facts<'a>(&'a self, file: &'a HeldFile) -> BoxFuture<'a, Result<Option<CallDetails>, Refusal>> {
            assert_eq!(file.name(), HELD);
            let is_first = self.asked.fetch_add(1, Ordering::Relaxed) == 0;
            ready(if self.is_away && is_first {
                Err(Refusal::of(&REMOTE, &Failure::Lost { problem: "it hung up".into() }))
            } else {
                Ok(Some(CallDetails { duration_ms: Some(48_000), ..CallDetails::default() }))
            })
            .boxed()
        }
    }

    struct Bench {
        _folder: tempfile::TempDir,
        store: Store,
        call: CallId,
    }

    impl Bench {
        /// A call whose details are looked at now.
        async fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let store = Store::open_embedded(folder.path()).await.unwrap();
            let call = CallId::derive(WORKSPACE, "exotel", "CALL-1");
            let arrival = Arrival {
                event_id: Uuid::new_v4(),
                workspace: WORKSPACE,
                call,
                source: "exotel".into(),
                external_id: "CALL-1".into(),
                kind: CallKind::Phone,
                details: CallDetails { duration_ms: Some(1_000), ..CallDetails::default() },
                materials: Vec::new(),
            };
            store.take_in(&arrival, &[], "live", |_| String::new()).await.unwrap();
            store.look_later(WORKSPACE, call, HELD, Duration::ZERO).await.unwrap();
            Self { _folder: folder, store, call }
        }

        async fn looked(&self, holder: Option<Knowing>) -> Option<i64> {
            let holders = Holders::of(holder.map(|holder| Arc::new(holder) as Arc<dyn RecordingHolder>));
            let settling = Settling::new(self.store.clone(), holders);
            assert_eq!(settling.look().await.unwrap(), 1);
            self.store.call(WORKSPACE, self.call).await.unwrap().unwrap().details.duration_ms
        }
    }

    #[tokio::test]
    async fn a_call_takes_over_the_length_that_settled() {
        let bench = Bench::new().await;
        let holder = Knowing { is_away: false, asked: AtomicUsize::new(0) };
        assert_eq!(bench.looked(Some(holder)).await, Some(48_000));
    }

    #[tokio::test]
    async fn a_look_that_fails_or_has_nobody_to_ask_changes_nothing() {
        let bench = Bench::new().await;
        assert_eq!(
            bench.looked(Some(Knowing { is_away: true, asked: AtomicUsize::new(0) })).await,
            Some(1_000)
        );
        let bench = Bench::new().await;
        assert_eq!(bench.looked(None).await, Some(1_000));
    }
}
