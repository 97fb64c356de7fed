//! Reads `debrief.toml` and the environment into [`Values`].
//!
//! An unknown setting is an error. Otherwise a misspelt `DEBRIEF_RETRY_SHEDULE` would be noticed only when it does
//! harm. In the environment this holds for names that begin with `DEBRIEF_`. Other names may belong to other
//! programs. A name that is nearly one of ours is remembered, so that the program can print a warning.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::keys::{Key, Known};
use super::misspelling::Misspelling;
use super::overview::{Place, Source};
use super::{ConfigError, Values};

/// The file in the working directory that is read where the user names no file. It need not exist.
pub const FILE: &str = "debrief.toml";

/// The place of a value: the setting itself, or the file that `NAME_FILE` names.
enum Given {
    Here(String),
    InFile { said_as: String, path: PathBuf },
}

impl Given {
    fn put_into(self, values: &mut Values, name: &'static str, place: &Place) -> Result<(), ConfigError> {
        let (value, secret_file) = match self {
            Self::Here(value) => (value, None),
            Self::InFile { said_as, path } => {
                let value = read_file(&path).map_err(|error| {
                    ConfigError::new(said_as, format!("failed to read `{}`: {error}", path.display()))
                })?;
                (value, Some(path))
            }
        };
        values.set(name, &value);
        values.sources.insert(name, Source { place: place.clone(), secret_file });
        Ok(())
    }
}

/// The settings of one source. The values of the environment replace those of the file.
type Layer = BTreeMap<&'static str, Given>;

/// The longest file that is read, in bytes: a configuration, or a single secret.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// The variables of this process, for [`load`]. A variable whose name is not Unicode cannot be a setting and is left
/// out. The value of a setting that is not Unicode is an error. If it were left out, a process whose key cannot be
/// read would run without one.
pub fn environment() -> impl Iterator<Item = (String, OsString)> {
    std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
}

/// Loads the `known` settings from `file` and from `env`. Without `file`, [`FILE`] is read if it exists. Where both
/// give a setting, `env` wins.
///
/// # Errors
/// The file cannot be read or is not flat TOML, a setting is unknown, a secret is given twice, or the file of a
/// `NAME_FILE` cannot be read. No error shows a value.
pub fn load(
    known: &Known,
    file: Option<&Path>,
    env: impl Iterator<Item = (String, OsString)>,
) -> Result<Values, ConfigError> {
    let file = file.or_else(|| Some(Path::new(FILE)).filter(|file| file.exists()));
    let in_file = file.map_or_else(|| Ok(Layer::new()), |file| from_file(known, file))?;
    let (in_env, misspellings) = from_environment(known, env)?;

    let mut values = Values { misspellings, ..Values::default() };
    // What the environment replaces is not looked at.
    let in_file = in_file.into_iter().filter(|(name, _)| !in_env.contains_key(name)).collect::<Layer>();
    let of_file = file.map(|file| (Place::File(file.to_owned()), in_file));
    for (place, layer) in of_file.into_iter().chain([(Place::Environment, in_env)]) {
        for (name, given) in layer {
            given.put_into(&mut values, name, &place)?;
        }
    }
    Ok(values)
}

fn read_file(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let read = File::open(path)?.take(MAX_FILE_BYTES + 1).read_to_string(&mut text)?;
    if read as u64 > MAX_FILE_BYTES {
        return Err(io::Error::other(format!("it is longer than {MAX_FILE_BYTES} bytes")));
    }
    Ok(text)
}

fn from_file(known: &Known, path: &Path) -> Result<Layer, ConfigError> {
    let shown = path.display().to_string();
    let text = read_file(path)
        .map_err(|error| ConfigError::new(&shown, format!("failed to read the file: {error}")))?;
    let text = text.trim_start_matches('\u{feff}');
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
        // The full text of the error quotes the line, and the line may hold a secret.
        let before = error.span().map_or("", |span| text.get(..span.start).unwrap_or(text));
        let line = before.matches('\n').count() + 1;
        ConfigError::new(&shown, format!("line {line}: {}", error.message()))
    })?;

    let mut layer = Layer::new();
    for (said_as, value) in table {
        let name = said_as.to_ascii_uppercase();
        let found = if name.to_ascii_lowercase() == said_as { recognise(known, &name) } else { None };
        let Some((key, in_file)) = found else {
            let nearest = known.nearest(&name).to_ascii_lowercase();
            return Err(ConfigError::new(
                said_as,
                format!("there is no such setting ({shown}); the nearest is `{nearest}`"),
            ));
        };
        let value = as_text(value).map_err(|problem| ConfigError::new(&said_as, problem))?;
        add(&mut layer, key, in_file, said_as, value)?;
    }
    Ok(layer)
}

