//! The names of the voices in one channel. A provider's labels hold for one connection, and begin anew on the next. So the
//! last seconds before a break are sent again, and a label gets the name of the voice that spoke then.

use std::collections::HashMap;

/// How many stretches are remembered.
const REMEMBERED: usize = 64;

/// Who spoke when, by the name that the listeners know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownVoice {
    pub name: String,
    pub start_ms: i64,
    pub end_ms: i64,
}

#[derive(Debug, Default)]
pub(super) struct Voices {
    /// Who spoke before, in the time of the stream.
    spoken: Vec<KnownVoice>,
    /// The names of this connection's labels.
    names: HashMap<String, String>,
    /// For how many milliseconds a label of this connection spoke where a name is known to have spoken.
    together: HashMap<(String, String), i64>,
    given: usize,
}

impl Voices {
    pub(super) fn knowing(spoken: Vec<KnownVoice>) -> Self {
        let mut names: Vec<&str> = spoken.iter().map(|voice| voice.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        Self { given: names.len(), spoken, ..Self::default() }
    }

    /// A new connection has labels of its own.
    pub(super) fn reconnected(&mut self) {
        self.names.clear();
        self.together.clear();
    }

    /// A label spoke in audio that an earlier connection has heard.
    pub(super) fn heard_again(&mut self, label: &str, start_ms: i64, end_ms: i64) {
        for known in &self.spoken {
            let both = known.end_ms.min(end_ms) - known.start_ms.max(start_ms);
            if both > 0 {
                *self.together.entry((label.to_owned(), known.name.clone())).or_default() += both;
            }
        }
    }

    /// The name of a label.
    pub(super) fn name(&mut self, label: &str) -> String {
        if let Some(name) = self.names.get(label) {
            return name.clone();
        }
        let taken: Vec<&String> = self.names.values().collect();
        let known = self.together.iter().filter(|((of, name), _)| of == label && !taken.contains(&name));
        let known = known.max_by_key(|(_, ms)| **ms).map(|((_, name), _)| name.clone());
        let name = known.unwrap_or_else(|| {
            self.given += 1;
            letter(self.given - 1)
        });
        self.names.insert(label.to_owned(), name.clone());
        name
    }

    /// A voice spoke in this time, for the next connection.
    pub(super) fn spoke(&mut self, name: &str, start_ms: i64, end_ms: i64) {
        if self.spoken.len() >= REMEMBERED {
            self.spoken.remove(0);
        }
        self.spoken.push(KnownVoice { name: name.to_owned(), start_ms, end_ms });
    }
}

/// `A`, `B` … `Z`, `AA` …
fn letter(nth: usize) -> String {
    let last = char::from(b'A' + u8::try_from(nth % 26).unwrap_or_default());
    if nth < 26 { last.to_string() } else { format!("{}{last}", letter(nth / 26 - 1)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn voices_keep_their_names_when_the_labels_begin_anew() {
        let mut voices = Voices::default();
        assert_eq!((voices.name("0"), voices.name("1")), ("A".into(), "B".into()));
        voices.spoke("A", 0, 4_000);
        voices.spoke("B", 4_000, 9_000);
        voices.reconnected();
        // The provider hears the second voice first, so it is 0 now.
        voices.heard_again("0", 4_200, 8_900);
        voices.heard_again("1", 3_900, 4_100);
        assert_eq!((voices.name("0"), voices.name("1")), ("B".into(), "A".into()));
        assert_eq!(voices.name("2"), "C", "somebody new gets a name of their own");
    }

    #[test]
    fn a_voice_that_nobody_can_place_gets_no_name_of_somebody_else() {
        let known = KnownVoice { name: "A".into(), start_ms: 0, end_ms: 1_000 };
        let mut voices = Voices::knowing(vec![known]);
        assert_eq!(voices.name("0"), "B");
        assert_eq!(letter(27), "AB");
    }
}
