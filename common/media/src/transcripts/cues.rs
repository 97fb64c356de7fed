//! Finds the cues of a `WebVTT` or `SubRip` file: blocks of an id, a timing line and words.
//!
//! Line by line, as the WebVTT standard's parser does (<https://www.w3.org/TR/webvtt1/#file-parsing>), and wider
//! where real files need it: the header may be absent or indented, a fraction may follow a comma, be shorter or
//! absent, hours may have one to three digits, and a timing line is found wherever it stands in its block.

#[derive(Debug, PartialEq)]
pub(super) struct Cue<'a> {
    pub(super) start_ms: i64,
    pub(super) end_ms: i64,
    /// The payload as it stands in the file.
    pub(super) lines: Vec<&'a str>,
}

#[derive(Debug, Default, PartialEq)]
pub(super) struct CueFile<'a> {
    pub(super) cues: Vec<Cue<'a>>,
    /// Blocks that hold something, but no readable times.
    pub(super) skipped: usize,
    /// The header's `Language:` line.
    pub(super) language: Option<String>,
}

const ARROW: &str = "-->";
const SIGNATURE: &str = "WEBVTT";

/// Whether it means to be one. An arrow in somebody's words makes none; a timing line, even a broken one,
/// starts with a digit.
pub(super) fn is_cue_file(text: &str) -> bool {
    let timed =
        |line: &str| line.contains(ARROW) && line.trim_start().starts_with(|c: char| c.is_ascii_digit());
    text.trim_start().starts_with(SIGNATURE) || lines(text).any(timed)
}

/// Lines end in LF, CRLF or a lone CR.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.split('\n').flat_map(|line| line.strip_suffix('\r').unwrap_or(line).split('\r'))
}

enum At<'a> {
    /// In the header, up to a blank line.
    Header,
    /// Before the timing line of a block: what was read of it so far.
    Block(Vec<&'a str>),
    Cue(Cue<'a>),
    /// In a comment, a style sheet or a block with unreadable times, up to a blank line.
    Aside,
}

pub(super) fn read(text: &str) -> CueFile<'_> {
    let text = text.trim_start();
    let has_header = text.starts_with(SIGNATURE);
    let mut file = CueFile::default();
    let mut at = if has_header { At::Header } else { At::Block(Vec::new()) };
    for line in lines(text) {
        at = file.step(at, line, has_header);
    }
    file.end(at);
    file
}

impl<'a> CueFile<'a> {
    fn step(&mut self, at: At<'a>, line: &'a str, has_header: bool) -> At<'a> {
        if line.trim().is_empty() {
            self.end(at);
            return At::Block(Vec::new());
        }
        let arrow = line.contains(ARROW);
        match at {
            At::Header | At::Cue(_) if arrow => {
                let at = match at {
                    At::Cue(mut cue) => {
                        // SubRip without its blank line: the next cue's number, not words.
                        let number = cue.lines.last().is_some_and(|last| is_number(last));
                        if !has_header && number {
                            cue.lines.pop();
                        }
                        At::Cue(cue)
                    }
                    other => other,
                };
                self.end(at);
                self.timed(line)
            }
            At::Header => {
                if let Some(language) = line.trim().strip_prefix("Language:") {
                    self.language = Some(language.trim().to_owned()).filter(|text| text.len() <= 35);
                }
                At::Header
            }
            At::Cue(mut cue) => {
                cue.lines.push(line);
                At::Cue(cue)
            }
            At::Block(before) if before.is_empty() && self.is_aside(line) => At::Aside,
            At::Block(before) if arrow => {
                // One line before is the cue's id; more are words without a time.
                self.skipped += usize::from(before.len() > 1);
                self.timed(line)
            }
            At::Block(mut before) => {
                before.push(line);
                At::Block(before)
            }
            At::Aside => At::Aside,
        }
    }

    fn timed(&mut self, line: &str) -> At<'a> {
        if let Some((start_ms, end_ms)) = timing(line) {
            At::Cue(Cue { start_ms, end_ms, lines: Vec::new() })
        } else {
            self.skipped += 1;
            At::Aside
        }
    }

    fn end(&mut self, at: At<'a>) {
        match at {
            At::Cue(cue) => self.cues.push(cue),
            At::Block(before) if before.iter().any(|line| !is_number(line)) => self.skipped += 1,
            At::Block(_) | At::Header | At::Aside => {}
        }
    }

    fn is_aside(&self, line: &str) -> bool {
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

/// `start --> end`, in milliseconds; cue settings after the end are of no interest.
fn timing(line: &str) -> Option<(i64, i64)> {
    let (start, rest) = line.split_once(ARROW)?;
    let rest = rest.trim_start();
    let end =
        rest.find(|c: char| !(c.is_ascii_digit() || matches!(c, ':' | '.' | ','))).unwrap_or(rest.len());
    Some((stamp(start)?, stamp(&rest[..end])?))
}

/// `H:MM:SS.mmm` or `MM:SS.mmm`, in milliseconds.
pub(super) fn stamp(text: &str) -> Option<i64> {
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

/// The digits after the point, of which three count.
fn millis(text: &str) -> Option<i64> {
    let digits = (1..=9).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.bytes().chain(*b"00").take(3).fold(0, |sum, byte| sum * 10 + i64::from(byte - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_every_common_spelling() {
        assert_eq!(stamp("00:00:04.000"), Some(4_000));
        assert_eq!(stamp("01:02,5"), Some(62_500));
        assert_eq!(stamp("1:00:00.25"), Some(3_600_250));
        assert_eq!(stamp("100:00:00.000"), Some(360_000_000));
        assert_eq!(stamp("0:03"), Some(3_000));
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
            assert_eq!(stamp(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn words_that_follow_an_end_without_a_space_are_settings() {
        assert_eq!(timing("00:00.000 --> 00:01.000line:40%"), Some((0, 1_000)));
        assert_eq!(timing("00:00:25.000-->00:00:27.000"), Some((25_000, 27_000)));
        assert_eq!(timing("00:00.000 --> later"), None);
    }

    #[test]
    fn a_subrip_number_is_no_words_even_where_the_blank_line_is_missing() {
        let file =
            read("1\n00:00:01,000 --> 00:00:02,000\nI have\n20\n2\n00:00:02,000 --> 00:00:03,000\nBye");
        let words: Vec<_> = file.cues.iter().map(|cue| cue.lines.join(" ")).collect();
        assert_eq!(words, ["I have 20", "Bye"]);
        assert_eq!(file.skipped, 0);
    }
}
