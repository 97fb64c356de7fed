//! Cuts what somebody said into words that can be compared: without case and accents, with what stands around them.

use unicode_normalization::UnicodeNormalization as _;

/// A word, and what stands around it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a property of the word by itself")]
pub(super) struct Word {
    /// The word as it is compared.
    pub(super) text: String,
    pub(super) is_capital: bool,
    /// Whether a comma, a dash or a colon stands before the word, or its sentence begins with it.
    pub(super) is_set_off_before: bool,
    /// The same behind the word, or its sentence ends with it.
    pub(super) is_set_off_after: bool,
    pub(super) begins_sentence: bool,
    pub(super) ends_sentence: bool,
    /// The number of the sentence.
    pub(super) sentence: usize,
    /// Whether an `'s` followed.
    pub(super) is_possessive: bool,
}

/// `text` in small letters, without accents, and with letters of other alphabets of Latin as people type them.
pub(super) fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for c in text.nfd().flat_map(char::to_lowercase) {
        match c {
            'ł' => folded.push('l'),
            'ø' => folded.push('o'),
            'đ' | 'ð' => folded.push('d'),
            'ı' => folded.push('i'),
            'æ' => folded.push_str("ae"),
            'œ' => folded.push_str("oe"),
            'ß' => folded.push_str("ss"),
            'þ' => folded.push_str("th"),
            // An accent that stands alone after the decomposition.
            '\u{300}'..='\u{36f}' => {}
            c => folded.push(c),
        }
    }
    folded
}

/// The words of a name or of an utterance. A hyphen separates words, and an apostrophe inside a word does not.
pub(super) fn words(text: &str) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    let (mut current, mut sentence) = (String::new(), 0);
    let (mut sets_off, mut ends) = (true, true);
    let mut chars = text.chars().peekable();
    let flush =
        |current: &mut String, words: &mut Vec<Word>, sets_off: &mut bool, ends: &mut bool, sentence| {
            if current.is_empty() {
                return;
            }
            let raw = std::mem::take(current);
            let (stem, is_possessive) = match raw.strip_suffix("'s").or_else(|| raw.strip_suffix("'S")) {
                Some(stem) => (stem, true),
                None => (raw.trim_end_matches('\''), raw.ends_with('\'')),
            };
            let text: String = fold(stem).chars().filter(|c| *c != '\'').collect();
            if text.is_empty() {
                return;
            }
            words.push(Word {
                text,
                is_capital: stem.chars().next().is_some_and(char::is_uppercase),
                is_set_off_before: *sets_off || *ends,
                is_set_off_after: false,
                begins_sentence: *ends,
                ends_sentence: false,
                sentence,
                is_possessive,
            });
            (*sets_off, *ends) = (false, false);
        };
    while let Some(c) = chars.next() {
        match c {
            c if c.is_alphanumeric() || ('\u{300}'..='\u{36f}').contains(&c) || is_joining(c) => {
                current.push(c);
            }
            '\'' | '’' | '`' if !current.is_empty() => current.push('\''),
            // A title such as `Dr.` ends no sentence, and neither does the point of a number or of an initial.
            '.' if is_abbreviation(&current) || chars.peek().is_some_and(|next| next.is_alphanumeric()) => {
                flush(&mut current, &mut words, &mut sets_off, &mut ends, sentence);
            }
            '.' | '?' | '!' | '。' | '？' | '！' | '؟' | '\n' => {
                flush(&mut current, &mut words, &mut sets_off, &mut ends, sentence);
                if let Some(last) = words.last_mut() {
                    (last.is_set_off_after, last.ends_sentence) = (true, true);
                }
                if !ends {
                    sentence += 1;
                }
                ends = true;
            }
            ',' | ';' | ':' | '–' | '—' | '…' | '，' | '、' | '،' | '¿' | '¡' | '"' | '“' | '”' | '('
            | ')' => {
                flush(&mut current, &mut words, &mut sets_off, &mut ends, sentence);
                if let Some(last) = words.last_mut() {
                    last.is_set_off_after = true;
                }
                sets_off = true;
            }
            '-' if current.is_empty() && chars.peek().is_none_or(|next| next.is_whitespace()) => {
                if let Some(last) = words.last_mut() {
                    last.is_set_off_after = true;
                }
                sets_off = true;
            }
            _ => flush(&mut current, &mut words, &mut sets_off, &mut ends, sentence),
        }
    }
    flush(&mut current, &mut words, &mut sets_off, &mut ends, sentence);
    if let Some(last) = words.last_mut() {
        (last.is_set_off_after, last.ends_sentence) = (true, true);
    }
    words
}

/// Marks of Indic, Thai and Arabic scripts that belong to the letter before.
fn is_joining(c: char) -> bool {
    matches!(c, '\u{900}'..='\u{dff}' | '\u{e31}'..='\u{e4e}' | '\u{64b}'..='\u{65f}')
}

fn is_abbreviation(word: &str) -> bool {
    let folded = fold(word);
    matches!(
        folded.as_str(),
        "mr" | "mrs" | "ms" | "dr" | "prof" | "st" | "jr" | "sr" | "vs" | "no" | "inc" | "ltd"
    ) && word.chars().next().is_some_and(|first| first.is_uppercase() || folded != "no")
        || (word.chars().count() == 1 && word.chars().all(char::is_uppercase) && word != "I")
}

/// Where `phrase` begins in `words`, each time it stands there. All of it is in one sentence.
pub(super) fn find<'a>(words: &'a [Word], phrase: &'a [impl AsRef<str>]) -> impl Iterator<Item = usize> + 'a {
    let length = phrase.len().max(1);
    words.windows(length).enumerate().filter_map(move |(at, window)| {
        let is_same = window.iter().zip(phrase).all(|(word, wanted)| word.text == wanted.as_ref());
        (is_same && window[0].sentence == window[length - 1].sentence && !phrase.is_empty()).then_some(at)
    })
}

/// Whether one of the phrases stands in `words`. The words of a phrase have one blank between them.
pub(super) fn has_any(words: &[Word], phrases: &[&str]) -> bool {
    phrases.iter().any(|phrase| {
        let phrase: Vec<&str> = phrase.split(' ').collect();
        find(words, &phrase).next().is_some()
    })
}
