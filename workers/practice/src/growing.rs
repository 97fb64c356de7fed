//! Reads the texts of a JSON object that still grows, because a model sends it piece by piece.

/// A field whose value is a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    pub(crate) name: String,
    /// As much of the value as is there.
    pub(crate) value: String,
    pub(crate) is_complete: bool,
}

/// The texts of the first object in `json`, as far as they are there. What stands before the object is passed over. A value that
/// is no text is left out.
pub(crate) fn fields(json: &str) -> Vec<Field> {
    let mut reader = Reader { rest: json.find('{').map_or("", |at| &json[at + 1..]) };
    let mut found = Vec::new();
    while let Some(name) = reader.name() {
        match reader.value() {
            Some(Value::Text { value, is_complete }) => found.push(Field { name, value, is_complete }),
            Some(Value::Other) => {}
            None => break,
        }
    }
    found
}

enum Value {
    Text { value: String, is_complete: bool },
    Other,
}

struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    /// The name of the next field. `None` where there is none, or where its name is not complete.
    fn name(&mut self) -> Option<String> {
        self.skip(|c| c.is_whitespace() || c == ',');
        let (name, is_complete) = self.text()?;
        self.skip(char::is_whitespace);
        if !is_complete || !self.rest.starts_with(':') {
            return None;
        }
        self.rest = &self.rest[1..];
        Some(name)
    }

    fn value(&mut self) -> Option<Value> {
        self.skip(char::is_whitespace);
        match self.rest.chars().next()? {
            '"' => self.text().map(|(value, is_complete)| Value::Text { value, is_complete }),
            '{' | '[' => self.nested(),
            _ => {
                self.skip(|c| c != ',' && c != '}');
                (!self.rest.is_empty()).then_some(Value::Other)
            }
        }
    }

    /// Passes over a value that has others in it.
    fn nested(&mut self) -> Option<Value> {
        let mut depth = 0_usize;
        while let Some(c) = self.rest.chars().next() {
            match c {
                '"' => {
                    self.text().filter(|(_, is_complete)| *is_complete)?;
                    continue;
                }
                '{' | '[' => depth += 1,
                '}' | ']' => depth = depth.saturating_sub(1),
                _ => {}
            }
            self.rest = &self.rest[c.len_utf8()..];
            if depth == 0 {
                return Some(Value::Other);
            }
        }
        None
    }

    fn skip(&mut self, which: impl Fn(char) -> bool) {
        self.rest = self.rest.trim_start_matches(which);
    }

    /// A text in quotes, as much of it as is there, and whether its end is there.
    fn text(&mut self) -> Option<(String, bool)> {
        let inner = self.rest.strip_prefix('"')?;
        let mut text = String::new();
        let mut chars = inner.char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.rest = &inner[at + 1..];
                    return Some((text, true));
                }
                '\\' => match escaped(&inner[at..]) {
                    Some((c, length)) => {
                        text.push(c);
                        // The backslash was taken already.
                        chars.by_ref().take(length - 1).for_each(drop);
                    }
                    // The rest of it still comes.
                    None => break,
                },
                c => text.push(c),
            }
        }
        self.rest = "";
        Some((text, false))
    }
}

/// The character that an escape stands for, and the number of characters of the escape. `None` while it is not complete.
fn escaped(text: &str) -> Option<(char, usize)> {
    let c = match text.chars().nth(1)? {
        'n' => '\n',
        't' => '\t',
        'r' => '\r',
        'b' => '\u{8}',
        'f' => '\u{c}',
        'u' => {
            let first = unit(text)?;
            if !(0xd800..0xdc00).contains(&first) {
                return Some((char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER), 6));
            }
            // The second half of a pair follows.
            let rest = text.get(6..)?;
            if rest.len() < 2 {
                return None;
            }
            if !rest.starts_with("\\u") {
                return Some((char::REPLACEMENT_CHARACTER, 6));
            }
            let second = unit(rest)?;
            let low = second.checked_sub(0xdc00).filter(|low| *low < 0x400);
            let pair = low.and_then(|low| char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + low));
            return Some((pair.unwrap_or(char::REPLACEMENT_CHARACTER), 12));
        }
        c => c,
    };
    Some((c, 2))
}

/// The number of an escape like `\u00e9`.
fn unit(text: &str) -> Option<u32> {
    u32::from_str_radix(text.get(2..6)?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = r#"Here it is: {"speaker": "a-1", "why": null, "n": [1, {"x": "}"}], "text": "He said \"no\".\nCaf\u00e9 \ud83d\ude00 \u20ac 3.5!", "second": "So?"}"#;

    #[test]
    fn an_object_that_is_complete_is_read_like_every_json() {
        let json: serde_json::Value = serde_json::from_str(&WHOLE["Here it is: ".len()..]).unwrap();
        let found = fields(WHOLE);
        let names: Vec<&str> = found.iter().map(|field| field.name.as_str()).collect();
        assert_eq!(names, ["speaker", "text", "second"]);
        for field in found {
            assert!(field.is_complete && json[&field.name] == field.value.as_str(), "{field:?}");
        }
    }

    #[test]
    fn each_text_only_grows_while_the_object_comes_and_nothing_is_taken_back() {
        let last = fields(WHOLE);
        let mut before: Vec<Field> = Vec::new();
        for (end, _) in WHOLE.char_indices() {
            let now = fields(&WHOLE[..end]);
            assert!(now.len() >= before.len(), "{end}");
            for (field, was) in now.iter().zip(&before) {
                assert!(field.name == was.name && field.value.starts_with(&was.value), "{field:?} {was:?}");
                assert!(field.is_complete || !was.is_complete, "{field:?}");
            }
            for (field, whole) in now.iter().zip(&last) {
                assert!(whole.value.starts_with(&field.value), "{field:?} {whole:?}");
            }
            before = now;
        }
    }

    #[test]
    fn what_is_no_object_has_no_fields_and_a_broken_escape_is_a_sign() {
        for none in ["", "no json", "{", "{\"a", "{\"a\"", "[1, 2]", "{\"a\": 1"] {
            assert_eq!(fields(none), [], "{none}");
        }
        for (json, value) in [
            (r#"{"a": "\ud83d!"}"#, "\u{fffd}!"),
            (r#"{"a": "\ud83d\u0041"}"#, "\u{fffd}"),
            (r#"{"a": "\u00"#, ""),
        ] {
            assert_eq!(fields(json)[0].value, value, "{json}");
        }
    }
}
