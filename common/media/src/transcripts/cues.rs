//! Finds the cues of a `WebVTT` or `SubRip` file. A cue is a block of lines: an id, a timing line and words.
//!
//! The file is read line by line, as the parser of the WebVTT standard reads it
//! (<https://www.w3.org/TR/webvtt1/#file-parsing>). Real files need a more tolerant reader in several places: the
//! header may be absent or indented, a fraction may follow a comma, a fraction may be short or absent, hours may
//! have one to three digits, and the timing line may stand anywhere in its block.

#[derive(Debug, PartialEq)]
pub(super) struct Cue<'a> {
    /// Start and end in milliseconds. Absent where the block had words and no readable times.
    pub(super) times_ms: Option<(i64, i64)>,
    /// The lines after the timing line, unchanged.
    pub(super) lines: Vec<&'a str>,
}

#[derive(Debug, Default, PartialEq)]
pub(super) struct CueFile<'a> {
    pub(super) cues: Vec<Cue<'a>>,
    /// Blocks of a `WebVTT` file that have no timing line. The standard says that they are no cues.
    pub(super) stray: Vec<Vec<&'a str>>,
    /// How many timing lines could only be read after a letter was taken for the digit that it looks like.
    pub(super) repaired: usize,
    /// The value of the header's `Language:` line.
    pub(super) language: Option<String>,
}

const ARROW: &str = "-->";
const SIGNATURE: &str = "WEBVTT";

/// Whether `text` is meant to be a `WebVTT`, `SubRip` or `SubViewer` file. An arrow alone does not decide that, because
/// a person's words can hold one.
pub(super) fn is_cue_file(text: &str) -> bool {
    without_odd_start(text).starts_with(SIGNATURE) || lines(text).any(|line| Timing::of(line) != Timing::None)
}

/// `text` from its first letter or digit on. A stray arrow above the header would hide the header.
fn without_odd_start(text: &str) -> &str {
    text.trim_start_matches(|c: char| c.is_whitespace() || matches!(c, '-' | '>' | '\u{feff}'))
}

/// Lines end in LF, CRLF or a lone CR.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.split('\n').flat_map(|line| line.strip_suffix('\r').unwrap_or(line).split('\r'))
}

/// Where in the file the reader is.
enum Position<'a> {
    /// In the header, which ends at a blank line.
    Header,
    /// In a block whose timing line has not come yet. The lines are those of the block so far.
    Block(Vec<&'a str>),
    /// After the timing line of a cue, or after a timing line that cannot be read.
    Cue(Cue<'a>),
    /// In a comment or in a style sheet, which ends at a blank line.
    Ignored,
}

pub(super) fn read(text: &str) -> CueFile<'_> {
    let text = without_odd_start(text);
    let has_header = text.starts_with(SIGNATURE);
    let mut file = CueFile::default();
    let mut at = if has_header { Position::Header } else { Position::Block(Vec::new()) };
    for line in lines(text) {
        at = file.step(at, line, has_header);
    }
    file.end(at, has_header);
    file
}

