//! What the ledger allows.

use std::time::Duration;

use common::store::{Begun, Claim, EffectKey, EffectWant, Intent, Store};

use crate::databases::{WORKSPACE, arrival, instance, on_both, take_in};

async fn claim(store: &Store, call: &str) -> Claim {
    let arrived = arrival(call, Some(call));
    take_in(store, &arrived).await;
    let owner = instance(store).await;
    let begun = store.begin_run(WORKSPACE, arrived.call, "transcription", 1, false, owner).await.unwrap();
    let Begun::Mine(run) = begun else { panic!("not taken") };
    Claim { workspace: WORKSPACE, call: arrived.call, stage: "transcription", owner, fence: run.fence }
}

fn contact() -> EffectKey {
    EffectKey::new(WORKSPACE.0, "salesforce", "contact:helen@example.com")
}

fn want(digest: &str) -> EffectWant {
    EffectWant {
        digest: digest.into(),
        generation: 1,
        timeout: Duration::from_secs(60),
        can_update: true,
        resend_unknown: false,
    }
}

#[tokio::test]
async fn of_two_calls_that_share_a_contact_one_sends_and_the_other_waits() {
    on_both(|store| async move {
        let (first, second) = (claim(&store, "a").await, claim(&store, "b").await);
        assert_eq!(store.intend(&first, &contact(), &want("x")).await.unwrap(), Intent::Send { prior: None });
        assert!(matches!(store.intend(&second, &contact(), &want("x")).await.unwrap(), Intent::Wait(_)));
        store.confirm_effect(contact().id, "003A", None).await.unwrap();
        let done = Intent::Done { remote_id: Some("003A".into()), replaced: None };
        assert_eq!(store.intend(&second, &contact(), &want("x")).await.unwrap(), done);
        let changed = store.intend(&second, &contact(), &want("y")).await.unwrap();
        assert_eq!(changed, Intent::Send { prior: Some("003A".into()) });
    })
    .await;
}

#[tokio::test]
async fn a_run_that_was_taken_over_may_not_send() {
    on_both(|store| async move {
        let lost = claim(&store, "a").await;
        store.end_instance(lost.owner).await.unwrap();
        let owner = instance(&store).await;
        store.begin_run(WORKSPACE, lost.call, "transcription", 1, false, owner).await.unwrap();
        assert_eq!(store.intend(&lost, &contact(), &want("x")).await.unwrap(), Intent::NotOurs);
    })
    .await;
}

#[tokio::test]
async fn a_request_that_certainly_failed_is_sent_again_and_one_that_may_have_arrived_is_not() {
    on_both(|store| async move {
        let run = claim(&store, "a").await;
        store.intend(&run, &contact(), &want("x")).await.unwrap();
        store.fail_effect(contact().id, false, "refused").await.unwrap();
        assert_eq!(store.intend(&run, &contact(), &want("x")).await.unwrap(), Intent::Send { prior: None });
        store.fail_effect(contact().id, true, "timed_out").await.unwrap();
        assert!(matches!(store.intend(&run, &contact(), &want("x")).await.unwrap(), Intent::Wait(_)));
        let listed = store.effects_of(WORKSPACE, run.call).await.unwrap();
        assert_eq!((listed[0].state.as_str(), listed[0].error_code.as_deref()), ("unknown", Some("timed_out")));
        store.void_effect(contact().id).await.unwrap();
        assert_eq!(store.intend(&run, &contact(), &want("x")).await.unwrap(), Intent::Send { prior: None });
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_changed_at_its_destination_is_shown_as_outdated() {
    on_both(|store| async move {
        let run = claim(&store, "a").await;
        let fixed = |digest| EffectWant { can_update: false, ..want(digest) };
        store.intend(&run, &contact(), &fixed("x")).await.unwrap();
        store.confirm_effect(contact().id, "1", None).await.unwrap();
        assert!(matches!(store.intend(&run, &contact(), &fixed("y")).await.unwrap(), Intent::Done { .. }));
        assert_eq!(store.effects_of(WORKSPACE, run.call).await.unwrap()[0].state, "outdated");
    })
    .await;
}
