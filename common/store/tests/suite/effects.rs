//! What the ledger allows.

use std::time::Duration;

use domain::call::{CallStatus, WorkspaceId};
use domain::moment::Moment;
use store::{
    Action, Begun, Claim, EffectKey, EffectWant, ErrorText, Intent, Page, Settled, Settlement, Store,
};
use uuid::Uuid;

use crate::databases::{WORKSPACE, arrival, asked, instance, on_both, take_in};

const EVERYTHING: Page = Page { offset: 0, limit: 1000 };

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

/// Writes an intent; when it was asked for.
async fn intended(store: &Store, claim: &Claim, want: &EffectWant) -> Moment {
    let asked_at = store.now();
    let intent = store.intend_asked(asked_at, claim, &contact(), want).await.unwrap();
    assert!(matches!(intent, Intent::Send { .. }), "{intent:?}");
    asked_at
}

fn want(digest: &str) -> EffectWant {
    EffectWant {
        digest: digest.into(),
        generation: 1,
        timeout: Duration::from_mins(1),
        can_update: true,
        resend_unknown: false,
    }
}

#[tokio::test]
async fn of_two_calls_that_share_a_contact_one_sends_and_the_other_waits() {
    on_both(|store| async move {
        let (first, second) = (claim(&store, "a").await, claim(&store, "b").await);
        let asked_at = intended(&store, &first, &want("x")).await;
        assert!(matches!(store.intend(&second, &contact(), &want("x")).await.unwrap(), Intent::Wait(_)));
        assert!(store.confirm_effect(contact().id, (asked_at, "x"), "003A", None).await.unwrap());
        let done = Intent::Done { remote_id: Some("003A".into()), replaced: None };
        assert_eq!(store.intend(&second, &contact(), &want("x")).await.unwrap(), done);
        let changed = store.intend(&second, &contact(), &want("y")).await.unwrap();
        assert_eq!(changed, Intent::Send { prior: Some("003A".into()) });
    })
    .await;
}

#[tokio::test]
async fn an_intent_whose_answer_was_lost_is_given_again_to_who_asked() {
    on_both(|store| async move {
        let run = claim(&store, "a").await;
        let asked_at = store.now();
        let (key, want_it) = (contact(), want("x"));
        let ask = || store.intend_asked(asked_at, &run, &key, &want_it);
        assert_eq!(ask().await.unwrap(), Intent::Send { prior: None });
        assert_eq!(ask().await.unwrap(), Intent::Send { prior: None });
        assert!(matches!(store.intend(&run, &contact(), &want("x")).await.unwrap(), Intent::Wait(_)));
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
        let asked_at = intended(&store, &run, &want("x")).await;
        store.fail_effect(contact().id, asked_at, false, "refused").await.unwrap();
        let asked_at = intended(&store, &run, &want("x")).await;
        store.fail_effect(contact().id, asked_at, true, "timed_out").await.unwrap();
        assert!(matches!(store.intend(&run, &contact(), &want("x")).await.unwrap(), Intent::Wait(_)));
        let listed = store.effects_of(WORKSPACE, run.call).await.unwrap();
        assert_eq!(
            (listed[0].state.as_str(), listed[0].error_code.as_deref()),
            ("unknown", Some("timed_out"))
        );
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
        let asked_at = intended(&store, &run, &fixed("x")).await;
        store.confirm_effect(contact().id, (asked_at, "x"), "1", None).await.unwrap();
        assert!(matches!(store.intend(&run, &contact(), &fixed("y")).await.unwrap(), Intent::Done { .. }));
        assert_eq!(store.effects_of(WORKSPACE, run.call).await.unwrap()[0].state, "outdated");
    })
    .await;
}

#[tokio::test]
async fn another_call_may_change_a_shared_record_whatever_generation_each_of_them_has() {
    on_both(|store| async move {
        let (first, second) = (claim(&store, "a").await, claim(&store, "b").await);
        let newer = EffectWant { generation: 2, ..want("x") };
        let asked_at = intended(&store, &first, &newer).await;
        store.confirm_effect(contact().id, (asked_at, "x"), "003A", None).await.unwrap();
        let changed = store.intend(&second, &contact(), &want("y")).await.unwrap();
        assert_eq!(changed, Intent::Send { prior: Some("003A".into()) });
    })
    .await;
}

/// A run of `call` that is parked for the contact, of which nobody knows whether it was made.
async fn parked_for_the_contact(store: &Store, call: &str) -> Claim {
    let run = claim(store, call).await;
    let asked_at = intended(store, &run, &want("x")).await;
    store.fail_effect(contact().id, asked_at, true, "timed_out").await.unwrap();
    let destination = format!("effect:{}", contact().id);
    let error = ErrorText { code: "effect_unknown", text: "nobody knows" };
    let probe_at = store.now().plus(Duration::from_mins(10));
    let parked = Settlement::Parked { destination: &destination, probe_at, error };
    assert_eq!(store.settle_run(&run, &parked).await.unwrap(), Settled::Yes);
    run
}

