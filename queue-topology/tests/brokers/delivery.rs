//! One delivery, from the broker to its acknowledgement. The stages do what a test says, on embedded parts.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use domain::call::{CallDetails, CallId, CallKind, CallStatus, WorkspaceId};
use domain::event::{
    CallAccepted, CallAnalyzed, CallReceived, CallTranscribed, Envelope, Event, Kept, Material, MaterialAt,
    MaterialKind, Nothing,
};
use domain::fault::Fault;
use domain::moment::Moment;
use domain::transcript::Transcript;
use platform::config::Values;
use queue_topology::broker::{Broker, BrokerError, Embedded, Lane, Message, Route};
use queue_topology::lease::Lease;
use queue_topology::retry::Schedule;
use queue_topology::table::{self, Queue};
use queue_topology::{
    Cx, Engine, Memory, Outcome, Pipeline, Stage, StageError, Waits, Worker, keeper, wake_ups,
};
use sqlx::{Connection as _, Executor as _, SqliteConnection};
use store::{Arrival, Begun, DeadFilter, InstanceId, Page, RunKey, RunRequest, Store, TakenIn, Write};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub(crate) const WORKSPACE: WorkspaceId = WorkspaceId::DEFAULT;

pub(crate) struct Dedup;

impl Stage for Dedup {
    type In = CallReceived;
    type Out = CallAccepted;
    const QUEUE: Queue<CallReceived> = table::DEDUP;

    async fn handle(
        &self,
        cx: &Cx,
        event: &Envelope<CallReceived>,
    ) -> Result<Outcome<CallAccepted>, StageError> {
        if event.data.source == "unreadable" {
            return Err(StageError::permanent("details_unreadable", anyhow::anyhow!("no")));
        }
        let starts = cx.consumers::<CallAccepted>(event.data.kind);
        let input = |generation| accepted(event, generation);
        match cx.store.take_in(&arrival(event), &starts, cx.run.lane.name(), input).await? {
            TakenIn::Accepted { generation } | TakenIn::Repeated { generation, waiting: true } => {
                cx.emit_as(event.data.kind, generation);
                Ok(Outcome::Emit(CallAccepted {}))
            }
            _ => Ok(Outcome::Done),
        }
    }
}

fn arrival(event: &Envelope<CallReceived>) -> Arrival {
    Arrival {
        event_id: event.id,
        workspace: event.workspace,
        call: event.call,
        source: event.data.source.clone(),
        external_id: event.data.external_id.clone(),
        kind: event.data.kind,
        details: CallDetails::default(),
        materials: event.data.materials.clone(),
    }
}

/// The input of a run of transcription.
fn accepted(event: &Envelope<CallReceived>, generation: i64) -> String {
    let accepted = Envelope {
        id: event.id,
        workspace: event.workspace,
        call: event.call,
        generation,
        time: event.time,
        traceparent: None,
        data: CallAccepted {},
    };
    String::from_utf8(accepted.encode()).unwrap()
}

/// What a scripted stage does in one run.
enum Act {
    Done,
    Later(Duration),
    Fail(StageError),
    Panic,
    Hang,
    /// Goes on when the test says so.
    Until(Arc<Notify>),
}

/// A stage that plays its script and then always succeeds.
#[derive(Clone, Default)]
struct Scripted {
    script: Arc<Mutex<VecDeque<Act>>>,
    attempts: Arc<Mutex<Vec<i64>>>,
}

impl Scripted {
    fn of(acts: impl IntoIterator<Item = Act>) -> Self {
        Self { script: Arc::new(Mutex::new(acts.into_iter().collect())), ..Self::default() }
    }

    fn attempts(&self) -> Vec<i64> {
        self.attempts.lock().unwrap().clone()
    }
}

impl Stage for Scripted {
    type In = CallAccepted;
    type Out = CallTranscribed;
    const QUEUE: Queue<CallAccepted> = table::TRANSCRIPTION;

