//! What is set, and from where, for people who look at a running process. A secret is never shown.

use std::path::PathBuf;

use url::Url;

use super::keys::{Key, Known};
use super::{Values, one_line};

/// The longest value that is shown, in characters.
const SHOWN_CHARS: usize = 200;

/// Where the value of a setting came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    pub place: Place,
    /// The file that `NAME_FILE` names and that holds the value.
    pub secret_file: Option<PathBuf>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    Environment,
    /// The configuration file with this path.
    File(PathBuf),
}

/// A setting as people see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownSetting {
    pub key: &'static Key,
    pub is_set: bool,
    /// The value. `None` for a secret, and where nothing is set.
    pub value: Option<String>,
    /// `None` where nothing is set, and where the program itself set the value, as the demo does.
    pub source: Option<Source>,
}

/// Settings that belong together, as people see them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownGroup {
    pub title: &'static str,
    pub settings: Vec<ShownSetting>,
}

impl Known {
    /// Every setting in the order in which the settings are documented.
    pub fn shown(&self, values: &Values) -> Vec<ShownGroup> {
        let setting = |key: &'static Key| {
            let value = values.value(key.name);
            ShownSetting {
                key,
                is_set: value.is_some(),
                source: value.as_ref().and_then(|_| values.sources.get(key.name).cloned()),
                value: value.filter(|_| !key.secret).map(|value| harmless(&value)),
            }
        };
        let group = |group: &'static super::Group| ShownGroup {
            title: group.title,
            settings: group.keys.iter().map(setting).collect(),
        };
        self.groups().map(group).collect()
    }
}

/// The value on one line and not too long. The password and the query of an address are left out: the setting is no
/// secret, but somebody can have written one there.
fn harmless(value: &str) -> String {
    let mut value = one_line(value);
    if let Ok(mut address) = Url::parse(&value)
        && address.has_host()
    {
        address.set_query(None);
        address.set_fragment(None);
        // Only an address without a host refuses both.
        if address.set_username("").is_ok() && address.set_password(None).is_ok() {
            value = address.into();
        }
    }
    match value.char_indices().nth(SHOWN_CHARS) {
        Some((end, _)) => format!("{}…", &value[..end]),
        None => value,
    }
}

#[cfg(test)]
mod tests {
    use super::super::keys::{Group, plain, secret};
    use super::super::load;
    use super::*;

    static PROVIDER: Group = Group {
        title: "A provider",
        keys: &[
            secret("MODEL_API_KEY", "Turns it on."),
            plain("MODEL_BASE_URL", "https://api.example.com", "Its address."),
            plain("MODEL_PRICE", "", "What it costs."),
            plain("MODEL_NAME", "small", "Which one."),
        ],
    };

    #[test]
    fn a_setting_says_where_it_came_from_and_a_secret_only_that_it_is_set() {
        let folder = tempfile::tempdir().unwrap();
        let (file, key) = (folder.path().join("debrief.toml"), folder.path().join("key"));
        std::fs::write(&file, "model_price = 0.15\nmodel_name = \"large\"").unwrap();
        std::fs::write(&key, "sk-very-secret").unwrap();
        let env = [
            ("MODEL_API_KEY_FILE".to_owned(), key.clone().into_os_string()),
            ("MODEL_NAME".to_owned(), "middle".into()),
        ];
        let known = Known::with([&PROVIDER]);
        let values = load(&known, Some(&file), env.into_iter()).unwrap();
        let groups = known.shown(&values);
        let shown = &groups.last().unwrap().settings;
        let from = |place, secret_file| Some(Source { place, secret_file });
        assert_eq!((shown[0].is_set, &shown[0].value), (true, &None));
        assert_eq!(shown[0].source, from(Place::Environment, Some(key)));
        assert_eq!((shown[1].is_set, &shown[1].value, &shown[1].source), (false, &None, &None));
        assert_eq!(
            (shown[2].value.as_deref(), &shown[2].source),
            (Some("0.15"), &from(Place::File(file), None))
        );
        assert_eq!(
            (shown[3].value.as_deref(), &shown[3].source),
            (Some("middle"), &from(Place::Environment, None)),
            "the environment wins"
        );
        assert!(!format!("{groups:?}").contains("very-secret"));
    }

    #[test]
    fn a_password_in_an_address_is_not_shown() {
        let values = Values::of([("MODEL_BASE_URL", "https://me:hunter2@api.example.com/v1?key=abc#x")]);
        let shown = Known::with([&PROVIDER]).shown(&values).pop().unwrap().settings;
        assert_eq!(shown[1].value.as_deref(), Some("https://api.example.com/v1"));
        assert_eq!(shown[1].source, None, "nobody but this program set it");
    }

    #[test]
    fn a_long_value_is_cut_and_stands_on_one_line() {
        let long = "ä\n".repeat(300);
        let values = Values::of([("MODEL_NAME", long.as_str())]);
        let shown = Known::with([&PROVIDER]).shown(&values).pop().unwrap().settings;
        let value = shown[3].value.clone().unwrap();
        assert!(value.chars().count() == SHOWN_CHARS + 1 && !value.contains('\n'), "{value}");
    }
}
