//! Sounds that are made here, so that it is known to the sample what is in them.

use std::f32::consts::TAU;

pub(crate) const RATE: usize = 16_000;

/// Random numbers that are the same in each run.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// From 0 to 1.
    pub(crate) fn unit(&mut self) -> f32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 40) as f32 / (1_u64 << 24) as f32
    }

    pub(crate) fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    /// White noise.
    pub(crate) fn noise(&mut self) -> f32 {
        (0..4).map(|_| self.unit()).sum::<f32>() - 2.0
    }
}

/// A formant: a filter that rings at one frequency.
struct Resonator {
    feedback: [f32; 2],
    past: [f32; 2],
    gain: f32,
}

impl Resonator {
    fn new(hertz: f32, width: f32) -> Self {
        let radius = (-std::f32::consts::PI * width / RATE as f32).exp();
        let feedback = [2.0 * radius * (TAU * hertz / RATE as f32).cos(), -radius * radius];
        Self { feedback, past: [0.0; 2], gain: 1.0 - feedback[0] - feedback[1] }
    }

    fn run(&mut self, sample: f32) -> f32 {
        let out = self.gain * sample + self.feedback[0] * self.past[0] + self.feedback[1] * self.past[1];
        self.past = [out, self.past[0]];
        out
    }
}

/// The first three formants of some vowels, in Hz (Peterson and Barney, 1952).
const VOWELS: [[f32; 3]; 6] = [
    [730.0, 1_090.0, 2_440.0],
    [530.0, 1_840.0, 2_480.0],
    [270.0, 2_290.0, 3_010.0],
    [570.0, 840.0, 2_410.0],
    [300.0, 870.0, 2_240.0],
    [660.0, 1_720.0, 2_410.0],
];

/// Speech-like sound of this length: syllables of a vowel and a consonant, by a voice whose pitch glides.
pub(crate) fn babble(dice: &mut Dice, pitch: f32, samples: usize) -> Vec<f32> {
    let mut sound = Vec::with_capacity(samples);
    let (mut phase, mut hertz) = (0.0_f32, pitch);
    while sound.len() < samples {
        let consonant = dice.between(0.03, 0.08) * RATE as f32;
        let fricative = dice.unit() < 0.5;
        let mut last = 0.0;
        for at in 0..consonant as usize {
            let noise = dice.noise();
            let bright = if fricative { noise - last } else { noise * 0.5 };
            last = noise;
            sound.push(bright * 0.12 * (at as f32 / consonant * std::f32::consts::PI).sin());
        }
        let formants = VOWELS[(dice.unit() * 5.99) as usize];
        let mut filters = formants.map(|hertz| Resonator::new(hertz, 60.0 + hertz * 0.05));
        let vowel = dice.between(0.09, 0.22) * RATE as f32;
        let target = pitch * dice.between(0.8, 1.3);
        let from = hertz;
        for at in 0..vowel as usize {
            let share = at as f32 / vowel;
            hertz = from + (target - from) * share + dice.noise() * 0.5;
            phase = (phase + hertz / RATE as f32).fract();
            // The glottis opens slowly and closes at once.
            let pulse = if phase < 0.6 { (phase / 0.6).powi(2) } else { 0.0 } - 0.2 + dice.noise() * 0.01;
            let voiced = filters.iter_mut().fold(pulse, |sample, filter| filter.run(sample));
            let envelope = (share * 8.0).min(1.0) * ((1.0 - share) * 6.0).min(1.0);
            sound.push(voiced * envelope * 0.5);
        }
    }
    sound.truncate(samples);
    sound
}

/// A conversation of one voice: its samples, and the stretches in which the voice speaks, in milliseconds.
pub(crate) struct Talk {
    pub(crate) samples: Vec<f32>,
    pub(crate) truth: Vec<[i64; 2]>,
}

pub(crate) fn talk(seed: u64, pitch: f32, seconds: usize) -> Talk {
    let mut dice = Dice::new(seed);
    let mut samples = vec![0.0; seconds * RATE];
    let mut truth = Vec::new();
    let mut at = dice.between(0.4, 1.5);
    loop {
        let long = dice.between(1.0, 4.0);
        if at + long + 0.5 > seconds as f32 {
            break;
        }
        let (from, until) = ((at * RATE as f32) as usize, ((at + long) * RATE as f32) as usize);
        let said = babble(&mut dice, pitch, until - from);
        samples[from..until].copy_from_slice(&said);
        truth.push([from as i64 / 16, until as i64 / 16]);
        at += long + dice.between(0.6, 2.5);
    }
    normalize(&mut samples, 0.5);
    Talk { samples, truth }
}

fn normalize(samples: &mut [f32], peak: f32) {
    let loudest = samples.iter().fold(1e-9_f32, |loudest, sample| loudest.max(sample.abs()));
    for sample in samples {
        *sample *= peak / loudest;
    }
}

fn power(samples: &[f32]) -> f32 {
    samples.iter().map(|sample| sample * sample).sum::<f32>() / samples.len().max(1) as f32
}

