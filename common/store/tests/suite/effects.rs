//! What the ledger of effects allows.

use std::time::Duration;

use domain::call::{CallStatus, WorkspaceId};
use domain::moment::Moment;
use store::{Action, Claim, EffectKey, ErrorText, Intent, Page, Settled, Settlement, Store, WantedEffect};
use uuid::Uuid;

use crate::databases::{WORKSPACE, arrival, on_both, request, run, take, take_in};

const EVERYTHING: Page = Page { offset: 0, limit: 1000 };

async fn claim(store: &Store, call: &str) -> Claim {
    let arrived = arrival(call, Some(call));
    take_in(store, &arrived).await;
    take(store, run(arrived.call, "transcription", 1)).await.1
}

fn contact() -> EffectKey {
    EffectKey::new(WORKSPACE.0, "salesforce", "contact:helen@example.com")
}

/// What a run that asks now may do about the contact.
async fn intend(store: &Store, claim: &Claim, want: &WantedEffect) -> Intent {
    store.intend(claim, &contact(), want, store.now()).await.unwrap()
}

/// Writes the intent to make the contact. Returns when it was asked for.
async fn intended(store: &Store, claim: &Claim, want: &WantedEffect) -> Moment {
    let asked_at = store.now();
    let intent = store.intend(claim, &contact(), want, asked_at).await.unwrap();
    assert!(matches!(intent, Intent::Send { .. }), "{intent:?}");
    asked_at
}

fn want(digest: &str) -> WantedEffect {
    WantedEffect {
        digest: digest.into(),
        generation: 1,
        timeout: Duration::from_mins(1),
        can_update: true,
        resend_unknown: false,
    }
}

#[tokio::test]
async fn if_two_calls_share_a_contact_one_sends_and_the_other_waits() {
    on_both(|store| async move {
        let (first, second) = (claim(&store, "a").await, claim(&store, "b").await);
        let asked_at = intended(&store, &first, &want("x")).await;
        assert!(matches!(intend(&store, &second, &want("x")).await, Intent::Wait(_)));
        assert!(store.confirm_effect(contact().id, (asked_at, "x"), "003A", None).await.unwrap());
        let done = Intent::Done { remote_id: Some("003A".into()), replaced: None };
        assert_eq!(intend(&store, &second, &want("x")).await, done);
        let changed = intend(&store, &second, &want("y")).await;
        assert_eq!(changed, Intent::Send { prior: Some("003A".into()) });
    })
    .await;
}

#[tokio::test]
async fn an_intent_whose_answer_was_lost_is_given_again_to_the_same_process() {
    on_both(|store| async move {
        let claim = claim(&store, "a").await;
        let asked_at = store.now();
        let (key, want_it) = (contact(), want("x"));
        let ask = || store.intend(&claim, &key, &want_it, asked_at);
        assert_eq!(ask().await.unwrap(), Intent::Send { prior: None });
        assert_eq!(ask().await.unwrap(), Intent::Send { prior: None });
        assert!(matches!(intend(&store, &claim, &want("x")).await, Intent::Wait(_)));
    })
    .await;
}

#[tokio::test]
async fn a_run_that_was_taken_over_may_not_send() {
    on_both(|store| async move {
        let lost = claim(&store, "a").await;
        store.end_instance(lost.owner).await.unwrap();
        take(&store, lost.run).await;
        assert_eq!(intend(&store, &lost, &want("x")).await, Intent::NotOurs);
    })
    .await;
}

#[tokio::test]
async fn a_request_that_certainly_failed_is_sent_again_and_one_that_may_have_arrived_is_not() {
    on_both(|store| async move {
        let claim = claim(&store, "a").await;
        let asked_at = intended(&store, &claim, &want("x")).await;
        store.fail_effect(contact().id, asked_at, false, "refused").await.unwrap();
        let asked_at = intended(&store, &claim, &want("x")).await;
        store.fail_effect(contact().id, asked_at, true, "timed_out").await.unwrap();
        assert!(matches!(intend(&store, &claim, &want("x")).await, Intent::Wait(_)));
        let listed = store.effects_of(WORKSPACE, claim.run.call).await.unwrap();
        assert_eq!(
            (listed[0].state.as_str(), listed[0].error_code.as_deref()),
            ("unknown", Some("timed_out"))
        );
        store.void_effect(contact().id).await.unwrap();
        assert_eq!(intend(&store, &claim, &want("x")).await, Intent::Send { prior: None });
    })
    .await;
}

