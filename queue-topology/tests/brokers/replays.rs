//! Batches of dead letters that are replayed, on both stores.

use std::future::Future;
use std::time::{Duration, Instant};

use domain::call::{CallDetails, CallId, CallKind, WorkspaceId};
use domain::event::{Material, MaterialAt, MaterialKind};
use queue_topology::replay;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use store::{
    Arrival, Begun, DeadFilter, ErrorText, InstanceId, Page, RunKey, RunRequest, Settled, Settlement, Store,
};
use uuid::Uuid;

const WORKSPACE: WorkspaceId = WorkspaceId::DEFAULT;
const WHO: (WorkspaceId, &str) = (WORKSPACE, "cli:test");
const ALL: Page = Page { offset: 0, limit: 1000 };

async fn on_both<F: Future<Output = ()>>(test: impl Fn(Store) -> F) {
    let folder = tempfile::tempdir().unwrap();
    test(Store::open_embedded(folder.path()).await.unwrap()).await;
    #[expect(
        clippy::disallowed_methods,
        reason = "tests are told by the environment where their servers are"
    )]
    let server = std::env::var("DEBRIEF_TEST_DATABASE_URL").expect("run the tests with `make test`");
    let name = format!("debrief_test_{}", Uuid::new_v4().simple());
    let mut connection = PgConnection::connect(&server).await.unwrap();
    sqlx::query(AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&mut connection).await.unwrap();
    let mut url = url::Url::parse(&server).unwrap();
    url.set_path(&name);
    Store::migrate_postgres(url.as_str()).await.unwrap();
    let store = Store::open_postgres(url.as_str()).await.unwrap();
    test(store.clone()).await;
    store.close().await;
    let sql = format!("DROP DATABASE {name} WITH (FORCE)");
    sqlx::query(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
}

async fn dead(store: &Store, owner: InstanceId, number: usize) -> CallId {
    let external_id = format!("call {number}");
    let call = CallId::derive(WORKSPACE, "exotel", &external_id);
    let arrival = Arrival {
        event_id: Uuid::new_v4(),
        workspace: WORKSPACE,
        call,
        source: "exotel".into(),
        external_id,
        kind: CallKind::Phone,
        details: CallDetails::default(),
        materials: vec![Material {
            kind: MaterialKind::Recording,
            digest: "d".into(),
            at: MaterialAt::Blob("b".into()),
            media_type: None,
            starts_at: None,
        }],
    };
    store.take_in(&arrival, &["transcription"], "live", |_| String::new()).await.unwrap();
    die(store, owner, call, 1).await;
    call
}

async fn die(store: &Store, owner: InstanceId, call: CallId, generation: i64) {
    let run = RunKey { workspace: WORKSPACE, call, stage: "transcription", generation };
    let request = RunRequest::new(run, owner, store.now());
    let begun = store.begin_run(&request).await.unwrap();
    let Begun::Mine(begun) = begun else { panic!("the run is not taken: {begun:?}") };
    let error = ErrorText { code: "recording_not_found", text: "the answer was 404" };
    let settlement = Settlement::Dead { error, group: "recording_not_found-1" };
    assert_eq!(store.settle_run(&request.claim(&begun), &settlement).await.unwrap(), Settled::Yes);
}

async fn generations(store: &Store, calls: &[CallId]) -> Vec<i64> {
    let mut generations = Vec::new();
    for call in calls {
        generations.push(store.runs(WORKSPACE, *call).await.unwrap()[0].generation);
    }
    generations
}

#[tokio::test]
async fn a_batch_that_is_cut_off_continues_where_it_stopped_and_replays_every_dead_run_once() {
    on_both(|store| async move {
        let owner = InstanceId::new();
        store.renew_instance(owner, Duration::from_mins(5)).await.unwrap();
        let mut calls = Vec::new();
        for number in 0..250 {
            calls.push(dead(&store, owner, number).await);
        }
        let filter = DeadFilter { stage: Some("transcription".into()), ..DeadFilter::default() };
        let left = async || store.count_dead(WORKSPACE, &filter).await.unwrap();
        // The batch is cut off twice, wherever it is then.
        for at_most in [200, 100] {
            tokio::select! {
                _ = replay::letters(&store, WHO, (&filter, None), None) => panic!("the batch was not cut off"),
                () = async { while left().await > at_most { tokio::task::yield_now().await; } } => {}
            }
        }
        let cut_off_at = left().await;
        assert!((1..=100).contains(&cut_off_at), "{cut_off_at}");
        // A run that was replayed and died again meanwhile does not belong to the batch.
        let first = generations(&store, &calls).await.iter().position(|generation| *generation == 2).unwrap();
        die(&store, owner, calls[first], 2).await;
        let rest = replay::letters(&store, WHO, (&filter, None), None).await.unwrap();
        // A statement that was on its way to the database when the batch was cut off can be carried out all the same.
        assert!((cut_off_at - 1..=cut_off_at).contains(&rest.matched), "{rest:?} after {cut_off_at}");
        assert_eq!((rest.resumed, rest.replayed), (true, rest.matched));
        assert!(generations(&store, &calls).await.iter().all(|generation| *generation == 2));
        let (rows, _) = store.audit(WORKSPACE, ALL).await.unwrap();
        assert!(rows.iter().all(|row| row.batch == rest.id), "all rows belong to one batch: {rows:?}");
        assert_eq!(rows.iter().map(|row| row.resumed).collect::<Vec<_>>(), [true, true, false]);
        assert_eq!(rows.iter().map(|row| row.done).sum::<i64>(), 250);
        // The run that died again belongs to the next batch. After that there is nothing to do.
        let next = replay::letters(&store, WHO, (&filter, None), None).await.unwrap();
        assert_eq!((next.resumed, next.matched, next.replayed), (false, 1, 1));
        let none = replay::letters(&store, WHO, (&filter, None), None).await.unwrap();
        assert_eq!((none.resumed, none.matched, none.replayed), (false, 0, 0));
        assert_eq!(generations(&store, &calls).await.iter().sum::<i64>(), 250 * 2 + 1);
    })
    .await;
}

#[tokio::test]
async fn a_pause_limits_how_fast_letters_are_replayed() {
    on_both(|store| async move {
        let owner = InstanceId::new();
        store.renew_instance(owner, Duration::from_mins(5)).await.unwrap();
        for number in 0..5 {
            dead(&store, owner, number).await;
        }
        let begun = Instant::now();
        let pause = Some(Duration::from_millis(50));
        replay::letters(&store, WHO, (&DeadFilter::default(), None), pause).await.unwrap();
        assert!(begun.elapsed() >= Duration::from_millis(200), "{:?}", begun.elapsed());
    })
    .await;
}
