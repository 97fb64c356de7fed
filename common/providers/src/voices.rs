//! Voices: text to speech.
//!
//! A voice says one line at a time and gives its sound piece by piece, so that the first words are heard while the last ones are
//! made. Every provider is asked for the same plain samples ([`SAMPLE_RATE`]). Their length is exact, so it is known at each moment
//! what a listener has heard.

pub mod elevenlabs;
pub mod openai;
mod requests;

use std::sync::Arc;

use bytes::Bytes;
use domain::refusal::{Refusal, Remote};
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use platform::config::keys::plain;
use platform::config::{ConfigError, Group, Values};

use tokio::sync::mpsc;

use crate::descriptor::{Check, Checked, Descriptor};
use crate::slots::Slots;

/// The samples of a sound in a second. A sample has 16 bits, the low byte first, and there is one channel.
pub const SAMPLE_RATE: u32 = 24_000;
/// The longest sound of one line, in bytes: ten minutes.
const MAX_SOUND_BYTES: u64 = 10 * 60 * SAMPLE_RATE as u64 * 2;
/// The longest line, in characters. Every provider takes as much.
pub const MAX_LINE_CHARS: usize = 3_000;

const SETTING: &str = "VOICE";
const OFF: &str = "off";

/// Every provider of a voice, in the order in which they are tried where `VOICE` does not say another.
pub static ALL: &[&Descriptor<Arc<dyn Voice>>] = &[&elevenlabs::DESCRIPTOR, &openai::DESCRIPTOR];

/// The settings that all providers of a voice share.
pub static SETTINGS: Group = Group {
    title: "Voices: who speaks for the representatives of practice",
    keys: &[plain(
        SETTING,
        "elevenlabs,openai",
        "The providers that speak, in the order in which they are tried. Those without a key are left out. off: practice is in text.",
    )],
};

/// What a line sounds like. Each number is from 0 to 1, but `speed`, of which 1 is the usual one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Manner<'a> {
    pub stability: f64,
    pub similarity: f64,
    pub style: f64,
    pub speaker_boost: bool,
    pub speed: f64,
    /// How to speak, in words, for a provider that takes words.
    pub directions: &'a str,
}

/// A line that is to be said.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    pub text: &'a str,
    /// The provider's own id of a voice. `None` where any voice will do.
    pub voice: Option<&'a str>,
    /// Who speaks, as a number. Where any voice will do, two speakers of one meeting have different ones.
    pub seat: usize,
    pub manner: Manner<'a>,
}

/// Samples, as they are made.
pub type Sound = BoxStream<'static, Result<Bytes, Refusal>>;

pub trait Voice: Check + Send + Sync {
    fn remote(&self) -> &'static Remote;

    /// Says a line of at most [`MAX_LINE_CHARS`]. This request costs money.
    fn speak<'a>(&'a self, line: &'a Line<'a>) -> BoxFuture<'a, Result<Sound, Refusal>>;

    /// Begins an answer whose lines are said over one connection, with the voice and the manner of `line`. `None` where each line
    /// is a request of its own.
    fn begin_answer(&self, _line: &Line<'_>) -> Option<AnswerLines> {
        None
    }
}

/// The way to a connection over which the lines of one answer are said, one behind the other. The answer is over when this is
/// dropped.
#[derive(Debug)]
pub struct AnswerLines(mpsc::UnboundedSender<Asked>);

/// A line that is asked for on such a connection.
#[derive(Debug)]
pub struct Asked {
    pub text: String,
    /// Where its sound goes. A line is over when this is dropped.
    pub sound: mpsc::UnboundedSender<Result<Bytes, Refusal>>,
}

impl AnswerLines {
    /// The way in, and what comes out of it.
    pub fn new() -> (Self, mpsc::UnboundedReceiver<Asked>) {
        let (sender, asked) = mpsc::unbounded_channel();
        (Self(sender), asked)
    }

    /// Asks for the next line of at most [`MAX_LINE_CHARS`]. Its sound comes as it is made. Where an error or nothing comes first,
    /// the line was not said. This costs money.
    pub fn say(&self, text: &str) -> mpsc::UnboundedReceiver<Result<Bytes, Refusal>> {
        let (sound, coming) = mpsc::unbounded_channel();
        // Where the connection is gone, nothing comes.
        self.0.send(Asked { text: text.to_owned(), sound }).ok();
        coming
    }
}