    async fn handle(
        &self,
        cx: &Cx,
        _: &Envelope<CallAccepted>,
    ) -> Result<Outcome<CallTranscribed>, StageError> {
        self.attempts.lock().unwrap().push(cx.run.attempt);
        let act = self.script.lock().unwrap().pop_front();
        match act {
            None | Some(Act::Done) => {
                cx.keep(Write::Transcript(Transcript::default()));
                Ok(Outcome::Emit(CallTranscribed {}))
            }
            Some(Act::Later(wait)) => Ok(Outcome::Later(wait)),
            Some(Act::Fail(error)) => Err(error),
            Some(Act::Panic) => panic!("as the test says"),
            Some(Act::Hang) => std::future::pending().await,
            Some(Act::Until(signal)) => {
                signal.notified().await;
                Ok(Outcome::Emit(CallTranscribed {}))
            }
        }
    }
}

/// A stage of analysis that finds nothing.
struct Analysis;

impl Stage for Analysis {
    type In = CallTranscribed;
    type Out = CallAnalyzed;
    const QUEUE: Queue<CallTranscribed> = table::ANALYSIS;

    async fn handle(
        &self,
        _: &Cx,
        _: &Envelope<CallTranscribed>,
    ) -> Result<Outcome<CallAnalyzed>, StageError> {
        Ok(Outcome::Emit(CallAnalyzed {}))
    }
}

pub(crate) struct Process {
    _folder: Option<tempfile::TempDir>,
    pub(crate) engine: Engine,
    shutdown: CancellationToken,
    tasks: Vec<JoinHandle<Result<(), BrokerError>>>,
}

