//! Finds the people who are named in what somebody said, and how: spoken to, or only spoken about.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use strsim::damerau_levenshtein;

use super::address::{self, Address};
use super::name_words::{CAPITAL_IS_ENOUGH, EVERYDAY, NO_MISSPELLING, NOT_A_NAME, TITLES};
use super::text::{Word, find, fold, words};

/// Groups of given names and their short forms.
static NICKNAMES: LazyLock<BTreeMap<&'static str, Vec<&'static str>>> = LazyLock::new(|| {
    let mut groups: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for line in include_str!("nicknames.txt").lines() {
        let mut names = line.split(' ');
        let Some(given) = names.next() else { continue };
        groups.entry(given).or_default().extend(names);
    }
    groups
});

/// How somebody was named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) person: usize,
    pub(super) address: Address,
    /// Where the name begins and ends, as numbers of words.
    pub(super) at: (usize, usize),
    /// The name as it was said.
    pub(super) heard: String,
    /// Whether it was said in another way than it is written.
    pub(super) is_misspelt: bool,
}

/// Everybody who is named, in the order of the words.
pub(super) fn named(people: &[&str], said: &[Word], text: &str) -> Vec<Named> {
    let forms: Vec<Forms> = people.iter().map(|name| Forms::of(name)).collect();
    let mut found: Vec<Named> = Vec::new();
    for (person, forms) in forms.iter().enumerate() {
        for form in &forms.sequences {
            for at in find(said, form) {
                let span = (at, at + form.len() - 1);
                if is_a_name(said, span, forms) {
                    push(&mut found, person, said, span, false);
                }
            }
        }
        for native in forms.native.iter().filter(|native| text.contains(native.as_str())) {
            let at = said.iter().position(|word| word.text.contains(native.as_str())).unwrap_or(0);
            found.push(Named {
                person,
                address: Address::Spoken,
                at: (at, at),
                heard: native.clone(),
                is_misspelt: false,
            });
        }
    }
    if found.iter().all(|named| named.address < Address::Directed) {
        for (at, word) in said.iter().enumerate() {
            if let Some(person) = misspelt(said, at, &forms).filter(|_| !is_taken(&found, at)) {
                let address = address::of(said, (at, at));
                if address >= Address::Directed {
                    let heard = word.text.clone();
                    found.push(Named { person, address, at: (at, at), heard, is_misspelt: true });
                }
            }
        }
    }
    found.sort_by_key(|named| (named.at.0, std::cmp::Reverse(named.at.1)));
    // A longer name covers the shorter ones in it. So `John Park` is not also the other John.
    let mut kept: Vec<Named> = Vec::new();
    for named in found {
        let is_covered = kept.iter().any(|longer| {
            longer.at.0 <= named.at.0
                && longer.at.1 >= named.at.1
                && (longer.at != named.at || longer.person == named.person)
        });
        if !is_covered {
            kept.push(named);
        }
    }
    spread(&mut kept, said);
    kept
}

/// Who is named beside somebody, as in `Ada and Lin, what do you think?`, is spoken to in the same way.
fn spread(named: &mut [Named], said: &[Word]) {
    for at in 1..named.len() {
        let (one, other) = (&named[at - 1], &named[at]);
        let is_beside =
            other.at.0 == one.at.1 + 2 && matches!(said[one.at.1 + 1].text.as_str(), "and" | "or");
        if is_beside && one.person != other.person && said[one.at.0].sentence == said[other.at.0].sentence {
            let both = address::of(said, (one.at.0, other.at.1));
            let address = one.address.max(other.address).max(both);
            (named[at - 1].address, named[at].address) = (address, address);
        }
    }
}

fn push(found: &mut Vec<Named>, person: usize, said: &[Word], at: (usize, usize), is_misspelt: bool) {
    let heard = said[at.0..=at.1].iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ");
    // A title belongs to the name.
    let before = at.0.checked_sub(1).filter(|before| {
        TITLES.contains(&said[*before].text.as_str()) && said[*before].sentence == said[at.0].sentence
    });
    let span = (before.unwrap_or(at.0), at.1);
    found.push(Named { person, address: address::of(said, span), at: span, heard, is_misspelt });
}

fn is_taken(found: &[Named], at: usize) -> bool {
    found.iter().any(|named| (named.at.0..=named.at.1).contains(&at))
}

