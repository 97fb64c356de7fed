//! Effects whose requests fail in every way, at a destination that can be asked.

use std::sync::Mutex;
use std::time::Instant;

use domain::call::{CallDetails, CallId, CallKind, WorkspaceId};
use domain::event::{Material, MaterialAt, MaterialKind};
use store::{Arrival, Begun, InstanceId, RunKey, RunRequest, Store};

use super::*;
use crate::context::Run;
use crate::table::Lane;

/// A destination that keeps what it is sent, and whose first answer is lost.
#[derive(Default)]
struct Destination {
    lost_an_answer: bool,
    requests: Vec<String>,
    record: Option<&'static str>,
}

struct Note<'a> {
    text: &'static str,
    at: &'a Mutex<Destination>,
}

impl Effect for Note<'_> {
    fn target(&self) -> &'static str {
        "board"
    }

    fn scope(&self) -> Scope {
        Scope::Call
    }

    fn object(&self) -> String {
        "note".into()
    }

    fn digest(&self) -> String {
        self.text.into()
    }

    fn unknown(&self) -> Unknown {
        Unknown::Ask
    }

    fn timeout(&self) -> Duration {
        Duration::ZERO
    }

    fn can_update(&self) -> bool {
        true
    }

    async fn send(&self, _key: Uuid, prior: Option<&str>) -> Result<Receipt, StageError> {
        let mut at = self.at.lock().unwrap();
        at.requests.push(format!("{} {}", if prior.is_some() { "change" } else { "make" }, self.text));
        at.record = Some(self.text);
        if std::mem::replace(&mut at.lost_an_answer, true) {
            return Ok(Receipt { remote_id: "n1".into(), replaced: None });
        }
        Err(StageError::transient("no_answer", anyhow!("reset")).maybe_sent())
    }

    async fn ask(&self, _key: Uuid, since: Moment) -> Result<Option<Receipt>, StageError> {
        let mut at = self.at.lock().unwrap();
        let age = Moment::now().since(since);
        assert!(age > Duration::ZERO && age < Duration::from_mins(1), "{age:?}");
        at.requests.push("ask".into());
        Ok(at.record.map(|_| Receipt { remote_id: "n1".into(), replaced: None }))
    }
}

pub(crate) struct World {
    folder: tempfile::TempDir,
    pub(crate) store: Store,
    pub(crate) owner: InstanceId,
    pub(crate) run: Run,
}

impl World {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open_embedded(folder.path()).await.unwrap();
        let call = CallId::derive(WorkspaceId::DEFAULT, "test", "1");
        let material = Material {
            kind: MaterialKind::Transcript,
            digest: "d".into(),
            at: MaterialAt::Blob("b".into()),
            media_type: None,
            starts_at: None,
        };
        let arrival = Arrival {
            event_id: Uuid::new_v4(),
            workspace: WorkspaceId::DEFAULT,
            call,
            source: "test".into(),
            external_id: "1".into(),
            kind: CallKind::Phone,
            details: CallDetails::default(),
            materials: vec![material],
        };
        store.take_in(&arrival, &["slack"], "live", |_| String::new()).await.unwrap();
        let (owner, workspace) = (InstanceId::new(), WorkspaceId::DEFAULT);
        store.renew_instance(owner, Duration::from_mins(1)).await.unwrap();
        let key = RunKey { workspace, call, stage: "slack", generation: 1 };
        let begun = store.begin_run(&RunRequest::new(key, owner, store.now())).await.unwrap();
        let Begun::Mine(begun) = begun else { panic!("{begun:?}") };
        let run = Run {
            workspace,
            call,
            stage: "slack",
            generation: 1,
            attempt: 1,
            fence: begun.fence,
            since: begun.since,
            lane: Lane::Live,
        };
        Self { folder, store, owner, run }
    }

    pub(crate) fn cx(&self) -> Cx {
        Cx::new(self.store.clone(), self.run.clone(), self.owner)
    }

    /// Closes the store and opens it again. After that, a request whose deadline is over cannot be on its way.
    async fn opened_again(mut self) -> Self {
        self.store.close().await;
        self.store = Store::open_embedded(self.folder.path()).await.unwrap();
        self
    }
}

