//! When this process may declare other processes dead.
//!
//! While the store is down nobody can renew a lease. When it is back, every lease is over although nobody died. So a
//! process that could not renew its own lease gives the others time to renew theirs: as long as a process takes from
//! one renewal to the next. The same holds for a process that stood still and for one that has just started, because
//! they do not know whether the store was there.

use std::time::Duration;

use tokio::time::Instant;

#[derive(Debug)]
pub(super) struct Renewals {
    /// The time between two renewals, while nothing fails.
    pause: Duration,
    last: Instant,
    /// Since when every renewal came in time. Absent while renewals fail.
    in_time_since: Option<Instant>,
}

impl Renewals {
    pub(super) fn first(length: Duration, answered: Instant) -> Self {
        Self { pause: length / 3, last: answered, in_time_since: Some(answered) }
    }

    pub(super) fn succeeded(&mut self, asked: Instant, answered: Instant) {
        if self.in_time_since.is_none() || self.is_late(answered) {
            self.in_time_since = Some(answered);
        }
        self.last = asked;
    }

    pub(super) fn failed(&mut self) {
        self.in_time_since = None;
    }

    /// How long until this process may declare others dead, if its renewals succeed until then. Zero: it may do so now.
    pub(super) fn may_judge_in(&self, now: Instant) -> Duration {
        match self.in_time_since {
            Some(since) if !self.is_late(now) => self.pause.saturating_sub(now.duration_since(since)),
            _ => self.pause,
        }
    }

    fn is_late(&self, now: Instant) -> bool {
        now.duration_since(self.last) > self.pause * 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LENGTH: Duration = Duration::from_secs(30);

    /// The renewals of a process that took its lease a minute ago and renewed it every ten seconds, and a clock that
    /// starts now.
    fn a_minute_of_renewals() -> (Renewals, impl Fn(u64) -> Instant) {
        let began = Instant::now();
        let at = move |seconds| began + Duration::from_secs(60 + seconds);
        let mut renewals = Renewals::first(LENGTH, began);
        for seconds in 1..=6 {
            let renewed = began + Duration::from_secs(seconds * 10);
            renewals.succeeded(renewed, renewed);
        }
        (renewals, at)
    }

    fn may_judge_in(renewals: &Renewals, now: Instant) -> u64 {
        renewals.may_judge_in(now).as_secs()
    }

    #[test]
    fn a_process_that_renews_in_time_may_judge() {
        let (renewals, at) = a_minute_of_renewals();
        assert_eq!([0, 5, 11, 20].map(|now| may_judge_in(&renewals, at(now))), [0; 4]);
    }

    #[test]
    fn a_process_that_has_just_started_lets_the_others_renew_first() {
        let began = Instant::now();
        let renewals = Renewals::first(LENGTH, began);
        let after = |seconds| may_judge_in(&renewals, began + Duration::from_secs(seconds));
        assert_eq!([0, 4, 10].map(after), [10, 6, 0]);
    }

    #[test]
    fn a_process_that_could_not_renew_lets_the_others_renew_first() {
        let (mut renewals, at) = a_minute_of_renewals();
        renewals.failed();
        assert_eq!(may_judge_in(&renewals, at(15)), 10);
        // The store came back while this renewal waited.
        renewals.succeeded(at(40), at(46));
        assert_eq!([46, 50, 56].map(|now| may_judge_in(&renewals, at(now))), [10, 6, 0]);
    }

    #[test]
    fn a_process_that_stood_still_lets_the_others_renew_first() {
        let (mut renewals, at) = a_minute_of_renewals();
        assert_eq!(
            may_judge_in(&renewals, at(45)),
            10,
            "the process has not noticed yet that it stood still"
        );
        renewals.succeeded(at(45), at(45));
        assert_eq!([45, 50, 55].map(|now| may_judge_in(&renewals, at(now))), [10, 5, 0]);
    }
}