impl Process {
    async fn start(stage: Scripted) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_owned();
        Self { _folder: Some(folder), ..Self::start_in(&path, stage).await }
    }

    async fn start_in(folder: &std::path::Path, stage: Scripted) -> Self {
        Self::run(folder, Pipeline::new().then(Dedup).then(stage).workers()).await
    }

    pub(crate) async fn run(folder: &std::path::Path, workers: Vec<Worker>) -> Self {
        Self::run_with(folder, workers, &[]).await
    }

    /// As [`Self::run`], with these optional stages switched on.
    async fn run_with(folder: &std::path::Path, workers: Vec<Worker>, also: &'static [&'static str]) -> Self {
        let store = Store::open_embedded(folder).await.unwrap();
        let broker: Arc<dyn Broker> = Arc::new(Embedded::open(&folder.join("queue.db")).await.unwrap());
        let values = Values::of([("DEBRIEF_RETRY_SCHEDULE", "50ms,100ms"), ("DEBRIEF_MAX_ATTEMPTS", "3")]);
        let lease = Lease::acquire(store.clone(), Duration::from_secs(30)).await.unwrap();
        let schedule = Schedule::read(&values).unwrap();
        let drain_timeout = Duration::from_millis(200);
        let (memory, waits) = (Memory::of(u64::MAX), Waits::default());
        let engine = Engine { store, broker, lease, schedule, drain_timeout, memory, waits, also };
        let shutdown = CancellationToken::new();
        let mut tasks = Vec::new();
        for worker in workers {
            let (engine, shutdown) = (engine.clone(), shutdown.clone());
            tasks.push(tokio::spawn(async move {
                let ended = worker.run(engine.clone(), shutdown).await;
                if ended.is_ok() {
                    worker.drain(&engine).await;
                }
                ended
            }));
        }
        let (keeping, ending) = (engine.clone(), shutdown.clone());
        tasks.push(tokio::spawn(async move { keeper::run(keeping, ending).await }));
        Self { _folder: None, engine, shutdown, tasks }
    }

    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        for task in self.tasks {
            task.await.unwrap().unwrap();
        }
        self.engine.lease.end().await;
        self.engine.broker.close().await;
        self.engine.store.close().await;
    }

    pub(crate) async fn publish(&self, body: Vec<u8>, key: &'static str) {
        let message = Message {
            route: Route::Event { key },
            lane: Lane::Live,
            id: Uuid::new_v4(),
            body: Bytes::from(body),
        };
        self.engine.broker.publish(message).await.unwrap();
    }

    /// A call with something to transcribe arrives.
    pub(crate) async fn receive(&self) -> CallId {
        let event = received("exotel");
        self.publish(event.encode(), CallReceived::KEY).await;
        event.call
    }

    async fn until(&self, call: CallId, status: CallStatus) {
        self.wait(async || {
            let found = self.engine.store.call(WORKSPACE, call).await.unwrap();
            found.is_some_and(|call| call.status == status)
        })
        .await;
    }

    pub(crate) async fn wait(&self, mut look: impl AsyncFnMut() -> bool) {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
        while !look().await {
            assert!(tokio::time::Instant::now() < deadline, "the condition did not come true in time");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    async fn dead_codes(&self) -> Vec<String> {
        let page = Page { offset: 0, limit: 10 };
        let (letters, _) =
            self.engine.store.dead_letters(WORKSPACE, &DeadFilter::default(), page).await.unwrap();
        letters.into_iter().map(|letter| letter.error_code).collect()
    }
}

pub(crate) fn received(source: &str) -> Envelope<CallReceived> {
    let external_id = Uuid::new_v4().to_string();
    Envelope {
        id: Uuid::new_v4(),
        workspace: WORKSPACE,
        call: CallId::derive(WORKSPACE, source, &external_id),
        generation: 0,
        time: Moment::now(),
        traceparent: None,
        data: CallReceived {
            source: source.into(),
            external_id,
            kind: CallKind::Phone,
            details: Kept::Inline(CallDetails::default()),
            materials: vec![Material {
                kind: MaterialKind::Transcript,
                digest: "d".into(),
                at: MaterialAt::Blob("b".into()),
                media_type: None,
                starts_at: None,
            }],
        },
    }
}

fn transcription(call: CallId) -> RunKey {
    RunKey { workspace: WORKSPACE, call, stage: "transcription", generation: 1 }
}

fn failure(fault: Fault) -> Act {
    Act::Fail(StageError::new(fault, "test_failure", anyhow::anyhow!("as the test says")))
}

/// The status of a call that nobody works on. Analysis is not part of these pipelines.
const ON_ITS_WAY: CallStatus = CallStatus::Queued;

async fn transcribed(process: &Process, call: CallId) {
    process.wait(async || process.engine.store.transcript(WORKSPACE, call).await.unwrap().is_some()).await;
}

#[tokio::test]
async fn a_failure_that_passes_is_tried_again_and_counts() {
    let stage = Scripted::of([failure(Fault::Transient), Act::Panic]);
    let process = Process::start(stage.clone()).await;
    let call = process.receive().await;
    transcribed(&process, call).await;
    assert_eq!(stage.attempts(), [1, 2, 3], "a panic ends its run, and not the process");
    process.until(call, CallStatus::Processing).await;
    process.stop().await;
}

#[tokio::test]
async fn the_last_attempt_is_dead_and_is_listed_with_its_code() {
    let stage = Scripted::of((0..3).map(|_| failure(Fault::Transient)));
    let process = Process::start(stage.clone()).await;
    let call = process.receive().await;
    process.until(call, CallStatus::Failed).await;
    assert_eq!(process.dead_codes().await, ["test_failure"]);
    assert_eq!(stage.attempts(), [1, 2, 3]);
    process.stop().await;
}

#[tokio::test]
async fn a_run_that_waits_for_somebody_else_spends_no_attempt() {
    let wait = Duration::from_millis(30);
    let acts = (0..5).map(|_| Act::Later(wait)).chain([failure(Fault::Throttled(wait))]);
    let stage = Scripted::of(acts);
    let process = Process::start(stage.clone()).await;
    let call = process.receive().await;
    transcribed(&process, call).await;
    assert_eq!(stage.attempts(), [1; 7]);
    process.stop().await;
}

#[tokio::test]
async fn a_practice_meeting_is_analyzed_and_never_reaches_a_crm_or_slack() {
    let folder = tempfile::tempdir().unwrap();
    let pipeline = Pipeline::new().then(Dedup).then(Scripted::default()).then(Analysis);
    let process = Process::run(folder.path(), pipeline.workers()).await;
    let (mut practice, phone) = (received("rehearsal"), received("exotel"));
    practice.data.kind = CallKind::Practice;
    process.publish(practice.encode(), CallReceived::KEY).await;
    process.until(practice.call, CallStatus::Completed).await;
    let runs = process.engine.store.runs(WORKSPACE, practice.call).await.unwrap();
    let stages: HashSet<_> = runs.iter().map(|run| run.stage.as_str()).collect();
    assert_eq!(stages, HashSet::from(["transcription", "analysis"]));

    process.publish(phone.encode(), CallReceived::KEY).await;
    for stage in ["crm", "slack"] {
        let messages = async || process.engine.broker.depth(stage, Lane::Live).await.unwrap().ready;
        process.wait(async || messages().await > 0).await;
        assert_eq!(messages().await, 1, "only the phone call is announced to {stage}");
    }
    process.stop().await;
}

/// A last stage that does nothing.
struct Score;

impl Stage for Score {
    type In = CallAnalyzed;
    type Out = Nothing;
    const QUEUE: Queue<CallAnalyzed> = table::SCORE;

    async fn handle(&self, _: &Cx, _: &Envelope<CallAnalyzed>) -> Result<Outcome<Nothing>, StageError> {
        Ok(Outcome::Done)
    }
}

#[tokio::test]
async fn an_optional_stage_gets_its_runs_where_it_is_on_and_nothing_waits_for_it_where_it_is_off() {
    for (also, expected) in
        [(&[][..], &["transcription", "analysis"][..]), (&["score"], &["transcription", "analysis", "score"])]
    {
        let folder = tempfile::tempdir().unwrap();
        let pipeline = Pipeline::new().then(Dedup).then(Scripted::default()).then(Analysis);
        let process = Process::run_with(folder.path(), pipeline.ends_in(Score).workers(), also).await;
        let mut practice = received("rehearsal");
        practice.data.kind = CallKind::Practice;
        process.publish(practice.encode(), CallReceived::KEY).await;
        process.until(practice.call, CallStatus::Completed).await;
        let runs = process.engine.store.runs(WORKSPACE, practice.call).await.unwrap();
        let stages: HashSet<_> = runs.iter().map(|run| run.stage.as_str()).collect();
        assert_eq!(stages, expected.iter().copied().collect());
        let waiting = process.engine.broker.depth("score", Lane::Live).await.unwrap().ready;
        assert_eq!(waiting, 0);

        // A phone call goes to every stage that its event is bound to, and to those that are on.
        let phone = received("exotel");
        process.publish(phone.encode(), CallReceived::KEY).await;
        let of_phone = async || {
            let runs = process.engine.store.runs(WORKSPACE, phone.call).await.unwrap();
            runs.into_iter().map(|run| run.stage).collect::<HashSet<_>>()
        };
        process.wait(async || of_phone().await.contains("slack")).await;
        assert_eq!(of_phone().await.contains("score"), !also.is_empty());
        process.stop().await;
    }
}

#[tokio::test]
async fn a_nudge_makes_the_stage_look_before_the_run_is_due() {
    let stage = Scripted::of([Act::Later(Duration::from_hours(1))]);
    let process = Process::start(stage.clone()).await;
    let call = process.receive().await;
    process.wait(async || !stage.attempts().is_empty()).await;
    process
        .wait(async || {
            process
                .engine
                .broker
                .publish(wake_ups::message(&transcription(call), true, Lane::Live))
                .await
                .unwrap();
            stage.attempts().len() > 1
        })
        .await;
    transcribed(&process, call).await;
    process.stop().await;
}

#[tokio::test]
async fn a_destination_that_is_down_parks_its_runs_and_the_first_success_wakes_the_rest() {
    let down = || Act::Fail(StageError::unavailable("speech", "speech_down", anyhow::anyhow!("down")));
    let stage = Scripted::of((0..8).map(|_| down()));
    let process = Process::start(stage.clone()).await;
    let calls = [process.receive().await, process.receive().await];
    for call in calls {
        process.until(call, CallStatus::Waiting).await;
    }
    for call in calls {
        transcribed(&process, call).await;
    }
    assert!(stage.attempts().iter().all(|attempt| *attempt == 1), "{:?}", stage.attempts());
    process.stop().await;
}

#[tokio::test]
async fn a_message_that_cannot_be_decoded_is_kept_for_people_and_harms_nobody() {
    let process = Process::start(Scripted::default()).await;
    process.publish(b"{\"no\":\"event\"}".to_vec(), CallReceived::KEY).await;
    process.publish(received("unreadable").encode(), CallReceived::KEY).await;
    let call = process.receive().await;
    transcribed(&process, call).await;
    process.wait(async || process.dead_codes().await.len() == 2).await;
    let mut codes = process.dead_codes().await;
    codes.sort();
    assert_eq!(codes, ["details_unreadable", "undecodable"]);
    process.stop().await;
}

#[tokio::test]
async fn the_same_message_many_times_is_one_run() {
    let stage = Scripted::default();
    let process = Process::start(stage.clone()).await;
    let event = received("exotel");
    for _ in 0..20 {
        process.publish(event.encode(), CallReceived::KEY).await;
    }
    transcribed(&process, event.call).await;
    process.wait(async || process.engine.broker.depth("dedup", Lane::Live).await.unwrap().ready == 0).await;
    process.stop().await;
    assert_eq!(stage.attempts(), [1]);
}

#[tokio::test]
async fn a_run_that_does_not_end_in_time_is_taken_up_by_the_next_process() {
    let folder = tempfile::tempdir().unwrap();
    let stage = Scripted::of([Act::Hang, Act::Done]);
    let process = Process::start_in(folder.path(), stage.clone()).await;
    let call = process.receive().await;
    process.wait(async || !stage.attempts().is_empty()).await;
    process.stop().await;
    let process = Process::start_in(folder.path(), stage.clone()).await;
    transcribed(&process, call).await;
    assert_ne!(process.engine.store.call(WORKSPACE, call).await.unwrap().unwrap().status, ON_ITS_WAY);
    process.stop().await;
}

#[tokio::test]
async fn a_run_that_is_given_back_when_its_process_stops_has_spent_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let stage = Scripted::of((0..4).map(|_| Act::Hang));
    let process = Process::start_in(folder.path(), stage.clone()).await;
    let call = process.receive().await;
    process.wait(async || stage.attempts().len() == 1).await;
    process.stop().await;
    for stops in 2..=4 {
        let process = Process::start_in(folder.path(), stage.clone()).await;
        process.wait(async || stage.attempts().len() == stops).await;
        process.stop().await;
    }
    let process = Process::start_in(folder.path(), stage.clone()).await;
    transcribed(&process, call).await;
    assert_eq!(stage.attempts(), [1; 5]);
    process.stop().await;
}

