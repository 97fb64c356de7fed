//! Turns the bytes of a supplied transcript into text, or says what they are instead.

use std::borrow::Cow;

use domain::note::Note;

use super::docx;
use super::parsed::ReadError;

/// What files of other kinds begin with, and what they are. People rename them, or choose the wrong file.
const OTHER_KINDS: [(&[u8], &str); 12] = [
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"{\\rtf", "an RTF document"),
    (b"\xd0\xcf\x11\xe0", "an old Microsoft Office document"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\x7fELF", "a program"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"RIFF", "a recording, not a transcript"),
    (b"ID3", "a recording, not a transcript"),
    (b"OggS", "a recording, not a transcript"),
    (b"fLaC", "a recording, not a transcript"),
];

/// How many bytes at the start of a file are enough for [`check_head`].
pub const HEAD_BYTES: usize = 1024;

/// Looks at the first bytes of a file, and refuses it where they show that it is no text. Whether a text can be read is
/// only known when all of it is there.
pub fn check_head(head: &[u8]) -> Result<(), ReadError> {
    if head.starts_with(docx::START) && docx::may_be_office(head) {
        // Only the whole archive shows whether a Word document is in it.
        return Ok(());
    }
    if let Some((_, kind)) = OTHER_KINDS.iter().find(|(start, _)| head.starts_with(start)) {
        return Err(ReadError::OtherKind(kind));
    }
    let is_wide =
        head.starts_with(b"\xFF\xFE") || head.starts_with(b"\xFE\xFF") || utf16_without_mark(head).is_some();
    let odd = head.iter().filter(|byte| matches!(byte, 0..=8 | 0x0e..=0x1f)).count();
    if !is_wide && (odd * 20 > head.len() || is_in_unknown_encoding(head)) {
        Err(ReadError::NotText)
    } else {
        Ok(())
    }
}

pub(super) fn decode<'a>(bytes: &'a [u8], notes: &mut Vec<Note>) -> Result<Cow<'a, str>, ReadError> {
    check_head(&bytes[..bytes.len().min(HEAD_BYTES)])?;
    let text = text_of(bytes, notes);
    if text.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}').is_empty() {
        return Err(ReadError::Empty);
    }
    let odd = |c: &char| matches!(*c, '\0'..='\u{8}' | '\u{e}'..='\u{1f}' | char::REPLACEMENT_CHARACTER);
    let unreadable = text.chars().filter(odd).count();
    // A damaged text has a few odd characters. A recording with the wrong file name has many.
    if unreadable * 20 > text.chars().count() {
        return Err(ReadError::NotText);
    }
    if unreadable > 0 {
        let text = format!(
            "Characters of the file that could not be read: {unreadable}. Each is shown as \u{fffd}."
        );
        notes.push(Note::new("characters_unreadable", text));
    }
    // PostgreSQL refuses NUL in a text.
    Ok(if text.contains('\0') { Cow::Owned(text.replace('\0', "\u{fffd}")) } else { text })
}

fn text_of<'a>(bytes: &'a [u8], notes: &mut Vec<Note>) -> Cow<'a, str> {
    match bytes {
        [0xFF, 0xFE, rest @ ..] => return Cow::Owned(utf16(rest, u16::from_le_bytes)),
        [0xFE, 0xFF, rest @ ..] => return Cow::Owned(utf16(rest, u16::from_be_bytes)),
        _ => {}
    }
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    if let Some(unit) = utf16_without_mark(bytes) {
        notes.push(Note::new("encoding_guessed", "The file is in UTF-16 and has no byte order mark."));
        return Cow::Owned(utf16(bytes, unit));
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        // A character beyond ASCII that is right makes the wrong ones damage, not another encoding.
        Err(error)
            if bytes[..error.valid_up_to()].is_ascii() && !has_utf8_beyond(&bytes[error.valid_up_to()..]) =>
        {
            notes.push(Note::new(
                "encoding_guessed",
                "The file is not in UTF-8; it was read as Windows-1252.",
            ));
            encoding_rs::WINDOWS_1252.decode_without_bom_handling(bytes).0
        }
        Err(_) => String::from_utf8_lossy(bytes),
    }
}

/// Whether `bytes` are neither UTF-8 nor Windows-1252. In the languages of Windows-1252 most letters are ASCII; a text in
/// another encoding with one byte per letter, for example a Cyrillic one, would be read as wrong words.
fn is_in_unknown_encoding(bytes: &[u8]) -> bool {
    let beyond_ascii = bytes.iter().filter(|byte| !byte.is_ascii()).count();
    beyond_ascii * 3 > bytes.len() && !has_utf8_beyond(bytes)
}

