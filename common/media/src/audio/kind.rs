//! Tells a recording from other files by its first bytes. The name of a file and its declared type only say what the
//! sender believes.
//!
//! There are two questions, because there are two senders. Whoever uploads a file chose it, so it has to be in a format
//! that we know ([`media_type`]). A telephony provider may also send raw samples without any header, which no table of
//! formats knows. So a file that is fetched is refused only if it is certainly something else ([`other_kind`]).

/// How many bytes at the start of a file are enough for both questions.
pub const HEAD_BYTES: usize = 1024;

/// Formats that begin with so few or such common bytes that raw samples can begin with them by chance. For example,
/// `00 00 01 00` is the start of an icon, and of 16-bit samples of near silence.
const WEAK: [&str; 10] = [
    "image/bmp",
    "image/jp2",
    "image/jxl",
    "image/vnd.microsoft.icon",
    "application/font-sfnt",
    "application/postscript",
    "application/vnd.microsoft.portable-executable",
    "application/vnd.ms-fontobject",
    "application/x-compress",
    "application/x-x509-ca-cert",
];
/// What stands at the start of a program for Windows, after two bytes that are not enough.
const DOS_STUB: &[u8] = b"This program ";

/// Finds the media type of a recording in a known format. A file with a picture is a recording too, if it has sound as
/// meeting products write it.
pub fn media_type(head: &[u8]) -> Option<&'static str> {
    match head {
        [b'R', b'I', b'F', b'F' | b'X', _, _, _, _, b'W', b'A', b'V', b'E', ..]
        | [b'R', b'F', b'6', b'4', _, _, _, _, b'W', b'A', b'V', b'E', ..] => Some("audio/wav"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'A', b'V', b'I', b' ', ..] => Some("video/x-msvideo"),
        [b'F', b'O', b'R', b'M', _, _, _, _, b'A', b'I', b'F', b'F' | b'C', ..] => Some("audio/aiff"),
        [b'.', b's', b'n', b'd', ..] => Some("audio/basic"),
        [b'f', b'L', b'a', b'C', ..] => Some("audio/flac"),
        [b'O', b'g', b'g', b'S', ..] => Some("audio/ogg"),
        [b'#', b'!', b'A', b'M', b'R', ..] => Some("audio/amr"),
        [0x1a, 0x45, 0xdf, 0xa3, ..] => Some("audio/webm"),
        // Pictures of telephones are in the same container as their videos.
        [_, _, _, _, b'f', b't', b'y', b'p', brand @ ..] if !is_picture(brand) => Some("audio/mp4"),
        // The container of WMA and WMV.
        [0x30, 0x26, 0xb2, 0x75, 0x8e, 0x66, 0xcf, 0x11, ..] => Some("audio/x-ms-wma"),
        [b'I', b'D', b'3', 2..=4, ..] => Some("audio/mpeg"),
        // A frame of AAC begins with twelve bits of sync, and its layer is 0.
        [0xff, 0xf0 | 0xf1 | 0xf8 | 0xf9, third, ..] if third & 0x3c != 0x3c => Some("audio/aac"),
        // A frame of MPEG layer III begins with eleven bits of sync. Its version and its sample rate must be valid.
        [0xff, second, third, ..]
            if second & 0xe6 == 0xe2
                && second & 0x18 != 0x08
                && third & 0xf0 != 0xf0
                && third & 0x0c != 0x0c =>
        {
            Some("audio/mpeg")
        }
        _ => None,
    }
}

fn is_picture(brand: &[u8]) -> bool {
    [&b"heic"[..], b"heix", b"heif", b"mif1", b"msf1", b"avif", b"crx "]
        .iter()
        .any(|known| brand.starts_with(known))
}

/// What a file is, when its first bytes show that it is certainly no recording.
pub fn other_kind(head: &[u8]) -> Option<&'static str> {
    use infer::MatcherType::{App, Archive, Audio, Font, Image, Text, Video};
    if media_type(head).is_some() {
        return None;
    }
    if head.starts_with(b"\x7fELF") {
        return Some("a program");
    }
    if head.starts_with(b"MZ") && head.windows(DOS_STUB.len()).any(|part| part == DOS_STUB) {
        return Some("a program");
    }
    if let Some(kind) = infer::get(head) {
        return match (kind.matcher_type(), kind.mime_type()) {
            (Audio | Video, _) => None,
            (_, weak) if WEAK.contains(&weak) => None,
            (_, "application/pdf") => Some("a PDF document"),
            (_, "application/zip") => Some("a ZIP archive"),
            (_, "application/vnd.sqlite3") => Some("a database"),
            (Text, _) => Some("a page of text"),
            (App, _) => Some("a program"),
            (Archive, _) => Some("an archive"),
            (Image, _) => Some("a picture"),
            (Font, _) => Some("a font"),
            _ => Some("a document"),
        };
    }
    is_text(head).then_some("text")
}

