//! Meetings in the store of a test.

use std::time::Duration;

use domain::call::{CallId, WorkspaceId};
use domain::moment::Moment;
use serde_json::{Value, json};
use store::{
    FloorClaim, NewCompany, NewMeeting, NewRepresentative, NewTurn, Salesperson, StoredMaterialFile,
    TurnState,
};
use uuid::Uuid;

use crate::world::World;

pub(super) struct Planted {
    pub(super) salesperson: Uuid,
    pub(super) company: Uuid,
    pub(super) representative: Uuid,
    pub(super) meeting: Uuid,
}

/// A product, a company, somebody who speaks for it, and a meeting, with `text` in every field.
pub(super) async fn planted(world: &World, workspace: WorkspaceId, by: &str, text: &str) -> Planted {
    let [salesperson, company, representative, meeting] = std::array::from_fn(|_| Uuid::now_v7());
    let store = &world.store;
    let product = Salesperson { product_name: text.into(), description: text.into(), product_url: None };
    let file = StoredMaterialFile {
        id: Uuid::now_v7(),
        file_name: text.into(),
        file_type: "pdf".into(),
        file_size: 7,
        blob: "a/b".into(),
        pages: Some(2),
        words: 9,
        note: Some(text.into()),
        content: "Saves time.".into(),
    };
    store.add_salesperson(workspace, salesperson, &product, &[file]).await.unwrap();
    let data = json!({"industry": text, "headquarters": null});
    let new = NewCompany { url: text, data: &data, note: Some(text), fetched_at: None };
    store.add_company(workspace, company, new).await.unwrap();
    let person = NewRepresentative {
        name: text.into(),
        role: "cfo".into(),
        personality_traits: vec!["angry".into()],
        is_decision_maker: true,
        ..NewRepresentative::default()
    };
    assert!(store.add_representative(workspace, company, representative, &person).await.unwrap());
    let plan = json!({
        "goal": text, "difficulty": "beginner", "duration_minutes": 15, "product": {"name": text, "description": text},
        "cast": [{"name": text, "role": "cfo", "traits": ["angry"], "is_decision_maker": true}],
        "questions": [{"question": text, "reason": text}],
    });
    let new = NewMeeting { salesperson, company, created_by: by, plan: &plan };
    assert!(store.add_meeting(workspace, meeting, new).await.unwrap());
    Planted { salesperson, company, representative, meeting }
}

/// Holds a meeting in which `text` is said and answered, and which was worth `overall`.
pub(super) async fn held(world: &World, workspace: WorkspaceId, meeting: Uuid, (text, overall): (&str, u32)) {
    let (store, holder) = (&world.store, Uuid::now_v7());
    assert!(store.start_meeting(workspace, meeting).await.unwrap());
    let lease = Duration::from_mins(1);
    assert_eq!(store.take_floor(workspace, meeting, holder, lease).await.unwrap(), FloorClaim::Taken);
    let why = json!({"why": text, "source": "built_in"});
    for (speaker, details, state) in
        [("salesperson", &Value::Null, TurnState::Said), ("maria", &why, TurnState::Cut)]
    {
        let turn = NewTurn {
            speaker,
            name: text,
            role: "cfo",
            said: text,
            state,
            details,
            answers: None,
            request: None,
            audio: None,
            duration_ms: 3_000,
        };
        assert!(store.add_turn(workspace, meeting, holder, turn).await.unwrap().is_some());
    }
    let criterion =
        json!({"name": "discovery", "title": text, "score": overall, "reason": text, "turns": [1]});
    let score = json!([
        {"name": "sales", "version": 1, "overall": overall, "criteria": [criterion]},
        {"name": "bant", "version": 2, "overall": 7, "criteria": []},
    ]);
    let call = CallId(Uuid::from_u128(5));
    let ended = store.end_meeting(workspace, meeting, holder, (Some(call), &score, Moment::now())).await;
    assert!(ended.unwrap());
}
