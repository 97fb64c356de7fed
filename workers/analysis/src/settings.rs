//! The settings of this worker.

use std::time::Duration;

use platform::config::{ConfigError, Rate, Values};
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

const DEFAULT_BASE_URL: &str = "https://api.openai.com/v1";
const DEFAULT_MODEL: &str = "gpt-4o-mini";
const DEFAULT_MAX_INPUT_TOKENS: usize = 100_000;
const DEFAULT_TIMEOUT: Duration = Duration::from_mins(2);

/// Which model reads the transcripts. Without one the built-in analyzer does.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    pub openai: Option<OpenAiSettings>,
}

#[derive(Clone, Debug)]
pub struct OpenAiSettings {
    pub api_key: SecretString,
    /// With a path of its own (`/v1`); paths are appended to it.
    pub base_url: Url,
    pub model: String,
    /// Above this many tokens, roughly counted, a transcript is read in parts.
    pub max_input_tokens: usize,
    pub prices: Option<Prices>,
    /// Of one request, from connecting to the last byte.
    pub timeout: Duration,
    /// Of requests to the model. Absent: no limit.
    pub rate: Option<Rate>,
}

/// US dollars for a million tokens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prices {
    pub prompt: f64,
    pub completion: f64,
}

impl Settings {
    /// `OPENAI_API_KEY` turns the model on; `OPENAI_BASE_URL`, `OPENAI_MODEL`, `OPENAI_MAX_INPUT_TOKENS`,
    /// `OPENAI_TIMEOUT`, `OPENAI_RATE` and `OPENAI_PRICE_PROMPT` with `OPENAI_PRICE_COMPLETION` (US dollars for a million
    /// tokens; without them no cost is said) adjust it.
    pub fn read(values: &Values) -> Result<Self, ConfigError> {
        let base_url = values.url("OPENAI_BASE_URL", DEFAULT_BASE_URL)?;
        let max_input_tokens = values
            .parse("OPENAI_MAX_INPUT_TOKENS", "a number of tokens")?
            .unwrap_or(DEFAULT_MAX_INPUT_TOKENS);
        if max_input_tokens < 4_000 {
            return Err(ConfigError::new(
                "OPENAI_MAX_INPUT_TOKENS",
                "less than 4000 holds no useful part of a call",
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
            return Err(ConfigError::new("OPENAI_API_KEY", "it holds characters that no key has"));
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
    /// US dollars.
    #[expect(clippy::cast_precision_loss, reason = "token counts are far below 2^52")]
    pub fn cost(self, prompt_tokens: i64, completion_tokens: i64) -> f64 {
        (prompt_tokens as f64 * self.prompt + completion_tokens as f64 * self.completion) / 1_000_000.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_key_there_is_no_model() {
        assert!(Settings::read(&Values::default()).unwrap().openai.is_none());
    }

    #[test]
    fn a_key_alone_is_enough() {
        let settings = Settings::read(&Values::of([("OPENAI_API_KEY", "key")])).unwrap().openai.unwrap();
        assert_eq!(settings.base_url.as_str(), "https://api.openai.com/v1");
        assert_eq!(settings.model, "gpt-4o-mini");
        assert_eq!(settings.prices, None);
    }

    #[test]
    fn a_setting_that_makes_no_sense_is_named() {
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
    fn cost_is_per_million_tokens() {
        let prices = Prices { prompt: 0.5, completion: 2.0 };
        assert!((prices.cost(1_000_000, 500_000) - 1.5).abs() < 1e-9);
    }
}
