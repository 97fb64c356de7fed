//! What the pages of live calls and of practice read.

use domain::call::WorkspaceId;
use domain::principal::Sees;
use serde_json::json;
use store::live::{LiveState, NewLiveEvent, NewLivePiece, NewLiveSession};
use store::{NewCompany, NewRepresentative, Salesperson, Store, StoredMaterialFile};
use uuid::Uuid;

use crate::databases::{WORKSPACE, arrival, on_both, take_in};
use crate::searching::only_of;

const INPUT: &(dyn Fn(i64) -> String + Sync) = &|generation| format!("input {generation}");
const ELSEWHERE: WorkspaceId = WorkspaceId(Uuid::from_u128(7));

fn event(kind: &'static str, text: &str) -> NewLiveEvent {
    NewLiveEvent { kind, data: json!({"text": text}) }
}

/// Begins a session of this agent, in which these words are said.
async fn spoken(store: &Store, name: &str, agent: &str, words: &[&str]) {
    let mut new = arrival(name, None);
    new.details.agent_name = Some(agent.into());
    take_in(store, &new).await;
    let session = NewLiveSession { workspace: WORKSPACE, call: new.call, session_id: name.into() };
    store.start_live_session(&session, &event("call_status", "started"), INPUT).await.unwrap();
    for (nth, word) in words.iter().enumerate() {
        let piece = NewLivePiece {
            is_streamed: false,
            sequence: None,
            blob: format!("{name} {nth}"),
            digest: format!("{name} {nth}"),
            bytes: 3,
            media_type: None,
            filename: "a.wav".into(),
            channel: None,
            speaker: None,
            request_key: None,
        };
        let told = event("transcript_update", word);
        store.add_live_piece((WORKSPACE, new.call), &piece, &told, INPUT).await.unwrap();
    }
}

#[tokio::test]
async fn sessions_are_listed_with_the_last_words_of_those_that_go_on() {
    on_both(|store| async move {
        spoken(&store, "a", "Dana Ortiz", &["One.", "Two."]).await;
        spoken(&store, "b", "Mo", &["Three."]).await;
        let over = store.live_session(WORKSPACE, "b").await.unwrap().unwrap();
        let told = event("call_status", "ended");
        store.end_live_session((WORKSPACE, over.call), ("asked", None), &told, INPUT).await.unwrap();
        let mut all = store.live_list(WORKSPACE, &Sees::All, 9).await.unwrap();
        all.sort_by(|one, other| one.session_id.cmp(&other.session_id));
        let shown: Vec<_> =
            all.iter().map(|one| (&*one.session_id, one.state, one.last_said.clone())).collect();
        assert_eq!(
            shown,
            [("a", LiveState::Active, Some(json!({"text": "Two."}))), ("b", LiveState::Ended, None)]
        );
        assert_eq!(all[0].call.details.agent_name.as_deref(), Some("Dana Ortiz"));
        let hers = store.live_list(WORKSPACE, &only_of("Dana Ortiz"), 9).await.unwrap();
        assert_eq!(hers, all[..1]);
        assert_eq!(store.live_list(WORKSPACE, &Sees::All, 1).await.unwrap().len(), 1);
        assert_eq!(store.live_list(ELSEWHERE, &Sees::All, 9).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn the_last_events_of_one_kind_come_in_their_order() {
    on_both(|store| async move {
        spoken(&store, "a", "Dana Ortiz", &["One.", "Two.", "Three."]).await;
        let call = store.live_session(WORKSPACE, "a").await.unwrap().unwrap().call;
        let last = store.last_live_events(WORKSPACE, call, "transcript_update", 2).await.unwrap();
        let said: Vec<_> = last.iter().map(|event| (event.seq, event.data["text"].clone())).collect();
        assert_eq!(said, [(3, json!("Two.")), (4, json!("Three."))]);
        assert_eq!(store.last_live_events(ELSEWHERE, call, "transcript_update", 2).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn products_files_companies_and_people_are_listed_for_their_own_workspace() {
    on_both(|store| async move {
        let [salesperson, company] = std::array::from_fn(|_| Uuid::now_v7());
        let file = StoredMaterialFile {
            id: Uuid::now_v7(),
            file_name: "deck.pptx".into(),
            file_type: "pptx".into(),
            file_size: 7,
            blob: "a/b".into(),
            pages: Some(2),
            words: 9,
            note: None,
            content: "Saves time.".into(),
        };
        let product = Salesperson { product_name: "P".into(), ..Salesperson::default() };
        store.add_salesperson(WORKSPACE, salesperson, &product, &[file]).await.unwrap();
        let data = json!({"industry": "Ships"});
        let new = NewCompany { url: "https://a.example", data: &data, note: None, fetched_at: None };
        store.add_company(WORKSPACE, company, new).await.unwrap();
        let maria =
            NewRepresentative { name: "Maria".into(), role: "cfo".into(), ..NewRepresentative::default() };
        assert!(store.add_representative(WORKSPACE, company, Uuid::now_v7(), &maria).await.unwrap());
        let files = store.material_heads(WORKSPACE, 9).await.unwrap();
        assert_eq!(
            (files[0].salesperson, &*files[0].file_name, files[0].words),
            (salesperson, "deck.pptx", 9)
        );
        let companies = store.companies(WORKSPACE, 9).await.unwrap();
        assert_eq!((companies.len(), &companies[0].data), (1, &data));
        let people = store.all_representatives(WORKSPACE, 9).await.unwrap();
        assert_eq!((people[0].company, &people[0].is), (company, &maria));
        assert_eq!(store.material_heads(ELSEWHERE, 9).await.unwrap(), []);
        assert_eq!(store.companies(ELSEWHERE, 9).await.unwrap(), []);
        assert_eq!(store.all_representatives(ELSEWHERE, 9).await.unwrap(), []);
    })
    .await;
}
