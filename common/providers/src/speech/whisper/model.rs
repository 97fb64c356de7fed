//! Reads a model's folder: what the network looks like, its weights and its vocabulary.

use std::path::PathBuf;

use candle_core::Device;
use candle_nn::VarBuilder;
use candle_transformers::models::whisper::model::Whisper as Network;
use candle_transformers::models::whisper::{Config, DTYPE};
use serde::Deserialize;

use super::files::{ModelError, in_words, json};
use super::mel::Mel;
use super::vocabulary::Vocabulary;
use super::weights::Weights;

/// Bounds that hold for every model that was published, and keep a damaged `config.json` from asking for the memory of the
/// whole machine.
const MAX_WIDTH: usize = 8_192;
const MAX_LAYERS: usize = 128;
const MAX_VOCABULARY: usize = 1_000_000;
const MAX_CONFIG_BYTES: u64 = 1024 * 1024;
/// A place of the network's picture is 20 ms, and its window is half a minute.
const PLACES: usize = 1_500;

/// A model that is loaded.
pub(super) struct Model {
    pub(super) network: Network,
    pub(super) vocabulary: Vocabulary,
    pub(super) mel: Mel,
    /// Tokens that are never chosen, such as musical notes.
    pub(super) suppressed: Vec<u32>,
    /// Whether it knows more languages than English.
    pub(super) is_multilingual: bool,
}

/// What stands in `generation_config.json`. It is the newer place for some values of `config.json`.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Generation {
    is_multilingual: Option<bool>,
    suppress_tokens: Option<Vec<i64>>,
}

/// A folder with a model.
#[derive(Clone, Debug)]
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn new(path: PathBuf) -> Self {
        Self(path)
    }

    pub(super) fn name(&self) -> String {
        self.0.file_name().map_or_else(|| "whisper".to_owned(), |name| name.to_string_lossy().into_owned())
    }

    /// How much memory a loaded model and its work take. 0 where the model cannot be used.
    pub(super) fn memory_bytes(&self) -> u64 {
        let measured = || -> Result<u64, ModelError> {
            let config = self.config()?;
            let weights = Weights::open(&self.0, false)?;
            let attention = config.encoder_attention_heads * PLACES * PLACES * 4 * 3;
            let layers = PLACES * config.d_model * 4 * 16;
            Ok(weights.memory_bytes() + (attention + layers) as u64)
        };
        measured().unwrap_or_default()
    }

    /// Looks at everything but the values of the weights. That takes some milliseconds.
    pub(super) fn look(&self) -> Result<(), ModelError> {
        self.read(false).map(drop)
    }

    pub(super) fn load(&self) -> Result<Model, ModelError> {
        self.read(true)
    }

    fn read(&self, reads_values: bool) -> Result<Model, ModelError> {
        if !self.0.is_dir() {
            return Err(ModelError::new(format!("there is no folder `{}`", self.0.display())));
        }
        let config = self.config()?;
        let generation = self.0.join("generation_config.json");
        let generation: Generation =
            if generation.exists() { json(&generation, MAX_CONFIG_BYTES)? } else { Generation::default() };
        let vocabulary = Vocabulary::read(&self.0, config.vocab_size)?;
        let weights = Weights::open(&self.0, reads_values)?;
        let builder = VarBuilder::from_backend(Box::new(weights), DTYPE, Device::Cpu);
        let suppressed = match generation.suppress_tokens {
            Some(tokens) => tokens.into_iter().filter_map(|token| u32::try_from(token).ok()).collect(),
            None => config.suppress_tokens.clone(),
        };
        // Where nothing says so, the size of the vocabulary tells: one that knows only English lacks one token.
        let knows_languages = !vocabulary.languages.is_empty() && vocabulary.transcribe.is_some();
        let is_multilingual =
            knows_languages && generation.is_multilingual.unwrap_or(config.vocab_size != ENGLISH_VOCABULARY);
        let mel = Mel::new(config.num_mel_bins);
        let network = Network::load(&builder, config).map_err(|error| ModelError::new(in_words(&error)))?;
        Ok(Model { network, vocabulary, mel, suppressed, is_multilingual })
    }

    fn config(&self) -> Result<Config, ModelError> {
        let config: Config = json(&self.0.join("config.json"), MAX_CONFIG_BYTES)?;
        let heads = [config.encoder_attention_heads, config.decoder_attention_heads];
        let is_whole = heads.iter().all(|heads| *heads > 0 && config.d_model.is_multiple_of(*heads));
        let is_sane = is_whole
            && (4..=MAX_WIDTH).contains(&config.d_model)
            && config.d_model.is_multiple_of(2)
            && (1..=512).contains(&config.num_mel_bins)
            && (1..=MAX_LAYERS).contains(&config.encoder_layers)
            && (1..=MAX_LAYERS).contains(&config.decoder_layers)
            && (1..=MAX_VOCABULARY).contains(&config.vocab_size)
            && (16..=MAX_WIDTH).contains(&config.max_target_positions)
            && config.max_source_positions == PLACES;
        if is_sane {
            Ok(config)
        } else {
            Err(ModelError::new("config.json describes no Whisper model that can be used".to_owned()))
        }
    }
}

const ENGLISH_VOCABULARY: usize = 51_864;
