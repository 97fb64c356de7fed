//! A run that is given up while a request of it is on its way.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use domain::event::{CallAnalyzed, Nothing};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::*;
use crate::effect::tests::World;
use crate::effect::{Effect, Receipt, Scope, Unknown};
use crate::table::Queue;

/// Answers when it is told to, and never otherwise.
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

/// Posts twice.
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

struct Given {
    world: World,
    cx: Arc<Cx>,
    board: Destination,
    held: Held,
    stopping: CancellationToken,
    working: JoinHandle<bool>,
}

/// A run whose first request is on its way. Working says whether there is something to settle.
async fn on_its_way() -> Given {
    let world = World::new().await;
    let (board, stopping) = (Destination::default(), CancellationToken::new());
    let held = Held { instance: world.owner, lost: CancellationToken::new() };
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
    let working = tokio::spawn({
        let (cx, held, stopping) = (Arc::clone(&cx), held.clone(), stopping.clone());
        async move { work(&stage, &cx, &begun, &held, &stopping, Duration::ZERO).await.is_some() }
    });
    board.asked.notified().await;
    Given { world, cx, board, held, stopping, working }
}

impl Given {
    async fn until_given_up(&self) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !self.cx.requests.are_over() {
            assert!(Instant::now() < deadline, "it is not given up");
            tokio::task::yield_now().await;
        }
    }

    /// What the ledger says once the run is given up, and that nothing was sent beside the first request.
    async fn state_at_the_end(self) -> String {
        assert!(!self.working.await.unwrap(), "it was given up");
        assert_eq!(self.board.requests.load(Ordering::SeqCst), 1);
        let effects =
            self.world.store.effects_of(self.world.run.workspace, self.world.run.call).await.unwrap();
        let [effect] = &effects[..] else { panic!("{effects:?}") };
        effect.state.clone()
    }
}

#[tokio::test]
async fn a_request_on_its_way_when_the_lease_is_lost_is_recorded_and_nothing_follows_it() {
    let given = on_its_way().await;
    given.held.lost.cancel();
    given.until_given_up().await;
    given.board.answer.notify_one();
    assert_eq!(given.state_at_the_end().await, "confirmed");
}

#[tokio::test]
async fn a_request_on_its_way_when_the_process_has_to_stop_is_recorded_and_nothing_follows_it() {
    let given = on_its_way().await;
    given.stopping.cancel();
    given.until_given_up().await;
    given.board.answer.notify_one();
    assert_eq!(given.state_at_the_end().await, "confirmed");
}

#[tokio::test]
async fn a_request_that_is_never_answered_holds_nobody_past_its_deadline() {
    let given = on_its_way().await;
    given.stopping.cancel();
    assert_eq!(given.state_at_the_end().await, "unknown");
}
