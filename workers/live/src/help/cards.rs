//! Cards: short notes of our own that fit what is said now. They come from a folder of Markdown files, one card for each
//! heading, and each says in which file and under which heading it stands.
//!
//! The search is BM25 in memory. A card is shown only when two of its words were said, or one that stands in its heading.
//! Otherwise every mention of an everyday word would bring up a note.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

/// What is read of a folder at most.
const MAX_FILES: usize = 5_000;
const MAX_FILE_BYTES: u64 = 1024 * 1024;
const MAX_CARDS: usize = 50_000;
/// How much of a card is shown.
const MAX_TEXT_CHARS: usize = 600;
/// How quickly a repeated word counts less, and how much the length of a card counts.
const REPEATED: f64 = 1.2;
const LENGTH: f64 = 0.75;
/// A word in the heading counts like so many in the text.
const HEADING: u32 = 3;
/// Words that say nothing about a topic, in English and German.
const EVERYDAY: &str = " a an and are as at be but by can do does for from have he her his how i if in is it its me my no \
not of on or our she so that the their them then there they this to up us was we were what when which who will with would yes you your \
aber als am an auch auf aus bei bin das dass dem den der die dir du ein eine einen er es für haben hat ich ihr im in ist ja kann kein \
mein mich mir mit nach nicht noch nur oder sich sie sind so und uns von war was wenn wer wie wir wird zu zum zur ";

/// A note that fits what is said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Card {
    /// The file, from the folder on.
    pub(crate) file: String,
    /// The line of the heading, from 1.
    pub(crate) line: usize,
    pub(crate) heading: String,
    pub(crate) text: String,
}

#[derive(Clone, Debug)]
struct Indexed {
    card: Card,
    /// How often each word stands in it, and the words of the heading.
    words: HashMap<String, u32>,
    heading: BTreeSet<String>,
    length: u32,
}

/// All cards of a folder.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cards {
    all: Vec<Indexed>,
    /// In how many cards each word stands.
    spread: HashMap<String, u32>,
    mean_length: f64,
}

impl Cards {
    /// Reads the Markdown files of a folder and of the folders in it.
    pub(crate) fn read(folder: &Path) -> Result<Self, String> {
        let mut files = Vec::new();
        list(folder, folder, &mut files)?;
        files.sort();
        let mut all = Vec::new();
        for path in files {
            let file = within(folder, &path).replace('\\', "/");
            let text = fs::read_to_string(&path).map_err(|error| format!("cannot read `{file}`: {error}"))?;
            all.extend(cards_of(&file, &text));
        }
        if all.len() > MAX_CARDS {
            return Err(format!("has more than {MAX_CARDS} headings"));
        }
        Ok(Self::of(all))
    }

    fn of(cards: Vec<Card>) -> Self {
        let all: Vec<Indexed> = cards.into_iter().map(indexed).collect();
        let mut spread: HashMap<String, u32> = HashMap::new();
        for card in &all {
            for word in card.words.keys() {
                *spread.entry(word.clone()).or_default() += 1;
            }
        }
        let total: f64 = all.iter().map(|card| f64::from(card.length)).sum();
        #[expect(clippy::cast_precision_loss, reason = "there are at most some thousand cards")]
        let mean_length = total / all.len().max(1) as f64;
        Self { all, spread, mean_length }
    }

    /// The cards that fit a text best, at most `count`.
    pub(crate) fn find(&self, text: &str, count: usize) -> Vec<&Card> {
        let said: BTreeSet<String> = words(text).collect();
        let mut fitting: Vec<(f64, &Card)> = self
            .all
            .iter()
            .filter_map(|card| {
                let found = said.iter().filter(|word| card.words.contains_key(*word)).count();
                let in_heading = said.iter().any(|word| card.heading.contains(word));
                (found >= 2 || in_heading).then(|| (self.score(card, &said), &card.card))
            })
            .collect();
        fitting.sort_by(|(one, _), (other, _)| other.total_cmp(one));
        fitting.into_iter().take(count).map(|(_, card)| card).collect()
    }

    fn score(&self, card: &Indexed, said: &BTreeSet<String>) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "there are at most some thousand cards")]
        let count = self.all.len() as f64;
        let relative = f64::from(card.length) / self.mean_length.max(1.0);
        said.iter()
            .filter_map(|word| {
                let often = f64::from(*card.words.get(word)?);
                let spread = f64::from(*self.spread.get(word)?);
                let rare = (1.0 + (count - spread + 0.5) / (spread + 0.5)).ln();
                Some(
                    rare * often * (REPEATED + 1.0) / (often + REPEATED * (1.0 - LENGTH + LENGTH * relative)),
                )
            })
            .sum()
    }
}

