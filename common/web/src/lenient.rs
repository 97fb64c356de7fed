//! Reads JSON that is nearly right, and keeps what our JSON reader would refuse or lose.
//!
//! Other systems cut texts in the middle of a surrogate pair, put line breaks into texts as they are, and write ids as
//! numbers of 30 digits. A sender that does not repeat a refused request would lose what it sent. The text is only
//! mended when our reader refused it, or when a number came out so large that it may have lost digits, so JSON that is
//! right costs nothing.

use serde_json::Value;

/// Reads JSON. Half a surrogate pair becomes U+FFFD. A control character in a text stays. A number that is too long for
/// 64 bits, or too large, becomes the text of its digits.
pub(crate) fn read(bytes: &[u8]) -> serde_json::Result<Value> {
    match serde_json::from_slice(bytes) {
        Ok(value) if !may_have_lost_digits(&value) => Ok(value),
        read => mended(bytes).map_or(read, |mended| serde_json::from_slice(&mended)),
    }
}

/// Whether there is a number beyond 64 bits, which is kept as a floating-point number.
fn may_have_lost_digits(value: &Value) -> bool {
    const LEAST: f64 = 9.2e18;
    match value {
        Value::Number(number) if number.is_f64() => number.as_f64().is_some_and(|float| float.abs() >= LEAST),
        Value::Array(values) => values.iter().any(may_have_lost_digits),
        Value::Object(fields) => fields.values().any(may_have_lost_digits),
        _ => false,
    }
}

/// Returns the mended text, or `None` where there is nothing to mend.
fn mended(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut mended = Mended { text: Vec::with_capacity(bytes.len() + 16), changed: false };
    let mut left = bytes;
    while let Some((first, rest)) = left.split_first() {
        left = match first {
            b'"' => {
                mended.text.push(b'"');
                mended.string(rest)
            }
            b'-' | b'0'..=b'9' => mended.number(left),
            _ => {
                mended.text.push(*first);
                rest
            }
        };
    }
    mended.changed.then_some(mended.text)
}

struct Mended {
    text: Vec<u8>,
    changed: bool,
}

impl Mended {
    /// Takes the rest of a string, with its closing quotation mark. Returns what follows.
    fn string<'a>(&mut self, mut left: &'a [u8]) -> &'a [u8] {
        while let Some((first, rest)) = left.split_first() {
            left = match (first, rest) {
                (b'"', _) => {
                    self.text.push(b'"');
                    return rest;
                }
                (b'\\', [b'u', ..]) => self.escape(left),
                (b'\\', [escaped, rest @ ..]) => {
                    self.text.extend_from_slice(&[b'\\', *escaped]);
                    rest
                }
                (0..0x20, _) => {
                    self.text.extend_from_slice(format!("\\u{first:04x}").as_bytes());
                    self.changed = true;
                    rest
                }
                _ => {
                    self.text.push(*first);
                    rest
                }
            };
        }
        left
    }

    /// Takes an escape such as `\u00e9`, or two of them that are a surrogate pair. Returns what follows.
    fn escape<'a>(&mut self, left: &'a [u8]) -> &'a [u8] {
        const LENGTH: usize = 6;
        let take = match (code_unit(left), left.get(LENGTH..).and_then(code_unit)) {
            (Some(0xd800..0xdc00), Some(0xdc00..0xe000)) => 2 * LENGTH,
            (Some(0xd800..0xe000), _) => {
                self.text.extend_from_slice(b"\\ufffd");
                self.changed = true;
                return &left[LENGTH..];
            }
            (Some(_), _) => LENGTH,
            // Our reader says what is wrong with it.
            (None, _) => 2,
        };
        let (escape, rest) = left.split_at(take);
        self.text.extend_from_slice(escape);
        rest
    }

    /// Takes a number. Returns what follows.
    fn number<'a>(&mut self, left: &'a [u8]) -> &'a [u8] {
        let of_number = |byte: &u8| matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9');
        let (number, rest) = left.split_at(left.iter().take_while(|byte| of_number(byte)).count());
        if is_beyond(number) {
            self.changed = true;
            self.text.push(b'"');
            self.text.extend_from_slice(number);
            self.text.push(b'"');
        } else {
            self.text.extend_from_slice(number);
        }
        rest
    }
}

