//! The places of a worker, as far as its runs wait in them for other people's systems.
//!
//! A worker holds a fixed number of deliveries. If all of them waited for slow systems, work that needs nobody else, such
//! as reading a transcript that came with its call, would wait behind them. So each destination has a share of the places,
//! and the hosts from which recordings are fetched have a share together and a smaller one each. The shares leave some
//! places to work that needs nobody else.
//!
//! A run that finds the share of its destination taken waits in the worker, if few others do. Otherwise it gives its
//! place back and comes again when its turn should be: the shorter the runs before it take, the sooner. That spends no
//! attempt.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::table::{Lane, QueueSpec};

/// The shortest and the longest time after which a run comes again.
const SOONEST: Duration = Duration::from_secs(1);
const LATEST: Duration = Duration::from_mins(1);
/// How much the last run counts in the average time for which runs hold a place.
const NEWEST_COUNTS: f64 = 0.2;

/// For whom a run waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whom<'a> {
    /// A destination of our own configuration, such as `salesforce`.
    Provider(&'a str),
    /// A host from which a recording is fetched. Anybody who sends calls can name any host.
    Host(&'a str),
}

impl Whom<'_> {
    /// The name by which people see it.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Provider(name) | Self::Host(name) => name,
        }
    }
}

/// How many places of one lane of a worker may be used at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Limits {
    provider: usize,
    hosts: usize,
    host: usize,
    /// How many runs may wait in the worker until a share has room.
    waiting: usize,
}

impl Limits {
    fn of(spec: &QueueSpec, lane: Lane) -> Self {
        let places = usize::from(spec.prefetch_of(lane));
        let part = |share: usize, of: usize| (places * share / of).max(1);
        Self {
            provider: part(spec.provider_share.0, spec.provider_share.1),
            hosts: part(3, 8),
            host: part(1, 8),
            waiting: part(1, 8),
        }
    }
}

/// The places of one lane of one worker.
#[derive(Debug)]
pub(crate) struct Places {
    limits: Limits,
    lines: Mutex<Lines>,
    freed: Notify,
}

#[derive(Debug, Default)]
struct Lines {
    by_name: HashMap<Line, State>,
    waiting: usize,
}

/// What has a share of its own.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Line {
    Provider(String),
    AllHosts,
    Host(String),
}

#[derive(Debug, Default)]
struct State {
    held: usize,
    /// The average time for which a run holds a place, in seconds.
    average_s: f64,
    /// When the run that was sent away last comes again.
    turn: Option<Instant>,
}

/// A place, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    places: Arc<Places>,
    lines: Vec<Line>,
    since: Instant,
}

/// The share is taken, and enough other runs wait for it already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoPlace {
    /// When the turn of the run should be.
    pub(crate) come_again_in: Duration,
}

impl Places {
    pub(crate) fn of(spec: &QueueSpec, lane: Lane) -> Arc<Self> {
        Arc::new(Self { limits: Limits::of(spec, lane), lines: Mutex::default(), freed: Notify::new() })
    }

    /// Takes a place in which a run waits for `whom`.
    pub(crate) async fn take(self: &Arc<Self>, whom: Whom<'_>) -> Result<Place, NoPlace> {
        let lines = match whom {
            Whom::Provider(name) => vec![Line::Provider(name.to_owned())],
            Whom::Host(name) => vec![Line::AllHosts, Line::Host(name.to_owned())],
        };
        let mut waiting: Option<Waiting<'_>> = None;
        loop {
            // Registered before the look, so that no place is freed unnoticed in between.
            let freed = self.freed.notified();
            tokio::pin!(freed);
            freed.as_mut().enable();
            {
                let mut all = self.lines();
                let Some(taken) = lines.iter().find(|line| all.held(line) >= self.limit(line)) else {
                    for line in &lines {
                        all.by_name.entry(line.clone()).or_default().held += 1;
                    }
                    return Ok(Place { places: Arc::clone(self), lines, since: Instant::now() });
                };
                if waiting.is_none() {
                    if all.waiting >= self.limits.waiting {
                        return Err(all.turn(taken, self.limit(taken)));
                    }
                    all.waiting += 1;
                    waiting = Some(Waiting(self));
                }
            }
            freed.await;
        }
    }