#[tokio::test]
async fn a_record_that_the_destination_cannot_change_is_shown_as_outdated() {
    on_both(|store| async move {
        let claim = claim(&store, "a").await;
        let fixed = |digest| WantedEffect { can_update: false, ..want(digest) };
        let asked_at = intended(&store, &claim, &fixed("x")).await;
        store.confirm_effect(contact().id, (asked_at, "x"), "1", None).await.unwrap();
        assert!(matches!(intend(&store, &claim, &fixed("y")).await, Intent::Done { .. }));
        assert_eq!(store.effects_of(WORKSPACE, claim.run.call).await.unwrap()[0].state, "outdated");
    })
    .await;
}

#[tokio::test]
async fn another_call_may_change_a_shared_record_whatever_generation_each_of_them_has() {
    on_both(|store| async move {
        let (first, second) = (claim(&store, "a").await, claim(&store, "b").await);
        let newer = WantedEffect { generation: 2, ..want("x") };
        let asked_at = intended(&store, &first, &newer).await;
        store.confirm_effect(contact().id, (asked_at, "x"), "003A", None).await.unwrap();
        let changed = intend(&store, &second, &want("y")).await;
        assert_eq!(changed, Intent::Send { prior: Some("003A".into()) });
    })
    .await;
}

/// A run of `call` that is parked, because nobody knows whether the contact was made.
async fn parked_for_the_contact(store: &Store, call: &str) -> Claim {
    let claim = claim(store, call).await;
    let asked_at = intended(store, &claim, &want("x")).await;
    store.fail_effect(contact().id, asked_at, true, "timed_out").await.unwrap();
    let destination = format!("effect:{}", contact().id);
    let error = ErrorText { code: "effect_unknown", text: "nobody knows" };
    let probe_at = store.now().plus(Duration::from_mins(10));
    let parked = Settlement::Parked { destination: &destination, probe_at, error };
    assert_eq!(store.settle_run(&claim, &parked).await.unwrap(), Settled::Yes);
    claim
}

