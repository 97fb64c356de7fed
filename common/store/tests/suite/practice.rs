//! Tests practice in the store: one floor for each meeting, turns in their order, and deletes that take along what belongs
//! to them.

use std::time::Duration;

use domain::call::WorkspaceId;
use domain::moment::Moment;
use serde_json::{Value, json};
use store::{
    FloorClaim, MeetingStatus, NewCompany, NewMeeting, NewRepresentative, NewTurn, Page, Salesperson, Store,
    StoredMaterialFile, TurnState,
};
use uuid::Uuid;

use crate::databases::{WORKSPACE, on_both};

const LEASE: Duration = Duration::from_mins(1);
/// Who deletes.
const BY: (WorkspaceId, &str) = (WORKSPACE, "user:ada@x.com");

struct Planted {
    salesperson: Uuid,
    company: Uuid,
    representative: Uuid,
    meeting: Uuid,
}

async fn plant(store: &Store) -> Planted {
    let planted = Planted {
        salesperson: Uuid::now_v7(),
        company: Uuid::now_v7(),
        representative: Uuid::now_v7(),
        meeting: Uuid::now_v7(),
    };
    let new = Salesperson { product_name: "P\0".into(), description: "D".into(), product_url: None };
    let file = StoredMaterialFile {
        id: Uuid::now_v7(),
        file_name: "deck.pptx".into(),
        file_type: "pptx".into(),
        file_size: 7,
        blob: "a/b".into(),
        pages: Some(2),
        words: 9,
        note: None,
        content: "Saves time.\0".into(),
    };
    store.add_salesperson(WORKSPACE, planted.salesperson, &new, &[file]).await.unwrap();
    let company = NewCompany {
        url: "https://a.example",
        data: &json!({"industry": null}),
        note: Some("n"),
        fetched_at: None,
    };
    store.add_company(WORKSPACE, planted.company, company).await.unwrap();
    let maria = NewRepresentative {
        name: "Maria".into(),
        role: "cfo".into(),
        personality_traits: vec!["angry".into()],
        is_decision_maker: true,
        ..NewRepresentative::default()
    };
    assert!(
        store.add_representative(WORKSPACE, planted.company, planted.representative, &maria).await.unwrap()
    );
    let plan = json!({"goal": "g"});
    let meeting = NewMeeting {
        salesperson: planted.salesperson,
        company: planted.company,
        created_by: "dana",
        plan: &plan,
    };
    assert!(store.add_meeting(WORKSPACE, planted.meeting, meeting).await.unwrap());
    planted
}

fn turn(said: &str, state: TurnState, request: Option<(Uuid, Uuid)>) -> NewTurn<'_> {
    NewTurn {
        speaker: "salesperson",
        name: "Dana",
        role: "salesperson",
        said,
        state,
        details: &Value::Null,
        answers: None,
        request,
        audio: None,
        duration_ms: 40,
    }
}

