use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use crm::Crm;
use domain::analysis::{
    Analysis, Category, ContactFacts, ContactField, Fact, Metrics, Priority, Resolution, Sentiment, Tone,
};
use domain::call::{CallDetails, CallId, CallKind, Participant, Role, WorkspaceId};
use domain::event::{CallAnalyzed, Envelope, Material, MaterialAt, MaterialKind};
use domain::fault::Fault;
use domain::refusal::Destination;
use domain::transcript::{Segment, Transcript};
use platform::blobs::{Blobs, BucketSettings};
use platform::cache::Memory;
use platform::config::{Installation, Values};
use queue_topology::broker::Lane;
use queue_topology::{Cx, Outcome, Run, Stage as _, StageError};
use serde_json::{Value, json};
use store::{Arrival, Begun, Claim, InstanceId, RunKey, RunRequest, Settlement, Store, Write};
use uuid::Uuid;
use wiremock::matchers::{body_partial_json, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::org::Org;
use crate::tls;

const WORKSPACE: WorkspaceId = WorkspaceId::DEFAULT;

/// An embedded store with analyzed calls, and the stage that works on them.
struct World {
    folder: tempfile::TempDir,
    store: Store,
    blobs: Blobs,
    owner: InstanceId,
}

struct Finished {
    kind: CallKind,
    external_id: &'static str,
    details: CallDetails,
    session: Option<&'static str>,
    said: &'static str,
    facts: Vec<ContactFacts>,
}

impl World {
    async fn new() -> Self {
        tls();
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open_embedded(folder.path()).await.unwrap();
        let blobs = Blobs::local(&folder.path().join("blobs")).unwrap();
        let owner = InstanceId(Uuid::new_v4());
        store.renew_instance(owner, Duration::from_mins(1)).await.unwrap();
        Self { folder, store, blobs, owner }
    }

    async fn begin(&self, call: CallId, stage: &'static str) -> Claim {
        let run = RunKey { workspace: WORKSPACE, call, stage, generation: 1 };
        let request = RunRequest::new(run, self.owner, self.store.now());
        let begun = self.store.begin_run(&request).await.unwrap();
        let Begun::Mine(begun) = begun else { panic!("{begun:?}") };
        request.claim(&begun)
    }

    /// Makes the call with its transcript and its analysis, and begins its run of the CRM stage.
    async fn cx(&self, finished: Finished) -> Cx {
        let call = CallId::derive(WORKSPACE, "test", finished.external_id);
        let mut material = Material {
            kind: MaterialKind::Transcript,
            digest: "digest".into(),
            at: MaterialAt::Blob("calls/material".into()),
            media_type: None,
            starts_at: None,
        };
        if let Some(session) = finished.session {
            material.kind = MaterialKind::Session;
            self.blobs.put("calls/material", Bytes::from_static(session.as_bytes())).await.unwrap();
        }
        let arrival = Arrival {
            event_id: Uuid::new_v4(),
            workspace: WORKSPACE,
            call,
            source: "test".into(),
            external_id: finished.external_id.into(),
            kind: finished.kind,
            details: finished.details,
            materials: vec![material],
        };
        let starts = ["analysis", "crm"];
        self.store.take_in(&arrival, &starts, "live", |_| "{}".into()).await.unwrap();
        let claim = self.begin(call, "analysis").await;
        let segment = Segment {
            id: 1,
            speaker: None,
            role: Some(Role::Customer),
            start_ms: None,
            end_ms: None,
            text: finished.said.into(),
            confidence: None,
        };
        let transcript = Transcript { language: None, segments: vec![segment], ..Transcript::default() };
        let writes = [Write::Transcript(transcript), Write::Analysis(Box::new(analysis(finished.facts)))];
        let done = Settlement::Done { writes: &writes, children: &[] };
        self.store.settle_run(&claim, &done).await.unwrap();
        let claim = self.begin(call, "crm").await;
        let run = Run {
            workspace: WORKSPACE,
            call,
            stage: "crm",
            generation: 1,
            attempt: 1,
            fence: claim.fence,
            since: self.store.now(),
            lane: Lane::Live,
        };
        Cx::new(self.store.clone(), run, self.owner)
    }

    fn crm(&self, settings: &[(&str, &str)]) -> Crm {
        let values = Values::of(settings.iter().copied());
        assert!(self.folder.path().exists());
        let installation = Installation::read(&values).unwrap();
        Crm::from_values(&values, &installation, self.blobs.clone(), Arc::new(Memory::default())).unwrap()
    }
}

fn analysis(contacts: Vec<ContactFacts>) -> Analysis {
    Analysis {
        analyzer: "test".into(),
        summary: String::new(),
        key_points: vec![],
        topics: vec![],
        sentiment: Sentiment::Neutral,
        tone: Tone::Neutral,
        concern: None,
        category: Category::Other,
        action_items: vec![],
        customer_requests: vec![],
        resolution: Resolution::Unknown,
        priority: Priority::Low,
        contacts,
        metrics: Metrics::default(),
        usage: None,
    }
}

async fn handle(crm: &Crm, cx: &Cx) -> Result<Outcome<domain::event::Nothing>, StageError> {
    let event = Envelope {
        id: Uuid::new_v4(),
        workspace: WORKSPACE,
        call: cx.run.call,
        generation: 1,
        time: cx.now(),
        traceparent: None,
        data: CallAnalyzed {},
    };
    crm.handle(cx, &event).await
}

fn person(name: &str, email: &str, role: Role) -> Participant {
    Participant { name: Some(name.into()), email: Some(email.into()), phone: None, role: Some(role) }
}

/// A meeting in which Ann tells her job title, and in which Tom takes part.
fn meeting(kind: CallKind) -> Finished {
    let participants = vec![
        person("Priya Raman", "priya@us.example.com", Role::Host),
        person("Ann Lee", "ann@x.example.com", Role::Participant),
        person("Tom Björk", "tom@x.example.com", Role::Participant),
    ];
    let title = Fact {
        field: ContactField::Title,
        value: "CFO".into(),
        quote: "I am the CFO".into(),
        segment: 1,
        speaker: Some("Ann Lee".into()),
        start_ms: None,
    };
    Finished {
        kind,
        external_id: "meeting-1",
        details: CallDetails { participants, ..CallDetails::default() },
        session: None,
        said: "Good morning, I am the CFO.",
        facts: vec![ContactFacts { name: "Ann Lee".into(), facts: vec![title] }],
    }
}

fn salesforce(uri: &str) -> Vec<(&str, &str)> {
    vec![
        ("SALESFORCE_LOGIN_URL", uri),
        ("SALESFORCE_CONSUMER_KEY", "key"),
        ("SALESFORCE_CONSUMER_SECRET", "secret"),
    ]
}

fn call_data(url: &str) -> Vec<(&str, &str)> {
    vec![
        ("CRM_AUTO_UPLOAD", "true"),
        ("CRM_UPLOAD_URL", url),
        ("CRM_CAMPAIGN_ID", "campaign"),
        ("CRM_VOICE_AGENT_ID", "agent"),
        ("CRM_CLIENT_ID", "client"),
    ]
}

async fn accepting() -> MockServer {
    let server = MockServer::start().await;
    Mock::given(method("POST")).respond_with(ResponseTemplate::new(200)).mount(&server).await;
    server
}

async fn posted(server: &MockServer) -> Vec<Value> {
    let requests = server.received_requests().await.unwrap();
    requests.iter().map(|request| serde_json::from_slice(&request.body).unwrap()).collect()
}

#[tokio::test]
async fn a_meeting_becomes_contacts_and_a_log_and_done_twice_they_are_there_once() {
    let (world, org, logs) = (World::new().await, Org::start().await, accepting().await);
    let (org_url, logs_url) = (org.server.uri(), logs.uri());
    let crm = world.crm(&[salesforce(&org_url), call_data(&logs_url)].concat());
    let cx = world.cx(meeting(CallKind::Meeting)).await;
    for _ in 0..2 {
        assert_eq!(handle(&crm, &cx).await.unwrap(), Outcome::Done);
    }
    let contacts: Vec<_> =
        org.contacts().iter().map(|contact| (contact["Email"].clone(), contact["Title"].clone())).collect();
    assert_eq!(
        contacts,
        [(json!("ann@x.example.com"), json!("CFO")), (json!("tom@x.example.com"), Value::Null)]
    );
    let posted = posted(&logs).await;
    assert_eq!(posted.len(), 1);
    assert_eq!(posted[0]["callDetails"]["callId"], "meeting-1");
}

#[tokio::test]
async fn a_session_is_posted_as_the_contract_says() {
    let (world, logs) = (World::new().await, accepting().await);
    let time = |text: &str| text.parse::<chrono::DateTime<chrono::Utc>>().unwrap().into();
    let session = Finished {
        kind: CallKind::Session,
        external_id: "session_20251023_101500_a1b2c3d4",
        details: CallDetails {
            started_at: Some(time("2025-10-23T10:15:00.120Z")),
            ended_at: Some(time("2025-10-23T10:18:30.480Z")),
            lead: serde_json::from_str(include_str!("../samples/lead.json")).unwrap(),
            ..CallDetails::default()
        },
        session: Some(include_str!("../samples/session.json")),
        said: "Hello.",
        facts: vec![],
    };
    let cx = world.cx(session).await;
    handle(&world.crm(&call_data(&logs.uri())), &cx).await.unwrap();
    let expected: Value = serde_json::from_str(include_str!("../samples/payload.json")).unwrap();
    assert_eq!(posted(&logs).await, [expected]);
}

#[tokio::test]
async fn a_session_in_a_bucket_that_is_away_is_waited_for() {
    let (mut world, logs) = (World::new().await, accepting().await);
    let session = Finished {
        kind: CallKind::Session,
        external_id: "session_1",
        details: CallDetails::default(),
        session: Some(include_str!("../samples/session.json")),
        said: "Hello.",
        facts: vec![],
    };
    let cx = world.cx(session).await;
    let away = [
        ("AWS_ACCESS_KEY_ID", "key"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        // Port 9 belongs to the discard protocol, and no program listens there.
        ("AWS_ENDPOINT", "http://127.0.0.1:9"),
    ];
    let bucket = BucketSettings::read(&Values::of(away), "s3://calls").unwrap();
    world.blobs = Blobs::bucket(bucket, 0).unwrap();
    let error = handle(&world.crm(&call_data(&logs.uri())), &cx).await.unwrap_err();
    assert_eq!((error.fault, error.code), (Fault::Unavailable, "blobs_unavailable"));
    assert_eq!(error.destination, Some(Destination::BLOBS));
    assert!(posted(&logs).await.is_empty());
}

#[tokio::test]
async fn one_destination_or_contact_that_fails_does_not_lose_the_others() {
    let (world, org, logs) = (World::new().await, Org::start().await, accepting().await);
    let duplicate = json!([{"errorCode": "DUPLICATES_DETECTED", "message": "Use one of these records?"}]);
    Mock::given(path("/services/data/v66.0/sobjects/Contact"))
        .and(body_partial_json(json!({"LastName": "Lee"})))
        .respond_with(ResponseTemplate::new(400).set_body_json(duplicate))
        .with_priority(1)
        .mount(&org.server)
        .await;
    let (org_url, logs_url) = (org.server.uri(), logs.uri());
    let crm = world.crm(&[salesforce(&org_url), call_data(&logs_url)].concat());
    let cx = world.cx(meeting(CallKind::Meeting)).await;
    let error = handle(&crm, &cx).await.unwrap_err();
    assert_eq!((error.fault, error.code), (Fault::Permanent, "salesforce_duplicate"));
    assert_eq!(org.contacts().len(), 1);
    assert_eq!(posted(&logs).await.len(), 1);
}

#[tokio::test]
async fn an_org_that_is_away_is_asked_once_and_the_call_is_logged_all_the_same() {
    let (world, org, logs) = (World::new().await, MockServer::start().await, accepting().await);
    Mock::given(method("POST")).respond_with(ResponseTemplate::new(401)).expect(1).mount(&org).await;
    let (org_url, logs_url) = (org.uri(), logs.uri());
    let crm = world.crm(&[salesforce(&org_url), call_data(&logs_url)].concat());
    let cx = world.cx(meeting(CallKind::Meeting)).await;
    let error = handle(&crm, &cx).await.unwrap_err();
    assert_eq!((error.fault, error.destination.as_deref()), (Fault::Unavailable, Some("salesforce")));
    assert_eq!(posted(&logs).await.len(), 1);
}

#[tokio::test]
async fn a_call_without_a_campaign_is_not_posted_and_says_what_to_set() {
    let (world, logs) = (World::new().await, accepting().await);
    let logs_url = logs.uri();
    let crm = world.crm(&[("CRM_AUTO_UPLOAD", "true"), ("CRM_UPLOAD_URL", &logs_url)]);
    let cx = world.cx(meeting(CallKind::Meeting)).await;
    let error = handle(&crm, &cx).await.unwrap_err();
    assert_eq!((error.fault, error.code), (Fault::Permanent, "call_data_id_missing"));
    assert!(error.to_string().contains("CRM_CAMPAIGN_ID"), "{error}");
    assert!(posted(&logs).await.is_empty());
}

#[tokio::test]
async fn a_rate_that_is_used_up_makes_the_run_come_back_for_what_is_left() {
    let (world, org, logs) = (World::new().await, Org::start().await, accepting().await);
    let (org_url, logs_url) = (org.server.uri(), logs.uri());
    let rates = [("SALESFORCE_RATE", "1/h"), ("CRM_RATE", "1/h")];
    let crm = world.crm(&[salesforce(&org_url), call_data(&logs_url), rates.to_vec()].concat());
    let cx = world.cx(meeting(CallKind::Meeting)).await;
    let error = handle(&crm, &cx).await.unwrap_err();
    assert_eq!(error.code, "rate_used_up");
    assert!(matches!(error.fault, Fault::Throttled(wait) if wait > Duration::from_mins(50)), "{error:?}");
    assert!(error.to_string().contains("SALESFORCE_RATE"), "{error}");
    assert_eq!((org.contacts().len(), posted(&logs).await.len()), (1, 1), "one of each is allowed");

    // The test acts as if the hour were over. Work that is done already takes no slot again.
    let later = world.crm(&[salesforce(&org_url), call_data(&logs_url), rates.to_vec()].concat());
    assert_eq!(handle(&later, &cx).await.unwrap(), Outcome::Done);
    assert_eq!((org.contacts().len(), posted(&logs).await.len()), (2, 1));
}

#[tokio::test]
async fn with_nothing_configured_there_is_nothing_to_do() {
    let world = World::new().await;
    let cx = world.cx(meeting(CallKind::Meeting)).await;
    assert_eq!(handle(&world.crm(&[]), &cx).await.unwrap(), Outcome::Done);
}