#[tokio::test]
async fn effects_that_are_not_confirmed_are_listed_page_by_page_oldest_first() {
    on_both(|store| async move {
        let claim = claim(&store, "a").await;
        let keys = ["one", "two", "three", "sent"].map(|object| EffectKey::new(WORKSPACE.0, "slack", object));
        for (since, key) in (0..).zip(&keys) {
            let asked_at = store.now().plus(Duration::from_millis(since));
            store.intend(&claim, key, &want("x"), asked_at).await.unwrap();
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
async fn a_person_resolves_an_unknown_effect_and_the_runs_that_wait_for_it_are_woken() {
    on_both(|store| async move {
        let claim = parked_for_the_contact(&store, "a").await;
        let (open, total) = store.open_effects(WORKSPACE, EVERYTHING).await.unwrap();
        let audit = store.begin_audit(&request(Action::ResolveEffects), store.now()).await.unwrap();
        assert_eq!(open.iter().map(|effect| effect.id).collect::<Vec<_>>(), [contact().id]);
        assert_eq!(total, 1);
        assert!(store.resolve_effect(&audit, WORKSPACE, contact().id, true).await.unwrap());
        assert_eq!(store.effect(WORKSPACE, contact().id).await.unwrap().unwrap().state, "confirmed");
        assert_eq!(store.open_effects(WORKSPACE, EVERYTHING).await.unwrap(), (Vec::new(), 0));
        assert_eq!(store.runs(WORKSPACE, claim.run.call).await.unwrap()[0].state, "waiting");
        assert_eq!(store.call(WORKSPACE, claim.run.call).await.unwrap().unwrap().status, CallStatus::Queued);
        let due = store.due_runs(10, true).await.unwrap();
        assert_eq!(due.iter().map(|due| due.call_id).collect::<Vec<_>>(), [claim.run.call]);
        assert!(
            !store.resolve_effect(&audit, WORKSPACE, contact().id, false).await.unwrap(),
            "the effect is not in doubt any more"
        );
    })
    .await;
}

#[tokio::test]
async fn an_effect_that_a_person_wants_again_is_sent_again_unless_its_request_is_on_its_way() {
    on_both(|store| async move {
        let claim = claim(&store, "a").await;
        let audit = store.begin_audit(&request(Action::ResolveEffects), store.now()).await.unwrap();
        let asked_at = intended(&store, &claim, &want("x")).await;
        assert!(
            !store.resolve_effect(&audit, WORKSPACE, contact().id, false).await.unwrap(),
            "its request is on its way"
        );
        store.fail_effect(contact().id, asked_at, true, "timed_out").await.unwrap();
        assert!(!store.resolve_effect(&audit, WorkspaceId(Uuid::nil()), contact().id, false).await.unwrap());
        assert!(store.resolve_effect(&audit, WORKSPACE, contact().id, false).await.unwrap());
        assert_eq!(intend(&store, &claim, &want("x")).await, Intent::Send { prior: None });
    })
    .await;
}

#[tokio::test]
async fn an_answer_that_comes_late_counts_for_its_own_request_and_for_no_newer_one() {
    on_both(|store| async move {
        let claim = claim(&store, "a").await;
        let (id, state) = (contact().id, async || {
            let effect = store.effect(WORKSPACE, contact().id).await.unwrap().unwrap();
            (effect.state, effect.remote_id)
        });
        let first = intended(&store, &claim, &want("x")).await;
        store.fail_effect(id, first, true, "timed_out").await.unwrap();
        let audit = store.begin_audit(&request(Action::ResolveEffects), store.now()).await.unwrap();
        assert!(store.resolve_effect(&audit, WORKSPACE, id, false).await.unwrap());
        let second = intended(&store, &claim, &want("y")).await;
        store.fail_effect(id, first, false, "too_late").await.unwrap();
        assert!(!store.confirm_effect(id, (first, "x"), "old", None).await.unwrap());
        assert_eq!(state().await, ("intent".into(), None));
        store.fail_effect(id, second, true, "timed_out").await.unwrap();
        assert!(!store.confirm_effect(id, (first, "x"), "old", None).await.unwrap());
        assert_eq!(state().await, ("unknown".into(), None));
        assert!(store.confirm_effect(id, (second, "y"), "new", None).await.unwrap(), "now it is known");
        assert!(!store.confirm_effect(id, (first, "x"), "old", None).await.unwrap());
        store.record_found_effect(id, "old", None).await.unwrap();
        assert_eq!(state().await, ("confirmed".into(), Some("new".into())));
    })
    .await;
}

#[tokio::test]
async fn an_absent_record_says_nothing_about_a_request_that_was_sent_later() {
    on_both(|store| async move {
        let claim = claim(&store, "a").await;
        let asked_at = intended(&store, &claim, &want("x")).await;
        store.fail_effect(contact().id, asked_at, true, "timed_out").await.unwrap();
        store.record_absent_effect(contact().id).await.unwrap();
        let absent_since = store.effect(WORKSPACE, contact().id).await.unwrap().unwrap().absent_at.unwrap();
        store.confirm_effect(contact().id, (asked_at, "x"), "003A", None).await.unwrap();
        store.record_absent_effect(contact().id).await.unwrap();
        store.record_effect_not_sent(contact().id, absent_since).await.unwrap();
        let effect = store.effect(WORKSPACE, contact().id).await.unwrap().unwrap();
        assert_eq!((effect.state.as_str(), effect.remote_id.as_deref()), ("confirmed", Some("003A")));
    })
    .await;
}
