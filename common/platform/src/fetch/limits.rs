//! The limits of one fetch, and whether a host keeps to the slowest rate.
//!
//! A host that sends a byte now and then is never silent, so a limit on silence alone would let it hold a worker's place
//! for as long as the whole fetch may take. So a host has to send a smallest number of bytes in each window of time. Only
//! the time in which we wait for the host counts: it is not the host's fault if our disk is slow.

use std::time::Duration;

use crate::config::{ConfigError, Values};

const TIMEOUT: &str = "DEBRIEF_FETCH_TIMEOUT";
const MIN_KB: &str = "DEBRIEF_FETCH_MIN_KB_PER_S";
/// The delivery of the message stays unacknowledged during the fetch, and RabbitMQ closes a channel when a delivery is
/// unacknowledged for 30 minutes.
const LONGEST: Duration = Duration::from_mins(25);
const MAX_KB: u32 = 1_000_000;

/// The limits of one fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub max_bytes: u64,
    /// The longest time from the first request to the last byte.
    pub total: Duration,
    /// The longest time in which no byte arrives.
    pub stall: Duration,
    /// The slowest rate, in bytes per second. With 0 there is none.
    pub min_rate: u32,
    /// The time over which the rate is looked at.
    pub window: Duration,
    pub redirects: u32,
}

impl Default for Limits {
    /// The limits for recordings. AssemblyAI takes uploads of up to 2.2 GB. An hour of a telephone call as MP3 has some
    /// 15 MB, which a host with 16 kB/s needs 15 minutes for.
    fn default() -> Self {
        Self {
            max_bytes: 2_200_000_000,
            total: Duration::from_mins(20),
            stall: Duration::from_secs(30),
            min_rate: 4 * 1024,
            window: Duration::from_secs(30),
            redirects: 5,
        }
    }
}

impl Limits {
    /// Reads `DEBRIEF_FETCH_TIMEOUT` and `DEBRIEF_FETCH_MIN_KB_PER_S`.
    pub fn read(values: &Values) -> Result<Self, ConfigError> {
        let defaults = Self::default();
        let total = values.duration(TIMEOUT, defaults.total)?;
        if total < Duration::from_secs(1) || total > LONGEST {
            return Err(ConfigError::new(TIMEOUT, "must be from 1s to 25m"));
        }
        let kilobytes = values.parse::<u32>(MIN_KB, "a whole number of kilobytes, or 0")?;
        match kilobytes {
            Some(above) if above > MAX_KB => {
                Err(ConfigError::new(MIN_KB, format!("must be at most {MAX_KB}")))
            }
            Some(kilobytes) => Ok(Self { total, min_rate: kilobytes * 1024, ..defaults }),
            None => Ok(Self { total, ..defaults }),
        }
    }
}

/// How fast a host has sent in the present window.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    waited: Duration,
    bytes: u64,
}

impl Pace {
    /// How long the host may take until the present window ends.
    pub(super) fn left(&self, limits: &Limits) -> Duration {
        if limits.min_rate == 0 { Duration::MAX } else { limits.window.saturating_sub(self.waited) }
    }

    /// Notes that so many bytes came after we waited for so long. Returns false if the window has ended with too few.
    pub(super) fn keeps_up(&mut self, limits: &Limits, waited: Duration, bytes: u64) -> bool {
        self.waited += waited;
        self.bytes += bytes;
        if limits.min_rate == 0 || self.waited < limits.window {
            return true;
        }
        let enough = self.waited.as_secs_f64() * f64::from(limits.min_rate);
        #[expect(clippy::cast_precision_loss, reason = "the bytes of one window are far below 2^52")]
        let kept = self.bytes as f64 >= enough;
        *self = Self::default();
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// How many seconds a host is waited for that sends these numbers of bytes, one in each second and then again from
    /// the first. `None`: it is never given up.
    fn given_up_after(sends: &[u64]) -> Option<u32> {
        let (limits, mut pace) = (Limits::default(), Pace::default());
        (1..=3600).zip(sends.iter().cycle()).find_map(|(second, bytes)| {
            assert!(pace.left(&limits) <= limits.window);
            (!pace.keeps_up(&limits, SECOND, *bytes)).then_some(second)
        })
    }

    #[test]
    fn a_host_that_sends_too_little_is_given_up_at_the_end_of_a_window() {
        assert_eq!(given_up_after(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 1]), Some(30));
        assert_eq!(given_up_after(&[100]), Some(30));
        assert_eq!(given_up_after(&[4095]), Some(30));
    }

    #[test]
    fn a_host_that_is_slow_or_sends_in_bursts_goes_on() {
        assert_eq!(given_up_after(&[4096]), None);
        assert_eq!(given_up_after(&[16_384]), None);
        let mut bursts = [0; 30];
        bursts[29] = 200_000;
        assert_eq!(given_up_after(&bursts), None);
    }

    #[test]
    fn a_fast_start_does_not_pay_for_a_slow_rest() {
        let mut sends = vec![0; 3600];
        sends[0] = 1_000_000_000;
        assert_eq!(given_up_after(&sends), Some(60));
    }

    #[test]
    fn the_time_in_which_nobody_waits_for_the_host_does_not_count() {
        let (limits, mut pace) = (Limits::default(), Pace::default());
        assert!((0..1000).all(|_| pace.keeps_up(&limits, Duration::ZERO, 10)));
    }

    #[test]
    fn without_a_slowest_rate_only_silence_and_the_whole_time_count() {
        let limits = Limits { min_rate: 0, ..Limits::default() };
        let mut pace = Pace::default();
        assert!((0..1000).all(|_| pace.keeps_up(&limits, SECOND, 0)));
        assert_eq!(pace.left(&limits), Duration::MAX);
    }

    #[test]
    fn the_settings_have_bounds() {
        let read = |name, value| Limits::read(&Values::of([(name, value)]));
        assert_eq!(Limits::read(&Values::default()).unwrap(), Limits::default());
        assert_eq!(read(TIMEOUT, "90s").unwrap().total, Duration::from_secs(90));
        assert_eq!(read(MIN_KB, "64").unwrap().min_rate, 65_536);
        assert_eq!(read(MIN_KB, "0").unwrap().min_rate, 0);
        for (name, value) in [
            (TIMEOUT, "0s"),
            (TIMEOUT, "30m"),
            (TIMEOUT, "soon"),
            (MIN_KB, "-1"),
            (MIN_KB, "1000001"),
            (MIN_KB, "4294967296"),
            (MIN_KB, "4k"),
        ] {
            assert_eq!(read(name, value).unwrap_err().name, name, "{value}");
        }
    }
}