/// The noise of a room: a fan, and a little hum.
pub(crate) fn room(seed: u64, samples: usize) -> Vec<f32> {
    let mut dice = Dice::new(seed);
    let mut low = [0.0_f32; 2];
    let noise = (0..samples).map(|at| {
        let white = dice.noise();
        low[0] += 0.15 * (white - low[0]);
        low[1] += 0.02 * (white - low[1]);
        0.25 * white + low[0] + 2.0 * low[1] + 0.02 * (TAU * 50.0 * at as f32 / RATE as f32).sin()
    });
    let mut noise: Vec<f32> = noise.collect();
    normalize(&mut noise, 0.2);
    noise
}

/// Adds noise that is weaker than the speech by `snr` dB. The power of the speech is that of its stretches alone.
pub(crate) fn with_noise(talk: &Talk, noise: &[f32], snr: f32) -> Vec<f32> {
    let speech: Vec<f32> = talk
        .truth
        .iter()
        .flat_map(|[from, until]| &talk.samples[*from as usize * 16..*until as usize * 16])
        .copied()
        .collect();
    let gain = (power(&speech) / power(noise) / 10_f32.powf(snr / 10.0)).sqrt();
    talk.samples.iter().zip(noise).map(|(speech, noise)| speech + gain * noise).collect()
}

/// The bytes of a telephone line: 300 to 3,400 Hz, 8 kHz, mu-law.
pub(crate) fn telephone(samples: &[f32]) -> Vec<u8> {
    // A band-pass of two one-pole filters each way, and every second sample.
    let (mut low, mut slow) = ([0.0_f32; 3], [0.0_f32; 2]);
    let mut bytes = Vec::with_capacity(samples.len() / 2);
    for (at, sample) in samples.iter().enumerate() {
        let mut passed = *sample;
        for stage in &mut low {
            *stage += 0.72 * (passed - *stage);
            passed = *stage;
        }
        for stage in &mut slow {
            *stage += 0.09 * (passed - *stage);
            passed -= *stage;
        }
        if at % 2 == 0 {
            bytes.push(to_mu_law(passed));
        }
    }
    bytes
}

fn to_mu_law(sample: f32) -> u8 {
    let value = (sample.clamp(-1.0, 1.0) * 32_000.0) as i32;
    let magnitude = value.abs().min(32_635) + 0x84;
    let exponent = (24 - (magnitude as u32).leading_zeros()).min(7);
    let mantissa = (magnitude >> (exponent + 3)) & 0x0f;
    let sign = if value < 0 { 0x80 } else { 0 };
    !(sign | (exponent << 4) as u8 | mantissa as u8)
}

/// Tones that sound together, each with its frequency, for these seconds and then as long as `pause` says, again and
/// again.
pub(crate) fn tones(hertz: &[f32], on: f32, off: f32, seconds: usize) -> Vec<f32> {
    (0..seconds * RATE)
        .map(|at| {
            let time = at as f32 / RATE as f32;
            let is_on = time % (on + off) < on;
            let sum: f32 = hertz.iter().map(|hertz| (TAU * hertz * time).sin()).sum();
            if is_on { 0.25 * sum / hertz.len() as f32 } else { 0.0 }
        })
        .collect()
}

/// Music as it plays while somebody waits: chords, a bass and a melody with overtones.
pub(crate) fn music(seed: u64, seconds: usize) -> Vec<f32> {
    let mut dice = Dice::new(seed);
    let chords = [[0, 4, 7], [9, 12, 16], [5, 9, 12], [7, 11, 14]];
    let scale = [0, 2, 4, 5, 7, 9, 11, 12];
    let note = |half_tones: i32| 261.63 * 2_f32.powf(half_tones as f32 / 12.0);
    let mut samples = vec![0.0; seconds * RATE];
    let mut strike = |from: usize, long: f32, hertz: f32, loud: f32| {
        for at in 0..(long * RATE as f32) as usize {
            let Some(sample) = samples.get_mut(from + at) else { break };
            let time = at as f32 / RATE as f32;
            let envelope = (time * 100.0).min(1.0) * (-1.5 * time / long).exp();
            let overtones = [1.0, 0.5, 0.3, 0.15];
            *sample += (1..)
                .zip(overtones)
                .map(|(nth, loud)| loud * (TAU * hertz * nth as f32 * time).sin())
                .sum::<f32>()
                * envelope
                * loud;
        }
    };
    for beat in 0..seconds * 2 {
        let from = beat * RATE / 2;
        let chord = chords[beat / 4 % chords.len()];
        if beat % 2 == 0 {
            for half_tones in chord {
                strike(from, 1.0, note(half_tones), 0.3);
            }
            strike(from, 1.0, note(chord[0] - 24), 0.5);
        }
        let melody = scale[(dice.unit() * 7.99) as usize] + 12;
        strike(from, 0.5, note(melody), 0.4);
    }
    normalize(&mut samples, 0.4);
    samples
}
