//! Fits a list of words into what a provider takes.

/// How many words and characters a provider takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// How many entries the list may have.
    pub(super) entries: usize,
    /// How many words one entry may have.
    pub(super) words_of_entry: usize,
    /// How many characters one entry may have.
    pub(super) chars_of_entry: usize,
    /// How many characters all entries may have together.
    pub(super) chars: usize,
}

/// The first of `words` that fit. An entry that is too long is left out as a whole, because a part of a name is
/// another name.
pub(super) fn fitting(words: &[String], limits: Limits) -> Vec<&str> {
    let mut left = limits.chars;
    let mut fitting = Vec::new();
    for word in words.iter().map(|word| word.trim()) {
        let chars = word.chars().count();
        let count = word.split_whitespace().count();
        if count == 0 || count > limits.words_of_entry || chars > limits.chars_of_entry || chars > left {
            continue;
        }
        if fitting.len() == limits.entries {
            break;
        }
        left -= chars;
        fitting.push(word);
    }
    fitting
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_words_that_fit_are_taken_and_none_is_cut() {
        let limits = Limits { entries: 3, words_of_entry: 2, chars_of_entry: 12, chars: 20 };
        let words =
            ["Dana Ortiz", " ", "one two three", "A-very-long-name", "Acme", "no room left", "Zed", "Y"];
        let words = words.map(str::to_owned);
        assert_eq!(fitting(&words, limits), ["Dana Ortiz", "Acme", "Zed"]);
    }
}
