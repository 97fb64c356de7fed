//! Decides which part of a provider's error text may be shown.
//!
//! A provider explains a refusal in its own words, and often quotes what it was sent: the words of people, their
//! names, or a key. So a text is shown only where its form proves that it is harmless. A *word* is recognised by its
//! form (`insufficient_quota`). A *sentence* is shown only where it must be about our configuration. Such a sentence
//! names a model, a parameter, a scope or a version. Each of its words stands in a short list, or is a quoted name
//! with the form of a model's name, or is a value that we configured.

/// The longest word that is shown. `INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY` is one of the longest known words.
const MAX_WORD_CHARS: usize = 60;
const MAX_SENTENCE_CHARS: usize = 300;
const MAX_NAME_CHARS: usize = 64;

/// The subjects of our configuration. A sentence about our configuration holds at least one of them.
const SUBJECTS: &str = "\
    endpoint feature field fields language languages model model(s) models parameter parameters \
    permission permissions schema scope scopes tier version";

/// The other words that such a sentence may hold. None of them can name a person, a place or a thing that people
/// talked about.
const WORDS: &str = "\
    a accept accepted access account an and any api app are array as at available be been body boolean \
    but by can cannot combination compatible contain containing deprecated did do does each empty \
    enabled error exist expected for format found from got has have here if in input instead integer \
    invalid is it its learn list longer maximum mean migrate minimum missing more must need newer no \
    non-empty none not null number object of on one only option or org organization output past plan \
    please project reached refer removed replaced request requests require required requires response \
    retired see selected set should shut specified speech string such supported temperature that the \
    this to type unknown unrecognized unsupported use value with you";

/// Whether the text is a word: two or more parts that are joined by `_`, each in small letters or in capitals.
pub fn is_word(text: &str) -> bool {
    let is_part = |part: &str| {
        let all = |of: fn(&u8) -> bool| part.as_bytes().iter().all(of);
        !part.is_empty() && (all(u8::is_ascii_lowercase) || all(u8::is_ascii_uppercase))
    };
    text.len() <= MAX_WORD_CHARS && text.contains('_') && text.split('_').all(is_part)
}

/// Returns `sentence` without its addresses, if the sentence must be about our configuration. `ours` are the values
/// that we configured, such as the names of models.
pub fn about_configuration(sentence: &str, ours: &[&str]) -> Option<String> {
    if sentence.chars().count() > MAX_SENTENCE_CHARS {
        return None;
    }
    let mut shown = Vec::new();
    let mut has_subject = false;
    for token in sentence.split_whitespace() {
        // An address is left out, because its query can hold anything.
        if token.contains("://") {
            continue;
        }
        let bare = token.trim_matches(is_around);
        let is_name = ours.contains(&bare) || (is_quoted(token) && is_name(bare));
        for part in bare.split('/') {
            let lower = part.to_ascii_lowercase();
            let is_subject = is_in(SUBJECTS, &lower);
            let is_harmless =
                is_subject || is_name || part.is_empty() || is_word(part) || is_in(WORDS, &lower);
            if !is_harmless {
                return None;
            }
            has_subject |= is_subject || (is_word(part) && part.contains("model"));
        }
        shown.push(token);
    }
    has_subject.then(|| shown.join(" "))
}

/// Returns the part of an error text that may be shown: its word, and its sentence if the sentence is about our
/// configuration.
pub fn shown(word: Option<&str>, sentence: Option<&str>, ours: &[&str]) -> Option<String> {
    let word = word.filter(|word| is_word(word)).map(|word| format!("`{word}`"));
    let sentence = sentence.and_then(|sentence| about_configuration(sentence, ours));
    match (word, sentence) {
        (Some(word), Some(sentence)) => Some(format!("{word}: {sentence}")),
        (word, sentence) => word.or(sentence),
    }
}

fn is_in(list: &str, word: &str) -> bool {
    list.split(' ').any(|listed| listed == word)
}

fn is_quote(c: char) -> bool {
    matches!(c, '"' | '\'' | '`')
}

