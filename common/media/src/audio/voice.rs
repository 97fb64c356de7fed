//! Finds the stretches of a channel in which somebody speaks.
//!
//! The rules, for samples of 16 kHz of one channel:
//!
//! 1. A frame is 16 ms long. A small neural network (earshot) says how much it sounds like a voice, and the mean of five
//!    frames counts.
//! 2. A frame must also be louder than the noise by [`ABOVE_NOISE_DB`], and louder than [`QUIETEST_DB`]. The noise is what
//!    a tenth of the frames of the four seconds around it do not exceed. The network takes some noises for voices, but
//!    steady noise is never louder than itself.
//! 3. Tones and music are no speech, see [`super::tonality`].
//! 4. A pause that is shorter than [`SHORTEST_PAUSE_MS`] belongs to the speech around it. What is then shorter than
//!    [`SHORTEST_SPEECH_MS`] is a click or a breath, and no speech.
//! 5. Where a channel has more than [`MAX_INTERVALS`] stretches, the shortest pause that counts is doubled until there are
//!    fewer.

use std::collections::VecDeque;

use domain::audio::{Interval, MAX_INTERVALS, total_ms};

use super::tonality::{HOP, Tonal, Tonality};

/// The length of a frame in samples and in milliseconds.
const FRAME: usize = 256;
const FRAME_MS: i64 = 16;
/// How many frames before and after a frame tell what is noise: two seconds each.
const AROUND: usize = 125;
/// How many frames on each side are looked at together with a frame.
const BESIDE: usize = 2;
pub const ABOVE_NOISE_DB: f32 = 5.0;
pub const QUIETEST_DB: f32 = -65.0;
/// What share of the frames is noise at least.
const NOISE_SHARE: usize = 10;
/// From which score on a frame is a voice.
const VOICE_SCORE: f32 = 0.5;
pub const SHORTEST_PAUSE_MS: i64 = 300;
pub const SHORTEST_SPEECH_MS: i64 = 100;
/// From which steadiness on a second is music, and how much of the three seconds around a frame must be.
const MUSIC_STEADINESS: f32 = 2.6;
const MUSIC_FRAMES: usize = 94;
const MUSIC_SHARE: f32 = 0.6;
/// For how many frames back a tone is known when it is recognized.
const TONE_FRAMES: usize = 12;
/// For how many frames back a second was steady, when it is known to be.
const STEADY_FRAMES: usize = 31;

/// What was found in a channel.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Voice {
    pub speech: Vec<Interval>,
    pub music_ms: i64,
    /// The mean level of the frames with speech.
    pub speech_dbfs: Option<f64>,
    /// Whether there were so many stretches that longer pauses than usual were left out.
    pub is_merged: bool,
}

#[derive(Clone, Copy, Default)]
struct Frame {
    /// The level in dB below full scale, smoothed over its neighbours.
    level_db: f32,
    energy: f32,
    score: f32,
    is_tone: bool,
    is_steady: bool,
}

/// Finds the speech in one channel, block by block.
pub struct VoiceDetector {
    network: Box<earshot::Detector>,
    tonality: Tonality,
    pending: Vec<f32>,
    /// The frames around the one that is decided next.
    frames: VecDeque<Frame>,
    /// The place in `frames` of the one that is decided next.
    next: usize,
    decided: i64,
    levels: Levels,
    stretches: Stretches,
    music_frames: i64,
    speech_energy: f64,
    speech_frames: u32,
}

impl Default for VoiceDetector {
    fn default() -> Self {
        Self {
            network: Box::default(),
            tonality: Tonality::default(),
            pending: Vec::with_capacity(FRAME),
            frames: VecDeque::with_capacity(2 * AROUND + 2),
            next: 0,
            decided: 0,
            levels: Levels::default(),
            stretches: Stretches::new(),
            music_frames: 0,
            speech_energy: 0.0,
            speech_frames: 0,
        }
    }
}

