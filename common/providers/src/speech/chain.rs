//! The order in which providers of speech to text are tried.

use platform::config::keys::plain;
use platform::config::{ConfigError, Group, Values};

use super::{ALL, SpeechToText};
use crate::slots::Slots;

/// The order where nobody says another. A build without Whisper does not name it, so that somebody who copies the default
/// does not ask for what is not there.
const DEFAULT_ORDER: &str = if cfg!(feature = "whisper") {
    "assemblyai,deepgram,openai,elevenlabs,local,whisper"
} else {
    "assemblyai,deepgram,openai,elevenlabs,local"
};

/// The setting with the order for calls that are being spoken.
const LIVE: &str = "LIVE_SPEECH";

/// The settings that all providers share. The worker reads the words and the language.
pub static SETTINGS: Group = Group {
    title: "Speech to text: which provider, and what it should know",
    keys: &[
        plain(
            "SPEECH",
            DEFAULT_ORDER,
            "The providers that transcribe, in the order in which they are tried. Those without a key are left out.",
        ),
        plain(LIVE, "", "The same for calls that are being spoken. Absent: as SPEECH."),
        plain(
            "SPEECH_WORDS",
            "",
            "Names and words that are likely to be spoken, comma separated. The names of the call's people are added.",
        ),
        plain(
            "SPEECH_LANGUAGE",
            "",
            "The language of all calls, such as en or pt-BR. Absent: the provider finds out.",
        ),
        plain(
            "AUDIO_HIGH_PASS",
            "true",
            "Filters out what lies below 80 Hz, where a recording is cut because it is too long for a provider.",
        ),
        plain("AUDIO_DENOISE", "false", "Removes steady noise there."),
        plain("AUDIO_LOUDNESS", "-20", "The loudness in LUFS to which the sound is brought there, or off."),
    ],
};

/// Makes the providers that are turned on, in the order of `SPEECH`. The settings of the others are read too, so that
/// mistakes in them are reported.
pub fn configured(values: &Values, slots: &Slots) -> Result<Vec<SpeechToText>, ConfigError> {
    in_order(values, slots, &order(values)?)
}

/// The same, in the order of the setting `first` where it is given.
pub fn configured_for(values: &Values, slots: &Slots, first: &str) -> Result<Vec<SpeechToText>, ConfigError> {
    let order = if values.text(first).is_some() { order_of(values, first)? } else { order(values)? };
    in_order(values, slots, &order)
}

fn in_order(
    values: &Values,
    slots: &Slots,
    order: &[&'static str],
) -> Result<Vec<SpeechToText>, ConfigError> {
    let mut made = Vec::new();
    for provider in ALL {
        made.push((provider.name, (provider.make)(values, slots)?));
    }
    let in_order = order.iter().filter_map(|name| {
        let (_, client) = made.iter_mut().find(|(made, _)| made == name)?;
        client.take()
    });
    Ok(in_order.collect())
}

/// Whether `SPEECH` or `LIVE_SPEECH` names this provider. A key alone does not turn on a provider that both leave out: the
/// key of `OpenAI` is that of the model, too.
pub(super) fn names(values: &Values, provider: &str) -> Result<bool, ConfigError> {
    let of_live = values.text(LIVE).is_some() && order_of(values, LIVE)?.contains(&provider);
    Ok(of_live || order(values)?.contains(&provider))
}

/// The names of the providers in the order in which they are tried.
fn order(values: &Values) -> Result<Vec<&'static str>, ConfigError> {
    order_of(values, "SPEECH")
}

/// The same, by the setting with this name.
fn order_of(values: &Values, setting: &str) -> Result<Vec<&'static str>, ConfigError> {
    let known = || ALL.iter().map(|provider| provider.name);
    let named = values.list(setting);
    if named.is_empty() {
        return match values.text(setting) {
            Some(_) => Err(ConfigError::new(setting, "names no provider")),
            None => Ok(known().collect()),
        };
    }
    let expected = || format!("one or more of {}", known().collect::<Vec<_>>().join(", "));
    let mut order = Vec::new();
    for name in named {
        let found = known().find(|known| known.eq_ignore_ascii_case(&name));
        let found = found.ok_or_else(|| ConfigError::not(setting, &name, &expected()))?;
        if !order.contains(&found) {
            order.push(found);
        }
    }
    Ok(order)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::tls;

    fn names(settings: &[(&str, &str)]) -> Result<Vec<String>, ConfigError> {
        tls();
        let made = configured(&Values::of(settings.iter().copied()), &Slots::of_this_process())?;
        Ok(made.iter().map(|provider| provider.remote().destination.to_string()).collect())
    }

    const KEYS: [(&str, &str); 3] =
        [("ELEVENLABS_API_KEY", "key"), ("DEEPGRAM_API_KEY", "key"), ("ASSEMBLYAI_API_KEY", "key")];

    #[test]
    fn without_an_order_those_with_a_key_are_tried_in_the_order_of_the_list() {
        assert_eq!(names(&KEYS).unwrap(), ["assemblyai", "deepgram", "elevenlabs"]);
    }

    #[test]
    fn the_setting_says_the_order_and_those_without_a_key_are_left_out() {
        let ordered = [&KEYS[..], &[("SPEECH", "local, Deepgram,assemblyai,deepgram")]].concat();
        assert_eq!(names(&ordered).unwrap(), ["deepgram", "assemblyai"]);
    }

    #[test]
    fn a_provider_that_the_setting_leaves_out_is_off_in_every_list() {
        tls();
        let values = Values::of([("OPENAI_API_KEY", "key"), ("SPEECH", "deepgram")]);
        let is_on = |name: &str| {
            let provider = ALL.iter().find(|provider| provider.name == name).unwrap();
            (provider.make)(&values, &Slots::of_this_process()).unwrap().is_some()
        };
        assert!(!is_on("openai"));
        assert!(!crate::services(&values).contains(&("transcription", true)));
    }

    #[test]
    fn a_provider_that_only_the_order_of_live_calls_names_works_for_them_alone() {
        tls();
        let values = Values::of([
            ("SPEECH", "assemblyai"),
            ("ASSEMBLYAI_API_KEY", "key"),
            ("LIVE_SPEECH", "local"),
            ("LOCAL_SPEECH_BASE_URL", "http://127.0.0.1:1/v1"),
        ]);
        let slots = Slots::of_this_process();
        let names = |made: Vec<SpeechToText>| {
            made.iter().map(|provider| provider.remote().destination.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(names(configured(&values, &slots).unwrap()), ["assemblyai"]);
        assert_eq!(names(configured_for(&values, &slots, LIVE).unwrap()).len(), 1);
    }

    #[test]
    fn a_provider_that_does_not_exist_is_named_together_with_those_that_do() {
        for value in ["whispering", ","] {
            let error = names(&[("SPEECH", value)]).unwrap_err();
            assert_eq!(error.name, "SPEECH");
        }
        let error = names(&[("SPEECH", "assembly")]).unwrap_err();
        assert!(error.problem.contains("assemblyai"), "{error}");
    }
}
