//! Tests the printed pages of a phone call, of a meeting and of a call that failed.

use chrono_tz::Tz;
use domain::analysis::{
    ActionItem, Category, ContactField, Fact, Metrics, Priority, Resolution, Sentiment, Tone,
};
use domain::call::{CallDetails, CallId, CallStatus, Role, WorkspaceId};
use store::{DeliveredRow, EffectRow, EndedRun, RunRow};
use uuid::Uuid;

use super::*;

fn at(text: &str) -> Moment {
    text.parse::<chrono::DateTime<chrono::Utc>>().unwrap().into()
}

#[expect(clippy::unnecessary_wraps, reason = "every field of a call may be absent")]
fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn call(kind: CallKind, external_id: &str, status: CallStatus, details: CallDetails) -> Call {
    Call {
        id: CallId(Uuid::from_u128(0x714)),
        workspace: WorkspaceId::DEFAULT,
        source: if kind == CallKind::Meeting { "zoom" } else { "exotel" }.into(),
        external_id: external_id.into(),
        kind,
        status,
        generation: 1,
        details,
        received_at: at("2026-03-04T13:06:00Z"),
        updated_at: at("2026-03-04T13:06:00Z"),
    }
}

fn analysis() -> Analysis {
    Analysis {
        analyzer: "gpt-4o-mini".into(),
        summary:
            "The bicycle of order 7142 was promised for Monday and has not arrived. It waits at the depot in \
                  Leeds; the carrier is asked to deliver it tomorrow."
                .into(),
        key_points: vec![
            "The bicycle is at the depot in Leeds".into(),
            "It is needed for the weekend".into(),
        ],
        topics: Vec::new(),
        sentiment: Sentiment::Negative,
        tone: Tone::Negative,
        concern: None,
        category: Category::GeneralInquiry,
        action_items: vec![
            ActionItem {
                text: "Ask the carrier to deliver tomorrow".into(),
                owner: text("Dana Whitfield"),
                due: text("before noon"),
            },
            ActionItem { text: "Call the customer back".into(), owner: None, due: None },
        ],
        customer_requests: vec!["Where is the order right now?".into()],
        resolution: Resolution::Pending,
        priority: Priority::High,
        contacts: Vec::new(),
        metrics: Metrics::default(),
        usage: None,
    }
}

fn delivered(kind: &str, received_at: &str) -> DeliveredRow {
    DeliveredRow {
        event_id: Uuid::nil(),
        kind: kind.into(),
        digest: String::new(),
        received_at: at(received_at),
    }
}

/// A finished run. Its attempt began and ended at the given seconds of the minute 13:06.
fn done(stage: &str, seconds: (u32, u32)) -> RunRow {
    let at = |second: u32| at(&format!("2026-03-04T13:06:{second:02}Z"));
    RunRow {
        stage: stage.into(),
        generation: 1,
        state: "done".into(),
        attempts: 1,
        crashes: 0,
        destination: None,
        error_code: None,
        since: at(seconds.0),
        not_before: at(seconds.0),
        started_at: Some(at(seconds.0)),
        finished_at: Some(at(seconds.1)),
    }
}

fn effect(target: &str, object: &str, state: &str, remote_id: &str) -> EffectRow {
    EffectRow {
        id: Uuid::from_u128(7),
        call_id: CallId(Uuid::from_u128(0x714)),
        target: target.into(),
        object: object.into(),
        state: state.into(),
        digest: String::new(),
        generation: 1,
        remote_id: Some(remote_id.to_owned()).filter(|id| !id.is_empty()),
        replaced: None,
        deadline: at("2026-03-04T13:06:30Z"),
        absent_at: None,
        error_code: (state == "unknown").then(|| "slack_no_answer".to_owned()),
        updated_at: at("2026-03-04T13:06:30Z"),
    }
}

struct Known {
    call: Call,
    analysis: Option<Analysis>,
    delivered: Vec<DeliveredRow>,
    runs: Vec<RunRow>,
    ended: Vec<EndedRun>,
    effects: Vec<EffectRow>,
    letters: Vec<DeadLetter>,
}

fn printed(known: &Known) -> String {
    let Known { call, analysis, delivered, runs, ended, effects, letters } = known;
    let now = at("2026-03-04T14:00:00Z");
    let timeline = api::view::timeline(call, delivered, runs, ended, effects, now);
    let lines = SupportLines::new(vec!["+442079460100".into()], None);
    let analysis = analysis.as_ref();
    page(&Shown {
        call,
        lines: &lines,
        timezone: Tz::UTC,
        analysis,
        timeline: &timeline,
        letters,
        notes: &[],
    })
}

fn phone_call() -> Known {
    let details = CallDetails {
        from_number: text("+442079460991"),
        to_number: text("020 7946 0100"),
        started_at: Some(at("2026-03-04T13:05:11Z")),
        duration_ms: Some(30_000),
        agent_name: text("Dana Whitfield"),
        agent_slack_handle: text("@dana.whitfield"),
        department: text("Support"),
        customer_segment: text("Retail"),
        ..CallDetails::default()
    };
    Known {
        call: call(CallKind::Phone, "DEMO-714", CallStatus::Completed, details),
        analysis: Some(analysis()),
        delivered: vec![delivered("recording", "2026-03-04T13:06:00Z")],
        runs: vec![
            RunRow { attempts: 2, ..done("transcription", (0, 3)) },
            done("analysis", (4, 5)),
            done("crm", (6, 6)),
            done("slack", (6, 7)),
        ],
        ended: Vec::new(),
        effects: vec![
            effect("assemblyai", &format!("transcript:{}", "ab12".repeat(16)), "confirmed", "tr_1"),
            effect("call_data", "log", "confirmed", "DEMO-714"),
            effect("slack", "post", "confirmed", "C024BE91L/1503435956.000247"),
        ],
        letters: Vec::new(),
    }
}