#[tokio::test]
async fn a_floor_is_one_persons_until_she_leaves_it_or_her_lease_is_over() {
    on_both(|store| async move {
        let Planted { meeting, .. } = plant(&store).await;
        let (one, other) = (Uuid::now_v7(), Uuid::now_v7());
        let take = async |holder, lease| store.take_floor(WORKSPACE, meeting, holder, lease).await.unwrap();
        assert_eq!(take(one, LEASE).await, FloorClaim::NotActive(MeetingStatus::Pending));
        assert!(store.start_meeting(WORKSPACE, meeting).await.unwrap());
        assert!(!store.start_meeting(WORKSPACE, meeting).await.unwrap());
        assert_eq!(take(one, LEASE).await, FloorClaim::Taken);
        assert_eq!(take(other, LEASE).await, FloorClaim::Busy);
        let add = async |holder, said, state| {
            store.add_turn(WORKSPACE, meeting, holder, turn(said, state, None)).await.unwrap()
        };
        assert_eq!(add(one, "a", TurnState::Said).await, Some(1));
        assert_eq!(add(other, "b", TurnState::Said).await, None);
        assert_eq!(add(one, "half", TurnState::Speaking).await, Some(2));
        assert!(store.keep_floor(WORKSPACE, meeting, one, Duration::ZERO).await.unwrap());
        assert_eq!(take(other, LEASE).await, FloorClaim::Taken);
        let late = ("half and more", TurnState::Said, 9);
        assert!(!store.set_turn(WORKSPACE, meeting, one, 2, late).await.unwrap());
        assert_eq!(add(other, "c", TurnState::Said).await, Some(3));
        assert!(store.end_exchange(WORKSPACE, meeting, other, 3).await.unwrap());
        let turns = store.turns_of(WORKSPACE, meeting).await.unwrap();
        let told: Vec<_> = turns.iter().map(|turn| (turn.number, turn.said.as_str(), turn.state)).collect();
        assert_eq!(told, [(1, "a", TurnState::Said), (2, "half", TurnState::Cut), (3, "c", TurnState::Said)]);
        assert_eq!(turns.iter().map(|turn| turn.is_answered).collect::<Vec<_>>(), [false, false, true]);
        let elsewhere = WorkspaceId(Uuid::from_u128(9));
        assert_eq!(store.take_floor(elsewhere, meeting, one, LEASE).await.unwrap(), FloorClaim::Gone);
    })
    .await;
}

#[tokio::test]
async fn of_many_who_want_the_floor_at_once_one_gets_it() {
    on_both(|store| async move {
        let Planted { meeting, .. } = plant(&store).await;
        store.start_meeting(WORKSPACE, meeting).await.unwrap();
        let claims = (0..8).map(|_| store.take_floor(WORKSPACE, meeting, Uuid::now_v7(), LEASE));
        let taken = futures::future::join_all(claims).await;
        let count = taken.into_iter().filter(|claim| *claim.as_ref().unwrap() == FloorClaim::Taken).count();
        assert_eq!(count, 1);
    })
    .await;
}

#[tokio::test]
async fn a_request_names_one_turn_of_a_meeting() {
    on_both(|store| async move {
        let Planted { meeting, .. } = plant(&store).await;
        store.start_meeting(WORKSPACE, meeting).await.unwrap();
        let (holder, key) = (Uuid::now_v7(), (Uuid::now_v7(), Uuid::now_v7()));
        store.take_floor(WORKSPACE, meeting, holder, LEASE).await.unwrap();
        store.add_turn(WORKSPACE, meeting, holder, turn("a", TurnState::Said, Some(key))).await.unwrap();
        let again = turn("b", TurnState::Said, Some(key));
        assert!(store.add_turn(WORKSPACE, meeting, holder, again).await.is_err());
        let known = store.turn_of_request(WORKSPACE, meeting, key.0).await.unwrap().unwrap();
        assert_eq!((known.number, known.request_hash), (1, Some(key.1)));
        assert_eq!(
            store.add_turn(WORKSPACE, meeting, holder, turn("c", TurnState::Said, None)).await.unwrap(),
            Some(2)
        );
    })
    .await;
}