fn list(root: &Path, folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), String> {
    let unreadable = |error| match within(root, folder).as_str() {
        "" => format!("the folder cannot be read: {error}"),
        below => format!("cannot read `{below}`: {error}"),
    };
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let known = fs::symlink_metadata(&path).map_err(unreadable)?;
        let is_markdown = path.extension().is_some_and(|kind| kind.eq_ignore_ascii_case("md"));
        // A link could lead anywhere, also in a circle.
        if known.is_dir() {
            list(root, &path, files)?;
        } else if known.is_file() && is_markdown {
            if known.len() > MAX_FILE_BYTES {
                return Err(format!("`{}` has more than {MAX_FILE_BYTES} bytes", within(root, &path)));
            }
            files.push(path);
        }
        if files.len() > MAX_FILES {
            return Err(format!("has more than {MAX_FILES} files"));
        }
    }
    Ok(())
}

/// The path below the folder of the notes.
fn within(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).to_string_lossy().into_owned()
}

/// The cards of a file: one for each heading with a text below it. What stands before the first heading belongs to the name
/// of the file.
fn cards_of(file: &str, text: &str) -> Vec<Card> {
    let name = file.rsplit('/').next().unwrap_or(file).trim_end_matches(".md").to_owned();
    let mut cards = vec![Card { file: file.to_owned(), line: 1, heading: name, text: String::new() }];
    let mut is_code = false;
    for (line, number) in text.lines().zip(1..) {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
        }
        let heading = line.strip_prefix('#').map(|rest| rest.trim_start_matches('#')).filter(|_| !is_code);
        match heading.and_then(|rest| rest.strip_prefix(' ')) {
            Some(heading) => {
                let heading = heading.trim().trim_end_matches('#').trim_end().to_owned();
                cards.push(Card { file: file.to_owned(), line: number, heading, text: String::new() });
            }
            None => {
                if let Some(card) = cards.last_mut() {
                    card.text.push_str(line);
                    card.text.push('\n');
                }
            }
        }
    }
    cards.retain(|card| !card.text.trim().is_empty());
    cards
}

fn indexed(mut card: Card) -> Indexed {
    let heading: BTreeSet<String> = words(&card.heading).collect();
    let mut found: HashMap<String, u32> = HashMap::new();
    let mut length = 0;
    for word in words(&card.text) {
        *found.entry(word).or_default() += 1;
        length += 1;
    }
    for word in &heading {
        *found.entry(word.clone()).or_default() += HEADING;
    }
    card.text = shortened(card.text.trim());
    Indexed { card, words: found, heading, length }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(MAX_TEXT_CHARS) {
        None => text.to_owned(),
        Some((end, _)) => {
            let at = text[..end].rfind(char::is_whitespace).unwrap_or(end);
            format!("{} …", text[..at].trim_end())
        }
    }
}

/// The words of a text that say what it is about, in a form in which one and many are alike.
fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(|c: char| !c.is_alphanumeric()).filter_map(|word| {
        let word = word.to_lowercase();
        if word.chars().count() < 2 || EVERYDAY.contains(&format!(" {word} ")) {
            return None;
        }
        let is_plural = word.chars().count() > 3 && word.ends_with('s') && !word.ends_with("ss");
        Some(if is_plural { word[..word.len() - 1].to_owned() } else { word })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTES: &str = "Everything about money.\n\n# Refunds\n\nA refund takes five working days. Above 500 euros a manager \
signs it.\n\n## Discounts ##\n\nNever more than ten percent in the first year.\n\n# Empty\n\n```\n# no heading\nrefund refund\n```\n";

    fn cards() -> Cards {
        let mut all = cards_of("money.md", NOTES);
        all.extend(cards_of(
            "en/delivery.md",
            "# Delivery\nWe deliver within two days, also on Saturdays.\n",
        ));
        Cards::of(all)
    }

    #[test]
    fn a_card_says_where_it_stands() {
        let cards = cards();
        let found = cards.find("When do I get my refund?", 1);
        assert_eq!(
            (found[0].file.as_str(), found[0].line, found[0].heading.as_str()),
            ("money.md", 3, "Refunds")
        );
        assert!(found[0].text.starts_with("A refund takes"));
        let found = cards.find("Could you give me a discount for the first year", 2);
        assert_eq!((found.len(), found[0].heading.as_str(), found[0].line), (1, "Discounts", 7));
    }

    #[test]
    fn one_everyday_word_brings_up_nothing() {
        let cards = cards();
        assert!(cards.find("It was only two minutes, and that is it.", 3).is_empty());
        assert!(Cards::default().find("refund", 3).is_empty());
    }

    #[test]
    fn a_folder_is_read_with_the_folders_in_it() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("en")).unwrap();
        fs::write(dir.path().join("en/a.md"), "# Returns\nWithin thirty days.\n").unwrap();
        fs::write(dir.path().join("notes.txt"), "# Returns\nNot this.\n").unwrap();
        let cards = Cards::read(dir.path()).unwrap();
        assert_eq!(
            cards.find("returns", 9).iter().map(|card| card.file.as_str()).collect::<Vec<_>>(),
            ["en/a.md"]
        );
        assert!(Cards::read(&dir.path().join("nobody")).unwrap_err().contains("cannot be read"));
    }
}