/// Whether `head` is readable text. Its last character can be incomplete, because only the first bytes are here.
fn is_text(head: &[u8]) -> bool {
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&head[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return false,
    };
    !text.is_empty() && text.chars().all(|c| !c.is_control() || matches!(c, '\n' | '\r' | '\t' | '\u{c}'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recordings_are_known_by_their_first_bytes() {
        for (head, wanted) in [
            (&b"RIFF\x24\x00\x00\x00WAVEfmt "[..], Some("audio/wav")),
            (b"RIFF\x24\x00\x00\x00AVI LIST", Some("video/x-msvideo")),
            (b"FORM\x00\x00\x10\x00AIFFCOMM", Some("audio/aiff")),
            (b".snd\x00\x00\x00\x18", Some("audio/basic")),
            (b"fLaC\x00", Some("audio/flac")),
            (b"OggS\x00\x02", Some("audio/ogg")),
            (b"#!AMR\n\x3c", Some("audio/amr")),
            (b"#!AMR-WB\n", Some("audio/amr")),
            (b"\x1a\x45\xdf\xa3\x01", Some("audio/webm")),
            (b"\x00\x00\x00\x20ftypM4A ", Some("audio/mp4")),
            (b"\x00\x00\x00\x20ftyp3gp4", Some("audio/mp4")),
            (b"\x00\x00\x00\x20ftypheic", None),
            (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9", Some("audio/x-ms-wma")),
            (b"ID3\x04\x00", Some("audio/mpeg")),
            (b"\xff\xfb\x90\x64", Some("audio/mpeg")),
            // MPEG 2.5 at 8 kHz, as telephone systems write it
            (b"\xff\xe3\x18\xc4", Some("audio/mpeg")),
            (b"\xff\xf1\x50\x80", Some("audio/aac")),
            (b"\xff\xff\xff\xff", None),
            (b"WEBVTT\n\n", None),
            (b"<!DOCTYPE html>", None),
            (b"", None),
        ] {
            assert_eq!(media_type(head), wanted, "{head:?}");
        }
    }

    #[test]
    fn a_file_of_another_kind_is_named() {
        let tar = [&[b'a'; 100][..], &[0; 157], b"ustar\x0000", &[0; 200]].concat();
        let exe = [&b"MZ\x90\x00"[..], &[0; 74], b"This program cannot be run in DOS mode."].concat();
        for (head, kind) in [
            (&b"PK\x03\x04\x14\x00\x06\x00\x08\x00"[..], "a ZIP archive"),
            (b"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x03\x00\x3e\x00", "a program"),
            (&exe, "a program"),
            (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3", "a PDF document"),
            (b"\x1f\x8b\x08\x00\x00\x00\x00\x00", "an archive"),
            (b"7z\xbc\xaf\x27\x1c\x00\x04", "an archive"),
            (b"Rar!\x1a\x07\x01\x00", "an archive"),
            (&tar, "an archive"),
            (b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR", "a picture"),
            (b"\xff\xd8\xff\xe0\x00\x10JFIF", "a picture"),
            (b"GIF89a\x01\x00", "a picture"),
            (b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic", "a picture"),
            (b"RIFF\x24\x00\x00\x00WEBPVP8 ", "a picture"),
            (b"SQLite format 3\x00\x10\x00", "a database"),
            (b"\x00asm\x01\x00\x00\x00", "a program"),
            (b"\xca\xfe\xba\xbe\x00\x00\x00\x34", "a program"),
            (b"<!DOCTYPE html><title>Sign in</title>", "a page of text"),
            (b"<?xml version=\"1.0\"?><Error/>", "a page of text"),
            (b"{\"error\":\"no such recording\"}", "text"),
            ("Tr\u{e4}ume".as_bytes(), "text"),
        ] {
            assert_eq!(other_kind(head), Some(kind), "{head:?}");
        }
    }

    #[test]
    fn samples_without_a_header_are_no_other_kind_whatever_they_begin_with() {
        let samples = |start: &[u8]| -> Vec<u8> {
            let noise = (0..600_u32).map(|n| u8::try_from(n * 37 % 251).unwrap_or_default() | 0x80);
            start.iter().copied().chain(noise).collect()
        };
        for start in [
            &b"\xd5\x55\x54\x57"[..],
            b"\xff\x7f\x7e\xfe",
            b"\x00\x00\x01\x00\xff\xff",
            b"\x00\x01\x00\x00\x00\x01",
            b"\xff\x0a\x00\x01",
            b"BM\x80\x81",
            b"MZ\x80\x81",
            b"\x1f\x9d\x80",
            b"\x30\x82\x80\x81",
            b"",
        ] {
            assert_eq!(other_kind(&samples(start)), None, "{start:?}");
        }
        assert_eq!(other_kind(b""), None);
    }
}