#[tokio::test]
async fn a_run_that_may_have_killed_two_processes_is_worked_on_alone() {
    let signals = [Arc::new(Notify::new()), Arc::new(Notify::new())];
    let stage = Scripted::of(signals.iter().cloned().map(Act::Until));
    let process = Process::start(stage.clone()).await;
    let other = process.receive().await;
    process.wait(async || stage.attempts().len() == 1).await;
    let store = &process.engine.store;
    let suspect = suspect(store).await;
    let wake = wake_ups::message(&transcription(suspect), false, Lane::Live);
    process.engine.broker.publish(wake).await.unwrap();
    let behind = process.receive().await;
    signals[0].notify_one();
    process.wait(async || stage.attempts().len() == 2).await;
    assert_eq!(stage.attempts(), [1, 3], "only the suspect runs");
    assert!(store.is_done(&transcription(other)).await.unwrap());
    signals[1].notify_one();
    transcribed(&process, behind).await;
    assert!(store.is_done(&transcription(suspect)).await.unwrap());
    process.stop().await;
}

/// A call under whose transcription two processes have died.
async fn suspect(store: &Store) -> CallId {
    let event = received("exotel");
    let input = |generation| accepted(&event, generation);
    store.take_in(&arrival(&event), &["transcription"], "live", input).await.unwrap();
    for _ in 0..2 {
        let owner = InstanceId::new();
        store.renew_instance(owner, Duration::from_secs(30)).await.unwrap();
        let request = RunRequest::new(transcription(event.call), owner, store.now());
        let begun = store.begin_run(&request).await.unwrap();
        assert!(matches!(begun, Begun::Mine(_)), "{begun:?}");
        store.end_instance(owner).await.unwrap();
    }
    event.call
}

