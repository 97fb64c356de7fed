//! The sums of a period.

use std::time::Duration;

use chrono_tz::Tz;
use domain::call::CallDetails;
use domain::moment::Moment;
use domain::period::{Period, date_of_number, number_of};
use domain::principal::Sees;
use store::{Action, CallFilter, Dashboard, Page, Scope, Store, Walk, Write};

use crate::databases::{WORKSPACE, arrival, on_both, request, take_in};
use crate::searching::{analysis, only_of, said, settle};

const HOUR: i64 = 3_600_000_000;

fn scope(store: &Store, zone: Tz) -> Scope {
    let period = Period::usual(store.now(), zone);
    Scope { period, agent: None, team: None, source: None, direction: None }
}

async fn dashboard(store: &Store, scope: &Scope) -> Dashboard {
    store.dashboard(WORKSPACE, scope, &Sees::All).await.unwrap()
}

/// An analyzed call of this agent that began so many hours ago.
pub(crate) async fn call(store: &Store, name: &str, agent: &str, hours_ago: i64) {
    let mut call = arrival(name, Some(name));
    call.details = CallDetails {
        started_at: Some(Moment::from_micros(store.now().micros() - hours_ago * HOUR)),
        agent_name: Some(agent.into()),
        department: Some("Support".into()),
        duration_ms: Some(60_000),
        from_number: Some("+12025550131".into()),
        ..CallDetails::default()
    };
    take_in(store, &call).await;
    settle(store, call.call, "transcription", 1, Write::Transcript(said(&["Hello."]))).await;
    settle(store, call.call, "analysis", 1, Write::Analysis(Box::new(analysis("Done.")))).await;
}

/// The sums are the same before and after facts are added up to days, and after the rows of days are merged.
async fn always(store: &Store, scope: &Scope, check: impl Fn(&Dashboard)) {
    let before = dashboard(store, scope).await;
    check(&before);
    while store.roll_up_facts(1, Duration::ZERO).await.unwrap() > 0 {}
    assert_eq!(dashboard(store, scope).await, before);
    while store.sum_up_months().await.unwrap() > 0 {}
    assert_eq!(dashboard(store, scope).await, before);
    // A day that is merged is taken out of its month, and added again.
    while store.merge_sums(0).await.unwrap() > 0 {}
    assert_eq!(dashboard(store, scope).await, before);
    while store.sum_up_months().await.unwrap() > 0 {}
    while store.merge_sums(0).await.unwrap() > 0 {}
    assert_eq!(dashboard(store, scope).await, before);
}

#[tokio::test]
async fn a_dashboard_sums_up_a_period_by_agent_team_source_and_day() {
    on_both(|store| async move {
        for (name, agent, hours) in
            [("a", "Ann", 1), ("b", "Ann", 50), ("c", "Bob", 50), ("d", "Bob", 24 * 40)]
        {
            call(&store, name, agent, hours).await;
        }
        take_in(&store, &arrival("announced", None)).await;
        let all = scope(&store, Tz::UTC);
        always(&store, &all, |found| {
            let sums = found.sums;
            assert_eq!((sums.calls, sums.analyzed, sums.by_builtin, sums.timed), (4, 3, 3, 3));
            assert_eq!((sums.duration_ms, sums.interruptions, sums.silence_ms), (180_000, 6, 1500));
            assert_eq!((sums.agent_talk_ms, sums.customer_talk_ms), (9000, 3000));
            assert_eq!((sums.neutral, sums.upset, sums.resolved), (3, 3, 3));
            assert_eq!(found.before.calls, 1);
            let agents: Vec<_> =
                found.agents.iter().map(|(name, sums)| (name.as_deref(), sums.calls)).collect();
            assert_eq!(agents, [(Some("Ann"), 2), (None, 1), (Some("Bob"), 1)]);
            assert_eq!(found.teams[0].0.as_deref(), Some("Support"));
            assert_eq!(found.directions[0].0.as_deref(), Some("incoming"));
            assert_eq!((found.topics.as_slice(), found.topic_calls), (&[("billing".to_owned(), 3)][..], 3));
            assert_eq!(found.trend.iter().map(|(_, sums)| sums.calls).sum::<i64>(), 4);
            assert_eq!(found.trend.len(), 30);
        })
        .await;
        let anns = Scope { agent: Some("Ann".into()), ..all.clone() };
        assert_eq!(dashboard(&store, &anns).await.sums.calls, 2);
        let bob = only_of("Bob");
        assert_eq!(store.dashboard(WORKSPACE, &anns, &bob).await.unwrap().sums.calls, 1);
    })
    .await;
}

#[tokio::test]
async fn another_time_zone_and_a_part_of_a_day_are_counted_from_the_calls() {
    on_both(|store| async move {
        for (name, hours) in [("a", 1), ("b", 30), ("c", 100)] {
            call(&store, name, "Ann", hours).await;
        }
        let utc = scope(&store, Tz::UTC);
        let now = store.now();
        let period = Period { from: Moment::from_micros(now.micros() - 99 * HOUR), to: now, zone: Tz::UTC };
        always(&store, &Scope { period, ..utc.clone() }, |found| assert_eq!(found.sums.calls, 2)).await;
        let kolkata = Scope { period: Period { zone: Tz::Asia__Kolkata, ..utc.period }, ..utc.clone() };
        let found = dashboard(&store, &kolkata).await;
        assert_eq!(found.trend.iter().map(|(_, sums)| sums.calls).sum::<i64>(), 3);
    })
    .await;
}

