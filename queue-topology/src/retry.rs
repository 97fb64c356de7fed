//! What happens to a run that failed: a pure function of its failure and its history.

use std::time::Duration;

use domain::fault::Fault;
use platform::config::{ConfigError, Values};

/// How old a generation may grow while a destination keeps telling us to wait.
const MAX_AGE: Duration = Duration::from_hours(24);
const MAX_DELAY: Duration = Duration::from_hours(24);

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// The delays after the first, the second … failed attempt. The last one repeats. The list is never empty.
    delays: Vec<Duration>,
    max_attempts: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    Again {
        after: Duration,
        /// Whether the attempt counts.
        spent: bool,
    },
    /// The run waits for its destination, which is probed after this time.
    Park {
        probe_after: Duration,
    },
    Dead,
}

/// What the decision depends on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Failure {
    pub fault: Fault,
    /// 1 for the first attempt.
    pub attempt: i64,
    /// The time since this generation of the run began to wait.
    pub age: Duration,
    pub retry_after: Option<Duration>,
    /// A random number from 0 to 1, which spreads runs that failed at the same time.
    pub jitter: f64,
}

impl Schedule {
    /// Reads `DEBRIEF_RETRY_SCHEDULE` and `DEBRIEF_MAX_ATTEMPTS`.
    pub fn read(values: &Values) -> Result<Self, ConfigError> {
        let max_attempts = values.number("DEBRIEF_MAX_ATTEMPTS", 7, 1..=1_000_000, "attempts")?;
        Ok(Self { delays: values.durations("DEBRIEF_RETRY_SCHEDULE", "5s,30s,2m,10m,1h,6h")?, max_attempts })
    }

    /// The delay after a failed attempt, without jitter.
    fn delay(&self, attempt: i64) -> Duration {
        let at = usize::try_from(attempt.max(1) - 1).unwrap_or(usize::MAX).min(self.delays.len() - 1);
        self.delays[at]
    }

    pub fn next_try(&self, failure: &Failure) -> Next {
        match failure.fault {
            Fault::Permanent => Next::Dead,
            Fault::Transient if failure.attempt >= self.max_attempts => Next::Dead,
            Fault::Transient => {
                let delay = spread(self.delay(failure.attempt), failure.jitter);
                let after = delay.max(failure.retry_after.unwrap_or_default()).min(MAX_DELAY);
                Next::Again { after, spent: true }
            }
            Fault::Throttled(_) if failure.age > MAX_AGE => Next::Dead,
            Fault::Throttled(wait) => {
                // The run never comes back earlier than it was asked to.
                let after = wait.min(MAX_DELAY) + self.delays[0].min(wait).mul_f64(failure.jitter / 10.0);
                Next::Again { after, spent: false }
            }
            Fault::Unavailable => {
                let probe_after = failure.retry_after.unwrap_or_default().max(self.delay(2)).min(MAX_DELAY);
                Next::Park { probe_after: spread(probe_after, failure.jitter) }
            }
        }
    }
}

/// `delay`, made longer by up to a fifth.
fn spread(delay: Duration, jitter: f64) -> Duration {
    delay + delay.mul_f64(jitter.clamp(0.0, 1.0) / 5.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn schedule() -> Schedule {
        Schedule::read(&Values::of([("DEBRIEF_RETRY_SCHEDULE", "5s,30s,2m")])).unwrap()
    }

    fn failure(fault: Fault, attempt: i64) -> Failure {
        Failure { fault, attempt, age: Duration::ZERO, retry_after: None, jitter: 0.0 }
    }

    fn again(seconds: u64) -> Next {
        Next::Again { after: Duration::from_secs(seconds), spent: true }
    }

    #[test]
    fn delays_follow_the_schedule_and_the_last_one_repeats() {
        let next = |attempt| schedule().next_try(&failure(Fault::Transient, attempt));
        assert_eq!(
            [next(1), next(2), next(3), next(4), next(6), next(7)],
            [again(5), again(30), again(120), again(120), again(120), Next::Dead]
        );
    }

    #[test]
    fn a_longer_retry_after_is_honoured_and_a_shorter_one_does_not_hurry_us() {
        let next = |seconds| {
            let retry_after = Some(Duration::from_secs(seconds));
            schedule().next_try(&Failure { retry_after, ..failure(Fault::Transient, 1) })
        };
        assert_eq!([next(60), next(1)], [again(60), again(5)]);
    }

    #[test]
    fn a_run_that_was_asked_to_wait_spends_no_attempt_and_ends_after_a_day() {
        let throttled = failure(Fault::Throttled(Duration::from_secs(7)), 100);
        let next = schedule().next_try(&throttled);
        assert_eq!(next, Next::Again { after: Duration::from_secs(7), spent: false });
        let old = Failure { age: Duration::from_hours(25), ..throttled };
        assert_eq!(schedule().next_try(&old), Next::Dead);
    }

    #[test]
    fn a_destination_that_is_down_parks_the_run_however_often_it_failed() {
        let next = schedule().next_try(&failure(Fault::Unavailable, 100));
        assert_eq!(next, Next::Park { probe_after: Duration::from_secs(30) });
    }

    #[test]
    fn a_run_that_fails_the_same_way_every_time_is_dead_at_once() {
        assert_eq!(schedule().next_try(&failure(Fault::Permanent, 1)), Next::Dead);
    }

    #[test]
    fn a_schedule_that_cannot_be_read_names_its_variable() {
        let error = Schedule::read(&Values::of([("DEBRIEF_RETRY_SCHEDULE", "soon")])).unwrap_err();
        assert!(error.to_string().starts_with("DEBRIEF_RETRY_SCHEDULE"), "{error}");
    }

    proptest! {
        #[test]
        fn no_failure_comes_back_earlier_than_it_was_asked_to(
            attempt in 1_i64..100, wait in 0_u64..100_000, jitter in 0.0..1.0_f64
        ) {
            let wait = Duration::from_secs(wait);
            let throttled = Failure { jitter, ..failure(Fault::Throttled(wait), attempt) };
            let Next::Again { after, .. } = schedule().next_try(&throttled) else { panic!() };
            prop_assert!(after >= wait.min(MAX_DELAY));
        }
    }
}
