//! The configuration. It is read once, in `main`, from `debrief.toml` and the environment, into [`Values`]. Each
//! crate takes its own settings from there.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use domain::shown_text::one_line;
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

mod agents;
mod installation;
pub mod keys;
mod load;
mod misspelling;
mod overview;
mod rate;
mod span;

pub use installation::Installation;
pub use keys::{Group, Key, Known};
pub use load::{FILE, environment, load};
pub use misspelling::Misspelling;
pub use overview::{Place, ShownGroup, ShownSetting, Source};
pub use rate::Rate;

/// Says which setting is wrong and why. The user can mend it.
#[derive(Debug, thiserror::Error)]
#[error("{name}: {problem}")]
pub struct ConfigError {
    pub name: String,
    pub problem: String,
}

impl ConfigError {
    pub fn new(name: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { name: name.into(), problem: problem.into() }
    }

    /// The value `text` is not what is `expected`. An address is not shown, because it can hold a password. Of a long
    /// value, only the beginning is shown, and on one line.
    pub fn not(name: &str, text: &str, expected: &str) -> Self {
        const SHOWN: usize = 60;
        if text.contains("://") {
            return Self::new(name, format!("is not {expected}"));
        }
        let text = one_line(text);
        let mut shown: String = text.chars().take(SHOWN).collect();
        if shown.len() < text.len() {
            shown.push('…');
        }
        Self::new(name, format!("`{shown}` is not {expected}"))
    }
}

/// Every setting that was given, by the name of its environment variable. An empty value counts as absent.
#[derive(Clone, Debug, Default)]
pub struct Values {
    given: BTreeMap<String, SecretString>,
    /// Where the values came from that were loaded.
    sources: BTreeMap<&'static str, Source>,
    misspellings: Vec<Misspelling>,
    asked: Option<Asked>,
}

/// The names of the settings that were read.
type Asked = Arc<Mutex<BTreeSet<String>>>;

impl Values {
    /// Makes settings from pairs of names and values, for tests and for the demo.
    pub fn of<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let given = pairs.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
        Self { given, ..Self::default() }
    }

    /// Remembers in `asked` the name of every setting that is read. It is for the test that compares the lists of
    /// settings with the settings that are read.
    pub fn remembering(self, asked: &Arc<Mutex<BTreeSet<String>>>) -> Self {
        Self { asked: Some(Arc::clone(asked)), ..self }
    }

    pub fn set(&mut self, name: &str, value: &str) {
        self.given.insert(name.to_owned(), value.into());
    }

    /// The names of the settings that have a value, in alphabetical order.
    pub fn given(&self) -> impl Iterator<Item = &str> {
        self.given.keys().map(String::as_str).filter(|name| self.value(name).is_some())
    }

    /// Variables of the environment whose names are nearly names of our settings. They have no effect.
    pub fn misspellings(&self) -> &[Misspelling] {
        &self.misspellings
    }

    pub fn text(&self, name: &str) -> Option<String> {
        if let Some(asked) = &self.asked {
            asked.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned());
        }
        self.value(name)
    }

    fn value(&self, name: &str) -> Option<String> {
        self.given
            .get(name)
            .map(|value| value.expose_secret().trim().to_owned())
            .filter(|value| !value.is_empty())
    }

    pub fn secret(&self, name: &str) -> Option<SecretString> {
        self.text(name).map(Into::into)
    }

    /// Reads the key of a provider. A key with other characters is a mistake in copying, which no request could carry.
    pub fn key(&self, name: &str) -> Result<Option<SecretString>, ConfigError> {
        let key = self.secret(name);
        match &key {
            Some(key) if !key.expose_secret().bytes().all(|byte| byte.is_ascii_graphic()) => {
                Err(ConfigError::new(name, "it has characters that no key can have"))
            }
            _ => Ok(key),
        }
    }

    /// Reads a list that is separated by commas. Blanks around its entries are dropped.
    pub fn list(&self, name: &str) -> Vec<String> {
        let text = self.text(name).unwrap_or_default();
        text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
    }

    pub fn parse<T: FromStr>(&self, name: &str, expected: &str) -> Result<Option<T>, ConfigError> {
        self.text(name)
            .map(|text| text.parse().map_err(|_| ConfigError::not(name, &text, expected)))
            .transpose()
    }

    /// Reads a whole number. A number outside `bounds` is refused. `of_what` names what is counted.
    pub fn number<T>(
        &self,
        name: &str,
        default: T,
        bounds: RangeInclusive<T>,
        of_what: &str,
    ) -> Result<T, ConfigError>
    where
        T: FromStr + PartialOrd + std::fmt::Display,
    {
        let Some(text) = self.text(name) else { return Ok(default) };
        text.parse().ok().filter(|number| bounds.contains(number)).ok_or_else(|| {
            let expected = format!("a number of {of_what} from {} to {}", bounds.start(), bounds.end());
            ConfigError::not(name, &text, &expected)
        })
    }

    /// Reads a key that requests have to show. It must be a text that a header of HTTP can carry. Otherwise nobody
    /// could ever show it.
    pub fn request_key(&self, name: &str) -> Result<Option<String>, ConfigError> {
        match self.text(name) {
            Some(key) if !key.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) => {
                Err(ConfigError::new(
                    name,
                    "may hold only visible characters of ASCII, because it is sent in a header",
                ))
            }
            key => Ok(key),
        }
    }

    pub fn flag(&self, name: &str) -> Result<bool, ConfigError> {
        match self.text(name).as_deref() {
            None | Some("false" | "0" | "no") => Ok(false),
            Some("true" | "1" | "yes") => Ok(true),
            Some(other) => Err(ConfigError::not(name, other, "true or false")),
        }
    }

    pub fn url(&self, name: &str, default: &str) -> Result<Url, ConfigError> {
        let text = self.text(name).unwrap_or_else(|| default.to_owned());
        Url::parse(&text)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https"))
            .ok_or_else(|| ConfigError::new(name, "not an http or https address"))
    }
}
