//! The settings of live calls.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use domain::agents::Agents;
use platform::config::{ConfigError, Installation, Values};

use crate::help::{Cards, Trackers};

/// The settings of live calls.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `LIVE_END_AFTER`: after so long a silence a session ends by itself.
    pub end_after: Duration,
    /// `LIVE_GAP`: how long a missing piece is waited for.
    pub gap_for: Duration,
    /// `TRACKERS_FILE`: the phrases that an agent is told of.
    pub(crate) trackers: Trackers,
    /// `CARDS_DIR`: the notes that an agent is shown.
    pub(crate) cards: Arc<Cards>,
    /// `LIVE_MODEL_EVERY`: the shortest time between two questions to a model about one call.
    pub(crate) model_every: Duration,
    /// `AGENTS_FILE`: our own people.
    pub(crate) agents: Agents,
    /// The longest recording, in bytes.
    pub(crate) max_audio_bytes: u64,
    /// `SPEECH_WORDS` and `SPEECH_LANGUAGE`.
    pub(crate) words: Vec<String>,
    pub(crate) language: Option<String>,
}

impl Settings {
    pub fn read(values: &Values, installation: &Installation) -> Result<Self, ConfigError> {
        const TRACKERS: &str = "TRACKERS_FILE";
        const CARDS: &str = "CARDS_DIR";
        let trackers = match values.text(TRACKERS) {
            Some(path) => {
                let text = std::fs::read_to_string(&path).map_err(|error| {
                    ConfigError::not(TRACKERS, &path, &format!("a file that can be read: {error}"))
                })?;
                Trackers::read(&text).map_err(|problem| ConfigError::new(TRACKERS, problem))?
            }
            None => Trackers::default(),
        };
        let cards = match values.text(CARDS) {
            Some(folder) => {
                Cards::read(Path::new(&folder)).map_err(|problem| ConfigError::new(CARDS, problem))?
            }
            None => Cards::default(),
        };
        let second = Duration::from_secs(1);
        Ok(Self {
            end_after: values.duration_from("LIVE_END_AFTER", Duration::from_mins(5), second)?,
            gap_for: values.duration("LIVE_GAP", Duration::from_secs(10))?,
            trackers,
            cards: Arc::new(cards),
            model_every: values.duration_from("LIVE_MODEL_EVERY", Duration::from_secs(15), second)?,
            agents: installation.agents.clone(),
            max_audio_bytes: installation.max_upload_bytes,
            words: values.list("SPEECH_WORDS"),
            language: values.text("SPEECH_LANGUAGE"),
        })
    }
}