/// Whether these words are meant as the name that they can be.
fn is_a_name(said: &[Word], (from, to): (usize, usize), forms: &Forms) -> bool {
    if to > from {
        return true;
    }
    let word = &said[from];
    let text = word.text.as_str();
    let has_title = from > 0 && TITLES.contains(&said[from - 1].text.as_str());
    if has_title {
        return true;
    }
    if !EVERYDAY.contains(&text) && text.chars().count() > 2 {
        return true;
    }
    let is_set_off = word.is_set_off_before && word.is_set_off_after;
    let is_alone = word.begins_sentence && word.ends_sentence;
    let is_greeted = from > 0 && address::is_greeting(&said[from - 1].text) && word.is_capital;
    let is_capital_inside = word.is_capital && !word.begins_sentence;
    let by_capital = is_capital_inside && (CAPITAL_IS_ENOUGH.contains(&text) || text.chars().count() <= 2);
    let ends_set_off = word.is_set_off_before && word.ends_sentence && !word.begins_sentence;
    let begins_set_off = word.begins_sentence && word.is_set_off_after && !word.ends_sentence;
    let directed = is_capital_inside && address::of(said, (from, to)) >= Address::Directed;
    let first_and_short = forms.given.first().is_some_and(|given| given == text);
    is_set_off && (first_and_short || word.is_capital || begins_set_off)
        || is_alone && word.is_capital
        || is_greeted
        || by_capital
        || ends_set_off
        || begins_set_off
        || directed
}

/// The ways in which somebody can be named.
struct Forms {
    /// The given name in words.
    given: Vec<String>,
    sequences: Vec<Vec<String>>,
    /// Names in scripts that write no blanks between words.
    native: Vec<String>,
    /// The single words against which a misspelt one is held.
    spelt: Vec<String>,
}

impl Forms {
    fn of(name: &str) -> Self {
        let mut sequences: Vec<Vec<String>> = Vec::new();
        let (main, others) = apart(name);
        let mut native = Vec::new();
        for part in std::iter::once(&main).chain(&others) {
            if is_unspaced(part) {
                native.push(part.clone());
            }
        }
        let parts = parts(&main);
        let given = parts.first().cloned().unwrap_or_default();
        let family: Vec<String> = parts.iter().skip(1).flatten().cloned().collect();
        let last = parts.last().cloned().unwrap_or_default();
        let whole: Vec<String> = parts.iter().flatten().cloned().collect();
        let mut add = |form: Vec<String>| {
            if !form.is_empty() && !sequences.contains(&form) {
                sequences.push(form);
            }
        };
        add(whole.clone());
        add(given.clone());
        add(family.clone());
        if parts.len() > 1 {
            add(last.clone());
            // In some languages the family comes first, and in some a person goes by a second name.
            for part in &parts[1..] {
                add(part.clone());
            }
            let mut turned = family.clone();
            turned.extend(given.iter().cloned());
            add(turned);
        }
        if given.len() > 1 {
            add(given[..1].to_vec());
            add(vec![given.concat()]);
            add(vec![given.iter().filter_map(|part| part.chars().next()).collect()]);
        }
        for nickname in given.first().and_then(|given| NICKNAMES.get(given.as_str())).into_iter().flatten() {
            add(vec![(*nickname).to_owned()]);
        }
        for other in others.iter().filter(|other| !is_unspaced(other)) {
            add(self::parts(other).into_iter().flatten().collect());
        }
        for umlaut in whole_with_umlauts(&main) {
            add(umlaut);
        }
        let spelt = [given.as_slice(), family.as_slice()].concat();
        let spelt = spelt.into_iter().filter(|word| word.chars().count() >= 4).collect();
        Self { given, sequences, native, spelt }
    }
}

/// A name, and what stands in brackets or quotes beside it.
fn apart(name: &str) -> (String, Vec<String>) {
    let (mut main, mut others, mut inside) = (String::new(), Vec::new(), None::<String>);
    for c in name.chars() {
        match (c, &mut inside) {
            ('(' | '[' | '“' | '"', None) => inside = Some(String::new()),
            (')' | ']' | '”' | '"', Some(text)) => {
                others.push(std::mem::take(text));
                inside = None;
            }
            (c, Some(text)) => text.push(c),
            (c, None) => main.push(c),
        }
    }
    others.extend(inside);
    // `Okafor, Ngozi` is `Ngozi Okafor`, and `Ana Lima, PhD` is `Ana Lima`.
    if let Some((before, after)) = main.clone().split_once(',') {
        let after_parts = parts(after);
        main = if after_parts.is_empty() { before.to_owned() } else { format!("{} {before}", after.trim()) };
    }
    if parts(&main).is_empty() && !is_unspaced(&main) && !others.is_empty() {
        main = others.remove(0);
    }
    (main.trim().to_owned(), others.into_iter().map(|other| other.trim().to_owned()).collect())
}