impl VoiceDetector {
    /// Takes the next samples, which have 16 kHz.
    pub fn push(&mut self, samples: &[f32]) {
        let mut rest = samples;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(FRAME - self.pending.len()));
            self.pending.extend(now.iter().map(|sample| sample.clamp(-1.0, 1.0)));
            rest = later;
            if self.pending.len() == FRAME {
                self.take_frame();
                self.pending.clear();
            }
        }
    }

    /// Decides what is still open.
    pub fn finish(mut self) -> Voice {
        if self.pending.len() > FRAME / 2 {
            self.pending.resize(FRAME, 0.0);
            self.take_frame();
        }
        while self.next < self.frames.len() {
            self.decide();
        }
        let (speech, is_merged) = self.stretches.finish();
        let speech_dbfs = (self.speech_frames > 0)
            .then(|| 10.0 * (self.speech_energy / f64::from(self.speech_frames)).max(1e-12).log10());
        Voice { speech, music_ms: self.music_frames * FRAME_MS, speech_dbfs, is_merged }
    }

    fn take_frame(&mut self) {
        let score = self.network.predict_f32(&self.pending);
        let energy = self.pending.iter().map(|sample| sample * sample).sum::<f32>() / 256.0;
        self.frames.push_back(Frame { energy, score, ..Frame::default() });
        if let Some(tonal) = self.tonality.push(&self.pending) {
            self.mark(tonal);
        }
        self.smooth();
        if self.frames.len() > self.next + AROUND + BESIDE {
            self.decide();
        }
    }

    /// A tone and a steady second are known at their end, so the frames before it are marked.
    fn mark(&mut self, tonal: Tonal) {
        if tonal.is_tone {
            self.frames.iter_mut().rev().take(TONE_FRAMES).for_each(|frame| frame.is_tone = true);
        }
        if tonal.steadiness >= MUSIC_STEADINESS {
            self.frames
                .iter_mut()
                .rev()
                .take(STEADY_FRAMES + HOP / FRAME)
                .for_each(|frame| frame.is_steady = true);
        }
    }

    /// Knows the level of a frame when its neighbours are there.
    fn smooth(&mut self) {
        let Some(at) = self.frames.len().checked_sub(1 + BESIDE) else { return };
        let from = at.saturating_sub(BESIDE);
        let level_db = level(self.frames.range(from..));
        self.frames[at].level_db = level_db;
        self.levels.add(level_db);
    }

    fn decide(&mut self) {
        let at = self.next;
        let frame = self.frames[at];
        let from = at.saturating_sub(BESIDE);
        let until = (at + BESIDE + 1).min(self.frames.len());
        let beside = self.frames.range(from..until);
        #[expect(clippy::cast_precision_loss, reason = "there are five")]
        let score = beside.clone().map(|frame| frame.score).sum::<f32>() / (until - from) as f32;
        let level_db = level(beside);
        let is_music = self.is_music(at);
        let is_loud = level_db > self.levels.noise_db() + ABOVE_NOISE_DB && level_db > QUIETEST_DB;
        if is_music && level_db > QUIETEST_DB {
            self.music_frames += 1;
        } else if is_loud && score >= VOICE_SCORE && !frame.is_tone {
            let start_ms = self.decided * FRAME_MS;
            self.stretches.add(Interval { start_ms, end_ms: start_ms + FRAME_MS });
            self.speech_energy += f64::from(frame.energy);
            self.speech_frames = self.speech_frames.saturating_add(1);
        }
        self.decided += 1;
        if at >= AROUND {
            if let Some(oldest) = self.frames.pop_front() {
                self.levels.remove(oldest.level_db);
            }
        } else {
            self.next += 1;
        }
    }

    fn is_music(&self, at: usize) -> bool {
        let from = at.saturating_sub(MUSIC_FRAMES);
        let until = (at + MUSIC_FRAMES).min(self.frames.len());
        let steady = self.frames.range(from..until).filter(|frame| frame.is_steady).count();
        #[expect(clippy::cast_precision_loss, reason = "there are some hundreds")]
        let share = steady as f32 / (until - from) as f32;
        share >= MUSIC_SHARE
    }
}

fn level<'f>(frames: impl Iterator<Item = &'f Frame>) -> f32 {
    let (mut energy, mut count) = (0.0, 0.0);
    for frame in frames {
        energy += frame.energy;
        count += 1.0_f32;
    }
    10.0 * (energy / count.max(1.0)).max(1e-12).log10()
}

