//! `/settings`: what is set and from where, and what is off and what turns it on. A secret is never shown.

use askama::Template;
use axum::Router;
use axum::extract::{RawQuery, State};
use axum::routing::get;
use platform::config::{Place, ShownGroup, ShownSetting, Source};
use web::ReadInstallation;

use crate::sections::Section;
use crate::texts::{FrameTexts, SettingTexts, fill};
use crate::{Answer, Console, Fields, Visitor};

#[derive(Template)]
#[template(path = "settings/settings.html")]
struct Settings {
    texts: &'static SettingTexts,
    off: Vec<Off>,
    misspelt: Vec<String>,
    only_set: bool,
    groups: Vec<Group>,
}

/// Something that does nothing until its setting is given.
struct Off {
    name: &'static str,
    key: &'static str,
}

struct Group {
    title: &'static str,
    settings: Vec<Row>,
}

struct Row {
    name: &'static str,
    about: &'static str,
    value: String,
    is_set: bool,
    source: String,
}

pub(crate) fn routes() -> Router<Console> {
    Router::new().route("/settings", get(show_page))
}

async fn show_page(
    visitor: Visitor<ReadInstallation>,
    State(console): State<Console>,
    RawQuery(query): RawQuery,
) -> Answer {
    let texts = SettingTexts::of(visitor.language);
    let only_set = Fields::parse(query.unwrap_or_default().as_bytes()).text("only") == "set";
    let off = console.providers().iter().filter(|one| !one.is_on()).map(|one| one.provider);
    let groups = console.known.shown(&console.values);
    let content = Settings {
        texts,
        off: off.map(|one| Off { name: one.name(), key: one.key() }).collect(),
        misspelt: console.values.misspellings().iter().map(ToString::to_string).collect(),
        only_set,
        groups: groups.into_iter().map(|group| shown(group, only_set, texts)).collect(),
    };
    visitor.page(Section::Settings, FrameTexts::of(visitor.language).settings, &content)
}

fn shown(group: ShownGroup, only_set: bool, texts: &SettingTexts) -> Group {
    let settings = group.settings.into_iter().filter(|setting| setting.is_set || !only_set);
    Group { title: group.title, settings: settings.map(|setting| row(setting, texts)).collect() }
}

fn row(setting: ShownSetting, texts: &SettingTexts) -> Row {
    let key = setting.key;
    let value = match (setting.value, setting.is_set) {
        (Some(value), _) => value,
        (None, true) => texts.secret.to_owned(),
        (None, false) if key.default.is_empty() => texts.not_set.to_owned(),
        (None, false) => key.default.to_owned(),
    };
    let source = match (setting.source, setting.is_set) {
        (Some(source), _) => told(&source, texts),
        (None, true) => texts.program.to_owned(),
        (None, false) if key.default.is_empty() => String::new(),
        (None, false) => texts.default.to_owned(),
    };
    Row { name: key.name, about: key.about, value, is_set: setting.is_set, source }
}

fn told(source: &Source, texts: &SettingTexts) -> String {
    let secret = source.secret_file.as_ref().map(|path| path.display().to_string());
    match (&source.place, secret) {
        (Place::Environment, None) => texts.environment.to_owned(),
        (Place::Environment, Some(secret)) => fill(texts.environment_file, &[&secret]),
        (Place::File(file), None) => fill(texts.file, &[&file.display().to_string()]),
        (Place::File(file), Some(secret)) => fill(texts.file_file, &[&file.display().to_string(), &secret]),
    }
}

#[cfg(test)]
mod tests {
    use platform::config::{Known, Values};

    use super::*;
    use crate::texts::Language;

    #[test]
    fn a_secret_is_never_shown_and_a_default_says_that_it_is_one() {
        let known = Known::with(providers::settings());
        let values = Values::of([("DEBRIEF_API_KEY", "a-very-secret-key-of-some-length"), ("PORT", "8123")]);
        let texts = SettingTexts::of(Language::English);
        let rows: Vec<_> = known
            .shown(&values)
            .into_iter()
            .flat_map(|group| shown(group, false, texts).settings)
            .map(|row| (row.name, row.value, row.source))
            .collect();
        let of = |name: &str| rows.iter().find(|row| row.0 == name).unwrap();
        assert_eq!((&*of("DEBRIEF_API_KEY").1, &*of("DEBRIEF_API_KEY").2), (texts.secret, texts.program));
        assert_eq!(of("PORT").1, "8123");
        assert_eq!((&*of("DEBRIEF_LEASE").1, &*of("DEBRIEF_LEASE").2), ("30s", "default"));
        assert!(rows.iter().all(|row| !row.1.contains("very-secret")));
    }
}
