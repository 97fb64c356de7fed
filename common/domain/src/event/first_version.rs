//! Holds the events of today and those of the first version to each other, in both directions: a program of today reads
//! what the first version wrote, and the reader of the first version reads what is written today. A deployment has both
//! while it is updated. The reader below and the files beside it are never changed; a change that does not pass here needs a
//! new version in the event's key.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::*;
use crate::call::{Direction, Participant, Role};
use crate::note::Note;

/// The events that the first version wrote, as it wrote them.
const RECEIVED: [&str; 3] = [
    include_str!("first_version/received_phone.json"),
    include_str!("first_version/received_meeting.json"),
    include_str!("first_version/received_session.json"),
];
const ACCEPTED: &str = include_str!("first_version/accepted.json");
const TRANSCRIBED: &str = include_str!("first_version/transcribed.json");
const ANALYZED: &str = include_str!("first_version/analyzed.json");

/// The reader of the first version.
mod reader {
    use super::*;

    #[derive(Deserialize)]
    pub(super) struct Envelope<E> {
        pub(super) specversion: String,
        #[expect(dead_code, reason = "it has to be there")]
        pub(super) id: Uuid,
        #[serde(rename = "type")]
        pub(super) key: String,
        #[expect(dead_code, reason = "it has to be there")]
        pub(super) subject: Uuid,
        #[expect(dead_code, reason = "it has to be there")]
        pub(super) time: chrono::DateTime<chrono::Utc>,
        #[expect(dead_code, reason = "it has to be there")]
        pub(super) workspace: Uuid,
        #[expect(dead_code, reason = "it has to be there")]
        pub(super) generation: i64,
        #[serde(default)]
        #[expect(dead_code, reason = "its type has to be right")]
        pub(super) traceparent: Option<String>,
        pub(super) data: E,
    }

    #[derive(Deserialize)]
    pub(super) struct CallReceived {
        #[expect(dead_code, reason = "it has to be there")]
        pub(super) source: String,
        #[expect(dead_code, reason = "it has to be there")]
        pub(super) external_id: String,
        #[expect(dead_code, reason = "it has to be there")]
        pub(super) kind: Kind,
        pub(super) details: Kept,
        #[serde(default)]
        pub(super) materials: Vec<Material>,
    }

    #[derive(Deserialize)]
    pub(super) struct Empty {}

    #[derive(Deserialize)]
    #[serde(rename_all = "snake_case")]
    pub(super) enum Kind {
        Phone,
        Meeting,
        Session,
        Practice,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "snake_case")]
    pub(super) enum Kept {
        Inline(Box<CallDetails>),
        Blob(#[expect(dead_code, reason = "its type has to be right")] String),
    }

    #[derive(Deserialize)]
    pub(super) struct Material {
        #[expect(dead_code, reason = "it has to be there")]
        pub(super) kind: MaterialKind,
        #[expect(dead_code, reason = "it has to be there")]
        pub(super) digest: String,
        #[expect(dead_code, reason = "it has to be there")]
        pub(super) at: MaterialAt,
        #[serde(default)]
        #[expect(dead_code, reason = "its type has to be right")]
        pub(super) media_type: Option<String>,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "snake_case")]
    pub(super) enum MaterialKind {
        Recording,
        Transcript,
        Session,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "snake_case")]
    pub(super) enum MaterialAt {
        Blob(#[expect(dead_code, reason = "its type has to be right")] String),
        SealedUrl(#[expect(dead_code, reason = "its type has to be right")] String),
    }

    #[derive(Default, Deserialize)]
    #[serde(default)]
    pub(super) struct CallDetails {
        pub(super) from_number: Option<String>,
        pub(super) to_number: Option<String>,
        pub(super) direction: Option<Direction>,
        pub(super) started_at: Option<chrono::DateTime<chrono::Utc>>,
        pub(super) started_text: Option<String>,
        pub(super) ended_at: Option<chrono::DateTime<chrono::Utc>>,
        pub(super) duration_ms: Option<i64>,
        pub(super) source_status: Option<String>,
        pub(super) agent_name: Option<String>,
        pub(super) agent_phone: Option<String>,
        pub(super) agent_slack_handle: Option<String>,
        pub(super) department: Option<String>,
        pub(super) customer_segment: Option<String>,
        pub(super) topic: Option<String>,
        pub(super) participants: Vec<Participant>,
        pub(super) lead: Option<Value>,
        pub(super) metadata: Map<String, Value>,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "snake_case")]
    pub(super) enum Direction {
        Incoming,
        Outgoing,
    }

    #[derive(Default, Deserialize)]
    #[serde(default)]
    pub(super) struct Participant {
        pub(super) name: Option<String>,
        pub(super) email: Option<String>,
        pub(super) phone: Option<String>,
        pub(super) role: Option<Role>,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "snake_case")]
    pub(super) enum Role {
        Agent,
        Customer,
        Host,
        Presenter,
        Participant,
    }
}

