//! Transcribes one recording: window by window, from one stretch of speech to the next.

use std::ops::Range;

use bytes::Bytes;

use super::answer::{Answer, Heard, Window};
use super::decoding::{self, Decoded};
use super::listening::{self, WINDOW, ms, sample};
use super::model::{Folder, Model};
use super::stopped::{Cancelled, Failed};

/// How many samples a token of time stands for: 20 ms.
const SAMPLES_PER_TIME: usize = 320;
/// A window moves on by a second at least, whatever times the network names.
const SHORTEST_STEP: usize = 16_000;

/// What is asked of the network.
pub(super) struct Order {
    pub(super) recording: Bytes,
    /// Whether each channel is transcribed by itself.
    pub(super) are_apart: bool,
    /// The language, without its region. `None` where it has to be found out.
    pub(super) language: Option<String>,
    pub(super) max_ms: usize,
}

pub(super) fn transcribed(folder: &Folder, order: Order, cancelled: &Cancelled) -> Result<Answer, Failed> {
    let sound = listening::sound(order.recording, order.are_apart, order.max_ms, cancelled)?;
    let mut model = folder.load()?;
    let mut answer = Answer {
        model: folder.name(),
        language: None,
        audio_ms: ms(sound.channels.iter().map(Vec::len).max().unwrap_or_default()),
        channels: u16::try_from(sound.channels.len()).unwrap_or(u16::MAX),
        segments: Vec::new(),
        windows: Vec::new(),
    };
    // A language that the model does not know is found out, as if none was named.
    let wanted = order.language.filter(|tag| model.vocabulary.language(tag).is_some());
    let mut language = if model.is_multilingual { wanted } else { None };
    if !model.is_multilingual {
        answer.language = Some("en".to_owned());
    }
    for (channel, samples) in (0..).zip(&sound.channels) {
        let speech = listening::speech(samples);
        let mut from = 0;
        while let Some(window) = listening::next_window(&speech, from, samples.len()) {
            cancelled.check()?;
            let mut heard = samples[window.clone()].to_vec();
            heard.resize(WINDOW, 0.0);
            let features = decoding::features(&mut model, &heard)?;
            if model.is_multilingual && language.is_none() {
                language = decoding::language(&mut model, &features)?;
            }
            let seed = window.start as u64;
            let decoded = decoding::decode(&mut model, &features, language.as_deref(), seed, cancelled)?;
            let read = read(&model, &decoded, &window, channel);
            answer.windows.push(Window {
                channel,
                start_ms: ms(window.start),
                end_ms: ms(read.until),
                temperature: decoded.temperature,
                is_silent: decoded.is_silent,
            });
            answer.segments.extend(read.segments);
            from = read.until;
        }
    }
    if model.is_multilingual && !answer.windows.is_empty() {
        answer.language = language;
    }
    Ok(answer)
}

/// What a window holds, and up to which sample it is read. The next window begins there.
struct Read {
    segments: Vec<Heard>,
    until: usize,
}

/// Reads the tokens of a window. A pair of times ends one segment and begins the next. What follows the last pair is heard
/// again in the next window, where it is whole, unless the network says with a single time that the window is over.
fn read(model: &Model, decoded: &Decoded, window: &Range<usize>, channel: u16) -> Read {
    let vocabulary = &model.vocabulary;
    let whole = || Read { segments: Vec::new(), until: window.end };
    if decoded.is_silent {
        return whole();
    }
    let tokens = &decoded.tokens;
    let is_time = |at: usize| tokens.get(at).is_some_and(|token| vocabulary.is_time(*token));
    let place = |token: u32| {
        let steps = usize::try_from(token.saturating_sub(vocabulary.first_time)).unwrap_or_default();
        (window.start + steps * SAMPLES_PER_TIME).min(window.end)
    };
    let length = tokens.len();
    let ends_with_one_time = length >= 2 && is_time(length - 1) && !is_time(length - 2);
    let mut cuts: Vec<usize> = (1..length).filter(|at| is_time(*at) && is_time(at - 1)).collect();
    let mut until = window.end;
    if cuts.is_empty() || ends_with_one_time {
        cuts.push(length);
    } else if let Some(last) = cuts.last() {
        // Without the lower bound, a network that says only small numbers would never come to the end.
        until = place(tokens[last - 1]).max(window.start + SHORTEST_STEP).min(window.end);
    }
    let mut segments = Vec::new();
    let mut from = 0;
    for cut in cuts {
        let part = &tokens[from..cut];
        from = cut;
        let times: Vec<u32> = part.iter().copied().filter(|token| vocabulary.is_time(*token)).collect();
        let start = times.first().map_or(window.start, |time| place(*time));
        let end =
            if times.len() > 1 { times.last().map_or(window.end, |time| place(*time)) } else { window.end };
        let text = vocabulary.text(part);
        if !text.is_empty() {
            segments.push(Heard {
                channel,
                start_ms: ms(start),
                end_ms: ms(end.max(start)),
                text,
                confidence: decoded.mean_log.exp().clamp(0.0, 1.0),
            });
        }
    }
    Read { segments, until }
}

/// Silence of half a second, with which a check of a model tries everything out.
pub(super) fn tried(folder: &Folder, cancelled: &Cancelled) -> Result<(), Failed> {
    let mut model = folder.load()?;
    let mut silence = vec![0.0; sample(500)];
    silence.resize(WINDOW, 0.0);
    let features = decoding::features(&mut model, &silence)?;
    cancelled.check()?;
    decoding::language(&mut model, &features).map(drop)
}
