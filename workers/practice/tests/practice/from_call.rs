use std::time::Duration;

use domain::call::{CallDetails, CallId, CallKind, Role};
use domain::event::{Material, MaterialAt, MaterialKind};
use domain::transcript::{Segment, Transcript};
use serde_json::json;
use store::{Arrival, Begun, InstanceId, RunKey, RunRequest, Settlement, Write};
use uuid::Uuid;

use crate::world::{WORKSPACE, World, text};

/// Makes a call with this transcript.
async fn call(world: &World, lines: &[(&str, Role, &str)]) -> CallId {
    let call = CallId::derive(WORKSPACE, "exotel", "C-1");
    let material = Material {
        kind: MaterialKind::Recording,
        digest: "aa11".into(),
        at: MaterialAt::SealedUrl("s".into()),
        media_type: None,
        starts_at: None,
    };
    let arrival = Arrival {
        event_id: Uuid::new_v4(),
        workspace: WORKSPACE,
        call,
        source: "exotel".into(),
        external_id: "C-1".into(),
        kind: CallKind::Phone,
        details: CallDetails::default(),
        materials: vec![material],
    };
    world.store.take_in(&arrival, &["transcription"], "live", |_| "{}".into()).await.unwrap();
    let segments = lines
        .iter()
        .map(|(speaker, role, text)| Segment {
            id: 0,
            speaker: Some((*speaker).into()),
            role: Some(*role),
            start_ms: None,
            end_ms: None,
            text: (*text).into(),
            confidence: None,
        })
        .collect();
    let transcript = Transcript { segments, ..Transcript::default() }.numbered();
    let owner = InstanceId::new();
    world.store.renew_instance(owner, Duration::from_mins(1)).await.unwrap();
    let run = RunKey { workspace: WORKSPACE, call, stage: "transcription", generation: 1 };
    let request = RunRequest::new(run, owner, world.store.now());
    let Begun::Mine(begun) = world.store.begin_run(&request).await.unwrap() else {
        panic!("it was not taken")
    };
    let done = Settlement::Done { writes: &[Write::Transcript(transcript)], children: &[] };
    world.store.settle_run(&request.claim(&begun), &done).await.unwrap();
    call
}

#[tokio::test]
async fn a_meeting_goes_on_from_a_moment_of_a_real_call_with_its_objections() {
    let world = World::new().await;
    let call = call(
        &world,
        &[
            ("Dana", Role::Agent, "We make storage."),
            ("Maria Garcia", Role::Customer, "Frankly, the yearly fee is too expensive for our depot."),
            ("Dana", Role::Agent, "Well."),
            ("Maria Garcia", Role::Customer, "I am not convinced by the second depot either."),
        ],
    )
    .await;
    let salesperson = world.salesperson(&[]).await;
    let company = world.company().await;
    let maria = world.representative(&company, "Maria Garcia", "cfo").await;
    let body = |segment: u32| {
        json!({
            "salesperson_id": salesperson, "company_id": company, "meeting_mode": "1-on-1", "representatives": [maria],
            "meeting_goal": "g", "from_call": {"call_id": call.0, "segment": segment},
        })
    };
    let problem = world.post("/api/meeting/create", &body(5)).await.is_problem(422);
    assert_eq!(problem["errors"][0]["pointer"], "/from_call/segment");
    let meeting = text(&world.post("/api/meeting/create", &body(2)).await.data()["meeting_id"]);
    world.post(&format!("/api/meeting/{meeting}/start"), &json!({})).await.data();
    let view = world.get(&format!("/api/meeting/{meeting}")).await.data();
    assert_eq!((&view["from_call"]["segment"], &view["from_call"]["call_id"]), (&json!(2), &json!(call.0)));
    let mut said = Vec::new();
    for words in ["We are good at this.", "We are quick as well.", "And friendly."] {
        said.push(text(&world.say(&meeting, words).await["ai_response"]["response_text"]));
    }
    let said = said.join(" ");
    assert!(!said.contains("second depot"), "that was said later: {said}");
    let none = json!({
        "salesperson_id": salesperson, "company_id": company, "meeting_mode": "1-on-1", "representatives": [maria],
        "meeting_goal": "g", "from_call": {"call_id": Uuid::new_v4(), "segment": 1},
    });
    world.post("/api/meeting/create", &none).await.is_problem(404);
}
