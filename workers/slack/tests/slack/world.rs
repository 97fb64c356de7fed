//! The world that the tests share: an analyzed call, and a Slack that the call is posted to.

use std::sync::Arc;
use std::time::Duration;

use domain::analysis::{Analysis, Category, Metrics, Priority, Resolution, Sentiment, Tone};
use domain::call::{CallDetails, CallId, CallKind, WorkspaceId};
use domain::event::{CallAnalyzed, Envelope, Material, MaterialAt, MaterialKind};
use domain::moment::Moment;
use domain::transcript::{Segment, Transcript};
use platform::cache::Memory;
use platform::config::{Installation, Values};
use queue_topology::broker::Lane;
use queue_topology::{Cx, Outcome, Run, Stage as _, StageError};
use serde_json::Value;
use slack::Post;
use store::{Arrival, Begun, Claim, InstanceId, RunKey, RunRequest, Settlement, Store, TakenIn, Write};
use uuid::Uuid;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

pub(crate) const WEBHOOK: &str = "/services/T0/B0/secret";

/// An analyzed call in a store of its own, and a Slack that the call is posted to.
pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) slack: MockServer,
    owner: InstanceId,
    pub(crate) call: CallId,
    generation: i64,
    _folder: tempfile::TempDir,
}

impl World {
    pub(crate) async fn with(kind: CallKind, details: CallDetails, transcript: Transcript) -> Self {
        let _installed_before = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open_embedded(folder.path()).await.unwrap();
        let owner = InstanceId::new();
        store.renew_instance(owner, Duration::from_mins(10)).await.unwrap();
        let call = CallId::derive(WorkspaceId::DEFAULT, "exotel", "CALL-IN-0001");
        let mut world =
            Self { store, slack: MockServer::start().await, owner, call, generation: 0, _folder: folder };
        world.analyzed(kind, details, transcript).await;
        world
    }

    pub(crate) async fn incoming() -> Self {
        let (details, transcript) = sample();
        Self::with(CallKind::Phone, details, transcript).await
    }

    /// Brings new material of the call in, and analyzes the call again.
    pub(crate) async fn analyzed(&mut self, kind: CallKind, details: CallDetails, transcript: Transcript) {
        let event_id = Uuid::new_v4();
        let material = Material {
            kind: MaterialKind::Transcript,
            digest: event_id.to_string(),
            at: MaterialAt::Blob("blob".into()),
            media_type: None,
            starts_at: None,
        };
        let arrival = Arrival {
            event_id,
            workspace: WorkspaceId::DEFAULT,
            call: self.call,
            source: "exotel".into(),
            external_id: "CALL-IN-0001".into(),
            kind,
            details,
            materials: vec![material],
        };
        let taken =
            self.store.take_in(&arrival, &["analysis", "slack"], "live", |_| String::new()).await.unwrap();
        let TakenIn::Accepted { generation } = taken else { panic!("{taken:?}") };
        self.generation = generation;
        let writes = [Write::Transcript(transcript), Write::Analysis(Box::new(analysis()))];
        let analysis = self.begin("analysis").await;
        self.store
            .settle_run(&analysis.claim(), &Settlement::Done { writes: &writes, children: &[] })
            .await
            .unwrap();
    }

    pub(crate) async fn begin(&self, stage: &'static str) -> Held {
        let workspace = WorkspaceId::DEFAULT;
        let key = RunKey { workspace, call: self.call, stage, generation: self.generation };
        let request = RunRequest::new(key, self.owner, self.store.now());
        let begun = self.store.begin_run(&RunRequest { nudge: true, ..request }).await.unwrap();
        let Begun::Mine(begun) = begun else { panic!("{begun:?}") };
        let run = Run {
            workspace,
            call: self.call,
            stage,
            generation: self.generation,
            attempt: begun.attempts,
            fence: begun.fence,
            since: begun.since,
            lane: Lane::Live,
        };
        Held { run, owner: self.owner }
    }

    pub(crate) fn webhook(&self) -> Post {
        slack_set_by(&[("SLACK_WEBHOOK_URL", &format!("{}{WEBHOOK}", self.slack.uri()))])
    }

    pub(crate) fn bot(&self) -> Post {
        let base = format!("{}/proxy/api/", self.slack.uri());
        slack_set_by(&[("SLACK_BOT_TOKEN", "xoxb-1"), ("SLACK_CHANNEL", "#calls"), ("SLACK_BASE_URL", &base)])
    }