fn envelope<E>(data: E) -> Envelope<E> {
    Envelope {
        id: Uuid::from_u128(7),
        workspace: WorkspaceId::DEFAULT,
        call: CallId(Uuid::from_u128(8)),
        generation: 3,
        time: Moment::from_micros(1_700_000_000_000_001),
        traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into()),
        data,
    }
}

/// Everything that an event about a call can say today.
fn full(kind: CallKind, material: MaterialKind, at: MaterialAt, role: Role) -> CallReceived {
    let time = Some(Moment::from_micros(1_700_000_000_000_000));
    let text = || Some("text".to_owned());
    CallReceived {
        source: "exotel".into(),
        external_id: "CA-77".into(),
        kind,
        details: Kept::Inline(CallDetails {
            from_number: text(),
            to_number: text(),
            direction: Some(Direction::Incoming),
            started_at: time,
            started_text: text(),
            ended_at: time,
            duration_ms: Some(1_000),
            source_status: text(),
            agent_email: None,
            agent_name: text(),
            agent_phone: text(),
            agent_slack_handle: text(),
            department: text(),
            customer_segment: text(),
            topic: text(),
            participants: vec![Participant { name: text(), email: text(), phone: text(), role: Some(role) }],
            lead: Some(json!({"name": "Ana"})),
            metadata: Map::from_iter([("a".to_owned(), json!([1, null]))]),
            notes: vec![Note::new("field_of_another_type", "A sentence.").of_field("duration")],
        }),
        materials: vec![Material {
            kind: material,
            digest: "00".into(),
            at,
            media_type: text(),
            starts_at: Some(Moment::from_micros(1_795_170_000_000_001)),
        }],
    }
}

#[test]
fn an_event_of_the_first_version_is_read_with_everything_that_it_says() {
    fn read<E: Event + PartialEq>(text: &str) -> Envelope<E> {
        let event = Envelope::<E>::decode(text.as_bytes()).unwrap();
        let (was, is): (Value, Value) =
            (serde_json::from_str(text).unwrap(), serde_json::from_slice(&event.encode()).unwrap());
        assert_eq!(is, was, "what it said is lost or changed");
        event
    }
    let mut materials = 0;
    for text in RECEIVED {
        materials += read::<CallReceived>(text).data.materials.len();
    }
    assert!(materials >= RECEIVED.len(), "the fixtures bring material");
    read::<CallAccepted>(ACCEPTED);
    read::<CallTranscribed>(TRANSCRIBED);
    read::<CallAnalyzed>(ANALYZED);
}

#[test]
fn the_first_version_reads_an_event_of_today() {
    fn read<E: Event, R: DeserializeOwned>(event: E) -> R {
        let read: reader::Envelope<R> = serde_json::from_slice(&envelope(event).encode()).unwrap();
        assert_eq!((&*read.specversion, &*read.key), ("1.0", E::KEY));
        read.data
    }
    let blob = || MaterialAt::Blob("recordings/a".into());
    for (kind, material, at, role) in [
        (CallKind::Phone, MaterialKind::Recording, MaterialAt::SealedUrl("v1.a".into()), Role::Agent),
        (CallKind::Meeting, MaterialKind::Transcript, blob(), Role::Host),
        (CallKind::Session, MaterialKind::Session, blob(), Role::Customer),
        (CallKind::Meeting, MaterialKind::Recording, blob(), Role::Presenter),
        (CallKind::Meeting, MaterialKind::Recording, blob(), Role::Participant),
    ] {
        let event: reader::CallReceived = read(full(kind, material, at, role));
        assert_eq!(event.materials.len(), 1);
        let reader::Kept::Inline(details) = event.details else { panic!("the details are elsewhere") };
        assert_eq!((details.duration_ms, details.participants.len()), (Some(1_000), 1));
    }
    let large = CallReceived {
        details: Kept::Blob("details/a".into()),
        ..full(CallKind::Phone, MaterialKind::Recording, blob(), Role::Agent)
    };
    let event: reader::CallReceived = read(large);
    assert!(matches!(event.details, reader::Kept::Blob(_)));
    let _: reader::Empty = read(CallAccepted::default());
    let _: reader::Empty = read(CallTranscribed::default());
    let _: reader::Empty = read(CallAnalyzed::default());
}
