//! Turns the payload of a cue into plain words, and finds who its `<v Name>` tags say is speaking.
//!
//! The standard's tokenizer throws away everything after a `<` that is never closed. Here it stays as it is:
//! words are worth more than markup.

/// A stretch of a cue that one voice speaks; lines stay apart.
#[derive(Debug, PartialEq)]
pub(super) struct Voice {
    /// From a voice tag; absent where there was none.
    pub(super) speaker: Option<String>,
    pub(super) text: String,
}

/// Longer than any name, short enough for an index.
const MAX_NAME_CHARS: usize = 120;
/// `&thetasym;` is about as long as an entity gets.
const MAX_ENTITY_BYTES: usize = 10;

pub(super) fn voices(lines: &[&str]) -> Vec<Voice> {
    let mut reader = Reader { done: Vec::new(), now: Voice { speaker: None, text: String::new() } };
    for line in lines {
        reader.line(line);
        reader.now.text.push('\n');
    }
    reader.turn(None);
    reader.done
}

struct Reader {
    done: Vec<Voice>,
    now: Voice,
}

impl Reader {
    fn line(&mut self, line: &str) {
        let mut rest = line;
        while let Some(at) = rest.find(['<', '&', '{']) {
            self.now.text.push_str(&rest[..at]);
            rest = &rest[at..];
            let taken = match rest.as_bytes()[0] {
                b'<' => self.tag(rest),
                b'&' => entity(rest).map(|(c, taken)| {
                    self.now.text.push(c);
                    taken
                }),
                // SubRip's position marks: `{\an8}`.
                _ => inside(rest, '{', '}').filter(|mark| mark.starts_with('\\')).map(|mark| mark.len() + 2),
            };
            let taken = taken.unwrap_or_else(|| {
                self.now.text.push_str(&rest[..1]);
                1
            });
            rest = &rest[taken..];
        }
        self.now.text.push_str(rest);
    }

    /// The length of the tag that `rest` starts with, if it is one.
    fn tag(&mut self, rest: &str) -> Option<usize> {
        let tag = inside(rest, '<', '>')?;
        if !tag.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '/') {
            return None;
        }
        let (name, annotation) = tag.split_once(char::is_whitespace).unwrap_or((tag, ""));
        if name == "/v" {
            self.turn(None);
        } else if name.split('.').next() == Some("v") {
            let speaker = super::one_line(&entities(annotation));
            self.turn(
                Some(speaker.chars().take(MAX_NAME_CHARS).collect()).filter(|name: &String| !name.is_empty()),
            );
        }
        Some(tag.len() + 2)
    }

    /// Ends the voice that spoke so far. One that goes on after a closing tag is still one.
    fn turn(&mut self, speaker: Option<String>) {
        let said = std::mem::replace(&mut self.now, Voice { speaker, text: String::new() });
        if said.text.trim().is_empty() {
            return;
        }
        match self.done.last_mut() {
            Some(last) if last.speaker == said.speaker => {
                last.text.push('\n');
                last.text.push_str(&said.text);
            }
            _ => self.done.push(said),
        }
    }
}

/// What stands between `open`, with which `rest` starts, and the next `close`; nothing where another `open`
/// comes first. So no part of a line is searched twice.
fn inside(rest: &str, open: char, close: char) -> Option<&str> {
    let body = &rest[1..];
    let end = body.find([open, close])?;
    body[end..].starts_with(close).then(|| &body[..end])
}

fn entities(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        plain.push_str(&rest[..at]);
        let (c, taken) = entity(&rest[at..]).unwrap_or(('&', 1));
        plain.push(c);
        rest = &rest[at + taken..];
    }
    plain.push_str(rest);
    plain
}

/// The character that an entity at the start of `rest` stands for, and the entity's length.
fn entity(rest: &str) -> Option<(char, usize)> {
    let end = rest.bytes().take(MAX_ENTITY_BYTES).position(|byte| byte == b';')?;
    let c = match &rest[1..end] {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => '\u{a0}',
        "lrm" => '\u{200e}',
        "rlm" => '\u{200f}',
        number => {
            let number = number.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code).filter(|c| !c.is_control())?
        }
    };
    Some((c, end + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(lines: &[&str]) -> Vec<(Option<String>, String)> {
        voices(lines).into_iter().map(|voice| (voice.speaker, super::super::one_line(&voice.text))).collect()
    }

    fn plain(line: &str) -> String {
        heard(&[line]).into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn a_voice_tag_names_the_speaker_and_other_tags_vanish() {
        assert_eq!(
            heard(&["<v.loud Tom Bj&ouml;rk &amp; Co><i>I <00:01.000>report</i> to Helen."]),
            [(Some("Tom Bj&ouml;rk & Co".into()), "I report to Helen.".into())]
        );
    }

    #[test]
    fn two_voices_in_one_cue_are_two_and_the_text_after_them_is_nobodys() {
        assert_eq!(
            heard(&["<v Chris> Okay.</v>", "<v Kyle> Oh, now?</v>", "<v Kyle>Now.</v>", "<i>Laughter</i>"]),
            [
                (Some("Chris".into()), "Okay.".into()),
                (Some("Kyle".into()), "Oh, now? Now.".into()),
                (None, "Laughter".into())
            ]
        );
    }

    #[test]
    fn an_unclosed_tag_keeps_its_words() {
        assert_eq!(plain("<c>This is </c awesome!"), "This is </c awesome!");
        assert_eq!(plain("if a < b and b > c"), "if a < b and b > c");
        assert_eq!(plain("{\\an8}Up {here}"), "Up {here}");
    }

    #[test]
    fn only_whole_entities_are_read() {
        assert_eq!(
            plain("&amp; &lt;b&gt; a&nbsp;b &am&lt; &#39;x&#x27; &l &bogus; &"),
            "& <b> a b &am< 'x' &l &bogus; &"
        );
    }
}
