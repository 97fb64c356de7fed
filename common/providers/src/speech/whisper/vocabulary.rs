//! The tokens of a model: which text each stands for, and which of them are orders to the network.
//!
//! Only the way from tokens to text is needed, so the table of tokens is read and the rules that cut text into tokens are
//! not.

use std::collections::HashMap;
use std::path::Path;

use serde::Deserialize;

use super::files::{self, ModelError};

/// A vocabulary of a real model has some 2 MB.
const MAX_BYTES: u64 = 64 * 1024 * 1024;
/// The largest number of a token.
const MAX_TOKEN: u32 = 1_000_000;
/// There is a token for each 20 ms of half a minute, and one for its end.
pub(super) const TIMES: u32 = 1_501;

pub(super) struct Vocabulary {
    /// The bytes of each token. `None` for orders and for numbers that are not used.
    texts: Vec<Option<Vec<u8>>>,
    pub(super) start: u32,
    pub(super) end: u32,
    pub(super) transcribe: Option<u32>,
    pub(super) no_speech: Option<u32>,
    /// The token for the time 0. All tokens from here on are times.
    pub(super) first_time: u32,
    /// The tokens of languages with their tags.
    pub(super) languages: Vec<(u32, String)>,
}

#[derive(Deserialize)]
struct TokenizerFile {
    model: Table,
    #[serde(default)]
    added_tokens: Vec<Added>,
}

#[derive(Deserialize)]
struct Table {
    vocab: HashMap<String, u32>,
}

#[derive(Deserialize)]
struct Added {
    id: u32,
    content: String,
}

impl Vocabulary {
    /// Reads `tokenizer.json`, or `vocab.json` with `added_tokens.json`.
    pub(super) fn read(folder: &Path, size: usize) -> Result<Self, ModelError> {
        let whole = folder.join("tokenizer.json");
        let tokens: HashMap<String, u32> = if whole.exists() {
            let file: TokenizerFile = files::json(&whole, MAX_BYTES)?;
            let added = file.added_tokens.into_iter().map(|token| (token.content, token.id));
            file.model.vocab.into_iter().chain(added).collect()
        } else {
            let table: HashMap<String, u32> = files::json(&folder.join("vocab.json"), MAX_BYTES)?;
            let added = folder.join("added_tokens.json");
            let added: HashMap<String, u32> =
                if added.exists() { files::json(&added, MAX_BYTES)? } else { HashMap::new() };
            table.into_iter().chain(added).collect()
        };
        Self::of(&tokens, size)
    }

    fn of(tokens: &HashMap<String, u32>, size: usize) -> Result<Self, ModelError> {
        let is_within =
            |token: u32| usize::try_from(token).is_ok_and(|token| token < size) && token <= MAX_TOKEN;
        let order = |name: &str| {
            let token = tokens.get(name).copied();
            token.filter(|token| is_within(*token)).ok_or_else(|| {
                ModelError::new(format!("the vocabulary has no token `{name}` that the network knows"))
            })
        };
        let start = order("<|startoftranscript|>")?;
        let end = order("<|endoftext|>")?;
        let first_time = order("<|notimestamps|>")? + 1;
        if !is_within(first_time + TIMES - 1) {
            return Err(ModelError::new("the network has no tokens for times".to_owned()));
        }
        let bytes = bytes_of_letters();
        let mut texts = vec![None; size];
        let mut languages = Vec::new();
        for (text, token) in tokens {
            if !is_within(*token) || *token >= first_time {
                continue;
            }
            if let Some(name) = text.strip_prefix("<|").and_then(|rest| rest.strip_suffix("|>")) {
                let is_language =
                    (2..=3).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_lowercase());
                if is_language && *token > start {
                    languages.push((*token, name.to_owned()));
                }
            } else if let Ok(at) = usize::try_from(*token) {
                texts[at] = text.chars().map(|letter| bytes.get(&letter).copied()).collect();
            }
        }
        languages.sort();
        Ok(Self {
            texts,
            start,
            end,
            transcribe: order("<|transcribe|>").ok(),
            no_speech: order("<|nospeech|>").or_else(|_| order("<|nocaptions|>")).ok(),
            first_time,
            languages,
        })
    }

    pub(super) fn is_time(&self, token: u32) -> bool {
        token >= self.first_time
    }

    /// Whether a token is an order, and no text and no time.
    pub(super) fn is_order(&self, token: u32) -> bool {
        let is_text =
            usize::try_from(token).ok().and_then(|at| self.texts.get(at)).is_some_and(Option::is_some);
        !is_text && !self.is_time(token)
    }

    /// The text of tokens, without the orders and the times among them.
    pub(super) fn text(&self, tokens: &[u32]) -> String {
        let texts =
            tokens.iter().filter_map(|token| self.texts.get(usize::try_from(*token).ok()?)?.as_deref());
        let bytes: Vec<u8> = texts.flatten().copied().collect();
        String::from_utf8_lossy(&bytes).trim().to_owned()
    }

    pub(super) fn language(&self, tag: &str) -> Option<u32> {
        let tag = tag.to_ascii_lowercase();
        self.languages.iter().find(|(_, known)| *known == tag).map(|(token, _)| *token)
    }
}

/// The table of tokens shows each byte as a letter. Printable letters stand for themselves, and the others got the letters
/// from U+0100 on.
fn bytes_of_letters() -> HashMap<char, u8> {
    let mut next = 0x100_u32;
    (0..=u8::MAX)
        .filter_map(|byte| {
            let is_itself = matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF);
            let letter = if is_itself {
                char::from(byte)
            } else {
                let letter = char::from_u32(next)?;
                next += 1;
                letter
            };
            Some((letter, byte))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(extra: &[(&str, u32)]) -> HashMap<String, u32> {
        let orders = [
            ("<|endoftext|>", 10),
            ("<|startoftranscript|>", 11),
            ("<|en|>", 12),
            ("<|de|>", 13),
            ("<|transcribe|>", 14),
            ("<|nospeech|>", 15),
            ("<|notimestamps|>", 16),
        ];
        orders.iter().chain(extra).map(|(text, token)| ((*text).to_owned(), *token)).collect()
    }

    #[test]
    fn tokens_become_text_even_where_a_letter_is_cut_in_two() {
        let known = tokens(&[("Hello", 0), ("\u{120}w", 1), ("\u{c3}", 2), ("\u{b6}", 3), ("rld", 4)]);
        let vocabulary = Vocabulary::of(&known, 2_000).unwrap();
        assert_eq!(vocabulary.text(&[11, 12, 17, 0, 1, 2, 3, 4, 40, 10]), "Hello wörld");
        assert_eq!(vocabulary.text(&[2]), "\u{fffd}");
        assert_eq!((vocabulary.language("DE"), vocabulary.language("xx")), (Some(13), None));
    }

    #[test]
    fn a_vocabulary_that_lacks_an_order_is_no_vocabulary_of_whisper() {
        let mut known = tokens(&[]);
        known.remove("<|notimestamps|>");
        let error = Vocabulary::of(&known, 2_000).err().unwrap();
        assert!(error.to_string().contains("<|notimestamps|>"), "{error}");
        let error = Vocabulary::of(&tokens(&[]), 100).err().unwrap();
        assert!(error.to_string().contains("times"), "{error}");
    }
}
