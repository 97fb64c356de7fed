//! Finds the tokens of one window: the most likely token each time, and where that leads to nonsense, less strictly.

use candle_core::{Device, IndexOp as _, Tensor};
use candle_transformers::models::whisper::{
    COMPRESSION_RATIO_THRESHOLD, LOGPROB_THRESHOLD, NO_SPEECH_THRESHOLD,
};

use super::model::Model;
use super::rules::{self, index};
use super::stopped::{Cancelled, Failed};

/// How freely tokens are chosen, one after the other, until the result is sensible.
const TEMPERATURES: [f64; 4] = [0.0, 0.2, 0.5, 0.8];
/// How many tokens in a row are compared when repetitions are counted.
const PHRASE: usize = 4;
const FEWEST_PHRASES: usize = 12;

/// What the network said about one window.
pub(super) struct Decoded {
    /// Texts and times, without the orders before them and the end behind them.
    pub(super) tokens: Vec<u32>,
    /// The mean of the logarithms of the probabilities.
    pub(super) mean_log: f64,
    pub(super) temperature: f64,
    /// Whether nobody speaks in the window.
    pub(super) is_silent: bool,
}

/// What the network sees of a window.
pub(super) fn features(model: &mut Model, samples: &[f32]) -> Result<Tensor, Failed> {
    let picture = model.mel.picture(samples);
    let bands = model.network.config.num_mel_bins;
    let frames = picture.len() / bands;
    let picture = Tensor::from_vec(picture, (1, bands, frames), &Device::Cpu)?;
    Ok(model.network.encoder.forward(&picture, true)?)
}

/// The language that is most likely spoken in a window.
pub(super) fn language(model: &mut Model, features: &Tensor) -> Result<Option<String>, Failed> {
    let start = [model.vocabulary.start];
    let scores = scores(model, &start, features, true, 0)?;
    let score = |token: u32| scores.get(index(token)).copied().unwrap_or(f32::NEG_INFINITY);
    let best = model.vocabulary.languages.iter().max_by(|one, other| score(one.0).total_cmp(&score(other.0)));
    Ok(best.map(|(_, tag)| tag.clone()))
}

/// `seed` is different for each window, so that the choice is free and yet the same each time.
pub(super) fn decode(
    model: &mut Model,
    features: &Tensor,
    language: Option<&str>,
    seed: u64,
    cancelled: &Cancelled,
) -> Result<Decoded, Failed> {
    let mut prompt = vec![model.vocabulary.start];
    if let Some(language) = language.and_then(|tag| model.vocabulary.language(tag)) {
        prompt.push(language);
        prompt.extend(model.vocabulary.transcribe);
    }
    let mut last = None;
    for (temperature, attempt) in TEMPERATURES.into_iter().zip(0..) {
        let dice = Dice(seed.wrapping_mul(TEMPERATURES.len() as u64).wrapping_add(attempt));
        let decoded = attempted(model, features, &prompt, temperature, dice, cancelled)?;
        // Times never repeat, so a loop shows in the words alone.
        let words: Vec<u32> =
            decoded.tokens.iter().copied().filter(|token| !model.vocabulary.is_time(*token)).collect();
        let is_sensible = decoded.mean_log >= LOGPROB_THRESHOLD && !repeats_itself(&words);
        if is_sensible || decoded.is_silent {
            return Ok(decoded);
        }
        last = Some(decoded);
    }
    last.ok_or(Failed::Cancelled)
}

fn attempted(
    model: &mut Model,
    features: &Tensor,
    prompt: &[u32],
    temperature: f64,
    mut dice: Dice,
    cancelled: &Cancelled,
) -> Result<Decoded, Failed> {
    let longest = (model.network.config.max_target_positions / 2).saturating_sub(prompt.len());
    let mut tokens = prompt.to_vec();
    let mut logs = 0.0;
    let mut no_speech = 0.0;
    let mut count = 0_u32;
    for step in 0..longest {
        cancelled.check()?;
        if step == 0
            && let Some(token) = model.vocabulary.no_speech
        {
            let scores = scores(model, &tokens, features, true, 0)?;
            no_speech = f64::from(probability(&scores, token));
        }
        let mut scores = scores(model, &tokens, features, step == 0, tokens.len() - 1)?;
        rules::apply(&model.vocabulary, &model.suppressed, &tokens[prompt.len()..], &mut scores);
        let token = chosen(&scores, temperature, &mut dice).unwrap_or(model.vocabulary.end);
        logs += f64::from(probability(&scores, token)).max(f64::MIN_POSITIVE).ln();
        count += 1;
        if token == model.vocabulary.end {
            break;
        }
        tokens.push(token);
    }
    let mean_log = logs / f64::from(count.max(1));
    let is_silent = no_speech > NO_SPEECH_THRESHOLD && mean_log < LOGPROB_THRESHOLD;
    Ok(Decoded { tokens: tokens.split_off(prompt.len()), mean_log, temperature, is_silent })
}