    fn limit(&self, line: &Line) -> usize {
        match line {
            Line::Provider(_) => self.limits.provider,
            Line::AllHosts => self.limits.hosts,
            Line::Host(_) => self.limits.host,
        }
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lines {
    fn held(&self, line: &Line) -> usize {
        self.by_name.get(line).map_or(0, |state| state.held)
    }

    /// Gives out the next turn behind a share that is taken.
    fn turn(&mut self, line: &Line, limit: usize) -> NoPlace {
        let now = Instant::now();
        let state = self.by_name.entry(line.clone()).or_default();
        #[expect(clippy::cast_precision_loss, reason = "a number of places")]
        let one = Duration::from_secs_f64((state.average_s / limit as f64).clamp(0.0, LATEST.as_secs_f64()));
        let turn = (state.turn.unwrap_or(now) + one).clamp(now + SOONEST, now + LATEST);
        state.turn = Some(turn);
        NoPlace { come_again_in: turn - now }
    }
}

/// A run that waits in the worker.
struct Waiting<'a>(&'a Places);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.lines().waiting -= 1;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let (now, held_s) = (Instant::now(), self.since.elapsed().as_secs_f64());
        let mut all = self.places.lines();
        for line in &self.lines {
            if let Some(state) = all.by_name.get_mut(line) {
                state.held -= 1;
                state.average_s += NEWEST_COUNTS * (held_s - state.average_s);
            }
        }
        // Anybody can name a new host with each call, so what nobody uses is forgotten.
        all.by_name.retain(|_, state| state.held > 0 || state.turn.is_some_and(|turn| turn > now));
        drop(all);
        self.places.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;
    use crate::table::{CRM, TRANSCRIPTION};

    fn transcription() -> Arc<Places> {
        Places::of(&TRANSCRIPTION.spec, Lane::Live)
    }

    /// Takes places until one has to be waited for.
    fn take_all(places: &Arc<Places>, whom: Whom<'_>) -> Vec<Place> {
        std::iter::from_fn(|| places.take(whom).now_or_never()?.ok()).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn no_kind_of_waiting_takes_all_places_of_a_worker() {
        for lane in Lane::BOTH {
            let places = Places::of(&TRANSCRIPTION.spec, lane);
            let one_host = take_all(&places, Whom::Host("slow.example.com"));
            let hosts: Vec<Place> =
                (0..100).flat_map(|n| take_all(&places, Whom::Host(&format!("{n}.example.com")))).collect();
            let provider = take_all(&places, Whom::Provider("assemblyai"));
            assert!(!hosts.is_empty(), "one host leaves places to others ({lane:?})");
            assert!(!provider.is_empty(), "hosts leave places to the provider ({lane:?})");
            let used = one_host.len() + hosts.len() + provider.len() + places.limits.waiting;
            let all = usize::from(TRANSCRIPTION.spec.prefetch_of(lane));
            assert!(used < all, "{used} of {all} places of {lane:?} can be held from outside");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_provider_that_hangs_leaves_half_of_the_places_to_the_other() {
        let places = Places::of(&CRM.spec, Lane::Live);
        let half = usize::from(CRM.spec.prefetch / 2);
        assert_eq!(take_all(&places, Whom::Provider("salesforce")).len(), half);
    }

    #[tokio::test(start_paused = true)]
    async fn a_few_runs_wait_in_the_worker_and_the_others_are_sent_away() {
        let places = transcription();
        let whom = Whom::Host("slow.example.com");
        let mut held: Vec<Place> =
            (0..places.limits.host).map(|_| places.take(whom).now_or_never().unwrap().unwrap()).collect();
        let mut waiting: Vec<_> = (0..places.limits.waiting).map(|_| Box::pin(places.take(whom))).collect();
        for one in &mut waiting {
            assert!(futures::poll!(one).is_pending());
        }
        let away = places.take(whom).now_or_never().unwrap().unwrap_err();
        assert_eq!(away.come_again_in, SOONEST);
        held.pop();
        let first = waiting.remove(0).await;
        first.expect("the place that was freed");
        // A run that is given up while it waits makes room for another that waits.
        drop(waiting);
        let mut another = Box::pin(places.take(whom));
        assert!(futures::poll!(&mut another).is_ready(), "the first one has ended meanwhile");
        assert_eq!(places.lines().waiting, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn the_turns_of_runs_that_are_sent_away_are_as_far_apart_as_the_runs_before_take() {
        let places = transcription();
        let whom = Whom::Host("slow.example.com");
        let held = take_all(&places, whom);
        tokio::time::advance(Duration::from_secs(40)).await;
        drop(held);
        let _held: Vec<Place> =
            (0..places.limits.host).map(|_| places.take(whom).now_or_never().unwrap().unwrap()).collect();
        let mut waiting: Vec<_> = (0..places.limits.waiting).map(|_| Box::pin(places.take(whom))).collect();
        for one in &mut waiting {
            assert!(futures::poll!(one).is_pending());
        }
        let turns: Vec<Duration> =
            (0..50).map(|_| places.take(whom).now_or_never().unwrap().unwrap_err().come_again_in).collect();
        assert!(turns.is_sorted(), "{turns:?}");
        assert!(turns.iter().all(|turn| (SOONEST..=LATEST).contains(turn)), "{turns:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn hosts_that_nobody_waits_for_any_more_are_forgotten() {
        let places = transcription();
        for n in 0..1000 {
            drop(take_all(&places, Whom::Host(&format!("{n}.example.com"))));
        }
        assert_eq!(places.lines().by_name.len(), 0);
    }
}