/// The levels from -120 dB to 0 dB, in steps of half a dB.
const LEVELS: usize = 241;
const LEVEL_STEP_DB: f32 = 0.5;

/// How often each level occurs, in steps of half a dB, so that the noise is found without sorting.
struct Levels {
    counts: [u16; LEVELS],
    total: usize,
}

impl Default for Levels {
    fn default() -> Self {
        Self { counts: [0; LEVELS], total: 0 }
    }
}

impl Levels {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the value is in the range")]
    fn step(level_db: f32) -> usize {
        ((level_db.clamp(-120.0, 0.0) + 120.0) / LEVEL_STEP_DB) as usize
    }

    fn add(&mut self, level_db: f32) {
        self.counts[Self::step(level_db)] += 1;
        self.total += 1;
    }

    fn remove(&mut self, level_db: f32) {
        let count = &mut self.counts[Self::step(level_db)];
        *count = count.saturating_sub(1);
        self.total = self.total.saturating_sub(1);
    }

    fn noise_db(&self) -> f32 {
        let wanted = self.total / NOISE_SHARE;
        let mut seen = 0;
        let mut level_db = -120.0;
        for count in self.counts {
            seen += usize::from(count);
            if seen > wanted {
                break;
            }
            level_db += LEVEL_STEP_DB;
        }
        level_db
    }
}

/// Joins frames to stretches of speech.
struct Stretches {
    found: Vec<Interval>,
    open: Option<Interval>,
    shortest_pause_ms: i64,
}

impl Stretches {
    fn new() -> Self {
        Self { found: Vec::new(), open: None, shortest_pause_ms: SHORTEST_PAUSE_MS }
    }

    fn add(&mut self, frame: Interval) {
        match &mut self.open {
            Some(open) if frame.start_ms - open.end_ms < self.shortest_pause_ms => open.end_ms = frame.end_ms,
            open => {
                let ended = open.replace(frame);
                self.keep(ended);
            }
        }
    }

    fn keep(&mut self, ended: Option<Interval>) {
        self.found.extend(ended.filter(|interval| interval.length_ms() >= SHORTEST_SPEECH_MS));
        while self.found.len() > MAX_INTERVALS {
            self.shortest_pause_ms *= 2;
            let pause_ms = self.shortest_pause_ms;
            let all = std::mem::take(&mut self.found);
            for interval in all {
                match self.found.last_mut() {
                    Some(last) if interval.start_ms - last.end_ms < pause_ms => last.end_ms = interval.end_ms,
                    _ => self.found.push(interval),
                }
            }
        }
    }

    fn finish(mut self) -> (Vec<Interval>, bool) {
        let ended = self.open.take();
        self.keep(ended);
        (self.found, self.shortest_pause_ms > SHORTEST_PAUSE_MS)
    }
}

impl Voice {
    pub fn speech_ms(&self) -> i64 {
        total_ms(&self.speech)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_pauses_belong_to_the_speech_and_clicks_are_none() {
        let mut stretches = Stretches::new();
        for start_ms in [0, 16, 32, 48, 64, 80, 96, 380, 396, 1_000, 2_000, 2_090, 2_180] {
            stretches.add(Interval { start_ms, end_ms: start_ms + 16 });
        }
        let wanted = [Interval { start_ms: 0, end_ms: 412 }, Interval { start_ms: 2_000, end_ms: 2_196 }];
        assert_eq!(stretches.finish(), (wanted.to_vec(), false));
    }

    #[test]
    fn the_number_of_stretches_is_bounded_and_the_merging_is_said() {
        let mut stretches = Stretches::new();
        for nth in 0..20_000_i64 {
            stretches.add(Interval { start_ms: nth * 600, end_ms: nth * 600 + 200 });
        }
        let (found, is_merged) = stretches.finish();
        assert!(is_merged && found.len() <= MAX_INTERVALS);
        assert_eq!((found[0].start_ms, found[found.len() - 1].end_ms), (0, 19_999 * 600 + 200));
    }
}
