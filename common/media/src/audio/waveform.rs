//! The outline of a recording for a page: the loudest sample of each short stretch of time.

use domain::audio::Waveform;

/// The length of the shortest stretch: 10 ms at 16 kHz.
const SHORTEST: usize = 160;
const SHORTEST_MS: i64 = 10;
/// When there are so many stretches, each two neighbours become one. So there are never more of them.
const MAX_POINTS: usize = 2_000;

/// Collects the outline of samples of 16 kHz.
pub struct Outline {
    /// The length of a stretch in samples.
    stretch: usize,
    channels: Vec<Channel>,
}

#[derive(Clone, Default)]
struct Channel {
    peaks: Vec<f32>,
    loudest: f32,
    samples: usize,
}

impl Outline {
    pub fn new(channels: usize) -> Self {
        Self { stretch: SHORTEST, channels: vec![Channel::default(); channels] }
    }

    /// Takes the next samples. Each channel gets as many as the others.
    pub fn push(&mut self, channels: &[Vec<f32>]) {
        for (channel, samples) in self.channels.iter_mut().zip(channels) {
            channel.push(samples, self.stretch);
        }
        while self.channels.iter().any(|channel| channel.peaks.len() >= MAX_POINTS) {
            self.stretch *= 2;
            self.channels.iter_mut().for_each(|channel| channel.halve(self.stretch));
        }
    }

    pub fn finish(mut self) -> Waveform {
        for channel in &mut self.channels {
            if channel.samples > 0 {
                channel.peaks.push(channel.loudest);
            }
        }
        let stretches = i64::try_from(self.stretch / SHORTEST).unwrap_or(i64::MAX);
        Waveform {
            bucket_ms: stretches * SHORTEST_MS,
            channels: self
                .channels
                .iter()
                .map(|channel| channel.peaks.iter().copied().map(byte).collect())
                .collect(),
        }
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the value is from 0 to 255")]
fn byte(peak: f32) -> u8 {
    (peak.clamp(0.0, 1.0) * 255.0).round() as u8
}

impl Channel {
    fn push(&mut self, mut samples: &[f32], stretch: usize) {
        while !samples.is_empty() {
            let (now, rest) = samples.split_at(samples.len().min(stretch - self.samples));
            self.loudest = now.iter().fold(self.loudest, |loudest, sample| loudest.max(sample.abs()));
            self.samples += now.len();
            if self.samples == stretch {
                self.peaks.push(std::mem::take(&mut self.loudest));
                self.samples = 0;
            }
            samples = rest;
        }
    }

    /// Joins neighbours. A last one without a neighbour is the first half of the stretch that is being filled.
    fn halve(&mut self, stretch: usize) {
        let odd = (self.peaks.len() % 2 == 1).then(|| self.peaks.pop()).flatten();
        self.peaks = self.peaks.chunks(2).map(|pair| pair.iter().copied().fold(0.0, f32::max)).collect();
        if let Some(peak) = odd {
            self.loudest = self.loudest.max(peak);
            self.samples += stretch / 2;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_long_a_recording_is_its_outline_has_a_bounded_number_of_points_in_the_right_places() {
        for seconds in [1_usize, 19, 20, 61, 3_601] {
            let mut outline = Outline::new(2);
            for second in 0..seconds {
                let loud = if second == seconds - 1 { 1.0 } else { 0.25 };
                outline.push(&[vec![loud; 16_000], vec![0.0; 16_000]]);
            }
            let waveform = outline.finish();
            let points = waveform.channels[0].len();
            assert!(points <= MAX_POINTS, "{points}");
            assert_eq!(waveform.channels[1].len(), points);
            let long = i64::try_from(points).unwrap() * waveform.bucket_ms;
            let wanted = i64::try_from(seconds).unwrap() * 1_000;
            assert!((long - wanted).abs() <= waveform.bucket_ms, "{long} ms of {wanted} ms");
            assert_eq!((waveform.channels[0][points - 1], waveform.channels[1][0]), (255, 0));
            let first = waveform.channels[0][0];
            assert!(seconds == 1 || first == 64, "{first}");
        }
    }
}
