//! How fast a simulated provider makes what it streams, as whoever drives the simulator wants it.
//!
//! The time that every request waits is the latency that is set with the faults. What is set here is the time that a model or a
//! voice takes for what it makes. Without it everything is there at once.

use std::sync::Mutex;
use std::time::Duration;

use serde::Deserialize;

use crate::state::lock;

#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Pace {
    /// How long a model takes for each sentence of its answer.
    pub(crate) sentence_ms: u64,
    /// How long a voice takes until the first sound of a line is there.
    pub(crate) first_sound_ms: u64,
    /// How many milliseconds of sound a voice makes in a millisecond. `None`: all at once.
    pub(crate) sound_speed: Option<f64>,
}

impl Pace {
    /// The time after which so many sentences of an answer are there.
    pub(crate) fn sentences(self, count: usize) -> Duration {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        Duration::from_millis(self.sentence_ms).saturating_mul(count)
    }

    /// The time after which the sound that follows so much sound of the same line is made.
    pub(crate) fn sound(self, length: Duration) -> Duration {
        let first = Duration::from_millis(self.first_sound_ms);
        first + self.sound_speed.map_or(Duration::ZERO, |speed| length.div_f64(speed))
    }

    /// Says what is wrong with a pace that came as JSON.
    pub(crate) fn check(self) -> Result<(), &'static str> {
        match self.sound_speed {
            Some(speed) if !(0.01..=10_000.0).contains(&speed) => {
                Err("`sound_speed` must be from 0.01 to 10000")
            }
            _ => Ok(()),
        }
    }
}

/// The pace of one simulator, which can be replaced while it runs.
#[derive(Debug, Default)]
pub(crate) struct PacePlan(Mutex<Pace>);

impl PacePlan {
    pub(crate) fn set(&self, pace: Pace) {
        *lock(&self.0) = pace;
    }

    pub(crate) fn now(&self) -> Pace {
        *lock(&self.0)
    }
}