async fn once_settled(cx: &Cx, note: &Note<'_>) -> Receipt {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        match cx.once(note).await {
            Ok(receipt) => return receipt,
            Err(error) => assert!(error.code == "effect_in_flight" && Instant::now() < deadline, "{error:?}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Makes a note whose answer is lost, and then wants the note to say `then`. Returns what the destination was asked.
async fn after_a_lost_answer(then: &'static str) -> Vec<String> {
    let at = Mutex::default();
    let world = World::new().await;
    let lost = world.cx().once(&Note { text: "one", at: &at }).await.unwrap_err();
    assert_eq!((lost.code, lost.fault), ("no_answer", Fault::Throttled(Duration::ZERO)));
    let world = world.opened_again().await;
    let receipt = once_settled(&world.cx(), &Note { text: then, at: &at }).await;
    assert_eq!(receipt.remote_id, "n1");
    let effects = world.store.effects_of(WorkspaceId::DEFAULT, world.run.call).await.unwrap();
    assert_eq!((effects[0].state.as_str(), effects[0].digest.as_str()), ("confirmed", then));
    at.into_inner().unwrap().requests
}

#[tokio::test]
async fn a_process_that_stood_still_past_its_deadline_sends_nothing() {
    let at = Mutex::default();
    let (world, note) = (World::new().await, Note { text: "one", at: &at });
    let cx = world.cx();
    let (key, request) = (key(&cx, &note), cx.requests.begin().unwrap());
    let intended = Intended { key: &key, asked_at: cx.now(), deadline: cx.now() };
    let late = send(&cx, &note, intended, None, request).await.unwrap_err();
    assert_eq!(late.code, "effect_too_late");
    assert!(at.lock().unwrap().requests.is_empty());
}

#[tokio::test]
async fn a_run_that_finds_another_at_work_looks_again_soon() {
    let at = Mutex::default();
    let (world, note) = (World::new().await, Note { text: "one", at: &at });
    let cx = world.cx();
    let minutes = WantedEffect {
        digest: note.digest(),
        generation: 1,
        timeout: Duration::from_mins(5),
        can_update: true,
        resend_unknown: false,
    };
    world.store.intend(&cx.claim, &key(&cx, &note), &minutes, cx.now()).await.unwrap();
    let busy = cx.once(&note).await.unwrap_err();
    assert_eq!((busy.code, busy.fault), ("effect_in_flight", Fault::Throttled(LOOK_AGAIN)));
    assert!(at.lock().unwrap().requests.is_empty());
}

#[tokio::test]
async fn a_record_that_the_destination_has_is_not_made_again() {
    assert_eq!(after_a_lost_answer("one").await, ["make one", "ask"]);
}

#[tokio::test]
async fn a_record_that_is_found_with_older_content_is_changed() {
    assert_eq!(after_a_lost_answer("two").await, ["make one", "ask", "change two"]);
}

/// A note whose request is answered late. Meanwhile the request was taken for lost, and another process sent its own.
struct Late<'a> {
    world: &'a World,
    at: &'a Mutex<Destination>,
    refused: bool,
}

impl Effect for Late<'_> {
    fn target(&self) -> &'static str {
        "board"
    }

    fn scope(&self) -> Scope {
        Scope::Call
    }

    fn object(&self) -> String {
        "note".into()
    }

    fn digest(&self) -> String {
        "late".into()
    }

    fn unknown(&self) -> Unknown {
        Unknown::Ask
    }

    async fn send(&self, key: Uuid, _prior: Option<&str>) -> Result<Receipt, StageError> {
        let other = self.world.cx();
        self.world.store.void_effect(key).await.unwrap();
        if self.refused {
            let want = WantedEffect {
                digest: "newer".into(),
                generation: 1,
                timeout: Duration::from_mins(1),
                can_update: true,
                resend_unknown: false,
            };
            let key = super::key(&other, self);
            let intent = self.world.store.intend(&other.claim, &key, &want, other.now()).await.unwrap();
            assert_eq!(intent, Intent::Send { prior: None });
            return Err(StageError::transient("refused", anyhow!("429")));
        }
        self.at.lock().unwrap().lost_an_answer = true;
        other.once(&Note { text: "newer", at: self.at }).await.unwrap();
        Ok(Receipt { remote_id: "n0".into(), replaced: None })
    }
}

/// What the ledger says about the note once the late answer is there.
async fn after_a_late_answer(refused: bool) -> (String, String, Option<String>) {
    let (world, at) = (World::new().await, Mutex::default());
    let ended = world.cx().once(&Late { world: &world, at: &at, refused }).await;
    assert_eq!(ended.is_err(), refused);
    let effects = world.store.effects_of(WorkspaceId::DEFAULT, world.run.call).await.unwrap();
    let [effect] = &effects[..] else { panic!("{effects:?}") };
    (effect.state.clone(), effect.digest.clone(), effect.remote_id.clone())
}

#[tokio::test]
async fn a_refusal_that_comes_late_does_not_change_the_request_of_another_process() {
    assert_eq!(after_a_late_answer(true).await, ("intent".into(), "newer".into(), None));
}

#[tokio::test]
async fn an_answer_that_comes_late_does_not_replace_what_another_process_made() {
    assert_eq!(after_a_late_answer(false).await, ("confirmed".into(), "newer".into(), Some("n1".into())));
}
