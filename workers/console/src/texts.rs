//! The words of the console in every language.
//!
//! Each room has one file with a table: a name, then the words in each language. A table that lacks a language does not
//! compile, so every language is complete. A text with a place for a value has `{}` in it; see [`fill`].

mod accounts;
mod analytics;
mod call;
mod calls;
mod dead_letters;
mod deployment;
mod effects;
mod frame;
mod live;
mod overview;
mod practice;
mod providers;
mod queues;
mod samples;
mod search;
mod settings;
mod upload;
mod views;

use axum::http::HeaderMap;
use axum::http::header::ACCEPT_LANGUAGE;
use web::session::cookie;

pub(crate) use accounts::AccountTexts;
pub(crate) use analytics::AnalyticsTexts;
pub(crate) use call::CallTexts;
pub(crate) use calls::CallsTexts;
pub(crate) use dead_letters::DeadLetterTexts;
pub(crate) use deployment::DeploymentTexts;
pub(crate) use effects::EffectTexts;
pub(crate) use frame::FrameTexts;
pub(crate) use live::LiveTexts;
pub(crate) use overview::OverviewTexts;
pub(crate) use practice::PracticeTexts;
pub(crate) use providers::ProviderTexts;
pub(crate) use queues::QueueTexts;
pub(crate) use samples::SampleTexts;
pub(crate) use search::SearchTexts;
pub(crate) use settings::SettingTexts;
pub(crate) use upload::UploadTexts;
pub(crate) use views::ViewTexts;

/// The cookie that keeps the choice of a visitor.
pub(crate) const COOKIE: &str = "debrief_language";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    English,
    German,
}

impl Language {
    pub(crate) const ALL: [Self; 2] = [Self::English, Self::German];

    /// The tag of the language (BCP 47).
    pub(crate) fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
        }
    }

    /// The name of the language in the language.
    pub(crate) fn own_name(self) -> &'static str {
        match self {
            Self::English => "English",
            Self::German => "Deutsch",
        }
    }

    pub(crate) fn from_tag(tag: &str) -> Option<Self> {
        let primary = tag.split(['-', '_']).next().unwrap_or_default();
        Self::ALL.into_iter().find(|language| language.tag().eq_ignore_ascii_case(primary))
    }

    /// The language that the visitor chose, else the first one that the browser names and we have, else English.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let chosen = cookie(headers, COOKIE).and_then(Self::from_tag);
        let accepted = headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let named = || web::accept::media_ranges(accepted).find_map(|(tag, _)| Self::from_tag(tag));
        chosen.or_else(named).unwrap_or(Self::English)
    }
}

/// Makes the table of one room: a struct with a field for each text, and its values in every language.
macro_rules! texts {
    ($name:ident { $($(#[$note:meta])* $key:ident: $english:literal | $german:literal),* $(,)? }) => {
        pub(crate) struct $name {
            $($(#[$note])* pub(crate) $key: &'static str),*
        }

        impl $name {
            pub(crate) fn of(language: crate::texts::Language) -> &'static Self {
                const ENGLISH: $name = $name { $($key: $english),* };
                const GERMAN: $name = $name { $($key: $german),* };
                match language {
                    crate::texts::Language::English => &ENGLISH,
                    crate::texts::Language::German => &GERMAN,
                }
            }
        }
    };
}

pub(crate) use texts;

/// Puts the values in the places `{}` of a text, in their order.
pub(crate) fn fill(text: &str, values: &[&str]) -> String {
    let mut values = values.iter();
    let mut parts = text.split("{}");
    let mut filled = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        filled.push_str(values.next().copied().unwrap_or_default());
        filled.push_str(part);
    }
    filled
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use axum::http::header::COOKIE as COOKIES;

    use super::*;

    #[test]
    fn the_values_stand_in_their_places() {
        assert_eq!(fill("{} of {} calls", &["3", "9"]), "3 of 9 calls");
        assert_eq!(fill("no place", &["3"]), "no place");
    }

    #[test]
    fn the_choice_counts_before_what_the_browser_asks_for() {
        let of = |accepted: &'static str, chosen: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_LANGUAGE, HeaderValue::from_static(accepted));
            headers.insert(COOKIES, HeaderValue::from_static(chosen));
            Language::of(&headers)
        };
        assert_eq!(of("de-AT,de;q=0.9,en;q=0.8", ""), Language::German);
        assert_eq!(of("fr,en;q=0.5,de;q=0.1", ""), Language::English);
        assert_eq!(of("fr", ""), Language::English);
        assert_eq!(of("de", "debrief_language=en"), Language::English);
        assert_eq!(of("de", "debrief_language=xx"), Language::German);
    }
}
