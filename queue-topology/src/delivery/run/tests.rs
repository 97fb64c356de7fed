//! A run that is given up while one of its requests is on its way.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use domain::call::CallKind;
use domain::event::{CallAnalyzed, Nothing};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::*;
use crate::effect::tests::World;
use crate::effect::{Effect, Receipt, Scope, Unknown};
use crate::table::Queue;

/// A destination that answers only when the test tells it to.
#[derive(Clone, Default)]
struct Destination {
    requests: Arc<AtomicUsize>,
    asked: Arc<Notify>,
    answer: Arc<Notify>,
}

struct Post(&'static str, Destination);

impl Effect for Post {
    fn target(&self) -> &'static str {
        "board"
    }

    fn scope(&self) -> Scope {
        Scope::Call
    }

    fn object(&self) -> String {
        self.0.into()
    }

    fn digest(&self) -> String {
        "d".into()
    }

    fn unknown(&self) -> Unknown {
        Unknown::Hold
    }

    fn timeout(&self) -> Duration {
        Duration::ZERO
    }

    async fn send(&self, _key: Uuid, _prior: Option<&str>) -> Result<Receipt, StageError> {
        self.1.requests.fetch_add(1, Ordering::SeqCst);
        self.1.asked.notify_one();
        self.1.answer.notified().await;
        Ok(Receipt { remote_id: self.0.into(), replaced: None })
    }
}

/// A stage that posts twice.
struct Poster(Destination);

impl Stage for Poster {
    type In = CallAnalyzed;
    type Out = Nothing;
    const QUEUE: Queue<CallAnalyzed> = table::SLACK;

    async fn handle(&self, cx: &Cx, _: &Envelope<CallAnalyzed>) -> Result<Outcome<Nothing>, StageError> {
        for post in ["first", "second"] {
            cx.once(&Post(post, self.0.clone())).await?;
        }
        Ok(Outcome::Done)
    }
}

/// A run that is being worked on.
struct RunUnderTest {
    world: World,
    cx: Arc<Cx>,
    board: Destination,
    term: Term,
    stopping: CancellationToken,
    settles: JoinHandle<bool>,
}

/// A run whose first request is on its way. The value of `settles` says whether there is something to settle.
async fn on_its_way() -> RunUnderTest {
    let world = World::new().await;
    let (board, stopping) = (Destination::default(), CancellationToken::new());
    let term = Term { instance: world.owner, lost: CancellationToken::new() };
    let event = Envelope {
        id: Uuid::new_v4(),
        workspace: world.run.workspace,
        call: world.run.call,
        generation: 1,
        time: world.store.now(),
        traceparent: None,
        data: CallAnalyzed {},
    };
    let begun = BegunRun {
        kind: Some(CallKind::Phone),
        generation: 1,
        fence: world.run.fence,
        attempts: 1,
        crashes: 0,
        since: world.run.since,
        input: String::from_utf8(event.encode()).unwrap(),
        lane: "live".into(),
        destination: None,
    };
    let (cx, stage) = (Arc::new(world.cx()), Poster(board.clone()));
    let settles = tokio::spawn({
        let (cx, term, stopping) = (Arc::clone(&cx), term.clone(), stopping.clone());
        async move { work(&stage, &cx, &begun, &term, &stopping, Duration::ZERO).await.is_some() }
    });
    board.asked.notified().await;
    RunUnderTest { world, cx, board, term, stopping, settles }
}

impl RunUnderTest {
    async fn until_given_up(&self) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !self.cx.requests.are_over() {
            assert!(Instant::now() < deadline, "the run is not given up");
            tokio::task::yield_now().await;
        }
    }

    /// The state of the effect once the run is given up. Also checks that only the first request was sent.
    async fn state_at_the_end(self) -> String {
        assert!(!self.settles.await.unwrap(), "the run was given up");
        assert_eq!(self.board.requests.load(Ordering::SeqCst), 1);
        let effects =
            self.world.store.effects_of(self.world.run.workspace, self.world.run.call).await.unwrap();
        let [effect] = &effects[..] else { panic!("{effects:?}") };
        effect.state.clone()
    }
}

#[tokio::test]
async fn a_request_that_is_on_its_way_when_the_lease_is_lost_is_recorded_and_no_other_follows() {
    let run = on_its_way().await;
    run.term.lost.cancel();
    run.until_given_up().await;
    run.board.answer.notify_one();
    assert_eq!(run.state_at_the_end().await, "confirmed");
}

#[tokio::test]
async fn a_request_that_is_on_its_way_when_the_process_has_to_stop_is_recorded_and_no_other_follows() {
    let run = on_its_way().await;
    run.stopping.cancel();
    run.until_given_up().await;
    run.board.answer.notify_one();
    assert_eq!(run.state_at_the_end().await, "confirmed");
}

#[tokio::test]
async fn a_request_that_is_never_answered_delays_the_stop_only_until_its_deadline() {
    let run = on_its_way().await;
    run.stopping.cancel();
    assert_eq!(run.state_at_the_end().await, "unknown");
}

#[test]
fn a_run_does_not_reach_the_stage_if_its_queue_does_not_take_the_call() {
    let begun = |kind| BegunRun {
        kind,
        generation: 1,
        fence: 1,
        attempts: 1,
        crashes: 0,
        since: domain::moment::Moment::from_micros(0),
        input: String::new(),
        lane: "live".into(),
        destination: None,
    };
    let result = |kind| without_work::<Nothing>(&table::SLACK.spec, &begun(kind));
    assert!(result(Some(CallKind::Phone)).is_none(), "the stage does the work");
    assert!(matches!(result(Some(CallKind::Practice)), Some(Ok(Outcome::Done))));
    let Some(Err(error)) = result(None) else { panic!("the kind is unknown") };
    assert_eq!(error.code, "call_kind_unknown");
}