fn is_around(c: char) -> bool {
    is_quote(c) || matches!(c, '[' | ']' | '{' | '}' | ',' | '.' | ':' | ';' | '!' | '?')
}

fn is_quoted(token: &str) -> bool {
    token.chars().filter(|c| is_quote(*c)).count() == 2
}

/// Whether the text has the form of a name, such as `assemblyai-stt-3-7`, `gpt-4o` or `channels:history`. A name has
/// small letters and at least one digit, or it has parts that are joined by a colon.
fn is_name(text: &str) -> bool {
    let is_of_names =
        |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.' | '_' | ':');
    text.len() <= MAX_NAME_CHARS
        && text.chars().all(is_of_names)
        && text.chars().any(|c| c.is_ascii_lowercase())
        && text.contains(|c: char| c.is_ascii_digit() || c == ':')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_sentence_about_a_model_or_a_parameter_is_shown() {
        for (said, shown) in [
            (
                r#"The "universal-3-pro" speech model(s) have been deprecated. Use speech_models: ["universal-3-5-pro", "universal-2"] instead."#,
                None,
            ),
            (
                r#""speech_models" must be a non-empty list containing one or more of: "assemblyai-stt-3-7", "universal-2""#,
                None,
            ),
            ("The model `gpt-4o-mini` does not exist or you do not have access to it.", None),
            (
                "The model `gpt-4o-mini-2024-07-18` has been deprecated, learn more here: https://x.example.com/a",
                Some("The model `gpt-4o-mini-2024-07-18` has been deprecated, learn more here:"),
            ),
            ("Unsupported parameter: 'temperature' is not supported with this model.", None),
            ("No such model/language/tier combination found.", None),
        ] {
            assert_eq!(about_configuration(said, &[]).as_deref(), Some(shown.unwrap_or(said)), "{said}");
        }
        assert!(about_configuration("The model \"nano\" is unknown", &["nano"]).is_some());
    }

    #[test]
    fn a_sentence_that_can_hold_words_of_people_or_a_key_is_not_shown() {
        for said in [
            "cannot take odile@example.com",
            "The model is Odile",
            "The model \"odile\" is unknown",
            "The model \"anne-marie\" does not exist",
            "Incorrect API key provided: sk-12ab. The model is not available.",
            "Use one of these records?",
            "Call +12025550147 for access to the model",
            "Call \"+1-202-555-0147\" is a model",
            "Download error, unable to download https://r.example.com/a?token=s",
            "",
        ] {
            assert_eq!(about_configuration(said, &[]), None, "{said}");
        }
        assert_eq!(about_configuration(&"model ".repeat(200), &[]), None);
    }

    #[test]
    fn a_word_is_shown_and_nothing_that_could_be_a_name_or_a_key() {
        for (word, is_shown) in [
            ("invalid_payload", true),
            ("DUPLICATES_DETECTED", true),
            ("odile", false),
            ("tok_4711", false),
            ("Odile_Marchetti", false),
            ("", false),
        ] {
            assert_eq!(shown(Some(word), Some("Odile is there"), &[]).is_some(), is_shown, "{word}");
        }
        let both = shown(Some("model_not_found"), Some("The model `gpt-4` does not exist"), &[]);
        assert_eq!(both.as_deref(), Some("`model_not_found`: The model `gpt-4` does not exist"));
    }

    proptest! {
        #[test]
        fn no_name_passes_however_the_sentence_around_it_reads(
            name in "[A-Z][a-z]{2,12}", before in 0_usize..6, quoted in any::<bool>()
        ) {
            prop_assume!(!is_in(WORDS, &name.to_lowercase()) && !is_in(SUBJECTS, &name.to_lowercase()));
            let name = if quoted { format!("\"{name}\"") } else { name };
            let mut words = vec!["the", "model", "does", "not", "exist", "here"];
            words.insert(before, &name);
            prop_assert_eq!(about_configuration(&words.join(" "), &[]), None);
        }
    }
}
