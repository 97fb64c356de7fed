//! Arrivals, and how they change a call.

use domain::call::{CallId, CallStatus, WorkspaceId};
use store::{Arrival, CallFilter, EffectName, Page, Store, TakenIn};
use uuid::Uuid;

use crate::databases::{WORKSPACE, arrival, on_both, take_in};

async fn status(store: &Store, call: CallId) -> CallStatus {
    store.call(WORKSPACE, call).await.unwrap().unwrap().status
}

#[tokio::test]
async fn a_call_without_anything_usable_waits_for_it_and_then_goes_on() {
    on_both(|store| async move {
        let announced = arrival("a", None);
        assert_eq!(take_in(&store, &announced).await, TakenIn::Noted);
        assert_eq!(status(&store, announced.call).await, CallStatus::NoRecording);
        let recorded = arrival("a", Some("https://r.example.com/a.mp3"));
        assert_eq!(take_in(&store, &recorded).await, TakenIn::Accepted { generation: 1 });
        assert_eq!(status(&store, announced.call).await, CallStatus::Queued);
        assert_eq!(store.materials(WORKSPACE, announced.call).await.unwrap().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_delivery_that_comes_again_is_announced_again_but_starts_nothing_new() {
    on_both(|store| async move {
        let recorded = arrival("a", Some("https://r.example.com/a.mp3"));
        take_in(&store, &recorded).await;
        assert_eq!(take_in(&store, &recorded).await, TakenIn::Repeated { generation: 1, waiting: true });
        let same_recording = arrival("a", Some("https://r.example.com/a.mp3"));
        assert_eq!(take_in(&store, &same_recording).await, TakenIn::Noted);
        let another_recording = arrival("a", Some("https://r.example.com/b.mp3"));
        assert_eq!(take_in(&store, &another_recording).await, TakenIn::Accepted { generation: 2 });
    })
    .await;
}

#[tokio::test]
async fn if_two_sources_use_the_same_id_the_newer_call_is_found_by_it() {
    on_both(|store| async move {
        let find = async |workspace| store.call_by_external_id(workspace, "a").await.unwrap();
        assert_eq!(find(WORKSPACE).await, None);
        let first = arrival("a", None);
        let second = Arrival {
            source: "twilio".into(),
            call: CallId::derive(WORKSPACE, "twilio", "a"),
            ..arrival("a", None)
        };
        for newest in [first, second] {
            take_in(&store, &newest).await;
            take_in(&store, &arrival("b", None)).await;
            assert_eq!(find(WORKSPACE).await.unwrap().id, newest.call);
        }
        assert_eq!(find(WorkspaceId(Uuid::from_u128(7))).await, None);
    })
    .await;
}

#[tokio::test]
async fn a_hundred_identical_deliveries_at_once_are_one_call_that_starts_once() {
    on_both(|store| async move {
        let deliveries = (0..100).map(|_| {
            let store = store.clone();
            async move { take_in(&store, &arrival("a", Some("https://r.example.com/a.mp3"))).await }
        });
        let outcomes = futures::future::join_all(deliveries).await;
        let accepted = outcomes.iter().filter(|outcome| matches!(outcome, TakenIn::Accepted { .. })).count();
        assert_eq!(accepted, 1);
        let (_, total) =
            store.calls(WORKSPACE, &CallFilter::default(), Page { offset: 0, limit: 10 }).await.unwrap();
        assert_eq!(total, 1);
    })
    .await;
}

#[tokio::test]
async fn facts_that_arrive_later_are_added_and_a_nul_in_them_loses_nothing() {
    on_both(|store| async move {
        let mut first = arrival("a", None);
        first.details.department = Some("Sales\0".into());
        first.details.metadata.insert("a\0b".into(), serde_json::json!({"nested": ["x\0y"]}));
        take_in(&store, &first).await;
        let mut second = arrival("a", None);
        second.details.agent_name = Some("Dana Ortiz".into());
        take_in(&store, &second).await;
        let details = store.call(WORKSPACE, first.call).await.unwrap().unwrap().details;
        assert_eq!(details.agent_name.as_deref(), Some("Dana Ortiz"));
        assert!(details.department.unwrap().starts_with("Sales"));
        assert_eq!(details.metadata.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn lists_are_filtered_paged_and_never_reach_into_another_workspace() {
    on_both(|store| async move {
        for name in ["a", "b", "c"] {
            let mut announced = arrival(name, None);
            announced.details.agent_name = (name == "b").then(|| "Dana Ortiz".into());
            take_in(&store, &announced).await;
        }
        let list = async |filter: CallFilter, limit| {
            store.calls(WORKSPACE, &filter, Page { offset: 0, limit }).await.unwrap()
        };
        let (page, total) = list(CallFilter::default(), 2).await;
        assert_eq!((page.len(), total), (2, 3));
        let (found, total) =
            list(CallFilter { agent: Some("Dana Ortiz".into()), ..CallFilter::default() }, 10).await;
        assert_eq!((found[0].external_id.as_str(), total), ("b", 1));
        let failed = CallFilter { status: Some(CallStatus::Failed), ..CallFilter::default() };
        assert_eq!(list(failed, 10).await.1, 0);
        let elsewhere = WorkspaceId(Uuid::new_v4());
        let delivery = EffectName { target: "slack", object: "post" };
        let stats = async |workspace| store.stats(workspace, delivery).await.unwrap();
        assert_eq!(store.call(elsewhere, found[0].id).await.unwrap(), None);
        assert_eq!(stats(elsewhere).await.total, 0);
        assert_eq!(stats(WORKSPACE).await.total, 3);
    })
    .await;
}

#[tokio::test]
async fn an_event_in_the_outbox_is_relayed_once() {
    on_both(|store| async move {
        store.add_to_outbox(Uuid::new_v4(), "live", "{}").await.unwrap();
        let none = store.relay_outbox(10, async |_| Vec::new()).await.unwrap();
        assert_eq!(none, 0);
        let relayed =
            store.relay_outbox(10, async |rows| rows.iter().map(|row| row.id).collect()).await.unwrap();
        assert_eq!(relayed, 1);
        assert_eq!(store.outbox_len().await.unwrap(), 0);
    })
    .await;
}

#[tokio::test]
async fn a_shared_secret_is_made_once() {
    on_both(|store| async move {
        let first = store.shared_secret("seal", || "one".into()).await.unwrap();
        let second = store.shared_secret("seal", || "two".into()).await.unwrap();
        assert_eq!((first.as_str(), second.as_str()), ("one", "one"));
    })
    .await;
}

#[tokio::test]
async fn every_delivery_is_listed_including_announcements() {
    on_both(|store| async move {
        let announced = arrival("a", None);
        take_in(&store, &announced).await;
        take_in(&store, &arrival("a", Some("https://r.example.com/a.mp3"))).await;
        let delivered = store.deliveries(WORKSPACE, announced.call).await.unwrap();
        let kinds: Vec<_> = delivered.iter().map(|delivery| delivery.kind.as_str()).collect();
        assert_eq!(kinds, ["announcement", "recording"]);
        assert_eq!(delivered[0].event_id, announced.event_id);
    })
    .await;
}
