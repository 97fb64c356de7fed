//! Tells speech from pauses by their loudness, sample by sample and without delay. It decides only when something is sent or
//! asked for, and never what is transcribed: a voice that it does not notice is heard nevertheless.

use super::RATE;

/// The length of a frame in samples: 20 ms.
const FRAME: usize = 320;
/// How much louder than the noise speech is, and how loud it is at least.
const ABOVE_NOISE_DB: f32 = 9.0;
const QUIETEST_DB: f32 = -55.0;
/// How fast the noise may be found louder: 3 dB a second.
const NOISE_RISES_DB: f32 = 0.06;

/// Where somebody speaks in the audio that was pushed. Places are samples from the first one.
pub(super) struct Pauses {
    pending: Vec<i16>,
    noise_db: f32,
    /// How many samples were looked at.
    at: u64,
    /// The end of the last frame with speech.
    last_speech: Option<u64>,
    /// The start of the speech that goes on, or of the last one.
    began: u64,
}

impl Default for Pauses {
    fn default() -> Self {
        Self { pending: Vec::with_capacity(FRAME), noise_db: -60.0, at: 0, last_speech: None, began: 0 }
    }
}

impl Pauses {
    pub(super) fn push(&mut self, samples: &[i16]) {
        for sample in samples {
            self.pending.push(*sample);
            if self.pending.len() == FRAME {
                self.take_frame();
                self.pending.clear();
            }
        }
    }

    fn take_frame(&mut self) {
        let energy: f32 = self.pending.iter().map(|sample| (f32::from(*sample) / 32_768.0).powi(2)).sum();
        #[expect(clippy::cast_precision_loss, reason = "a frame has 320 samples")]
        let db = 10.0 * (energy / FRAME as f32).max(1e-10).log10();
        let is_speech = db > QUIETEST_DB && db > self.noise_db + ABOVE_NOISE_DB;
        self.noise_db =
            if db < self.noise_db { db.max(-80.0) } else { db.min(self.noise_db + NOISE_RISES_DB) };
        let start = self.at;
        self.at += FRAME as u64;
        if is_speech {
            let pause = self.last_speech.map(|last| start - last);
            if pause.is_none_or(|pause| pause > samples_of(300)) {
                self.began = start;
            }
            self.last_speech = Some(self.at);
        }
    }

    /// Where the last speech ended, or goes on.
    pub(super) fn last_speech(&self) -> Option<u64> {
        self.last_speech
    }

    /// Where the last speech began.
    pub(super) fn began(&self) -> u64 {
        self.began
    }

    /// How long nobody has spoken, in milliseconds.
    pub(super) fn quiet_ms(&self) -> i64 {
        ms_of(self.at - self.last_speech.unwrap_or(0))
    }
}

/// How many samples there are in this time.
pub(super) fn samples_of(ms: i64) -> u64 {
    u64::try_from(ms).unwrap_or_default() * u64::from(RATE) / 1_000
}

/// The time of so many samples.
pub(super) fn ms_of(samples: u64) -> i64 {
    i64::try_from(samples * 1_000 / u64::from(RATE)).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(ms: i64, loudness: i16) -> Vec<i16> {
        (0..samples_of(ms)).map(|at| if at / 40 % 2 == 0 { loudness } else { -loudness }).collect()
    }

    #[test]
    fn speech_begins_and_ends_where_it_is_louder_than_the_noise() {
        let mut pauses = Pauses::default();
        pauses.push(&tone(1_000, 10));
        assert_eq!(pauses.last_speech(), None);
        pauses.push(&tone(500, 3_000));
        pauses.push(&tone(200, 10));
        pauses.push(&tone(500, 3_000));
        pauses.push(&tone(700, 10));
        assert_eq!(ms_of(pauses.began()), 1_000, "a short pause belongs to the speech");
        assert_eq!(pauses.last_speech().map(ms_of), Some(2_200));
        assert_eq!(pauses.quiet_ms(), 700);
    }
}