/// The score of each token to follow the one at this place.
fn scores(
    model: &mut Model,
    tokens: &[u32],
    features: &Tensor,
    is_new_window: bool,
    place: usize,
) -> Result<Vec<f32>, Failed> {
    let tokens = Tensor::new(tokens, &Device::Cpu)?.unsqueeze(0)?;
    let seen = model.network.decoder.forward(&tokens, features, is_new_window)?;
    let seen = seen.i((.., place..=place, ..))?.contiguous()?;
    Ok(model.network.decoder.final_linear(&seen)?.flatten_all()?.to_vec1::<f32>()?)
}

fn probability(scores: &[f32], token: u32) -> f32 {
    let highest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f32 = scores.iter().map(|score| (score - highest).exp()).sum();
    let score = scores.get(index(token)).copied().unwrap_or(f32::NEG_INFINITY);
    let share = (score - highest).exp() / sum;
    if share.is_finite() { share } else { 0.0 }
}

/// The token that follows. `None` where none may.
fn chosen(scores: &[f32], temperature: f64, dice: &mut Dice) -> Option<u32> {
    let best = scores.iter().enumerate().max_by(|(_, one), (_, other)| one.total_cmp(other));
    let (best, highest) = best.filter(|(_, score)| score.is_finite())?;
    let mut token = best;
    if temperature > 0.0 {
        let weight = |score: &f32| (f64::from(score - highest) / temperature).exp();
        let mut left = dice.throw() * scores.iter().map(weight).sum::<f64>();
        for (at, score) in scores.iter().enumerate().filter(|(_, score)| score.is_finite()) {
            token = at;
            left -= weight(score);
            if left <= 0.0 {
                break;
            }
        }
    }
    u32::try_from(token).ok()
}

/// Whether the same phrases come again and again. Networks fall into such loops.
fn repeats_itself(tokens: &[u32]) -> bool {
    let mut phrases: Vec<&[u32]> = tokens.windows(PHRASE).collect();
    let all = phrases.len();
    phrases.sort_unstable();
    phrases.dedup();
    #[expect(clippy::cast_precision_loss, reason = "a window has some hundred tokens")]
    let ratio = all as f64 / phrases.len().max(1) as f64;
    all >= FEWEST_PHRASES && ratio > COMPRESSION_RATIO_THRESHOLD
}

/// Numbers that look thrown and are the same each time (`SplitMix64`).
struct Dice(u64);

impl Dice {
    /// A number from 0 to below 1.
    fn throw(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        #[expect(clippy::cast_precision_loss, reason = "53 bits are kept")]
        let share = ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64;
        share
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_is_noticed_and_ordinary_speech_is_not() {
        let spoken: Vec<u32> = (0..60).collect();
        let looped: Vec<u32> = (0..60).map(|at| at % 3).collect();
        assert!(!repeats_itself(&spoken));
        assert!(repeats_itself(&looped));
        assert!(!repeats_itself(&[1, 1, 1, 1, 1, 1]), "yes yes yes is no loop");
    }

    #[test]
    fn without_heat_the_likeliest_token_is_chosen_and_with_it_the_others_too() {
        let scores = [0.0, 2.0, f32::NEG_INFINITY, 1.0];
        let mut dice = Dice(7);
        assert_eq!(chosen(&scores, 0.0, &mut dice), Some(1));
        let chosen_often: Vec<_> = (0..200).filter_map(|_| chosen(&scores, 0.8, &mut dice)).collect();
        assert!([0, 1, 3].iter().all(|token| chosen_often.contains(token)));
        assert!(!chosen_often.contains(&2), "what may not follow never does");
        assert_eq!(chosen(&[f32::NEG_INFINITY; 3], 0.5, &mut dice), None);
    }
}
