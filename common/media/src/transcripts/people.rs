//! The people who are known to have been in a call, and how their names are found again in a file's labels.
//!
//! A label is the name that the meeting product showed, and a list of participants often comes from another product.
//! So names are compared without regard to case, to runs of blanks and to the two ways in which Unicode writes a
//! letter with a mark; and where that does not find a person, without pronouns, employers, addresses and emoji.

use std::collections::HashMap;

use domain::person_name::{folded, personal_part};
use domain::shown_text::visible;

use crate::words::one_line;

#[derive(Debug, Default)]
pub struct People {
    /// The listed name by its folded forms. A form that two people share names nobody.
    names: HashMap<String, Option<String>>,
}

impl People {
    pub fn of<'a>(listed: impl IntoIterator<Item = &'a str>) -> Self {
        let mut people = Self::default();
        let listed: Vec<&str> = listed.into_iter().filter(|name| !name.trim().is_empty()).collect();
        for name in &listed {
            people.names.insert(folded(name), Some(shown(name)));
        }
        // A whole name counts before a part of another one.
        let mut parts: HashMap<String, Option<String>> = HashMap::new();
        for name in &listed {
            let part = folded(&personal_part(name));
            let shown = shown(name);
            parts
                .entry(part)
                .and_modify(|known| *known = known.take().filter(|known| *known == shown))
                .or_insert(Some(shown));
        }
        for (part, name) in parts {
            people.names.entry(part).or_insert(name);
        }
        people
    }

    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The person, as listed, whose name a label is.
    pub fn named(&self, label: &str) -> Option<&str> {
        if self.names.is_empty() {
            return None;
        }
        let whole = self.names.get(&folded(label));
        let found = whole.or_else(|| self.names.get(&folded(&personal_part(label))));
        found.and_then(Option::as_deref)
    }
}

/// A listed name without an address behind it.
fn shown(name: &str) -> String {
    let name = one_line(&visible(name));
    match name.split_once('<') {
        Some((before, _)) if !before.trim().is_empty() => before.trim().to_owned(),
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_person_is_found_under_the_spellings_of_their_name() {
        let people = People::of([
            "Hari Host",
            "प्रिया शर्मा <priya@acme.example.com>",
            "Tom Björk",
            "Meera Iyer (she/her)",
            "🔥 Karan",
        ]);
        for (label, person) in [
            ("hari  host", "Hari Host"),
            ("HARI HOST (Host)", "Hari Host"),
            ("प्रिया शर्मा", "प्रिया शर्मा"),
            ("Tom Bjo\u{308}rk", "Tom Björk"),
            ("Meera Iyer", "Meera Iyer (she/her)"),
            ("Meera Iyer (she/her)", "Meera Iyer (she/her)"),
            ("karan", "🔥 Karan"),
        ] {
            assert_eq!(people.named(label), Some(person), "{label}");
        }
        for stranger in ["Hari", "Order Number", "", "Monday"] {
            assert_eq!(people.named(stranger), None, "{stranger}");
        }
    }

    #[test]
    fn a_part_that_two_people_share_names_nobody() {
        let people = People::of(["Sam (Acme)", "Sam (Halvorsen)"]);
        assert_eq!(people.named("Sam"), None);
        assert_eq!(people.named("Sam (Acme)"), Some("Sam (Acme)"));
    }
}