#[tokio::test]
async fn a_fact_that_changes_after_it_was_added_up_is_taken_out_and_added_again() {
    on_both(|store| async move {
        call(&store, "a", "Ann", 1).await;
        assert_eq!(store.roll_up_facts(10, Duration::ZERO).await.unwrap(), 1);
        assert_eq!(store.roll_up_facts(10, Duration::ZERO).await.unwrap(), 0);
        let facts = CallDetails {
            agent_name: Some("Bob".into()),
            duration_ms: Some(90_000),
            ..CallDetails::default()
        };
        store.add_facts(WORKSPACE, arrival("a", None).call, &facts).await.unwrap();
        always(&store, &scope(&store, Tz::UTC), |found| {
            let agents: Vec<_> =
                found.agents.iter().map(|(name, sums)| (name.as_deref(), sums.duration_ms)).collect();
            assert_eq!((found.sums.calls, agents), (1, vec![(Some("Bob"), 90_000)]));
        })
        .await;
    })
    .await;
}

/// The days up to today, so many of them.
fn days(store: &Store, count: i64, zone: Tz) -> Scope {
    let (_, today) = Period::usual(store.now(), zone).dates();
    let period = Period::of_days(date_of_number(number_of(today) - count + 1), today, zone);
    Scope { period, ..scope(store, zone) }
}

#[tokio::test]
async fn a_year_is_summed_up_by_month_and_a_late_change_and_a_deletion_are_in_the_month() {
    on_both(|store| async move {
        for (name, agent, days) in [
            ("a", "Ann", 0),
            ("b", "Bob", 40),
            ("c", "Ann", 41),
            ("d", "Bob", 100),
            ("e", "Ann", 200),
            ("f", "Ann", 380),
        ] {
            call(&store, name, agent, days * 24).await;
        }
        let year = days(&store, 365, Tz::UTC);
        let half = days(&store, 150, Tz::UTC);
        always(&store, &year, |found| {
            assert_eq!((found.sums.calls, found.sums.duration_ms, found.before.calls), (5, 300_000, 1));
            assert!((12..=13).contains(&found.trend.len()), "{}", found.trend.len());
            let agents: Vec<_> =
                found.agents.iter().map(|(name, sums)| (name.as_deref(), sums.calls)).collect();
            assert_eq!(agents, [(Some("Ann"), 3), (Some("Bob"), 2)]);
        })
        .await;
        always(&store, &half, |found| assert_eq!(found.sums.calls, 4)).await;
        assert_eq!(store.sum_up_months().await.unwrap(), 0, "every month that is over is there");
        let facts = CallDetails { duration_ms: Some(90_000), ..CallDetails::default() };
        store.add_facts(WORKSPACE, arrival("d", None).call, &facts).await.unwrap();
        let audit = store.begin_audit(&request(Action::RemoveSamples), store.now()).await.unwrap();
        store.delete_call(&audit, WORKSPACE, arrival("e", None).call).await.unwrap().unwrap();
        always(&store, &year, |found| {
            assert_eq!((found.sums.calls, found.sums.duration_ms, found.sums.analyzed), (4, 270_000, 4));
            assert_eq!(found.trend.iter().map(|(_, sums)| sums.calls).sum::<i64>(), 4);
        })
        .await;
        let kolkata = days(&store, 365, Tz::Asia__Kolkata);
        assert_eq!(dashboard(&store, &kolkata).await.sums.calls, 4, "another zone counts the calls");
    })
    .await;
}

#[tokio::test]
async fn the_list_counts_each_call_once_whether_its_fact_is_summed_up_or_not() {
    on_both(|store| async move {
        for (name, agent, hours) in [("a", "Ann", 1), ("b", "Bob", 50), ("c", "Bob", 24 * 40)] {
            call(&store, name, agent, hours).await;
        }
        let counted = async |source: Option<&str>| {
            let filter = CallFilter { source: source.map(str::to_owned), ..CallFilter::default() };
            store.calls(WORKSPACE, &filter, Page { offset: 0, limit: 1 }).await.unwrap().1
        };
        let always = async |calls| {
            assert_eq!((counted(None).await, counted(Some("exotel")).await), (calls, calls));
            assert_eq!(counted(Some("zapier")).await, 0);
        };
        always(3).await;
        // From the end of the walk on, the calls are counted from the sums.
        while store.catch_up_index().await.unwrap() == Walk::GoesOn {}
        always(3).await;
        store.roll_up_facts(2, Duration::ZERO).await.unwrap();
        always(3).await;
        while store.roll_up_facts(1, Duration::ZERO).await.unwrap() > 0 {}
        while store.sum_up_months().await.unwrap() > 0 {}
        always(3).await;
        take_in(&store, &arrival("announced", None)).await;
        always(4).await;
        let audit = store.begin_audit(&request(Action::RemoveSamples), store.now()).await.unwrap();
        store.delete_call(&audit, WORKSPACE, arrival("c", None).call).await.unwrap();
        always(3).await;
        while store.merge_sums(0).await.unwrap() > 0 {}
        always(3).await;
    })
    .await;
}