#[tokio::test]
async fn what_is_kept_comes_back_and_deletes_take_along_what_belongs_to_it() {
    on_both(|store| async move {
        let planted = plant(&store).await;
        let materials = store.materials_of(WORKSPACE, planted.salesperson).await.unwrap();
        assert_eq!((materials.len(), materials[0].content.as_str()), (1, "Saves time."));
        let company = store.company(WORKSPACE, planted.company).await.unwrap().unwrap();
        assert_eq!((company.note.as_deref(), &company.data["industry"]), (Some("n"), &Value::Null));
        let maria = store.representative(WORKSPACE, planted.representative).await.unwrap().unwrap();
        assert_eq!(
            (maria.is.personality_traits, maria.is.is_decision_maker),
            (vec!["angry".to_owned()], true)
        );
        let meetings = store.meetings_of(WORKSPACE, planted.salesperson, None).await.unwrap();
        assert_eq!(meetings[0].plan["goal"], "g");
        assert!(store.meetings_of(WORKSPACE, planted.salesperson, Some("imre")).await.unwrap().is_empty());
        store.start_meeting(WORKSPACE, planted.meeting).await.unwrap();
        let holder = Uuid::now_v7();
        store.take_floor(WORKSPACE, planted.meeting, holder, LEASE).await.unwrap();
        let sound = NewTurn { audio: Some("c/d"), ..turn("a", TurnState::Said, None) };
        store.add_turn(WORKSPACE, planted.meeting, holder, sound).await.unwrap();
        let score = json!([{"overall": 7}]);
        let end = (None, &score, Moment::from_micros(1_000_000));
        assert!(!store.end_meeting(WORKSPACE, planted.meeting, Uuid::now_v7(), end).await.unwrap());
        assert!(store.end_meeting(WORKSPACE, planted.meeting, holder, end).await.unwrap());
        let ended = store.meeting(WORKSPACE, planted.meeting).await.unwrap().unwrap();
        assert_eq!((ended.status, ended.score), (MeetingStatus::Completed, Some(score.clone())));

        let blobs = store.delete_salesperson(BY, planted.salesperson).await.unwrap().unwrap();
        assert_eq!(blobs, ["a/b", "c/d"]);
        assert!(store.meeting(WORKSPACE, planted.meeting).await.unwrap().is_none());
        assert!(store.turns_of(WORKSPACE, planted.meeting).await.unwrap().is_empty());
        assert_eq!(store.delete_company(BY, planted.company).await.unwrap(), Some(Vec::new()));
        assert!(store.representative(WORKSPACE, planted.representative).await.unwrap().is_none());
        assert_eq!(store.delete_company(BY, planted.company).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn the_audit_says_who_deleted_what_and_nothing_of_what_was_not_there() {
    on_both(|store| async move {
        let planted = plant(&store).await;
        let elsewhere = (WorkspaceId(Uuid::from_u128(7)), "user:imre@x.com");
        assert_eq!(store.delete_meeting(elsewhere, planted.meeting).await.unwrap(), None);
        assert!(!store.delete_representative(elsewhere, planted.representative).await.unwrap());
        let file = store.materials_of(WORKSPACE, planted.salesperson).await.unwrap()[0].id;
        assert_eq!(store.delete_material(elsewhere, planted.salesperson, file).await.unwrap(), None);
        assert_eq!(
            store.delete_material(BY, planted.salesperson, file).await.unwrap().as_deref(),
            Some("a/b")
        );
        assert_eq!(store.delete_material(BY, planted.salesperson, file).await.unwrap(), None);
        assert_eq!(store.delete_meeting(BY, planted.meeting).await.unwrap(), Some(Vec::new()));
        assert!(store.delete_representative(BY, planted.representative).await.unwrap());
        assert!(store.delete_company(BY, planted.company).await.unwrap().is_some());
        assert!(store.delete_salesperson(BY, planted.salesperson).await.unwrap().is_some());
        let (audit, _) = store.audit(WORKSPACE, Page { offset: 0, limit: 9 }).await.unwrap();
        assert!(audit.iter().all(|row| row.actor == BY.1), "{audit:?}");
        let mut said: Vec<_> = audit.iter().map(|row| (row.action.as_str(), row.asked.as_str())).collect();
        said.sort_unstable();
        let of = |name: &str, id: Uuid| format!("{{\"{name}\":\"{id}\"}}");
        let names: Vec<_> = said.iter().map(|(action, _)| *action).collect();
        assert_eq!(
            names,
            [
                "company_delete",
                "material_delete",
                "practice_meeting_delete",
                "representative_delete",
                "salesperson_delete"
            ]
        );
        assert_eq!(said[0].1.replace(' ', ""), of("company", planted.company));
        assert_eq!(said[2].1.replace(' ', ""), of("meeting", planted.meeting));
    })
    .await;
}