/// The parts of a name that blanks separate, each in words.
fn parts(name: &str) -> Vec<Vec<String>> {
    let parts = name.split_whitespace().map(|part| {
        let words = words(part).into_iter().map(|word| word.text);
        words.filter(|word| !NOT_A_NAME.contains(&word.as_str()) && !is_unspaced(word)).collect::<Vec<_>>()
    });
    parts.filter(|part: &Vec<String>| !part.is_empty()).collect()
}

fn is_unspaced(text: &str) -> bool {
    !text.is_empty()
        && text.chars().any(|c| matches!(c, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}' | '\u{e00}'..='\u{e7f}'))
}

/// The name with `ue` in place of `ü`, as people type it who have no such key.
fn whole_with_umlauts(name: &str) -> Vec<Vec<String>> {
    if !name.to_lowercase().contains(['ü', 'ö', 'ä', 'å', 'ø']) {
        return Vec::new();
    }
    let typed = name
        .to_lowercase()
        .replace('ü', "ue")
        .replace(['ö', 'ø'], "oe")
        .replace('ä', "ae")
        .replace('å', "aa");
    let mut forms: Vec<Vec<String>> = parts(&typed);
    forms.push(forms.concat());
    forms
}

/// The person whose name stands at `at`, with a slip in it.
fn misspelt(said: &[Word], at: usize, forms: &[Forms]) -> Option<usize> {
    let word = &said[at];
    let length = word.text.chars().count();
    if length < 3
        || NO_MISSPELLING.contains(&word.text.as_str())
        || !word.text.chars().all(char::is_alphabetic)
    {
        return None;
    }
    let mut best: Option<(usize, usize)> = None;
    let mut is_tie = false;
    for (person, forms) in forms.iter().enumerate() {
        for spelt in &forms.spelt {
            let longest = length.max(spelt.chars().count());
            let allowed = match longest {
                ..=4 => 1,
                5..=7 => 2,
                _ => 3,
            };
            let distance = damerau_levenshtein(&word.text, spelt)
                .min(damerau_levenshtein(&sound(&word.text), &sound(spelt)) + 1);
            let starts_alike = sound(&word.text).chars().next() == sound(spelt).chars().next();
            if distance == 0
                || distance > allowed
                || !(starts_alike || distance == 1)
                || (distance > 1 && !word.is_capital && length < 5)
            {
                continue;
            }
            match best {
                Some((known, _)) if known < distance => {}
                Some((known, owner)) if known == distance => is_tie = is_tie || owner != person,
                _ => (best, is_tie) = (Some((distance, person)), false),
            }
        }
    }
    best.filter(|_| !is_tie).map(|(_, person)| person)
}

/// The word roughly as it sounds, for names that people know from hearing them.
fn sound(word: &str) -> String {
    let mut sound = fold(word);
    for (from, to) in [
        ("ph", "f"),
        ("ck", "k"),
        ("sch", "s"),
        ("sz", "s"),
        ("cz", "c"),
        ("ch", "c"),
        ("sh", "s"),
        ("kh", "k"),
        ("gh", "g"),
        ("th", "t"),
        ("dh", "d"),
        ("zh", "z"),
        ("x", "ks"),
        ("q", "k"),
        ("y", "i"),
        ("ie", "i"),
        ("ee", "i"),
        ("ea", "i"),
        ("oo", "u"),
        ("ou", "u"),
        ("w", "v"),
        ("j", "i"),
    ] {
        sound = sound.replace(from, to);
    }
    let mut kept = String::new();
    for c in sound.chars() {
        let c = if c == 'c' {
            'k'
        } else if c == 'z' {
            's'
        } else {
            c
        };
        if !kept.ends_with(c) {
            kept.push(c);
        }
    }
    kept
}