fn from_environment(
    known: &Known,
    env: impl Iterator<Item = (String, OsString)>,
) -> Result<(Layer, Vec<Misspelling>), ConfigError> {
    let (mut layer, mut misspellings) = (Layer::new(), Vec::new());
    for (name, value) in env {
        let Ok(value) = value.into_string() else {
            if recognise(known, &name).is_some() {
                return Err(ConfigError::new(name, "is not valid UTF-8"));
            }
            continue;
        };
        if let Some((key, in_file)) = recognise(known, &name) {
            add(&mut layer, key, in_file, name, value)?;
        } else if name.starts_with("DEBRIEF_") {
            if !is_somebody_elses(&name, &value) {
                let problem = format!("there is no such setting; the nearest is `{}`", known.nearest(&name));
                return Err(ConfigError::new(name, problem));
            }
        } else if !value.trim().is_empty() {
            misspellings.extend(Misspelling::of(known, &name));
        }
    }
    misspellings.sort_by(|one, other| one.name.cmp(&other.name));
    Ok((layer, misspellings))
}

/// Finds the key that `name` means, and whether the value stands in a file that it names.
fn recognise(known: &Known, name: &str) -> Option<(&'static Key, bool)> {
    known.find(name).map(|key| (key, false)).or_else(|| {
        let key = known.find(name.strip_suffix("_FILE")?)?;
        key.secret.then_some((key, true))
    })
}

fn add(
    layer: &mut Layer,
    key: &'static Key,
    in_file: bool,
    said_as: String,
    value: String,
) -> Result<(), ConfigError> {
    // Compose files pass `NAME=` for a variable that is not set.
    if value.trim().is_empty() {
        return Ok(());
    }
    let given = if in_file {
        Given::InFile { path: PathBuf::from(value.trim()), said_as }
    } else {
        Given::Here(value)
    };
    match layer.insert(key.name, given) {
        None => Ok(()),
        Some(_) => Err(ConfigError::new(key.name, "is given both as a value and as a file: keep one")),
    }
}

fn as_text(value: toml::Value) -> Result<String, String> {
    match value {
        toml::Value::String(text) => Ok(text),
        toml::Value::Array(parts) => {
            let parts: Vec<String> = parts.into_iter().map(as_text).collect::<Result<_, _>>()?;
            if parts.iter().any(|part| part.contains(',')) {
                return Err("an entry of a list cannot hold a comma".to_owned());
            }
            Ok(parts.join(","))
        }
        toml::Value::Table(_) => Err("a setting is a value, not a section: the file is flat".to_owned()),
        toml::Value::Integer(number) => Ok(number.to_string()),
        toml::Value::Float(number) => Ok(number.to_string()),
        toml::Value::Boolean(flag) => Ok(flag.to_string()),
        toml::Value::Datetime(time) => Ok(time.to_string()),
    }
}

/// Whether a variable begins as ours do but is not one of our settings. Such variables are those of the tests and
/// their servers, and those that Kubernetes sets in every container for each service of the namespace, here for a
/// service named `debrief-…`.
fn is_somebody_elses(name: &str, value: &str) -> bool {
    name.starts_with("DEBRIEF_TEST_")
        || name == "DEBRIEF_SERVICES_DIR"
        || name.ends_with("_SERVICE_HOST")
        || name.contains("_SERVICE_PORT")
        || name.contains("_PORT_")
        || (name.ends_with("_PORT") && value.contains("://"))
}

#[cfg(test)]
mod tests {
    use super::super::keys::{Group, plain, secret};
    use super::*;

    /// The settings of a provider, as the program puts them behind those of the core.
    static PROVIDER: Group = Group {
        title: "A provider",
        keys: &[
            secret("CHAT_WEBHOOK_URL", "Its webhook."),
            secret("MODEL_API_KEY", "Turns it on."),
            plain("MODEL_PRICE", "", "What it costs."),
            plain("CRM_ON", "false", "Whether it is on."),
        ],
    };

    fn known() -> Known {
        Known::with([&PROVIDER])
    }