    /// Begins one run of the stage. The run stays open, so that a test can try it again.
    pub(crate) async fn run(&self, post: &Post, held: &Held) -> Result<(), StageError> {
        let cx = Cx::new(self.store.clone(), held.run.clone(), held.owner);
        let event = Envelope {
            id: Uuid::new_v4(),
            workspace: WorkspaceId::DEFAULT,
            call: self.call,
            generation: self.generation,
            time: Moment::now(),
            traceparent: None,
            data: CallAnalyzed {},
        };
        post.handle(&cx, &event).await.map(|outcome| assert_eq!(outcome, Outcome::Done))
    }

    pub(crate) async fn answer(&self, answer: ResponseTemplate) {
        self.slack.reset().await;
        Mock::given(any()).respond_with(answer).mount(&self.slack).await;
    }

    /// The bodies that arrived, with their paths.
    pub(crate) async fn arrived(&self) -> Vec<(String, Value)> {
        let requests = self.slack.received_requests().await.unwrap();
        requests.iter().map(|request| (request.url.path().to_owned(), request.body_json().unwrap())).collect()
    }

    pub(crate) async fn effects(&self) -> Vec<(String, String, Option<String>)> {
        let rows = self.store.effects_of(WorkspaceId::DEFAULT, self.call).await.unwrap();
        rows.into_iter().map(|row| (row.object, row.state, row.remote_id)).collect()
    }
}

/// A run that the stage works on.
pub(crate) struct Held {
    run: Run,
    owner: InstanceId,
}

impl Held {
    pub(crate) fn claim(&self) -> Claim {
        Claim { run: self.run.key(), owner: self.owner, fence: self.run.fence }
    }
}

pub(crate) fn slack_set_by(settings: &[(&str, &str)]) -> Post {
    let mut values = Values::of(settings.iter().copied());
    values.set("SUPPORT_NUMBER", "+12025550100");
    values.set("SLACK_RATE", "1000/s");
    post_set_by(&values)
}

pub(crate) fn post_set_by(values: &Values) -> Post {
    let installation = Installation::read(values).unwrap();
    Post::from_values(values, &installation, Arc::new(Memory::default())).unwrap()
}

pub(crate) fn sample() -> (CallDetails, Transcript) {
    let sent: Value = serde_json::from_str(include_str!("../samples/incoming.json")).unwrap();
    let heard: Value = serde_json::from_str(include_str!("../samples/transcript.json")).unwrap();
    let text = |name: &str| sent[name].as_str().map(str::to_owned);
    let started_at: chrono::DateTime<chrono::Utc> = text("timestamp").unwrap().parse().unwrap();
    let details = CallDetails {
        from_number: text("from_number"),
        to_number: text("to_number"),
        started_at: Some(started_at.into()),
        duration_ms: sent["duration"].as_i64().map(|seconds| seconds * 1_000),
        source_status: text("status"),
        agent_name: text("agent_name"),
        agent_slack_handle: text("agent_slack_handle"),
        department: text("department"),
        customer_segment: text("customer_segment"),
        ..CallDetails::default()
    };
    let turns = heard["utterances"].as_array().unwrap().iter().map(|turn| {
        let text = |name: &str| turn[name].as_str().unwrap().to_owned();
        (text("speaker"), text("text"))
    });
    (details, said(turns))
}

fn said(turns: impl IntoIterator<Item = (String, String)>) -> Transcript {
    let segment = |(speaker, text)| Segment {
        id: 0,
        speaker: Some(speaker),
        role: None,
        start_ms: None,
        end_ms: None,
        text,
        confidence: None,
    };
    Transcript { language: None, segments: turns.into_iter().map(segment).collect(), ..Transcript::default() }
        .numbered()
}

/// The transcript of a call with some 12,000 characters.
pub(crate) fn long() -> Transcript {
    said(
        (0..200)
            .map(|n| ("A".to_owned(), format!("This is sentence number {n} of a long conversation, said."))),
    )
}

fn analysis() -> Analysis {
    Analysis {
        analyzer: "builtin".into(),
        summary: "A report is pending.".into(),
        key_points: Vec::new(),
        topics: Vec::new(),
        sentiment: Sentiment::Negative,
        tone: Tone::Negative,
        concern: None,
        category: Category::Other,
        action_items: Vec::new(),
        customer_requests: Vec::new(),
        resolution: Resolution::Pending,
        priority: Priority::Medium,
        contacts: Vec::new(),
        metrics: Metrics::default(),
        usage: None,
    }
}