/// Whether a valid UTF-8 sequence of several bytes stands anywhere in `bytes`.
fn has_utf8_beyond(bytes: &[u8]) -> bool {
    bytes.utf8_chunks().any(|chunk| !chunk.valid().is_ascii())
}

/// The byte order of a UTF-16 text without a mark: Latin letters have a NUL in each pair, always on the same side.
fn utf16_without_mark(bytes: &[u8]) -> Option<fn([u8; 2]) -> u16> {
    const LOOKED_AT: usize = 512;
    let pairs: Vec<&[u8]> = bytes[..bytes.len().min(LOOKED_AT)].chunks_exact(2).collect();
    let share = |at: usize| pairs.iter().filter(|pair| pair[at] == 0 && pair[1 - at] != 0).count() * 10;
    if pairs.len() < 4 {
        None
    } else if share(1) > pairs.len() * 7 {
        Some(u16::from_le_bytes)
    } else if share(0) > pairs.len() * 7 {
        Some(u16::from_be_bytes)
    } else {
        None
    }
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> String {
    let units = bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
    char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "Tom: caf\u{e9} \u{2019}round the corner";

    fn read(bytes: &[u8]) -> (String, Vec<String>) {
        let mut notes = Vec::new();
        let text = decode(bytes, &mut notes).unwrap().into_owned();
        (text.trim_start_matches('\u{feff}').to_owned(), notes.into_iter().map(|note| note.code).collect())
    }

    #[test]
    fn a_text_is_read_in_every_encoding_that_exports_use() {
        let wide = |unit: fn(u16) -> [u8; 2], mark: &str| -> Vec<u8> {
            format!("{mark}{TEXT}").encode_utf16().flat_map(unit).collect()
        };
        for (bytes, codes) in [
            (TEXT.as_bytes().to_vec(), &[][..]),
            ([b"\xEF\xBB\xBF", TEXT.as_bytes()].concat(), &[]),
            (wide(u16::to_le_bytes, "\u{feff}"), &[]),
            (wide(u16::to_be_bytes, "\u{feff}"), &[]),
            (wide(u16::to_le_bytes, ""), &["encoding_guessed"]),
            (wide(u16::to_be_bytes, ""), &["encoding_guessed"]),
            (b"Tom: caf\xe9 \x92round the corner".to_vec(), &["encoding_guessed"]),
        ] {
            let (text, notes) = read(&bytes);
            assert_eq!(text, TEXT, "{bytes:?}");
            assert_eq!(notes, codes, "{bytes:?}");
        }
    }

    #[test]
    fn damage_is_shown_and_said_and_no_reason_to_refuse_a_file() {
        let damaged =
            [TEXT.as_bytes(), b" and \xff then ", "\u{0}".as_bytes(), " Bj\u{f6}rk".as_bytes()].concat();
        let (text, notes) = read(&damaged);
        assert!(text.ends_with("and \u{fffd} then \u{fffd} Bj\u{f6}rk"), "{text}");
        assert_eq!(notes, ["characters_unreadable"]);
    }

    #[test]
    fn a_file_of_another_kind_is_named() {
        for (bytes, kind) in [
            (&b"%PDF-1.7\n"[..], "a PDF"),
            (b"PK\x03\x04\x14\0", "ZIP"),
            (b"\x7fELF\x02", "a program"),
            (b"RIFF\x24\0\0\0WAVEfmt ", "a recording"),
        ] {
            let error = decode(bytes, &mut Vec::new()).unwrap_err().to_string();
            assert!(error.contains(kind), "{error}");
            assert!(check_head(bytes).is_err(), "{kind}");
        }
        let wide: Vec<u8> = TEXT.encode_utf16().flat_map(u16::to_le_bytes).collect();
        for text in [TEXT.as_bytes(), &wide, b"caf\xe9 au lait", b"a few \0 in a longer text are damage only"]
        {
            assert!(check_head(text).is_ok(), "{text:?}");
        }
        let cyrillic = b"\xcf\xf0\xe8\xe2\xe5\xf2, \xea\xe0\xea \xe4\xe5\xeb\xe0";
        for unknown in [&[0xff; 100][..], cyrillic] {
            assert!(matches!(check_head(unknown), Err(ReadError::NotText)), "{unknown:?}");
        }
        let hindi = "\u{928}\u{92e}\u{938}\u{94d}\u{924}\u{947}".as_bytes();
        assert!(check_head(&hindi[..hindi.len() - 1]).is_ok(), "the head of a file may end within a letter");
        assert!(matches!(decode(&[0xfd, 1, 2, 3, 4, 5, 6, 7], &mut Vec::new()), Err(ReadError::NotText)));
    }
}
