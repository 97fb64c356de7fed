//! Decodes a recording for the network, and finds the stretches in which somebody speaks.
//!
//! The network makes up words for silence and noise, so it only gets what the detector of speech lets through.

use std::io::Cursor;
use std::ops::Range;

use bytes::Bytes;
use domain::audio::Interval;
use media::audio::filter::HighPass;
use media::audio::resample::Resampler;
use media::audio::voice::VoiceDetector;
use media::audio::{AudioError, Decoder, SPEECH_RATE, mix};

use super::stopped::{Cancelled, Failed};

const SAMPLES_PER_MS: usize = SPEECH_RATE as usize / 1_000;
/// A window of the network: half a minute.
pub(super) const WINDOW: usize = 30 * SPEECH_RATE as usize;
/// What is heard before and after speech, so that no word is cut.
const MARGIN: usize = 250 * SAMPLES_PER_MS;

/// The channels of a recording, at the rate of the network.
pub(super) struct Sound {
    pub(super) channels: Vec<Vec<f32>>,
}

/// Decodes a recording. Channels are mixed unless they are wanted apart. What is longer than `max_ms` is refused.
pub(super) fn sound(
    recording: Bytes,
    are_apart: bool,
    max_ms: usize,
    cancelled: &Cancelled,
) -> Result<Sound, Failed> {
    let undecodable = |error: AudioError| Failed::Recording(error.to_string());
    let mut decoder = Decoder::open(Cursor::new(recording)).map_err(undecodable)?;
    let channels = decoder.probed().channels;
    let mut resampler = Resampler::new(SPEECH_RATE);
    let mut heard = vec![Vec::new(); if are_apart { channels } else { 1 }];
    loop {
        cancelled.check()?;
        let mut resampled = vec![Vec::new(); channels];
        let block = decoder.next_block().map_err(undecodable)?;
        let is_over = block.is_none();
        match block {
            Some(block) => resampler.push(block, &mut resampled).map_err(undecodable)?,
            None => resampler.finish(&mut resampled).map_err(undecodable)?,
        }
        let resampled = if are_apart { resampled } else { vec![mix(&resampled)] };
        for (all, new) in heard.iter_mut().zip(resampled) {
            all.extend(new);
        }
        if heard.iter().any(|samples| samples.len() / SAMPLES_PER_MS > max_ms) {
            return Err(Failed::Recording("it is longer than it was measured to be".to_owned()));
        }
        if is_over {
            return Ok(Sound { channels: heard });
        }
    }
}

pub(super) fn speech(samples: &[f32]) -> Vec<Interval> {
    let mut samples = samples.to_vec();
    HighPass::default().run(&mut samples);
    let mut detector = VoiceDetector::default();
    detector.push(&samples);
    detector.finish().speech
}

/// The next stretch to listen to, from the sample `from` on. It begins where somebody speaks, and it ends where nobody
/// speaks any more, or with the window. `None` where nobody speaks any more at all.
pub(super) fn next_window(speech: &[Interval], from: usize, samples: usize) -> Option<Range<usize>> {
    let rest = || {
        speech.iter().filter(|stretch| sample(stretch.end_ms) > from && sample(stretch.start_ms) < samples)
    };
    let start = rest().next().map(|first| sample(first.start_ms).saturating_sub(MARGIN).max(from))?;
    let limit = (start + WINDOW).min(samples);
    let last = rest().take_while(|stretch| sample(stretch.start_ms) < limit).last()?;
    let end = (sample(last.end_ms) + MARGIN).min(limit);
    (start < end).then_some(start..end)
}

pub(super) fn sample(ms: i64) -> usize {
    usize::try_from(ms).unwrap_or_default() * SAMPLES_PER_MS
}

pub(super) fn ms(samples: usize) -> i64 {
    i64::try_from(samples / SAMPLES_PER_MS).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stretches(of: &[(i64, i64)]) -> Vec<Interval> {
        of.iter().map(|(start_ms, end_ms)| Interval { start_ms: *start_ms, end_ms: *end_ms }).collect()
    }

    fn window(speech: &[(i64, i64)], from_ms: i64, length_ms: i64) -> Option<(i64, i64)> {
        let window = next_window(&stretches(speech), sample(from_ms), sample(length_ms))?;
        Some((ms(window.start), ms(window.end)))
    }

    #[test]
    fn a_window_begins_with_speech_and_ends_with_it_or_after_half_a_minute() {
        let speech = [(5_000, 6_000), (8_000, 50_000), (80_000, 81_000)];
        assert_eq!(window(&speech, 0, 90_000), Some((4_750, 34_750)));
        assert_eq!(window(&speech, 34_750, 90_000), Some((34_750, 50_250)));
        assert_eq!(window(&speech, 50_250, 90_000), Some((79_750, 81_250)));
        assert_eq!(window(&speech, 81_250, 90_000), None);
        assert_eq!(window(&speech[2..], 0, 81_100), Some((79_750, 81_100)), "it ends with the recording");
        assert_eq!(window(&[], 0, 90_000), None);
    }
}
