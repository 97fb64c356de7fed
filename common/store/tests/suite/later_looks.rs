//! Tests which calls are looked at once more, and when.

use std::time::Duration;

use store::Store;

use crate::databases::{WORKSPACE, arrival, on_both, take_in};

const HELD: &str = "exotel:a";
const HOUR: Duration = Duration::from_hours(1);

async fn plan(store: &Store, after: Duration) {
    let planned = arrival("a", None);
    take_in(store, &planned).await;
    store.look_later(WORKSPACE, planned.call, HELD, after).await.unwrap();
}

#[tokio::test]
async fn a_look_is_due_at_its_time_and_not_before() {
    on_both(|store| async move {
        plan(&store, HOUR).await;
        assert!(store.due_looks(9, HOUR).await.unwrap().is_empty());
        plan(&store, Duration::ZERO).await;
        let due = store.due_looks(9, HOUR).await.unwrap();
        assert_eq!(due.len(), 1, "a call has one look");
        let look = &due[0];
        assert_eq!(
            (look.workspace, look.call_id, look.held.as_str()),
            (WORKSPACE, arrival("a", None).call, HELD)
        );
        assert!(store.due_looks(9, HOUR).await.unwrap().is_empty(), "it is taken once");
    })
    .await;
}

#[tokio::test]
async fn a_look_that_nobody_ended_is_tried_again_but_not_for_ever() {
    on_both(|store| async move {
        plan(&store, Duration::ZERO).await;
        for _ in 0..5 {
            assert_eq!(store.due_looks(9, Duration::ZERO).await.unwrap().len(), 1);
        }
        assert!(store.due_looks(9, Duration::ZERO).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_look_that_is_done_is_not_due_again_and_one_that_was_planned_meanwhile_is() {
    on_both(|store| async move {
        plan(&store, Duration::ZERO).await;
        let look = store.due_looks(9, Duration::ZERO).await.unwrap().remove(0);
        store.looked(&look).await.unwrap();
        assert!(store.due_looks(9, HOUR).await.unwrap().is_empty());
        plan(&store, Duration::ZERO).await;
        store.looked(&look).await.unwrap();
        assert_eq!(store.due_looks(9, HOUR).await.unwrap().len(), 1);
    })
    .await;
}
