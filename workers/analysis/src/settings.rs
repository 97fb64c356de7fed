//! The settings of the analysis worker.

use std::time::Duration;

use platform::config::{ConfigError, Rate, Values};
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

const DEFAULT_BASE_URL: &str = "https://api.openai.com/v1";
const DEFAULT_MODEL: &str = "gpt-4o-mini";
const DEFAULT_MAX_INPUT_TOKENS: usize = 100_000;
const DEFAULT_TIMEOUT: Duration = Duration::from_mins(2);

/// The model that reads the transcripts. Without one, the built-in analyzer reads them.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    pub openai: Option<OpenAiSettings>,
}

#[derive(Clone, Debug)]
pub struct OpenAiSettings {
    pub api_key: SecretString,
    /// The address of the API. It may have a path of its own (`/v1`), to which other paths are appended.
    pub base_url: Url,
    pub model: String,
    /// A transcript with more tokens than this, by our estimate, is read in parts.
    pub max_input_tokens: usize,
    pub prices: Option<Prices>,
    /// The longest time for one request, from connecting to the last byte.
    pub timeout: Duration,
    /// The highest rate of requests to the model. Without it there is no limit.
    pub rate: Option<Rate>,
}

/// The prices of a model, in US dollars for a million tokens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prices {
    pub prompt: f64,
    pub completion: f64,
}

impl Settings {
    /// Reads the settings. `OPENAI_API_KEY` switches the model on. `OPENAI_BASE_URL`, `OPENAI_MODEL`,
    /// `OPENAI_MAX_INPUT_TOKENS`, `OPENAI_TIMEOUT` and `OPENAI_RATE` are optional. `OPENAI_PRICE_PROMPT` and
    /// `OPENAI_PRICE_COMPLETION` (US dollars for a million tokens) are set together; without them no cost is computed.
    pub fn read(values: &Values) -> Result<Self, ConfigError> {
        let base_url = values.url("OPENAI_BASE_URL", DEFAULT_BASE_URL)?;
        let max_input_tokens = values
            .parse("OPENAI_MAX_INPUT_TOKENS", "a number of tokens")?
            .unwrap_or(DEFAULT_MAX_INPUT_TOKENS);
        if max_input_tokens < 4_000 {
            return Err(ConfigError::new(
                "OPENAI_MAX_INPUT_TOKENS",
                "fewer than 4000 tokens hold no useful part of a call",
            ));
        }
        let prices = match (price(values, "OPENAI_PRICE_PROMPT")?, price(values, "OPENAI_PRICE_COMPLETION")?)
        {
            (Some(prompt), Some(completion)) => Some(Prices { prompt, completion }),
            (None, None) => None,
            (Some(_), None) => return Err(missing("OPENAI_PRICE_COMPLETION", "OPENAI_PRICE_PROMPT")),
            (None, Some(_)) => return Err(missing("OPENAI_PRICE_PROMPT", "OPENAI_PRICE_COMPLETION")),
        };
        let timeout = values.duration("OPENAI_TIMEOUT", DEFAULT_TIMEOUT)?;
        let rate = values.rate("OPENAI_RATE")?;
        let Some(api_key) = values.secret("OPENAI_API_KEY") else { return Ok(Self::default()) };
        if !api_key.expose_secret().bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(ConfigError::new("OPENAI_API_KEY", "it has characters that no key can have"));
        }
        Ok(Self {
            openai: Some(OpenAiSettings {
                api_key,
                base_url,
                model: values.text("OPENAI_MODEL").unwrap_or_else(|| DEFAULT_MODEL.to_owned()),
                max_input_tokens,
                prices,
                timeout,
                rate,
            }),
        })
    }
}

fn price(values: &Values, name: &str) -> Result<Option<f64>, ConfigError> {
    let expected = "a price in US dollars for a million tokens";
    match values.parse::<f64>(name, expected)? {
        Some(price) if !price.is_finite() || price < 0.0 => {
            Err(ConfigError::new(name, format!("`{price}` is not {expected}")))
        }
        price => Ok(price),
    }
}

fn missing(name: &str, given: &str) -> ConfigError {
    ConfigError::new(name, format!("{given} is set, so this must be set too"))
}

impl Prices {
    /// The cost of a request in US dollars.
    #[expect(clippy::cast_precision_loss, reason = "token counts are far below 2^52")]
    pub fn cost(self, prompt_tokens: i64, completion_tokens: i64) -> f64 {
        (prompt_tokens as f64 * self.prompt + completion_tokens as f64 * self.completion) / 1_000_000.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_model_is_used_when_no_key_is_set() {
        assert!(Settings::read(&Values::default()).unwrap().openai.is_none());
    }

    #[test]
    fn a_key_is_enough_and_the_other_settings_have_defaults() {
        let settings = Settings::read(&Values::of([("OPENAI_API_KEY", "key")])).unwrap().openai.unwrap();
        assert_eq!(settings.base_url.as_str(), "https://api.openai.com/v1");
        assert_eq!(settings.model, "gpt-4o-mini");
        assert_eq!(settings.prices, None);
    }

    #[test]
    fn the_error_about_a_wrong_value_names_the_setting() {
        for (name, value) in [
            ("OPENAI_PRICE_PROMPT", "0.15"),
            ("OPENAI_PRICE_COMPLETION", "-1"),
            ("OPENAI_PRICE_PROMPT", "NaN"),
            ("OPENAI_MAX_INPUT_TOKENS", "10"),
            ("OPENAI_BASE_URL", "file:///tmp"),
            ("OPENAI_RATE", "fast"),
            ("OPENAI_API_KEY", "two words"),
        ] {
            let error = Settings::read(&Values::of([(name, value)])).unwrap_err();
            assert!(error.name.starts_with("OPENAI_"), "{error}");
        }
    }

    #[test]
    fn prices_are_for_a_million_tokens() {
        let prices = Prices { prompt: 0.5, completion: 2.0 };
        assert!((prices.cost(1_000_000, 500_000) - 1.5).abs() < 1e-9);
    }
}