#[tokio::test]
async fn a_run_whose_message_was_lost_is_woken_when_it_is_due() {
    let stage = Scripted::of([failure(Fault::Transient)]);
    let process = Process::start(stage.clone()).await;
    let call = process.receive().await;
    process.wait(async || !stage.attempts().is_empty()).await;
    process.engine.broker.purge("transcription", Lane::Live).await.unwrap();
    transcribed(&process, call).await;
    process.stop().await;
}

#[tokio::test]
async fn a_run_that_works_when_the_broker_goes_away_comes_to_its_end() {
    let signal = Arc::new(Notify::new());
    let stage = Scripted::of([Act::Until(signal.clone())]);
    let process = Process::start(stage.clone()).await;
    let call = process.receive().await;
    process.wait(async || !stage.attempts().is_empty()).await;
    process.engine.broker.close().await;
    process.wait(async || process.tasks.iter().all(JoinHandle::is_finished)).await;
    signal.notify_one();
    process.wait(async || process.engine.store.is_done(&transcription(call)).await.unwrap()).await;
    // The run that follows could not be announced, so it is woken as soon as there is a broker again.
    process
        .wait(async || {
            let next = process.engine.store.next_wake().await.unwrap();
            next.is_some_and(|next| next <= process.engine.store.now())
        })
        .await;
}

