//! Reads the name that a person has in a meeting, and says what of it is the first and the last name.
//!
//! A display name is free text. People add pronouns, an employer, credentials or an emoji to it, directories turn it
//! round (`Rao, Priya`), and a telephone joins under its own name (`iPhone`). A CRM has one field for each part, and a
//! contact whose last name is `(she/her)` is worse than none.

use unicode_normalization::UnicodeNormalization as _;

use crate::email_address;
use crate::shown_text::visible;

/// The parts of a person's name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PersonName {
    /// As it was written, such as `Dr.` or `Frau`.
    pub salutation: Option<String>,
    pub first: Option<String>,
    /// The only part that is always there: a name of one word is a last name.
    pub last: String,
}

const SALUTATIONS: [&str; 25] = [
    "dr",
    "mr",
    "mrs",
    "ms",
    "miss",
    "mx",
    "prof",
    "professor",
    "sir",
    "dame",
    "rev",
    "fr",
    "hon",
    "herr",
    "frau",
    "shri",
    "sri",
    "smt",
    "mme",
    "mlle",
    "monsieur",
    "sr",
    "sra",
    "dott",
    "ing",
];

/// What people write behind their name: degrees, memberships and professions.
const CREDENTIALS: [&str; 38] = [
    "acca", "ba", "bsc", "ca", "cfa", "cfp", "cipd", "cissp", "cpa", "cscp", "csm", "dba", "dds", "esq",
    "facs", "frcs", "jd", "llb", "llm", "ma", "mba", "mbbs", "mcse", "md", "meng", "mph", "msc", "pe", "phd",
    "pmp", "psyd", "rn", "shrm", "shrmcp", "shrmscp", "sphr", "phr", "dphil",
];

/// Words with which a last name of several words begins, in the spelling that makes them part of it.
const PARTICLES: [&str; 31] = [
    "af", "al", "av", "bin", "bint", "da", "das", "de", "del", "della", "den", "der", "di", "do", "dos",
    "du", "el", "ibn", "la", "las", "le", "los", "ten", "ter", "van", "vom", "von", "zu", "zum", "zur", "y",
];

/// Words of which one says that the name is a device's or a placeholder's.
const DEVICES: [&str; 19] = [
    "iphone",
    "ipad",
    "galaxy",
    "android",
    "pixel",
    "macbook",
    "imac",
    "laptop",
    "desktop",
    "tablet",
    "phone",
    "guest",
    "user",
    "unknown",
    "caller",
    "oneplus",
    "anonymous",
    "attendee",
    "participant",
];

/// Words of which one says that what stands behind a comma is an occupation or an employer, and no given name.
const OCCUPATIONS: [&str; 32] = [
    "ag",
    "ceo",
    "cfo",
    "cmo",
    "co",
    "coo",
    "cto",
    "consultant",
    "consulting",
    "corp",
    "director",
    "engineer",
    "founder",
    "gmbh",
    "group",
    "head",
    "hr",
    "inc",
    "it",
    "lead",
    "llc",
    "ltd",
    "manager",
    "marketing",
    "officer",
    "partner",
    "president",
    "sales",
    "support",
    "team",
    "vp",
    "recruiter",
];

impl PersonName {
    /// Reads a display name. `None` where the text shows no letter and no digit, or is an e-mail address.
    pub fn read(display: &str) -> Option<Self> {
        let name = personal_part(display);
        if email_address::read(&name).is_some() {
            return None;
        }
        let (before, after) = comma_parts(&name);
        let (turned_round, words) = match after {
            // `Dr., Priya`: there is no last name before the comma.
            Some(given) if before.iter().all(|word| is_salutation(word)) => {
                (None, before.into_iter().chain(given).collect())
            }
            // `Rao, Priya`: the directory's order.
            Some(given) => (Some(before), given),
            None => (None, before),
        };
        let (salutation, words) = salutation_of(words);
        match turned_round {
            Some(last) => {
                let (salutation_of_last, last) = salutation_of(last);
                Some(Self {
                    salutation: salutation.or(salutation_of_last),
                    first: Some(words.join(" ")).filter(|first| !first.is_empty()),
                    last: last.join(" "),
                })
            }
            None => Self::split(salutation, words),
        }
    }

    /// Divides words in their spoken order.
    fn split(salutation: Option<String>, mut words: Vec<String>) -> Option<Self> {
        while words.len() > 2 && words.last().is_some_and(|word| is_credential(word)) {
            words.pop();
        }
        let at = match words.as_slice() {
            [] => return None,
            [_] => 0,
            // In these scripts the family's name stands first.
            [family, ..] if family.chars().all(is_east_asian) => {
                let first = words[1..].join(" ");
                return Some(Self { salutation, first: Some(first), last: words.swap_remove(0) });
            }
            words => words[1..words.len() - 1]
                .iter()
                .position(|word| PARTICLES.contains(&word.as_str()))
                .map_or_else(|| 1 + initials(&words[1..]), |found| found + 1),
        };
        Some(Self {
            salutation,
            first: Some(words[..at].join(" ")).filter(|first| !first.is_empty()),
            last: words[at..].join(" "),
        })
    }
}

