//! Copies of the embedded store, and what a store that was restored from one does not know.

use std::time::Duration;

use store::copies::{self, BegunCopy};
use store::{EffectKey, Intent, Store, WantedEffect};
use uuid::Uuid;

use crate::databases::{arrival, on_both, run, take, take_in};

fn post() -> EffectKey {
    EffectKey::new(Uuid::from_u128(7), "slack", "post")
}

fn want(can_update: bool) -> WantedEffect {
    WantedEffect {
        digest: "x".into(),
        generation: 1,
        timeout: Duration::from_secs(1),
        can_update,
        resend_unknown: false,
    }
}

#[tokio::test]
async fn an_event_that_leaves_the_outbox_while_the_store_is_copied_is_in_the_copy() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open_embedded(folder.path()).await.unwrap();
    for body in ["early", "stays"] {
        store.add_to_outbox(Uuid::new_v4(), "live", body).await.unwrap();
    }
    take_in(&store, &arrival("a", Some("a"))).await;
    let copy = folder.path().join("copy.db");
    let begun = BegunCopy::begin(folder.path()).await.unwrap();
    let relayed = store.relay_outbox(1, async |rows| rows.iter().map(|row| row.id).collect()).await.unwrap();
    assert_eq!(relayed, 1);
    begun.write(&copy, &[("seal_key", "of the configuration")]).await.unwrap();

    let mut waiting = copies::waiting_events(&copy).await.unwrap();
    waiting.sort();
    assert_eq!(waiting, ["early", "stays"]);
    let held = copies::inspect_copy(&copy, |_| ()).await.unwrap();
    assert_eq!((held.calls, held.open_runs), (1, 1));
    let key = copies::secret_in_copy(&copy, "seal_key").await.unwrap();
    assert_eq!(key.as_deref(), Some("of the configuration"));
    assert_eq!(store.outbox_len().await.unwrap(), 1, "the store itself is not changed");
}

#[tokio::test]
async fn a_copy_is_never_written_over_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open_embedded(folder.path()).await.unwrap();
    let copy = folder.path().join("copy.db");
    std::fs::write(&copy, "precious").unwrap();
    let begun = BegunCopy::begin(folder.path()).await.unwrap();
    begun.write(&copy, &[]).await.unwrap_err();
    assert_eq!(std::fs::read_to_string(&copy).unwrap(), "precious");
    store.close().await;
}

#[tokio::test]
async fn the_first_effect_of_a_call_that_a_back_up_shows_as_unfinished_is_unknown() {
    on_both(|store| async move {
        let arrived = arrival("a", Some("a"));
        take_in(&store, &arrived).await;
        let since = store.now();
        assert_eq!(store.doubt_unfinished_calls(since, &[]).await.unwrap(), 1);
        assert_eq!(store.doubt_unfinished_calls(since, &[arrived.call]).await.unwrap(), 0);
        let claim = take(&store, run(arrived.call, "transcription", 1)).await.1;

        // On PostgreSQL, another process could still be sending for a while.
        let intend =
            async |want: &WantedEffect| store.intend(&claim, &post(), want, store.now()).await.unwrap();
        assert!(matches!(intend(&want(false)).await, Intent::Wait(_)));
        let resend = WantedEffect { resend_unknown: true, ..want(false) };
        assert_eq!(intend(&resend).await, Intent::Send { prior: None });
    })
    .await;
}

#[tokio::test]
async fn what_was_found_to_have_happened_after_a_back_up_is_not_done_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open_embedded(folder.path()).await.unwrap();
    let arrived = arrival("a", Some("a"));
    take_in(&store, &arrived).await;
    let long_ago = store.now().minus(Duration::from_hours(1));
    store.doubt_unfinished_calls(long_ago, &[]).await.unwrap();
    let claim = take(&store, run(arrived.call, "transcription", 1)).await.1;
    for can_update in [false, true] {
        let key = EffectKey::new(arrived.call.0, "slack", if can_update { "update" } else { "post" });
        let ask = async || store.intend(&claim, &key, &want(can_update), store.now()).await.unwrap();
        let unknown = Intent::Unknown { since: long_ago, absent_since: None };
        assert_eq!(ask().await, unknown);
        store.record_found_effect(key.id, "C1/7", None).await.unwrap();
        let again = ask().await;
        if can_update {
            // Nobody knows what the record says, so it is brought up to date.
            assert_eq!(again, Intent::Send { prior: Some("C1/7".into()) });
        } else {
            assert_eq!(again, Intent::Done { remote_id: Some("C1/7".into()), replaced: None });
        }
    }
}
