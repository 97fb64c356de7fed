//! Turns the lines of a cue into plain words, and reads the speakers' names from its `<v Name>` tags.
//!
//! The tokenizer of the WebVTT standard throws away everything after a `<` that is never closed. This reader keeps
//! that text, because losing somebody's words is worse than keeping some markup.

use std::borrow::Cow;

use quick_xml::escape::resolve_html5_entity;

use crate::words::one_line;

/// A part of a cue that one person speaks. Its lines are not joined.
#[derive(Debug, PartialEq)]
pub(super) struct Voice {
    /// The name in the voice tag. It is absent when there was no tag.
    pub(super) speaker: Option<String>,
    pub(super) text: String,
}

/// No real name is longer, and a database index can hold a text of this length.
const MAX_NAME_CHARS: usize = 120;
/// The longest name of an entity in HTML has 31 letters.
const MAX_ENTITY_BYTES: usize = 34;

pub(super) fn voices(lines: &[&str]) -> Vec<Voice> {
    let mut reader = Reader { finished: Vec::new(), current: Voice { speaker: None, text: String::new() } };
    for line in lines {
        reader.line(line);
        reader.current.text.push('\n');
    }
    reader.start_voice(None);
    reader.finished
}

struct Reader {
    finished: Vec<Voice>,
    current: Voice,
}

impl Reader {
    fn line(&mut self, line: &str) {
        let mut rest = line;
        while let Some(at) = rest.find(['<', '&', '{']) {
            self.current.text.push_str(&rest[..at]);
            rest = &rest[at..];
            let taken = match rest.as_bytes()[0] {
                b'<' => self.tag(rest),
                b'&' => entity(rest).map(|(text, taken)| {
                    self.current.text.push_str(&text);
                    taken
                }),
                // SubRip files hold marks such as `{\an8}`, which say where on the screen the words stand.
                _ => inside(rest, '{', '}').filter(|mark| mark.starts_with('\\')).map(|mark| mark.len() + 2),
            };
            let taken = taken.unwrap_or_else(|| {
                self.current.text.push_str(&rest[..1]);
                1
            });
            rest = &rest[taken..];
        }
        self.current.text.push_str(rest);
    }

    /// Reads the tag at the start of `rest` and returns its length. There is no result when `rest` starts with
    /// something else than a tag.
    fn tag(&mut self, rest: &str) -> Option<usize> {
        let tag = inside(rest, '<', '>')?;
        if !tag.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '/') {
            return None;
        }
        let (name, annotation) = tag.split_once(char::is_whitespace).unwrap_or((tag, ""));
        if name == "/v" {
            self.start_voice(None);
        } else if name.split('.').next() == Some("v") {
            let speaker = one_line(&entities(annotation));
            self.start_voice(
                Some(speaker.chars().take(MAX_NAME_CHARS).collect()).filter(|name: &String| !name.is_empty()),
            );
        }
        Some(tag.len() + 2)
    }

    /// Ends the current voice and starts one of `speaker`. Where the same speaker speaks twice in a row, with a
    /// closing tag between, this gives one voice.
    fn start_voice(&mut self, speaker: Option<String>) {
        let ended = std::mem::replace(&mut self.current, Voice { speaker, text: String::new() });
        if ended.text.trim().is_empty() {
            return;
        }
        match self.finished.last_mut() {
            Some(last) if last.speaker == ended.speaker => {
                last.text.push('\n');
                last.text.push_str(&ended.text);
            }
            _ => self.finished.push(ended),
        }
    }
}

/// The text between `open`, which is the first character of `rest`, and the next `close`. There is no result when
/// another `open` comes before it: the search stops there, so that no part of a line is searched twice.
fn inside(rest: &str, open: char, close: char) -> Option<&str> {
    let body = &rest[1..];
    let end = body.find([open, close])?;
    body[end..].starts_with(close).then(|| &body[..end])
}

/// Replaces each entity in `text` by the character that it stands for.
fn entities(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        plain.push_str(&rest[..at]);
        let (text, taken) = entity(&rest[at..]).unwrap_or((Cow::Borrowed("&"), 1));
        plain.push_str(&text);
        rest = &rest[at + taken..];
    }
    plain.push_str(rest);
    plain
}

/// The text that an entity at the start of `rest` stands for, and the entity's length. The names are those of HTML.
fn entity(rest: &str) -> Option<(Cow<'static, str>, usize)> {
    let end = rest.bytes().take(MAX_ENTITY_BYTES).position(|byte| byte == b';')?;
    let name = &rest[1..end];
    let text = match name.strip_prefix('#') {
        Some(number) => {
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            Cow::Owned(char::from_u32(code).filter(|c| !c.is_control())?.to_string())
        }
        None => Cow::Borrowed(resolve_html5_entity(name)?),
    };
    Some((text, end + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn speakers_and_words(lines: &[&str]) -> Vec<(Option<String>, String)> {
        voices(lines).into_iter().map(|voice| (voice.speaker, one_line(&voice.text))).collect()
    }

    fn plain(line: &str) -> String {
        speakers_and_words(&[line]).into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn a_voice_tag_names_the_speaker_and_other_tags_are_removed() {
        assert_eq!(
            speakers_and_words(&["<v.loud Tom Bj&ouml;rk &amp; Co><i>I <00:01.000>report</i> to Helen."]),
            [(Some("Tom Björk & Co".into()), "I report to Helen.".into())]
        );
    }

    #[test]
    fn two_voice_tags_in_a_cue_give_two_voices_and_the_text_after_them_has_no_speaker() {
        assert_eq!(
            speakers_and_words(&[
                "<v Chris> Okay.</v>",
                "<v Kyle> Oh, now?</v>",
                "<v Kyle>Now.</v>",
                "<i>Laughter</i>"
            ]),
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
    fn only_a_complete_and_known_entity_is_replaced() {
        assert_eq!(
            plain("&amp; &lt;b&gt; a&nbsp;b &am&lt; &#39;x&#x27; caf&eacute; isn&rsquo;t &l &bogus; &"),
            "& <b> a b &am< 'x' café isn’t &l &bogus; &"
        );
    }
}
