//! Dead letters as people look through them: letter by letter, and group by group.

use std::time::Duration;

use domain::call::WorkspaceId;
use domain::moment::Moment;
use store::{DeadFilter, DeadLetter, ErrorText, LetterBeside, Settlement, Store};
use uuid::Uuid;

use crate::databases::{WORKSPACE, arrival, on_both, run, take, take_in};

async fn bury(store: &Store, group: &str, minutes: u64, text: &str) -> DeadLetter {
    let letter = DeadLetter {
        id: Uuid::now_v7(),
        workspace: Some(WORKSPACE),
        call_id: None,
        stage: "slack".into(),
        generation: 1,
        attempts: 7,
        error_code: "slack_failed".into(),
        error_text: text.into(),
        error_group: group.into(),
        body: "{}".into(),
        died_at: Moment::from_micros(1_796_040_000_000_000).plus(Duration::from_mins(minutes)),
        replayed_at: None,
    };
    store.bury(&letter).await.unwrap();
    letter
}

#[tokio::test]
async fn one_goes_from_letter_to_letter_in_the_order_of_the_list_and_stays_among_those_that_match() {
    on_both(|store| async move {
        let mut of_group = Vec::new();
        // Two of them died at the same moment.
        for minutes in [1, 3, 3, 5] {
            of_group.push(bury(&store, "a", minutes, "no answer").await);
        }
        bury(&store, "b", 4, "another trouble").await;
        let filter = DeadFilter { group: Some("a".into()), ..DeadFilter::default() };
        let page = store::Page { offset: 0, limit: 10 };
        let (listed, _) = store.dead_letters(WORKSPACE, &filter, page).await.unwrap();
        let ids: Vec<_> = listed.iter().map(|letter| letter.id).collect();
        assert_eq!(ids.len(), 4);
        for (place, letter) in listed.iter().enumerate() {
            let beside = LetterBeside {
                above: place.checked_sub(1).map(|above| ids[above]),
                below: ids.get(place + 1).copied(),
            };
            assert_eq!(store.letters_beside(WORKSPACE, &filter, letter).await.unwrap(), beside, "{place}");
        }
        let other = WorkspaceId(Uuid::from_u128(9));
        let none = store.letters_beside(other, &filter, &listed[1]).await.unwrap();
        assert_eq!(none, LetterBeside::default());
    })
    .await;
}

#[tokio::test]
async fn a_group_shows_the_text_of_one_of_its_letters() {
    on_both(|store| async move {
        bury(&store, "a", 1, "the channel `C1` does not exist").await;
        bury(&store, "a", 2, "the channel `C2` does not exist").await;
        let groups = store.dead_groups(WORKSPACE).await.unwrap();
        assert_eq!(groups.len(), 1);
        assert_eq!((groups[0].letters, &*groups[0].example), (2, "the channel `C1` does not exist"));
    })
    .await;
}

#[tokio::test]
async fn what_runs_wait_for_is_summed_by_what_was_said_about_it() {
    on_both(|store| async move {
        for call in ["a", "b"] {
            let arrival = arrival(call, Some("https://r.example.com/a.mp3"));
            take_in(&store, &arrival).await;
            let (_, claim) = take(&store, run(arrival.call, "transcription", 1)).await;
            let why =
                ErrorText { code: "assemblyai_account", text: "assemblyai refuses the key: invalid_api_key" };
            let parked = Settlement::Parked {
                destination: "assemblyai",
                probe_at: store.now().plus(Duration::from_mins(1)),
                error: why,
            };
            store.settle_run(&claim, &parked).await.unwrap();
        }
        let troubles = store.troubles(WORKSPACE, 10).await.unwrap();
        assert_eq!(troubles.len(), 1, "{troubles:?}");
        let only = &troubles[0];
        assert_eq!((only.destination.as_deref(), &*only.state, only.runs), (Some("assemblyai"), "parked", 2));
        assert_eq!(only.text, "assemblyai refuses the key: invalid_api_key");
        let other = WorkspaceId(Uuid::from_u128(9));
        assert!(store.troubles(other, 10).await.unwrap().is_empty());
    })
    .await;
}
