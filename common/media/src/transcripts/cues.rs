//! Finds the cues of a `WebVTT` or `SubRip` file. A cue is a block of lines: an id, a timing line and words.
//!
//! The file is read line by line, as the parser of the WebVTT standard reads it
//! (<https://www.w3.org/TR/webvtt1/#file-parsing>). Real files need a more tolerant reader in five places: the
//! header may be absent or indented, a fraction may follow a comma, a fraction may be short or absent, hours may
//! have one to three digits, and the timing line may stand anywhere in its block.

#[derive(Debug, PartialEq)]
pub(super) struct Cue<'a> {
    pub(super) start_ms: i64,
    pub(super) end_ms: i64,
    /// The lines after the timing line, unchanged.
    pub(super) lines: Vec<&'a str>,
}

#[derive(Debug, Default, PartialEq)]
pub(super) struct CueFile<'a> {
    pub(super) cues: Vec<Cue<'a>>,
    /// How many blocks hold something, but no readable times.
    pub(super) skipped: usize,
    /// The value of the header's `Language:` line.
    pub(super) language: Option<String>,
}

const ARROW: &str = "-->";
const SIGNATURE: &str = "WEBVTT";

/// Whether `text` is meant to be a `WebVTT` or `SubRip` file. An arrow alone does not decide that, because a person's
/// words can hold one; but a timing line, even a broken one, starts with a digit.
pub(super) fn is_cue_file(text: &str) -> bool {
    let is_timing_line =
        |line: &str| line.contains(ARROW) && line.trim_start().starts_with(|c: char| c.is_ascii_digit());
    text.trim_start().starts_with(SIGNATURE) || lines(text).any(is_timing_line)
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
    /// After the timing line of a cue.
    Cue(Cue<'a>),
    /// In a comment, in a style sheet or in a block with unreadable times. It ends at a blank line.
    Ignored,
}

pub(super) fn read(text: &str) -> CueFile<'_> {
    let text = text.trim_start();
    let has_header = text.starts_with(SIGNATURE);
    let mut file = CueFile::default();
    let mut at = if has_header { Position::Header } else { Position::Block(Vec::new()) };
    for line in lines(text) {
        at = file.step(at, line, has_header);
    }
    file.end(at);
    file
}

impl<'a> CueFile<'a> {
    fn step(&mut self, at: Position<'a>, line: &'a str, has_header: bool) -> Position<'a> {
        if line.trim().is_empty() {
            self.end(at);
            return Position::Block(Vec::new());
        }
        let arrow = line.contains(ARROW);
        match at {
            Position::Header | Position::Cue(_) if arrow => {
                let at = match at {
                    Position::Cue(mut cue) => {
                        // A SubRip file without blank lines: the last line is not words, but the number of
                        // the next cue.
                        let number = cue.lines.last().is_some_and(|last| is_number(last));
                        if !has_header && number {
                            cue.lines.pop();
                        }
                        Position::Cue(cue)
                    }
                    other => other,
                };
                self.end(at);
                self.start_cue(line)
            }
            Position::Header => {
                if let Some(language) = line.trim().strip_prefix("Language:") {
                    self.language = Some(language.trim().to_owned()).filter(|text| text.len() <= 35);
                }
                Position::Header
            }
            Position::Cue(mut cue) => {
                cue.lines.push(line);
                Position::Cue(cue)
            }
            Position::Block(before) if before.is_empty() && self.starts_ignored_block(line) => {
                Position::Ignored
            }
            Position::Block(before) if arrow => {
                // One line before the timing line is the cue's id. More lines are words without a time.
                self.skipped += usize::from(before.len() > 1);
                self.start_cue(line)
            }
            Position::Block(mut before) => {
                before.push(line);
                Position::Block(before)
            }
            Position::Ignored => Position::Ignored,
        }
    }

    fn start_cue(&mut self, line: &str) -> Position<'a> {
        if let Some((start_ms, end_ms)) = cue_times(line) {
            Position::Cue(Cue { start_ms, end_ms, lines: Vec::new() })
        } else {
            self.skipped += 1;
            Position::Ignored
        }
    }

    fn end(&mut self, at: Position<'a>) {
        match at {
            Position::Cue(cue) => self.cues.push(cue),
            Position::Block(before) if before.iter().any(|line| !is_number(line)) => self.skipped += 1,
            Position::Block(_) | Position::Header | Position::Ignored => {}
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

/// Reads `start --> end`, in milliseconds. The cue settings that may follow the end are ignored.
fn cue_times(line: &str) -> Option<(i64, i64)> {
    let (start, rest) = line.split_once(ARROW)?;
    let rest = rest.trim_start();
    let end =
        rest.find(|c: char| !(c.is_ascii_digit() || matches!(c, ':' | '.' | ','))).unwrap_or(rest.len());
    Some((clock_ms(start)?, clock_ms(&rest[..end])?))
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
    fn text_that_follows_the_end_without_a_space_is_ignored_as_cue_settings() {
        assert_eq!(cue_times("00:00.000 --> 00:01.000line:40%"), Some((0, 1_000)));
        assert_eq!(cue_times("00:00:25.000-->00:00:27.000"), Some((25_000, 27_000)));
        assert_eq!(cue_times("00:00.000 --> later"), None);
    }

    #[test]
    fn the_number_of_a_subrip_cue_is_not_taken_for_words_when_the_blank_line_before_it_is_missing() {
        let file =
            read("1\n00:00:01,000 --> 00:00:02,000\nI have\n20\n2\n00:00:02,000 --> 00:00:03,000\nBye");
        let words: Vec<_> = file.cues.iter().map(|cue| cue.lines.join(" ")).collect();
        assert_eq!(words, ["I have 20", "Bye"]);
        assert_eq!(file.skipped, 0);
    }
}