impl<'a> CueFile<'a> {
    fn step(&mut self, at: Position<'a>, line: &'a str, has_header: bool) -> Position<'a> {
        if line.trim().is_empty() {
            self.end(at, has_header);
            return Position::Block(Vec::new());
        }
        if line.trim() == ARROW {
            // An arrow alone is neither a time nor a word.
            return at;
        }
        match (Timing::of(line), at) {
            (Timing::None, Position::Block(before))
                if before.is_empty() && self.starts_ignored_block(line) =>
            {
                Position::Ignored
            }
            (Timing::None, Position::Block(mut before)) => {
                before.push(line);
                Position::Block(before)
            }
            (Timing::None, Position::Cue(mut cue)) => {
                cue.lines.push(line);
                Position::Cue(cue)
            }
            (Timing::None, Position::Header) => {
                if let Some(language) = line.trim().strip_prefix("Language:") {
                    self.language = Some(language.trim().to_owned()).filter(|text| text.len() <= 35);
                }
                Position::Header
            }
            (Timing::None, Position::Ignored) => Position::Ignored,
            (timing, mut at) => {
                match &mut at {
                    // A SubRip file without blank lines: the last line is not words, but the number of the next cue.
                    Position::Cue(cue)
                        if !has_header && cue.lines.last().is_some_and(|last| is_number(last)) =>
                    {
                        cue.lines.pop();
                    }
                    // The line before the timing line is the cue's id. Lines before the id are words without a time.
                    Position::Block(before) => {
                        before.pop();
                    }
                    _ => {}
                }
                self.end(at, has_header);
                self.repaired += usize::from(matches!(timing, Timing::Repaired(..)));
                Position::Cue(Cue { times_ms: timing.ms(), lines: Vec::new() })
            }
        }
    }

    fn end(&mut self, at: Position<'a>, has_header: bool) {
        match at {
            // A cue without words is a pause that some tools write down.
            Position::Cue(cue) => self.cues.push(cue),
            Position::Block(lines) if lines.iter().all(|line| is_number(line)) => {}
            Position::Block(lines) => match self.cues.last_mut() {
                // Some tools put a blank line between the timing line and the words.
                Some(cue) if cue.lines.is_empty() => cue.lines = lines,
                _ if has_header => self.stray.push(lines),
                _ => self.cues.push(Cue { times_ms: None, lines }),
            },
            Position::Header | Position::Ignored => {}
        }
    }

    fn starts_ignored_block(&self, line: &str) -> bool {
        let line = line.trim_end();
        let comment =
            line.strip_prefix("NOTE").is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t']));
        comment && !line.contains(ARROW) || self.cues.is_empty() && matches!(line, "STYLE" | "REGION")
    }
}

fn is_number(line: &str) -> bool {
    let line = line.trim();
    !line.is_empty() && line.bytes().all(|byte| byte.is_ascii_digit())
}

/// What a line says about the times of a cue, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Timing {
    /// It is no timing line.
    None,
    Read(i64, i64),
    /// A letter stood where a digit belongs, such as the letter O for a zero.
    Repaired(i64, i64),
    /// It is meant as a timing line, but its times cannot be read.
    Unreadable,
}

impl Timing {
    fn of(line: &str) -> Self {
        let Some((start, end)) = arrow_times(line).or_else(|| comma_times(line)) else { return Self::None };
        let times = |start: &str, end: &str| Some((clock_ms(start)?, clock_ms(end)?));
        if let Some((start, end)) = times(start, end) {
            return Self::Read(start, end);
        }
        match times(&digits_for_letters(start), &digits_for_letters(end)) {
            Some((start, end)) => Self::Repaired(start, end),
            None => Self::Unreadable,
        }
    }

    fn ms(self) -> Option<(i64, i64)> {
        match self {
            Self::Read(start, end) | Self::Repaired(start, end) => Some((start, end)),
            Self::None | Self::Unreadable => None,
        }
    }
}

/// The two clocks of `start --> end`, where the text before the arrow is meant as one. Somebody can say
/// `Orders --> Returns`. The cue settings that may follow the end are ignored.
fn arrow_times(line: &str) -> Option<(&str, &str)> {
    let (start, rest) = line.split_once(ARROW)?;
    let start = start.trim();
    let of_a_clock = |c: char| c.is_ascii_alphanumeric() || matches!(c, ':' | '.' | ',' | ';');
    let is_clock = start.starts_with(|c: char| c.is_ascii_digit() || matches!(c, 'O' | 'o'))
        && start.contains([':', ';'])
        && start.chars().all(of_a_clock);
    let rest = rest.trim_start();
    // Settings can follow without a blank: `00:01.000line:40%`.
    let digits = |c: char| c.is_ascii_digit() || matches!(c, ':' | '.' | ',' | ';' | 'O' | 'o' | 'l' | 'I');
    let end = rest.find(|c: char| !digits(c)).unwrap_or(rest.len());
    let end = rest[..end].trim_end_matches(|c: char| c.is_ascii_alphabetic());
    is_clock.then_some((start, end))
}

/// The two clocks of `0:00:00.378,0:00:11.378`, the timing line of a `SubViewer` file (`.sbv`).
fn comma_times(line: &str) -> Option<(&str, &str)> {
    let (start, end) = line.trim().split_once(',')?;
    let is_clock = |text: &str| text.contains('.') && clock_ms(text).is_some();
    (is_clock(start) && is_clock(end)).then_some((start, end))
}