#[tokio::test]
async fn deliveries_above_a_workspaces_share_do_not_delay_the_others() {
    let signal = Arc::new(Notify::new());
    // Half of the places of the live lane, and all places of the bulk lane.
    let [live, bulk] =
        [Lane::Live, Lane::Bulk].map(|lane| usize::from(table::TRANSCRIPTION.spec.prefetch_of(lane)));
    let held = live / 2 + bulk;
    let stage = Scripted::of((0..=held).map(|_| Act::Until(Arc::clone(&signal))));
    let process = Process::start(stage.clone()).await;
    let waiting = async |lane| process.engine.broker.depth("transcription", lane).await.unwrap().ready;
    // Nobody knows this call, but a delivery of its workspace counts all the same.
    let other = RunKey { workspace: WorkspaceId(Uuid::new_v4()), ..transcription(CallId(Uuid::new_v4())) };
    let message = wake_ups::message(&other, false, Lane::Live);
    process.engine.broker.publish(message).await.unwrap();
    process.wait(async || waiting(Lane::Live).await == 0).await;
    for _ in 0..=held {
        process.receive().await;
    }
    // One run waits behind those that have the places.
    process.wait(async || waiting(Lane::Bulk).await == 1 && stage.attempts().len() == held).await;
    process
        .wait(async || {
            signal.notify_one();
            stage.attempts().len() == held + 1 && waiting(Lane::Bulk).await == 0
        })
        .await;
    signal.notify_waiters();
    process.stop().await;
}

#[tokio::test]
async fn a_message_that_waits_in_its_queue_is_not_sent_again_and_one_that_was_lost_is() {
    let signal = Arc::new(Notify::new());
    let places = usize::from(table::TRANSCRIPTION.spec.prefetch_of(Lane::Live));
    let stage = Scripted::of((0..places).map(|_| Act::Until(Arc::clone(&signal))));
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start_in(folder.path(), stage.clone()).await;
    let waiting = async || process.engine.broker.depth("transcription", Lane::Live).await.unwrap().ready;
    for _ in 0..=places {
        process.receive().await;
    }
    process.wait(async || stage.attempts().len() == places && waiting().await == 1).await;
    let file = format!("sqlite://{}", folder.path().join("debrief.db").display());
    let mut database = SqliteConnection::connect(&file).await.unwrap();
    let mut grown_old = async || {
        database
            // The run is due, and a message was sent for it: it is woken a minute after it became due.
            .execute(
                "UPDATE stage_runs SET not_before = not_before - 90000000, wake_at = not_before - 30000000
                 WHERE state = 'waiting'",
            )
            .await
            .unwrap();
        // The keeper has looked at the run once it is due no more.
        let now = process.engine.store.now();
        process.wait(async || process.engine.store.next_wake().await.unwrap() > Some(now)).await;
    };
    grown_old().await;
    assert_eq!(waiting().await, 1, "its message waits in the queue");
    process.engine.broker.purge("transcription", Lane::Live).await.unwrap();
    grown_old().await;
    process.wait(async || waiting().await == 1).await;
    signal.notify_waiters();
    process.stop().await;
}
