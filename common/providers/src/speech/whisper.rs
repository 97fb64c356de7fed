//! Whisper in this process, on the processor: no audio leaves the machine, and nobody is paid.
//!
//! The network is heavy native work and brings in many crates, so it is compiled only with the feature `whisper`. A build
//! without it still knows the settings and reads answers that another build kept, and it says so when somebody turns
//! Whisper on.
//!
//! The user brings the weights: a folder in the layout of Hugging Face. It is read for each recording anew, and its memory
//! is free again afterwards. So a damaged folder can be mended while the process runs, and what a recording needs can be
//! counted.

mod answer;
#[cfg(feature = "whisper")]
mod client;
#[cfg(feature = "whisper")]
mod decoding;
#[cfg(feature = "whisper")]
mod files;
#[cfg(feature = "whisper")]
mod listening;
#[cfg(feature = "whisper")]
mod mel;
#[cfg(feature = "whisper")]
mod model;
#[cfg(feature = "whisper")]
mod rules;
#[cfg(feature = "whisper")]
mod stopped;
#[cfg(feature = "whisper")]
mod transcriber;
#[cfg(feature = "whisper")]
mod vocabulary;
#[cfg(feature = "whisper")]
mod weights;

use std::path::PathBuf;

use platform::config::keys::plain;
use platform::config::{ConfigError, Group, Values};

use super::{SpeechToText, chain};
use crate::descriptor::Descriptor;

pub(super) use answer::read;

pub(super) const NAME: &str = "whisper";
const TITLE: &str = "Whisper in this process";
const MAX_THREADS: usize = 256;

pub static DESCRIPTOR: Descriptor<SpeechToText> = Descriptor {
    name: NAME,
    service: Some("transcription"),
    key: "WHISPER_MODEL_DIR",
    settings: Group {
        title: "Speech to text: Whisper in this process (only in a build with the feature `whisper`)",
        keys: &[
            plain(
                "WHISPER_MODEL_DIR",
                "",
                "Turns it on: the folder with config.json, model.safetensors and tokenizer.json of a Whisper model.",
            ),
            plain(
                "WHISPER_THREADS",
                "",
                "How many threads it uses for the one recording that it works on. Absent: half of the cores.",
            ),
        ],
    },
    make: |values, _| {
        let settings = Settings::read(values)?;
        let is_named = chain::names(values, NAME)?;
        settings.filter(|_| is_named).map(turned_on).transpose()
    },
};

/// The settings of a Whisper that is turned on.
#[cfg_attr(not(feature = "whisper"), expect(dead_code, reason = "this build has nobody who works with them"))]
struct Settings {
    folder: PathBuf,
    threads: usize,
}

impl Settings {
    /// `None` where no folder is set.
    fn read(values: &Values) -> Result<Option<Self>, ConfigError> {
        let expected = "a number of threads";
        let threads = values.parse::<usize>("WHISPER_THREADS", expected)?;
        if threads.is_some_and(|threads| !(1..=MAX_THREADS).contains(&threads)) {
            return Err(ConfigError::new("WHISPER_THREADS", format!("is not between 1 and {MAX_THREADS}")));
        }
        let folder = values.text("WHISPER_MODEL_DIR");
        let is_named = values.list("SPEECH").iter().any(|name| name.eq_ignore_ascii_case(NAME));
        if cfg!(not(feature = "whisper")) && is_named {
            return Err(ConfigError::new("SPEECH", format!("names `{NAME}`, but {NOT_IN_THIS_BUILD}")));
        }
        let half = || std::thread::available_parallelism().map_or(1, |cores| (cores.get() / 2).max(1));
        let threads = threads.unwrap_or_else(half);
        Ok(folder.map(|folder| Self { folder: folder.into(), threads }))
    }
}

const NOT_IN_THIS_BUILD: &str = "this build has no Whisper in it. Use a build that was made with \
                                 `cargo build --release -p debrief --features whisper`";

#[cfg(feature = "whisper")]
#[expect(clippy::unnecessary_wraps, reason = "a build without the feature refuses here")]
fn turned_on(settings: Settings) -> Result<SpeechToText, ConfigError> {
    super::requests::declare(NAME);
    let client = client::Whisper::new(settings.folder, settings.threads);
    Ok(SpeechToText::AtOnce(std::sync::Arc::new(client)))
}

#[cfg(not(feature = "whisper"))]
fn turned_on(_: Settings) -> Result<SpeechToText, ConfigError> {
    Err(ConfigError::new("WHISPER_MODEL_DIR", format!("is set, but {NOT_IN_THIS_BUILD}")))
}

#[cfg(all(test, not(feature = "whisper")))]
mod tests_of_other_builds {
    use super::*;
    use crate::Slots;

    fn refused(settings: &[(&str, &str)]) -> ConfigError {
        super::super::configured(&Values::of(settings.iter().copied()), &Slots::of_this_process())
            .err()
            .expect("it is refused")
    }

    #[test]
    fn a_build_without_whisper_says_which_build_has_it() {
        for (settings, name) in [
            (&[("SPEECH", "deepgram,whisper")][..], "SPEECH"),
            (&[("WHISPER_MODEL_DIR", "/models/whisper-tiny")], "WHISPER_MODEL_DIR"),
        ] {
            let error = refused(settings);
            assert_eq!(error.name, name);
            assert!(error.problem.contains("--features whisper"), "{error}");
        }
    }

    #[test]
    fn a_folder_that_speech_leaves_out_is_no_mistake() {
        let settings = [("WHISPER_MODEL_DIR", "/models/whisper-tiny"), ("SPEECH", "deepgram")];
        let made = super::super::configured(&Values::of(settings), &Slots::of_this_process()).unwrap();
        assert!(made.is_empty());
    }
}