#[test]
fn the_page_of_a_phone_call_says_what_when_who_and_where_it_went() {
    let golden = include_str!("../../../../tests/samples/pages/phone_call.txt");
    assert_eq!(printed(&phone_call()), golden.trim_end());
}

#[test]
fn the_page_of_a_meeting_says_who_was_there_and_no_direction() {
    let person = |name: &str, email: &str, role| Participant {
        name: text(name),
        email: text(email),
        phone: None,
        role: Some(role),
    };
    let details = CallDetails {
        topic: text("Northbeam and Calder Logistics: route planning"),
        started_text: text("Wednesday at half past nine"),
        duration_ms: Some(1_800_000),
        participants: vec![
            person("Iris Adeyemi", "iris.adeyemi@northbeam.example.com", Role::Host),
            person("Ruben Calder", "ruben.calder@calder.example.com", Role::Participant),
        ],
        ..CallDetails::default()
    };
    let title = Fact {
        field: ContactField::Title,
        value: "Head of Operations".into(),
        quote: String::new(),
        segment: 2,
        speaker: None,
        start_ms: None,
    };
    let facts = vec![
        title.clone(),
        Fact { field: ContactField::MobilePhone, value: "020 7946 0991".into(), ..title },
    ];
    let analysis = Analysis {
        contacts: vec![ContactFacts { name: "Ruben Calder".into(), facts }],
        key_points: Vec::new(),
        action_items: Vec::new(),
        customer_requests: Vec::new(),
        analyzer: "builtin".into(),
        ..analysis()
    };
    let earlier = EndedRun {
        stage: "slack".into(),
        generation: 1,
        state: "dead".into(),
        attempts: 7,
        error_code: text("slack_invalid_auth"),
        since: at("2026-03-04T13:06:06Z"),
        started_at: Some(at("2026-03-04T13:06:06Z")),
        finished_at: at("2026-03-04T13:06:08Z"),
    };
    let parked = RunRow {
        state: "parked".into(),
        destination: text("salesforce"),
        error_code: text("salesforce_unauthorized"),
        finished_at: None,
        ..done("crm", (6, 6))
    };
    let waiting = RunRow {
        state: "waiting".into(),
        error_code: text("slack_no_answer"),
        not_before: at("2026-03-04T13:16:06Z"),
        finished_at: None,
        ..done("slack", (9, 9))
    };
    let known = Known {
        call: call(CallKind::Meeting, "hN3xT0aWQ1yA==", CallStatus::Waiting, details),
        analysis: Some(analysis),
        delivered: vec![
            delivered("announcement", "2026-03-04T13:05:50Z"),
            delivered("transcript", "2026-03-04T13:06:00Z"),
        ],
        runs: vec![done("transcription", (0, 3)), done("analysis", (4, 5)), parked, waiting],
        ended: vec![earlier],
        effects: vec![
            effect("salesforce", "contact:ruben.calder@calder.example.com", "not_sent", ""),
            effect("slack", "post", "unknown", ""),
            effect("slack", "part:2", "outdated", "C024BE91L/1503435956.000247"),
        ],
        letters: Vec::new(),
    };
    let golden = include_str!("../../../../tests/samples/pages/meeting.txt");
    assert_eq!(printed(&known), golden.trim_end());
}

#[test]
fn the_page_of_a_call_that_failed_says_why_and_what_to_do() {
    let mut known = phone_call();
    known.call.status = CallStatus::Failed;
    known.call.details.from_number = text("+442079460100");
    known.call.details.to_number = text("+442079460991");
    known.call.details.agent_name = text("Dana\u{1b}[31m Whitfield\u{7}");
    known.analysis = None;
    known.effects = Vec::new();
    let dead = RunRow {
        state: "dead".into(),
        attempts: 3,
        error_code: text("recording_not_found"),
        ..done("transcription", (0, 5))
    };
    known.runs = vec![dead];
    known.letters = vec![DeadLetter {
        id: Uuid::from_u128(9),
        workspace: Some(WorkspaceId::DEFAULT),
        call_id: Some(known.call.id),
        stage: "transcription".into(),
        generation: 1,
        attempts: 3,
        error_code: "recording_not_found".into(),
        error_text: "failed to fetch the recording: the answer was 404 Not Found".into(),
        error_group: String::new(),
        body: String::new(),
        died_at: at("2026-03-04T13:06:05Z"),
        replayed_at: None,
    }];
    let golden = include_str!("../../../../tests/samples/pages/failed_call.txt");
    assert_eq!(printed(&known), golden.trim_end());
}

#[test]
fn a_call_that_was_only_announced_says_what_it_waits_for() {
    let mut known = phone_call();
    known.call.status = CallStatus::NoRecording;
    known.analysis = None;
    known.effects = Vec::new();
    known.runs = Vec::new();
    known.delivered = vec![delivered("announcement", "2026-03-04T13:06:00Z")];
    let page = printed(&known);
    assert!(page.contains("neither a recording nor a transcript"), "{page}");
    assert!(page.contains("nowhere") && !page.contains("nothing"), "{page}");
}