#[tokio::test]
async fn effects_that_are_not_confirmed_are_listed_page_by_page_oldest_first() {
    on_both(|store| async move {
        let run = claim(&store, "a").await;
        let keys = ["one", "two", "three", "sent"].map(|object| EffectKey::new(WORKSPACE.0, "slack", object));
        for (since, key) in (0..).zip(&keys) {
            let asked_at = store.now().plus(Duration::from_millis(since));
            store.intend_asked(asked_at, &run, key, &want("x")).await.unwrap();
        }
        let [.., sent] = &keys;
        let asked_at = store.effect(WORKSPACE, sent.id).await.unwrap().unwrap().updated_at;
        assert!(store.confirm_effect(sent.id, (asked_at, "x"), "1.2", None).await.unwrap());
        for (offset, wanted) in [(0, vec!["one", "two"]), (2, vec!["three"]), (4, vec![])] {
            let (page, total) = store.open_effects(WORKSPACE, Page { offset, limit: 2 }).await.unwrap();
            assert_eq!(page.iter().map(|effect| effect.object.as_str()).collect::<Vec<_>>(), wanted);
            assert_eq!(total, 3);
        }
    })
    .await;
}

#[tokio::test]
async fn a_persons_word_settles_an_unknown_effect_and_wakes_who_waits_for_it() {
    on_both(|store| async move {
        let run = parked_for_the_contact(&store, "a").await;
        let (open, total) = store.open_effects(WORKSPACE, EVERYTHING).await.unwrap();
        let audit = store.begin_audit(&asked(Action::ResolveEffects), store.now()).await.unwrap();
        assert_eq!(open.iter().map(|effect| effect.id).collect::<Vec<_>>(), [contact().id]);
        assert_eq!(total, 1);
        assert!(store.resolve_effect(&audit, WORKSPACE, contact().id, true).await.unwrap());
        assert_eq!(store.effect(WORKSPACE, contact().id).await.unwrap().unwrap().state, "confirmed");
        assert_eq!(store.open_effects(WORKSPACE, EVERYTHING).await.unwrap(), (Vec::new(), 0));
        assert_eq!(store.runs(WORKSPACE, run.call).await.unwrap()[0].state, "waiting");
        assert_eq!(store.call(WORKSPACE, run.call).await.unwrap().unwrap().status, CallStatus::Queued);
        let due = store.due_runs(10).await.unwrap();
        assert_eq!(due.iter().map(|due| due.call_id).collect::<Vec<_>>(), [run.call]);
        assert!(
            !store.resolve_effect(&audit, WORKSPACE, contact().id, false).await.unwrap(),
            "it is not in doubt any more"
        );
    })
    .await;
}

#[tokio::test]
async fn an_effect_that_a_person_wants_again_is_sent_again_and_one_under_way_is_left_alone() {
    on_both(|store| async move {
        let run = claim(&store, "a").await;
        let audit = store.begin_audit(&asked(Action::ResolveEffects), store.now()).await.unwrap();
        let asked_at = intended(&store, &run, &want("x")).await;
        assert!(
            !store.resolve_effect(&audit, WORKSPACE, contact().id, false).await.unwrap(),
            "its request is under way"
        );
        store.fail_effect(contact().id, asked_at, true, "timed_out").await.unwrap();
        assert!(!store.resolve_effect(&audit, WorkspaceId(Uuid::nil()), contact().id, false).await.unwrap());
        assert!(store.resolve_effect(&audit, WORKSPACE, contact().id, false).await.unwrap());
        assert_eq!(store.intend(&run, &contact(), &want("x")).await.unwrap(), Intent::Send { prior: None });
    })
    .await;
}

#[tokio::test]
async fn what_is_known_late_counts_of_its_own_request_and_of_no_newer_one() {
    on_both(|store| async move {
        let run = claim(&store, "a").await;
        let (id, state) = (contact().id, async || {
            let effect = store.effect(WORKSPACE, contact().id).await.unwrap().unwrap();
            (effect.state, effect.remote_id)
        });
        let first = intended(&store, &run, &want("x")).await;
        store.fail_effect(id, first, true, "timed_out").await.unwrap();
        let audit = store.begin_audit(&asked(Action::ResolveEffects), store.now()).await.unwrap();
        assert!(store.resolve_effect(&audit, WORKSPACE, id, false).await.unwrap());
        let second = intended(&store, &run, &want("y")).await;
        store.fail_effect(id, first, false, "too_late").await.unwrap();
        assert!(!store.confirm_effect(id, (first, "x"), "old", None).await.unwrap());
        assert_eq!(state().await, ("intent".into(), None));
        store.fail_effect(id, second, true, "timed_out").await.unwrap();
        assert!(!store.confirm_effect(id, (first, "x"), "old", None).await.unwrap());
        assert_eq!(state().await, ("unknown".into(), None));
        assert!(store.confirm_effect(id, (second, "y"), "new", None).await.unwrap(), "it is known after all");
        assert!(!store.confirm_effect(id, (first, "x"), "old", None).await.unwrap());
        store.found_effect(id, "old", None).await.unwrap();
        assert_eq!(state().await, ("confirmed".into(), Some("new".into())));
    })
    .await;
}

#[tokio::test]
async fn what_the_destination_did_not_have_says_nothing_of_what_was_sent_since() {
    on_both(|store| async move {
        let run = claim(&store, "a").await;
        let asked_at = intended(&store, &run, &want("x")).await;
        store.fail_effect(contact().id, asked_at, true, "timed_out").await.unwrap();
        store.absent_effect(contact().id).await.unwrap();
        let absent_since = store.effect(WORKSPACE, contact().id).await.unwrap().unwrap().absent_at.unwrap();
        store.confirm_effect(contact().id, (asked_at, "x"), "003A", None).await.unwrap();
        store.absent_effect(contact().id).await.unwrap();
        store.still_absent_effect(contact().id, absent_since).await.unwrap();
        let effect = store.effect(WORKSPACE, contact().id).await.unwrap().unwrap();
        assert_eq!((effect.state.as_str(), effect.remote_id.as_deref()), ("confirmed", Some("003A")));
    })
    .await;
}