/// Whether a display name is that of a device or a placeholder (`iPhone`, `Amit's iPad`, `Zoom User`) or a telephone
/// number, so that any other name of the same person is better.
pub fn is_device(display: &str) -> bool {
    let text = personal_part(display).to_lowercase();
    if !text.is_empty() && !text.chars().any(char::is_alphabetic) {
        return true;
    }
    let mut words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.any(|word| DEVICES.contains(&word))
}

/// The form in which names are compared: case, runs of blanks, signs that nobody sees and the two ways in which Unicode
/// writes a letter with a mark do not tell names apart.
pub fn folded(display: &str) -> String {
    let composed: String = visible(display).nfkc().collect();
    composed.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

/// The display name without what stands beside the name: brackets, an address, an employer, and words without a letter.
/// Two display names of one person often share only this part.
pub fn personal_part(display: &str) -> String {
    let display = visible(display);
    let outside = without_brackets(&display);
    // A name that stands wholly in brackets is still a name.
    let text = if has_letters(&outside) {
        outside
    } else {
        display.replace(['(', ')', '[', ']', '{', '}', '<', '>'], " ")
    };
    let text = [" | ", " / ", " @ ", " - ", " – ", " — "]
        .iter()
        .fold(text.as_str(), |text, mark| match text.split_once(mark) {
            Some((name, _)) if has_letters(name) => name,
            _ => text,
        })
        .to_owned();
    text.split_whitespace()
        .map(|word| {
            word.trim_matches(|c: char| {
                !c.is_alphanumeric() && !matches!(c, '.' | ',' | '\'' | '’') && !is_mark(c)
            })
        })
        .filter(|word| has_letters(word))
        .collect::<Vec<_>>()
        .join(" ")
}

fn without_brackets(text: &str) -> String {
    let mut depth = 0_u32;
    text.chars()
        .filter(|c| {
            match c {
                '(' | '[' | '{' | '<' => depth += 1,
                ')' | ']' | '}' | '>' => {
                    depth = depth.saturating_sub(1);
                    return false;
                }
                _ => {}
            }
            depth == 0
        })
        .collect()
}

/// The words before the comma and, where a given name stands behind it, those.
fn comma_parts(name: &str) -> (Vec<String>, Option<Vec<String>>) {
    let words = |part: &str| part.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let mut parts: Vec<&str> = name.split(',').map(str::trim).filter(|part| !part.is_empty()).collect();
    while parts.len() > 1
        && parts.last().is_some_and(|part| {
            part.split_whitespace().all(|word| is_credential(word) || is_generation(word))
        })
    {
        parts.pop();
    }
    match parts.as_slice() {
        [] => (Vec::new(), None),
        [name, beside] if beside.split_whitespace().any(is_occupation) => (words(name), None),
        [family, given] => (words(family), Some(words(given))),
        [whole, ..] => (words(whole), None),
    }
}

fn salutation_of(mut words: Vec<String>) -> (Option<String>, Vec<String>) {
    let mut found = Vec::new();
    while words.len() > 1 && is_salutation(&words[0]) {
        found.push(words.remove(0));
    }
    (Some(found.join(" ")).filter(|found| !found.is_empty()), words)
}

fn is_salutation(word: &str) -> bool {
    SALUTATIONS.contains(&bare(word).as_str())
}

fn is_occupation(word: &str) -> bool {
    OCCUPATIONS.contains(&bare(word).as_str())
}

/// How many of these words are middle initials (`Q.` or `Q`); the last word is the last name and never one of them.
fn initials(words: &[String]) -> usize {
    let is_initial = |word: &&String| {
        bare(word).chars().count() == 1 && word.chars().next().is_some_and(char::is_uppercase)
    };
    words[..words.len() - 1].iter().take_while(is_initial).count()
}

fn is_credential(word: &str) -> bool {
    CREDENTIALS.contains(&bare(word).as_str())
}

fn is_generation(word: &str) -> bool {
    matches!(bare(word).as_str(), "jr" | "sr" | "ii" | "iii" | "iv")
}

/// The letters and digits of a word, in lower case.
fn bare(word: &str) -> String {
    word.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

fn has_letters(text: &str) -> bool {
    text.chars().any(char::is_alphanumeric)
}

/// Combining marks of the scripts that spell vowels with them, and the joiners.
fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{900}'..='\u{d7f}' | '\u{e31}'..='\u{e4e}' | '\u{200c}' | '\u{200d}')
}

fn is_east_asian(c: char) -> bool {
    matches!(c, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What became of each display name: salutation, first name, last name.
    #[test]
    fn a_display_name_becomes_the_fields_that_a_crm_has() {
        for (display, salutation, first, last) in [
            ("Rao, Priya", "", "Priya", "Rao"),
            ("Rao, Dr. Priya", "Dr.", "Priya", "Rao"),
            ("van der Berg, Ludwig", "", "Ludwig", "van der Berg"),
            ("Rao, Priya, PMP", "", "Priya", "Rao"),
            ("Dr. Anil Kapoor", "Dr.", "Anil", "Kapoor"),
            ("Prof. Dr. Jonas Weber", "Prof. Dr.", "Jonas", "Weber"),
            ("Frau Weber", "Frau", "", "Weber"),
            ("Meera Iyer (she/her)", "", "Meera", "Iyer"),
            ("Tom Baker (Guest)", "", "Tom", "Baker"),
            ("[EXT] Tom Baker", "", "Tom", "Baker"),
            ("Robert (Bob) Smith", "", "Robert", "Smith"),
            ("Sam Lee, PMP", "", "Sam", "Lee"),
            ("Sam Lee, CEO", "", "Sam", "Lee"),
            ("Sam Lee, Head of Sales", "", "Sam", "Lee"),
            ("Sam Lee, Acme Inc.", "", "Sam", "Lee"),
            ("Dr., Priya", "Dr.", "", "Priya"),
            ("Sam Lee, Ph.D., MBA", "", "Sam", "Lee"),
            ("Sam Lee PhD", "", "Sam", "Lee"),
            ("Martin King Jr.", "", "Martin", "King Jr."),
            ("Ludwig van der Berg", "", "Ludwig", "van der Berg"),
            ("Maria de la Cruz", "", "Maria", "de la Cruz"),
            ("Maria Garcia Lopez", "", "Maria", "Garcia Lopez"),
            ("John Q. Public", "", "John Q.", "Public"),
            ("Cher", "", "", "Cher"),
            ("Dr", "", "", "Dr"),
            ("🔥 Karan", "", "", "Karan"),
            ("Karan Singh 🔥🔥", "", "Karan", "Singh"),
            ("Priya Sharma | Acme Clinics", "", "Priya", "Sharma"),
            ("Priya Sharma - Acme", "", "Priya", "Sharma"),
            ("Jean-Luc Picard", "", "Jean-Luc", "Picard"),
            ("Siobhán O’Neill", "", "Siobhán", "O’Neill"),
            ("प्रिया शर्मा", "", "प्रिया", "शर्मा"),
            ("田中 太郎", "", "太郎", "田中"),
            ("王小明", "", "", "王小明"),
            ("  Ann\u{202e}   Lee \n", "", "Ann", "Lee"),
            ("(Priya Rao)", "", "Priya", "Rao"),
            ("प्रिया शर्मा <priya@acme.example.com>", "", "प्रिया", "शर्मा"),
        ] {
            let name = PersonName::read(display).unwrap();
            let text = |part: Option<String>| part.unwrap_or_default();
            let read = (text(name.salutation), text(name.first), name.last);
            assert_eq!(read, (salutation.into(), first.into(), last.into()), "{display}");
        }
    }

    #[test]
    fn what_has_no_letter_is_no_name() {
        for display in ["", "  ", "🔥", "()", "…", ", ,", "ann@x.example.com", "<ann@x.example.com>"] {
            assert_eq!(PersonName::read(display), None, "{display}");
        }
    }

    #[test]
    fn the_spelling_of_a_name_does_not_tell_people_apart() {
        for (one, other) in [
            ("Tom Björk", "tom  Bjo\u{308}rk "),
            ("Ann\u{200b} Lee", "ANN LEE"),
            ("Ann\u{a0}Lee", "Ann Lee"),
            ("Ａｎｎ Lee", "ann lee"),
        ] {
            assert_eq!(folded(one), folded(other), "{one}");
        }
        assert_ne!(folded("Ann Lee"), folded("Anne Lee"));
    }

    #[test]
    fn a_device_is_told_from_a_person() {
        for device in [
            "iPhone",
            "Amit's iPhone",
            "Amit’s iPad",
            "Galaxy S21",
            "Zoom User",
            "DESKTOP-4KQ2",
            "Guest 3",
            "+91 98200 11223",
            "919820011223",
            "Participant 2",
        ] {
            assert!(is_device(device), "{device}");
        }
        for person in
            ["Amit Shah", "Ann Phoneix", "Pixie Lott", "Guesta Rossi", "Tom Baker (Guest)", "प्रिया", ""]
        {
            assert!(!is_device(person), "{person}");
        }
    }
}
