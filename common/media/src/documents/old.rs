//! Finds runs of text in the formats of Office before 2007. They keep text as UTF-16 or in a code page of one byte, between
//! much that is no text.

/// Fewer letters are no text but a chance.
const MIN_RUN: usize = 12;
const MAX_CHARS: usize = 400_000;

pub(super) fn text(bytes: &[u8]) -> String {
    let mut runs: Vec<(usize, String)> = wide_runs(bytes, 0);
    runs.extend(wide_runs(bytes, 1));
    runs.extend(narrow_runs(bytes));
    runs.sort();
    let mut text = String::new();
    for (_, run) in runs {
        if text.chars().count() > MAX_CHARS {
            break;
        }
        if is_words(&run) && !text.contains(run.trim()) {
            text.push_str(run.trim());
            text.push('\n');
        }
    }
    text.trim().to_owned()
}

fn wide_runs(bytes: &[u8], offset: usize) -> Vec<(usize, String)> {
    let mut runs = Vec::new();
    let mut current = String::new();
    let mut start = 0;
    for (at, pair) in bytes.get(offset..).unwrap_or_default().chunks_exact(2).enumerate() {
        let unit = u16::from_le_bytes([pair[0], pair[1]]);
        // Only scripts whose letters have few values, because any two bytes are a letter of Chinese.
        let c = char::from_u32(u32::from(unit)).filter(|c| is_text(*c) && (*c as u32) < 0x2100);
        push(&mut runs, &mut current, &mut start, c, offset + at * 2);
    }
    push(&mut runs, &mut current, &mut start, None, bytes.len());
    runs
}

fn narrow_runs(bytes: &[u8]) -> Vec<(usize, String)> {
    let mut runs = Vec::new();
    let mut current = String::new();
    let mut start = 0;
    for (at, byte) in bytes.iter().enumerate() {
        let c = match byte {
            0x91 | 0x92 => Some('’'),
            0x93 => Some('“'),
            0x94 => Some('”'),
            0x96 | 0x97 => Some('–'),
            0x85 => Some('…'),
            0x0d | 0x0b => Some('\n'),
            0x80..=0x9f => None,
            byte => Some(char::from(*byte)).filter(|c| is_text(*c)),
        };
        push(&mut runs, &mut current, &mut start, c, at);
    }
    push(&mut runs, &mut current, &mut start, None, bytes.len());
    runs
}

fn push(
    runs: &mut Vec<(usize, String)>,
    current: &mut String,
    start: &mut usize,
    c: Option<char>,
    at: usize,
) {
    if let Some(c) = c {
        if current.is_empty() {
            *start = at;
        }
        current.push(c);
    } else if !current.is_empty() {
        let run = std::mem::take(current);
        if run.chars().filter(|c| c.is_alphabetic()).count() >= MIN_RUN {
            runs.push((*start, run));
        }
    }
}

fn is_text(c: char) -> bool {
    c.is_alphanumeric()
        || matches!(c, '\t' | '\n' | '\r' | ' '..='~' | '\u{a0}'..='\u{ff}' | '‘' | '’' | '“' | '”' | '–' | '—' | '…' | '€' | '•')
}

/// Whether a run is made of words, and not of names of fonts, of styles or of bytes.
fn is_words(run: &str) -> bool {
    let words: Vec<&str> = run.split_whitespace().collect();
    let letters = run.chars().filter(|c| c.is_alphabetic() || c.is_whitespace()).count();
    let of_letters = words
        .iter()
        .filter(|word| word.chars().all(|c| c.is_alphabetic() || ",.;:!?'’“”()-–%".contains(c)))
        .count();
    words.len() >= 3
        && letters * 10 >= run.chars().count() * 8
        && of_letters * 10 >= words.len() * 7
        && run.chars().any(char::is_lowercase)
}
