//! An empty store of each kind for every test, and what tests put into it.

use std::future::Future;

use domain::call::{CallDetails, CallId, CallKind, WorkspaceId};
use domain::event::{Material, MaterialAt, MaterialKind};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use store::{
    Action, Arrival, Begun, BegunRun, Claim, InstanceId, OperatorRequest, RunKey, RunRequest, Store, TakenIn,
};
use uuid::Uuid;

/// Runs `test` on SQLite and on PostgreSQL.
pub(crate) async fn on_both<F: Future<Output = ()>>(test: impl Fn(Store) -> F) {
    let folder = tempfile::tempdir().unwrap();
    test(Store::open_embedded(folder.path()).await.unwrap()).await;
    let (url, drop_it) = postgres().await;
    Store::migrate_postgres(&url).await.unwrap();
    let store = Store::open_postgres(&url).await.unwrap();
    test(store.clone()).await;
    store.close().await;
    drop_it.await;
}

/// Makes a new database on the server of `DEBRIEF_TEST_DATABASE_URL`. Returns its URL and a future that drops it.
pub(crate) async fn postgres() -> (String, impl Future<Output = ()>) {
    #[expect(
        clippy::disallowed_methods,
        reason = "tests are told by the environment where their servers are"
    )]
    let server = std::env::var("DEBRIEF_TEST_DATABASE_URL")
        .expect("DEBRIEF_TEST_DATABASE_URL names a PostgreSQL server: run the tests with `make test`");
    let name = format!("debrief_test_{}", Uuid::new_v4().simple());
    let mut connection = PgConnection::connect(&server).await.unwrap();
    sqlx::query(AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&mut connection).await.unwrap();
    let mut url = url::Url::parse(&server).unwrap();
    url.set_path(&name);
    let drop_it = async move {
        let sql = AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)"));
        sqlx::query(sql).execute(&mut connection).await.unwrap();
    };
    (url.into(), drop_it)
}

pub(crate) const WORKSPACE: WorkspaceId = WorkspaceId::DEFAULT;

/// A delivery about `call` that brings a recording at `url`, or nothing usable.
pub(crate) fn arrival(call: &str, recording: Option<&str>) -> Arrival {
    let materials = recording.map(|url| Material {
        kind: MaterialKind::Recording,
        digest: format!("digest of {url}"),
        at: MaterialAt::SealedUrl(url.into()),
        media_type: None,
        starts_at: None,
    });
    Arrival {
        event_id: Uuid::new_v4(),
        workspace: WORKSPACE,
        call: CallId::derive(WORKSPACE, "exotel", call),
        source: "exotel".into(),
        external_id: call.into(),
        kind: CallKind::Phone,
        details: CallDetails::default(),
        materials: materials.into_iter().collect(),
    }
}

pub(crate) async fn take_in(store: &Store, arrival: &Arrival) -> TakenIn {
    store
        .take_in(arrival, &["transcription"], "live", |generation| format!("input {generation}"))
        .await
        .unwrap()
}

/// An instance whose lease is long enough for a test.
pub(crate) async fn instance(store: &Store) -> InstanceId {
    let instance = InstanceId::new();
    store.renew_instance(instance, std::time::Duration::from_mins(1)).await.unwrap();
    instance
}

pub(crate) fn run(call: CallId, stage: &'static str, generation: i64) -> RunKey {
    RunKey { workspace: WORKSPACE, call, stage, generation }
}

/// The answer to a process that asks for a run.
pub(crate) async fn begin(store: &Store, run: RunKey, owner: InstanceId) -> Begun {
    store.begin_run(&RunRequest::new(run, owner, store.now())).await.unwrap()
}

/// Takes a run for a new instance.
pub(crate) async fn take(store: &Store, run: RunKey) -> (BegunRun, Claim) {
    let request = RunRequest::new(run, instance(store).await, store.now());
    let begun = store.begin_run(&request).await.unwrap();
    let Begun::Mine(begun) = begun else { panic!("the run is not taken: {begun:?}") };
    let claim = request.claim(&begun);
    (begun, claim)
}

/// The request of an operator.
pub(crate) fn request(action: Action) -> OperatorRequest<'static> {
    OperatorRequest {
        workspace: WORKSPACE,
        actor: "cli:test",
        action,
        what: serde_json::json!({"by": "a test"}),
    }
}
