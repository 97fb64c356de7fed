//! The files that a salesperson brings: what they are, and what stands in them.
//!
//! The kind of a file is decided by its content and not by its name. Its words are read in a child process, so a file that
//! makes its reader hang, panic or eat memory costs nothing but a note.

mod child;
mod kind;
mod read;

use crate::sentences::sentences;
pub use child::{Reader, asked_to_read, read_here};
pub use kind::{FileKind, TAKEN};
pub use read::Content;

/// The largest file, in bytes.
pub const MAX_FILE_BYTES: usize = 10 * 1024 * 1024;
/// How many files a salesperson may have.
pub const MAX_FILES: usize = 50;

/// Sentences of the material that claim something: with a number, or with a promise. At most `most`.
pub fn claims(content: &str, most: usize) -> Vec<&str> {
    let claims = |sentence: &&str| {
        let words = sentence.split_whitespace().count();
        (4..=40).contains(&words)
            && (sentence.chars().any(|c| c.is_ascii_digit()) && crate::moves::is_proof(sentence)
                || crate::moves::has_phrase(
                    sentence,
                    &[
                        "reduce*",
                        "faster",
                        "guarantee*",
                        "save*",
                        "increase*",
                        "without",
                        "never",
                        "always",
                        "improve*",
                        "cuts",
                        "easier",
                        "secure",
                    ],
                ))
    };
    sentences(content).into_iter().filter(claims).take(most).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_are_whole_sentences_with_a_number_or_a_promise() {
        let text = "CloudSync Pro\nIt reduces backup time by 63 percent. We were founded in 2009. Hello. Your data is never lost again!";
        assert_eq!(
            claims(text, 9),
            ["It reduces backup time by 63 percent.", "Your data is never lost again!"]
        );
        assert_eq!(claims(text, 1).len(), 1);
    }
}
