//! The list of calls as people filter it.

use domain::analysis::Tone;
use domain::call::{CallStatus, Direction, WorkspaceId};
use domain::moment::Moment;
use domain::principal::Sees;
use store::{Behind, ListFilter, Store};
use uuid::Uuid;

use crate::counting::call;
use crate::databases::{WORKSPACE, arrival, on_both, take_in};
use crate::searching::only_of;

#[tokio::test]
async fn the_page_behind_a_call_repeats_none_and_leaves_none_out_while_calls_come_in() {
    on_both(|store| async move {
        let names = ["a", "b", "c", "d", "e"];
        for name in names {
            take_in(&store, &arrival(name, None)).await;
        }
        let mut seen = Vec::new();
        let mut behind = None;
        loop {
            let page =
                store.call_list(WORKSPACE, &ListFilter::default(), &Sees::All, behind, 2).await.unwrap();
            let Some(last) = page.last() else { break };
            behind = Some(last.place());
            seen.extend(page.iter().map(|listed| listed.call.external_id.clone()));
            take_in(&store, &arrival(&format!("new {}", seen.len()), None)).await;
        }
        seen.sort();
        assert_eq!(seen, names);
        let elsewhere = WorkspaceId(Uuid::from_u128(7));
        assert_eq!(
            store.call_list(elsewhere, &ListFilter::default(), &Sees::All, None, 9).await.unwrap(),
            []
        );
    })
    .await;
}

#[tokio::test]
async fn a_form_can_offer_the_sources_and_agents_of_its_own_workspace() {
    on_both(|store| async move {
        for (name, agent) in [("a", None), ("b", Some("Mo")), ("c", Some("Dana Ortiz")), ("d", Some("Mo"))] {
            let mut announced = arrival(name, None);
            announced.details.agent_name = agent.map(Into::into);
            take_in(&store, &announced).await;
        }
        let values = store.filter_values(WORKSPACE, &Sees::All).await.unwrap();
        assert_eq!((values.sources.len(), values.agents), (1, vec!["Dana Ortiz".into(), "Mo".into()]));
        let elsewhere = store.filter_values(WorkspaceId(Uuid::from_u128(7)), &Sees::All).await.unwrap();
        assert_eq!(elsewhere, store::FilterValues::default());
    })
    .await;
}

/// The source's ids of the calls that match, in the order of the list.
async fn listed(store: &Store, filter: ListFilter, sees: &Sees) -> Vec<String> {
    let calls = store.call_list(WORKSPACE, &filter, sees, None, 9).await.unwrap();
    calls.into_iter().map(|listed| listed.call.external_id).collect()
}

#[tokio::test]
async fn every_filter_narrows_the_list_and_the_newest_call_is_first() {
    on_both(|store| async move {
        for (name, agent, hours) in [("c", "Bob", 30), ("a", "Ann", 1), ("b", "Ann", 20)] {
            call(&store, name, agent, hours).await;
        }
        take_in(&store, &arrival("announced", None)).await;
        let everybody = Sees::All;
        assert_eq!(listed(&store, ListFilter::default(), &everybody).await, ["announced", "a", "b", "c"]);
        let none = ListFilter::default;
        let text = |text: &str| Some(text.to_owned());
        let hours_ago = |hours: i64| Some(Moment::from_micros(store.now().micros() - hours * 3_600_000_000));
        for (filter, expected) in [
            (ListFilter { agent: text("Ann"), ..none() }, &["a", "b"][..]),
            (ListFilter { topic: text("billing"), ..none() }, &["a", "b", "c"]),
            (ListFilter { topic: text("billing"), agent: text("Bob"), ..none() }, &["c"]),
            (ListFilter { topic: text("bill"), ..none() }, &[]),
            (ListFilter { tone: Some(Tone::Negative), from: hours_ago(25), ..none() }, &["a", "b"]),
            (ListFilter { tone: Some(Tone::Positive), ..none() }, &[]),
            (ListFilter { to: hours_ago(10), ..none() }, &["b", "c"]),
            (ListFilter { team: text("Support"), ..none() }, &["a", "b", "c"]),
            (ListFilter { direction: Some(Direction::Incoming), ..none() }, &["a", "b", "c"]),
            (ListFilter { direction: Some(Direction::Outgoing), ..none() }, &[]),
            (ListFilter { source: text("nowhere"), ..none() }, &[]),
            (ListFilter { status: Some(CallStatus::NoRecording), ..none() }, &["announced"]),
            (ListFilter { min_duration_ms: Some(60_000), ..none() }, &["a", "b", "c"]),
            (ListFilter { min_duration_ms: Some(60_001), ..none() }, &[]),
            (ListFilter { max_duration_ms: Some(59_999), ..none() }, &[]),
        ] {
            assert_eq!(listed(&store, filter.clone(), &everybody).await, expected, "{filter:?}");
        }
        for filter in [none(), ListFilter { topic: text("billing"), ..none() }] {
            assert_eq!(listed(&store, filter, &only_of("Bob")).await, ["c"]);
        }
        let anns = ListFilter { agent: text("Ann"), ..none() };
        assert!(listed(&store, anns, &only_of("Bob")).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_page_behind_a_call_goes_on_in_every_order() {
    on_both(|store| async move {
        for (name, hours) in [("a", 1), ("b", 2), ("c", 2), ("d", 3)] {
            call(&store, name, "Ann", hours).await;
        }
        let text = |text: &str| Some(text.to_owned());
        for filter in [
            ListFilter::default(),
            ListFilter { agent: text("Ann"), ..ListFilter::default() },
            ListFilter { tone: Some(Tone::Negative), ..ListFilter::default() },
            ListFilter { topic: text("billing"), ..ListFilter::default() },
        ] {
            let mut behind: Option<Behind> = None;
            let mut seen = Vec::new();
            loop {
                let page = store.call_list(WORKSPACE, &filter, &Sees::All, behind, 1).await.unwrap();
                let Some(last) = page.last() else { break };
                behind = Some(last.place());
                seen.push(last.call.external_id.clone());
            }
            assert_eq!((seen.len(), &*seen[0], &*seen[3]), (4, "a", "d"), "{filter:?}");
        }
    })
    .await;
}
