use domain::call::{CallDetails, CallId, CallKind, Participant, Role};
use domain::event::{CallAnalyzed, Envelope, Material, MaterialAt, MaterialKind};
use domain::moment::Moment;
use domain::transcript::{Segment, Transcript};
use platform::config::Values;
use practice::Judge;
use queue_topology::broker::Lane;
use queue_topology::{Cx, Outcome, Run, Stage as _};
use store::{Arrival, Begun, InstanceId, NewRun, NewScore, RunKey, RunRequest, Settlement, Store, Write};
use uuid::Uuid;

use crate::world::{WORKSPACE, World};

fn segment(speaker: &str, text: &str) -> Segment {
    Segment {
        id: 1,
        speaker: Some(speaker.into()),
        role: None,
        start_ms: None,
        end_ms: None,
        text: text.into(),
        confidence: None,
    }
}

/// A call of which we know who takes part, with its transcript. Returns what its stage `score` is given.
async fn analyzed(store: &Store, people: &[(&str, Role)]) -> Cx {
    let call = CallId::derive(WORKSPACE, "zoom", "a");
    let participants = people
        .iter()
        .map(|(name, role)| Participant {
            name: Some((*name).into()),
            role: Some(*role),
            ..Participant::default()
        })
        .collect();
    let material = Material {
        kind: MaterialKind::Transcript,
        digest: "d".into(),
        at: MaterialAt::Blob("b".into()),
        media_type: None,
        starts_at: None,
    };
    let arrival = Arrival {
        event_id: Uuid::now_v7(),
        workspace: WORKSPACE,
        call,
        source: "zoom".into(),
        external_id: "a".into(),
        kind: CallKind::Meeting,
        details: CallDetails { participants, ..CallDetails::default() },
        materials: vec![material],
    };
    store.take_in(&arrival, &["transcription"], "live", |_| "{}".into()).await.unwrap();
    let owner = InstanceId::new();
    store.renew_instance(owner, std::time::Duration::from_mins(1)).await.unwrap();
    let begin = async |stage| {
        let run = RunKey { workspace: WORKSPACE, call, stage, generation: 1 };
        let request = RunRequest::new(run, owner, store.now());
        let Begun::Mine(begun) = store.begin_run(&request).await.unwrap() else { panic!("{stage}") };
        (request.claim(&begun), begun)
    };
    let transcript = Transcript {
        segments: vec![
            segment("Ines", "What slows your month-end down today?"),
            segment("Olga", "We count by hand."),
            segment("Ines", "Shall we schedule a pilot on Tuesday?"),
        ],
        ..Transcript::default()
    };
    let (claim, _) = begin("transcription").await;
    let child = NewRun { stage: "score", generation: 1, lane: "live".into(), input: "{}".into() };
    let done = Settlement::Done { writes: &[Write::Transcript(transcript.numbered())], children: &[child] };
    store.settle_run(&claim, &done).await.unwrap();
    let (_, begun) = begin("score").await;
    let run = Run {
        workspace: WORKSPACE,
        call,
        stage: "score",
        generation: 1,
        attempt: 1,
        fence: begun.fence,
        since: begun.since,
        lane: Lane::Live,
    };
    Cx::new(store.clone(), run, owner)
}

async fn judged(people: &[(&str, Role)], scorecards: &str) -> Option<Vec<NewScore>> {
    let world = World::new().await;
    let cx = analyzed(&world.store, people).await;
    let event = Envelope {
        id: Uuid::now_v7(),
        workspace: WORKSPACE,
        call: cx.run.call,
        generation: 1,
        time: Moment::now(),
        traceparent: None,
        data: CallAnalyzed {},
    };
    let judge = Judge::from_values(&Values::of([("SCORECARDS", scorecards)])).unwrap();
    assert_eq!(judge.handle(&cx, &event).await.unwrap(), Outcome::Done);
    let kept = cx.take_kept();
    let claim = cx.claim();
    world.store.settle_run(&claim, &Settlement::Done { writes: &kept, children: &[] }).await.unwrap();
    let stored = world.store.call_scores(WORKSPACE, cx.run.call).await.unwrap();
    let written = kept.into_iter().find_map(|write| match write {
        Write::Scores(scores) => Some(scores),
        _ => None,
    });
    assert_eq!(stored.len(), written.as_ref().map_or(0, Vec::len));
    written
}

const PEOPLE: [(&str, Role); 2] = [("Ines", Role::Host), ("Olga", Role::Participant)];

#[tokio::test]
async fn a_real_call_is_judged_by_what_its_host_said_and_the_segments_are_named() {
    let scores = judged(&PEOPLE, "bant,sales").await.unwrap();
    let names: Vec<&str> = scores.iter().map(|score| score.name.as_str()).collect();
    assert_eq!(names, ["bant", "sales"]);
    let sales = &scores[1];
    assert!(sales.overall > 0 && sales.version > 0, "{sales:?}");
    let criteria = sales.card["criteria"].as_array().unwrap();
    let turns = |name: &str| criteria.iter().find(|one| one["name"] == name).unwrap()["turns"].clone();
    assert_eq!((turns("discovery"), turns("next_step")), (serde_json::json!([1]), serde_json::json!([3])));
}

#[tokio::test]
async fn nothing_is_judged_where_nobody_asks_for_it_or_nobody_knows_who_is_one_of_us() {
    assert_eq!(judged(&PEOPLE, "").await, None);
    let strangers = [("Ines", Role::Customer), ("Olga", Role::Participant)];
    assert_eq!(judged(&strangers, "sales").await, Some(Vec::new()));
}