impl Check for Arc<dyn Voice> {
    fn check(&self) -> BoxFuture<'_, Result<Checked, Refusal>> {
        self.as_ref().check()
    }
}

/// Makes the providers that are turned on, in the order of `VOICE`. The settings of the others are read too, so that mistakes in
/// them are reported.
pub fn configured(values: &Values, slots: &Slots) -> Result<Vec<Arc<dyn Voice>>, ConfigError> {
    let order = order(values)?;
    let mut made = Vec::new();
    for provider in ALL {
        made.push((provider.name, (provider.make)(values, slots)?));
    }
    let in_order = order.iter().filter_map(|name| {
        let (_, voice) = made.iter_mut().find(|(made, _)| made == name)?;
        voice.take()
    });
    Ok(in_order.collect())
}

/// Whether `VOICE` names this provider. The key of a provider can be there for other work.
fn names(values: &Values, provider: &str) -> Result<bool, ConfigError> {
    Ok(order(values)?.contains(&provider))
}

fn order(values: &Values) -> Result<Vec<&'static str>, ConfigError> {
    let known = || ALL.iter().map(|provider| provider.name);
    let named = values.list(SETTING);
    match &named[..] {
        [] => return Ok(known().collect()),
        [one] if one.eq_ignore_ascii_case(OFF) => return Ok(Vec::new()),
        _ => {}
    }
    let expected = || format!("{OFF}, or one or more of {}", known().collect::<Vec<_>>().join(", "));
    let mut order = Vec::new();
    for name in named {
        let found = known().find(|known| known.eq_ignore_ascii_case(&name));
        let found = found.ok_or_else(|| ConfigError::not(SETTING, &name, &expected()))?;
        if !order.contains(&found) {
            order.push(found);
        }
    }
    Ok(order)
}

/// The voice for a line: the one that it names, or the one of its seat.
fn voice_of<'a>(line: &Line<'a>, voices: &'a [String]) -> &'a str {
    let of_seat = || voices.get(line.seat % voices.len().max(1)).map_or("", String::as_str);
    line.voice.filter(|voice| !voice.trim().is_empty()).map_or_else(of_seat, str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::tls;

    fn voices(settings: &[(&str, &str)]) -> Result<Vec<String>, ConfigError> {
        tls();
        let made = configured(&Values::of(settings.iter().copied()), &Slots::of_this_process())?;
        Ok(made.iter().map(|voice| voice.remote().destination.to_string()).collect())
    }

    const KEYS: [(&str, &str); 2] = [("OPENAI_API_KEY", "key"), ("ELEVENLABS_API_KEY", "key")];

    #[test]
    fn those_with_a_key_speak_in_the_order_of_the_setting_and_off_is_silence() {
        assert_eq!(voices(&[]).unwrap(), [""; 0]);
        assert_eq!(voices(&KEYS).unwrap(), ["elevenlabs", "openai"]);
        let with = |order| voices(&[&KEYS[..], &[(SETTING, order)]].concat());
        assert_eq!(with("openai, ElevenLabs").unwrap(), ["openai", "elevenlabs"]);
        assert_eq!(with("openai").unwrap(), ["openai"]);
        assert_eq!(with("off").unwrap(), [""; 0]);
        let error = with("parrot").unwrap_err();
        assert!(error.name == SETTING && error.problem.contains("elevenlabs"), "{error}");
        assert_eq!(with("off,openai").unwrap_err().name, SETTING);
    }

    #[test]
    fn a_line_has_the_voice_that_it_names_and_else_that_of_its_seat() {
        let manner = Manner {
            stability: 0.5,
            similarity: 0.5,
            style: 0.0,
            speaker_boost: true,
            speed: 1.0,
            directions: "",
        };
        let line = |voice, seat| Line { text: "Hello.", voice, seat, manner };
        let all = ["a".to_owned(), "b".to_owned()];
        assert_eq!(voice_of(&line(Some(" own "), 0), &all), "own");
        assert_eq!(voice_of(&line(Some(" "), 1), &all), "b");
        assert_eq!([0, 1, 2].map(|seat| voice_of(&line(None, seat), &all)), ["a", "b", "a"]);
    }
}
