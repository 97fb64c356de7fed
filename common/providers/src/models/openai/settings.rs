//! The settings of the model.

use std::time::Duration;

use platform::config::keys::{plain, secret};
use platform::config::{ConfigError, Key, Rate, Values};
use secrecy::SecretString;
use url::Url;

use crate::models::Prices;
use crate::versions::OPENAI_MODEL as MODEL;

const BASE_URL: &str = "https://api.openai.com/v1";
const DEFAULT_MAX_INPUT_TOKENS: usize = 100_000;
const DEFAULT_TIMEOUT: Duration = Duration::from_mins(2);

pub(super) const KEYS: &[Key] = &[
    secret("OPENAI_API_KEY", "Turns the model on. Absent: the built-in analyzer works."),
    plain("OPENAI_BASE_URL", BASE_URL, "Its address."),
    plain(MODEL.setting, MODEL.default, "The model that analyses."),
    plain("OPENAI_MAX_INPUT_TOKENS", "100000", "A transcript above it is analysed in parts."),
    plain(
        "OPENAI_RATE",
        "",
        "Requests to the model in a time, such as 100/m; a transcript in three parts is three. Absent: no limit.",
    ),
    plain("OPENAI_TIMEOUT", "2m", "How long one answer of the model may take."),
    plain(
        "OPENAI_PRICE_PROMPT",
        "",
        "US dollars for a million input tokens; needs OPENAI_PRICE_COMPLETION. Absent: no cost is recorded.",
    ),
    plain("OPENAI_PRICE_COMPLETION", "", "US dollars for a million output tokens."),
];

#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) api_key: SecretString,
    /// The address of the API. It has a path of its own (`/v1`), and the paths of requests are appended to it.
    pub(super) base_url: Url,
    pub(super) model: String,
    /// A transcript with more tokens than this is read in parts. Tokens are counted roughly.
    pub(super) max_input_tokens: usize,
    pub(super) prices: Option<Prices>,
    /// How long one request may take, from connecting to the last byte of the answer.
    pub(super) timeout: Duration,
    /// The rate of requests to the model. `None` where there is no limit.
    pub(super) rate: Option<Rate>,
}

impl Settings {
    /// Reads the settings. `None` where no `OPENAI_API_KEY` is set.
    pub(super) fn read(values: &Values) -> Result<Option<Self>, ConfigError> {
        let base_url = values.url("OPENAI_BASE_URL", BASE_URL)?;
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
        let timeout = values.duration_from("OPENAI_TIMEOUT", DEFAULT_TIMEOUT, Duration::from_secs(1))?;
        let rate = values.rate("OPENAI_RATE")?;
        let model = values.text(MODEL.setting).unwrap_or_else(|| MODEL.default.to_owned());
        let Some(api_key) = values.key("OPENAI_API_KEY")? else { return Ok(None) };
        Ok(Some(Self { api_key, base_url, model, max_input_tokens, prices, timeout, rate }))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_key_there_is_no_model() {
        assert!(Settings::read(&Values::default()).unwrap().is_none());
    }

    #[test]
    fn a_key_alone_is_enough() {
        let settings = Settings::read(&Values::of([("OPENAI_API_KEY", "key")])).unwrap().unwrap();
        assert_eq!(settings.base_url.as_str(), "https://api.openai.com/v1");
        assert_eq!(settings.model, MODEL.default);
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
}