/// `text` with the letters that a scanned or typed file has in place of digits.
fn digits_for_letters(text: &str) -> String {
    let digit = |c| match c {
        'O' | 'o' => '0',
        'l' | 'I' => '1',
        ';' => ':',
        c => c,
    };
    text.chars().map(digit).collect()
}

/// Reads `H:MM:SS.mmm` or `MM:SS.mmm`, in milliseconds.
pub(super) fn clock_ms(text: &str) -> Option<i64> {
    let (clock, fraction) = match text.trim().split_once(['.', ',']) {
        Some((clock, fraction)) => (clock, millis(fraction)?),
        None => (text.trim(), 0),
    };
    let mut parts = clock.rsplit(':');
    let seconds = number(parts.next()?, 2).filter(|seconds| *seconds < 60)?;
    let minutes = parts.next()?;
    let (hours, minutes) = match parts.next() {
        Some(hours) => (number(hours, 3)?, number(minutes, 2).filter(|minutes| *minutes < 60)?),
        None => (0, number(minutes, 3)?),
    };
    parts.next().is_none().then_some(((hours * 60 + minutes) * 60 + seconds) * 1000 + fraction)
}

fn number(text: &str, max_digits: usize) -> Option<i64> {
    ((1..=max_digits).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| text.parse().ok())
        .flatten()
}

/// Reads the digits after the point as milliseconds. Digits after the third are ignored.
fn millis(text: &str) -> Option<i64> {
    let digits = (1..=9).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.bytes().chain(*b"00").take(3).fold(0, |sum, byte| sum * 10 + i64::from(byte - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_every_common_spelling() {
        assert_eq!(clock_ms("00:00:04.000"), Some(4_000));
        assert_eq!(clock_ms("01:02,5"), Some(62_500));
        assert_eq!(clock_ms("1:00:00.25"), Some(3_600_250));
        assert_eq!(clock_ms("100:00:00.000"), Some(360_000_000));
        assert_eq!(clock_ms("0:03"), Some(3_000));
        for wrong in [
            "",
            "4",
            "00.00.000",
            "00:60.000",
            "00:61:00.000",
            "1:2:3:4",
            "aa:bb",
            "00:00.",
            "-1:00",
            "00:+1",
        ] {
            assert_eq!(clock_ms(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_line_with_an_arrow_is_a_timing_line_only_when_it_begins_with_a_clock() {
        for (line, timing) in [
            ("00:00.000 --> 00:01.000line:40%", Timing::Read(0, 1_000)),
            ("00:00:25.000-->00:00:27.000", Timing::Read(25_000, 27_000)),
            ("00:00:25.000 --> 00:00:27.000 align:start", Timing::Read(25_000, 27_000)),
            ("0:00:00.378,0:00:11.378", Timing::Read(378, 11_378)),
            ("OO:00:01.000 --> 00:00:O2.000", Timing::Repaired(1_000, 2_000)),
            ("00:00:0l,000 --> 00:00;02,000", Timing::Repaired(1_000, 2_000)),
            ("00:00.000 --> later", Timing::Unreadable),
            ("00:0x.000 --> 00:01.000", Timing::Unreadable),
            ("Orders --> Returns", Timing::None),
            ("A --> B", Timing::None),
            ("-->", Timing::None),
            ("We moved at 10:30 --> now", Timing::None),
            ("1,000", Timing::None),
            ("at 10:30, 11:30", Timing::None),
        ] {
            assert_eq!(Timing::of(line), timing, "{line}");
        }
    }

    #[test]
    fn a_subrip_number_is_not_words_when_the_blank_line_before_it_is_missing() {
        let file =
            read("1\n00:00:01,000 --> 00:00:02,000\nI have\n20\n2\n00:00:02,000 --> 00:00:03,000\nBye");
        let words: Vec<_> = file.cues.iter().map(|cue| cue.lines.join(" ")).collect();
        assert_eq!(words, ["I have 20", "Bye"]);
        assert_eq!(file.stray.len(), 0);
    }
}