/// The code unit of UTF-16 that an escape such as `\ud83d` at the start of `text` stands for.
fn code_unit(text: &[u8]) -> Option<u16> {
    let digits =
        text.strip_prefix(b"\\u")?.get(..4).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))?;
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// Whether a number is too long or too large for our reader to keep all of it.
fn is_beyond(number: &[u8]) -> bool {
    let Ok(number) = std::str::from_utf8(number) else { return false };
    let digits = number.strip_prefix('-').unwrap_or(number);
    if digits.starts_with('0') {
        return false;
    }
    if digits.bytes().all(|byte| byte.is_ascii_digit()) {
        !digits.is_empty() && number.parse::<i64>().is_err() && number.parse::<u64>().is_err()
    } else {
        number.parse().is_ok_and(f64::is_infinite)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_nearly_json_is_read() {
        for (text, wanted) in [
            (r#""\ud83d""#, json!("\u{fffd}")),
            (r#""a\uDE00b""#, json!("a\u{fffd}b")),
            (r#""\ud83d\ud83d\ude00""#, json!("\u{fffd}😀")),
            (r#""\ud83d\n""#, json!("\u{fffd}\n")),
            (r#""\\ud83d\ud83d""#, json!("\\ud83d\u{fffd}")),
            (r#"{"\udc00": "\"\ud800\""}"#, json!({"\u{fffd}": "\"\u{fffd}\""})),
            ("\"a\nb\u{1}\"", json!("a\nb\u{1}")),
            ("[18446744073709551615, 18446744073709551616]", json!([u64::MAX, "18446744073709551616"])),
            ("[-9223372036854775808, -9223372036854775809]", json!([i64::MIN, "-9223372036854775809"])),
            ("{\"a\":1e400,\"b\":-1.5e400}", json!({"a": "1e400", "b": "-1.5e400"})),
            ("[1e300, 2.5e19]", json!([1e300, 2.5e19])),
            (r#"["123456789012345678901234567890"]"#, json!(["123456789012345678901234567890"])),
        ] {
            assert_eq!(read(text.as_bytes()).unwrap(), wanted, "{text}");
        }
    }

    #[test]
    fn what_is_no_json_stays_none() {
        for text in [
            "",
            "{",
            "\"\\ud83d",
            "\"\\ud8\"",
            "\"\\",
            "\"\\u",
            "01234567890123456789012",
            "1e400e",
            "--1",
            "{\"a\"\n:\u{1}1}",
            "NaN",
        ] {
            assert!(read(text.as_bytes()).is_err(), "{text}");
        }
        assert!(read(b"\"caf\xe9\\ud800\"").is_err());
    }

    proptest! {
        #[test]
        fn json_that_is_right_is_read_as_our_reader_reads_it(text in any::<String>(), number in any::<i64>()) {
            let value = json!({ "text": text, "list": [number, null, true, 0.5] });
            let written = serde_json::to_vec(&value).unwrap();
            prop_assert_eq!(mended(&written), None);
            prop_assert_eq!(read(&written).unwrap(), value);
        }

        #[test]
        fn every_sequence_of_code_units_is_a_text(units in proptest::collection::vec(any::<u16>(), 0..20)) {
            let escaped = units.iter().map(|unit| format!("\\u{unit:04X}")).collect::<Vec<_>>().concat();
            let read = read(format!("\"{escaped}\"").as_bytes()).unwrap();
            prop_assert_eq!(read, String::from_utf16_lossy(&units));
        }

        #[test]
        fn no_bytes_are_too_odd_to_be_looked_at(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            drop(read(&bytes));
        }
    }
}