    fn env(pairs: &[(&str, &str)]) -> impl Iterator<Item = (String, OsString)> {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).into()))
            .collect::<Vec<_>>()
            .into_iter()
    }

    fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        std::fs::write(&path, text).unwrap();
        (folder, path)
    }

    fn with_file(text: &str, pairs: &[(&str, &str)]) -> Result<Values, ConfigError> {
        let (_folder, path) = file(text);
        load(&known(), Some(&path), env(pairs))
    }

    fn problem(result: Result<Values, ConfigError>) -> String {
        result.map(|values| format!("{values:?}")).unwrap_err().to_string()
    }

    #[test]
    fn the_environment_wins_over_the_file() {
        let text = "port = 9000\ndebrief_region = \"GB\"\nmodel_price = 0.15\ncrm_on = true";
        let values = with_file(text, &[("PORT", "9001"), ("DEBRIEF_REGION", "")]).unwrap();
        assert_eq!(values.text("PORT").as_deref(), Some("9001"));
        assert_eq!(
            values.text("DEBRIEF_REGION").as_deref(),
            Some("GB"),
            "an empty variable is an absent one"
        );
        assert_eq!(values.text("MODEL_PRICE").as_deref(), Some("0.15"));
        assert!(values.flag("CRM_ON").unwrap());
    }

    #[test]
    fn a_list_can_be_written_as_a_list() {
        let values = with_file("support_number = [\"+442079460123\", 8001234]", &[]).unwrap();
        assert_eq!(values.list("SUPPORT_NUMBER"), ["+442079460123", "8001234"]);
        assert!(problem(with_file("support_number = [\"1,2\"]", &[])).starts_with("support_number: "));
    }

    #[test]
    fn an_unknown_setting_is_an_error_that_names_the_nearest() {
        let problem_in_file = problem(with_file("chat_webhok_url = \"https://secret.example\"", &[]));
        assert!(problem_in_file.starts_with("chat_webhok_url: "), "{problem_in_file}");
        assert!(problem_in_file.contains("`chat_webhook_url`"), "{problem_in_file}");
        assert!(!problem_in_file.contains("secret.example"), "{problem_in_file}");

        let problem_in_env = problem(load(&known(), None, env(&[("DEBRIEF_RETRY_SHEDULE", "1s")])));
        assert!(problem_in_env.contains("DEBRIEF_RETRY_SHEDULE"), "{problem_in_env}");
        assert!(problem_in_env.contains("`DEBRIEF_RETRY_SCHEDULE`"), "{problem_in_env}");

        assert!(problem(with_file("PORT = 1", &[])).contains("`port`"), "the file's names are in lower case");
        assert!(problem(with_file("[slack]\nchannel = \"C1\"", &[])).contains("slack: "));
        assert!(problem(with_file("[port]\nx = 1", &[])).contains("flat"));
    }

    #[test]
    fn variables_of_other_programs_are_no_error() {
        let others = [
            ("PATH", "/bin"),
            ("CHAT_WEBHOK_URL", "x"),
            ("DEBRIEF_TEST_AMQP_URL", "amqp://127.0.0.1"),
            ("DEBRIEF_SERVICE_HOST", "10.0.0.1"),
            ("DEBRIEF_API_SERVICE_PORT_HTTP", "8000"),
            ("DEBRIEF_PORT", "tcp://10.0.0.1:8000"),
            ("DEBRIEF_PORT_8000_TCP_ADDR", "10.0.0.1"),
        ];
        load(&known(), None, env(&others)).unwrap();
        assert!(load(&known(), None, env(&[("DEBRIEF_PORT", "8000")])).is_err(), "somebody means PORT");
    }

    #[test]
    fn a_variable_that_is_nearly_ours_is_remembered_where_it_has_a_value() {
        let values =
            load(&known(), None, env(&[("CHAT_WEBHOK_URL", "x"), ("MODEL_API_KEYS", " "), ("PATH", "/bin")]));
        let found: Vec<_> = values.unwrap().misspellings().iter().map(|found| found.meant.clone()).collect();
        assert_eq!(found, ["CHAT_WEBHOOK_URL"]);
    }

    #[test]
    fn a_secret_can_stand_in_a_file_of_its_own() {
        let (folder, _) = file("");
        let path = folder.path().join("key");
        std::fs::write(&path, "sk-test\n").unwrap();
        let path = path.to_str().unwrap();

        let values = load(&known(), None, env(&[("MODEL_API_KEY_FILE", path)])).unwrap();
        assert_eq!(values.text("MODEL_API_KEY").as_deref(), Some("sk-test"));
        let values = with_file(&format!("model_api_key_file = {path:?}"), &[]).unwrap();
        assert_eq!(values.text("MODEL_API_KEY").as_deref(), Some("sk-test"));

        let twice = load(&known(), None, env(&[("MODEL_API_KEY_FILE", path), ("MODEL_API_KEY", "sk-other")]));
        assert!(problem(twice).starts_with("MODEL_API_KEY: "));
        let missing = problem(load(&known(), None, env(&[("MODEL_API_KEY_FILE", "/nowhere/key")])));
        assert!(missing.starts_with("MODEL_API_KEY_FILE: ") && missing.contains("/nowhere/key"), "{missing}");
        assert!(
            problem(load(&known(), None, env(&[("DEBRIEF_REGION_FILE", path)]))).contains("DEBRIEF_REGION")
        );
    }

    #[test]
    fn a_value_that_is_no_text_is_refused_by_its_name_and_not_left_out() {
        use std::os::unix::ffi::OsStringExt as _;
        let bad = || OsString::from_vec(b"secret\xff".to_vec());
        for name in ["MODEL_API_KEY", "DEBRIEF_API_KEY", "DEBRIEF_WEBHOOK_KEY_FILE", "PORT"] {
            let said = problem(load(&known(), None, [(name.to_owned(), bad())].into_iter()));
            assert!(said.starts_with(&format!("{name}: ")) && said.contains("UTF-8"), "{said}");
            assert!(!said.contains("secret"), "{said}");
        }
        load(&known(), None, [("OTHER".to_owned(), bad())].into_iter()).unwrap();
    }

    #[test]
    fn a_file_without_an_end_is_not_read_for_ever() {
        let said = problem(load(&known(), None, env(&[("MODEL_API_KEY_FILE", "/dev/zero")])));
        assert!(said.starts_with("MODEL_API_KEY_FILE: ") && said.contains("longer than"), "{said}");
        let said = problem(load(&known(), Some(Path::new("/dev/zero")), env(&[])));
        assert!(said.contains("longer than"), "{said}");
        let folder = tempfile::tempdir().unwrap();
        let said = problem(load(&known(), Some(folder.path()), env(&[])));
        assert!(said.contains("failed to read the file"), "{said}");
    }

    #[test]
    fn a_file_that_is_no_toml_is_an_error_that_shows_the_line_and_not_its_words() {
        let problem = problem(with_file("port = 8000\nmodel_api_key = sk-very-secret\n", &[]));
        assert!(problem.contains("line 2"), "{problem}");
        assert!(!problem.contains("sk-very-secret"), "{problem}");
    }

    #[test]
    fn a_file_that_was_named_has_to_exist() {
        let problem = problem(load(&known(), Some(Path::new("/nowhere/debrief.toml")), env(&[])));
        assert!(problem.starts_with("/nowhere/debrief.toml: "), "{problem}");
    }

    #[test]
    fn the_file_of_defaults_reads_back_as_the_defaults() {
        let defaults = known().defaults();
        assert!(with_file(&defaults, &[]).unwrap().given().next().is_none(), "as it stands it sets nothing");

        // The line of a setting is a comment without a blank after the `#`.
        let is_setting = |line: &str| line.strip_prefix('#').is_some_and(|rest| !rest.starts_with(' '));
        let all: String = defaults
            .lines()
            .map(|line| if is_setting(line) { format!("{}\n", &line[1..]) } else { format!("{line}\n") })
            .collect();
        let values = with_file(&all, &[]).unwrap();
        for key in known().keys() {
            assert_eq!(values.text(key.name).unwrap_or_default(), key.default, "{}", key.name);
            let line = format!("\n#{} = ", key.name.to_ascii_lowercase());
            assert_eq!(defaults.matches(&line).count(), 1, "{} stands there once", key.name);
        }
    }

    #[test]
    fn every_default_of_a_duration_reads_as_one() {
        let mut values = Values::default();
        for key in known().keys() {
            values.set(key.name, key.default);
        }
        for name in ["DEBRIEF_LEASE", "DEBRIEF_DRAIN_TIMEOUT"] {
            values.duration(name, std::time::Duration::ZERO).unwrap();
        }
        assert_eq!(values.durations("DEBRIEF_RETRY_SCHEDULE", "").unwrap().len(), 6);
    }
}
