//! What a file is, by its first bytes.

/// The kinds of files that are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    Pdf,
    /// A new document of Office. Which one it is, only its content says.
    NewOffice,
    /// A document of Office of before 2007.
    OldOffice,
    Png,
    Jpeg,
    Gif,
}

impl FileKind {
    /// The kind of a file. The error says what the file is instead.
    pub fn of(bytes: &[u8]) -> Result<Self, &'static str> {
        let head = &bytes[..bytes.len().min(1024)];
        let starts = |magic: &[u8]| head.starts_with(magic);
        // A program is refused first, because some files are valid in two ways.
        if starts(b"MZ")
            || starts(b"\x7fELF")
            || starts(b"\xcf\xfa\xed\xfe")
            || starts(b"\xca\xfe\xba\xbe")
            || starts(b"#!")
        {
            return Err("a program");
        }
        if head.windows(5).any(|window| window == b"%PDF-") {
            return Ok(Self::Pdf);
        }
        if media::transcripts::is_office_document(bytes) {
            return Ok(Self::NewOffice);
        }
        if starts(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1") {
            return Ok(Self::OldOffice);
        }
        if starts(b"\x89PNG\r\n\x1a\n") {
            return Ok(Self::Png);
        }
        if starts(b"\xff\xd8\xff") {
            return Ok(Self::Jpeg);
        }
        if starts(b"GIF87a") || starts(b"GIF89a") {
            return Ok(Self::Gif);
        }
        Err(match head {
            [] => "empty",
            head if head.starts_with(b"PK") => "an archive that holds no document of Office",
            head if head.trim_ascii_start().starts_with(b"<") => "a text in a markup language",
            _ => "of no kind that is taken",
        })
    }

    /// The name with which the child is asked to read such a file. `None` for an image, in which nothing is read.
    pub fn read_as(self) -> Option<&'static str> {
        match self {
            Self::Pdf => Some("pdf"),
            Self::NewOffice => Some("office"),
            Self::OldOffice => Some("old-office"),
            Self::Png | Self::Jpeg | Self::Gif => None,
        }
    }

    /// The type that is shown. `name` decides only between two that have the same content.
    pub fn shown(self, name: &str) -> &'static str {
        let is_old_presentation = name.to_ascii_lowercase().ends_with(".ppt");
        match self {
            Self::Pdf => "pdf",
            Self::NewOffice => "office",
            Self::OldOffice if is_old_presentation => "ppt",
            Self::OldOffice => "doc",
            Self::Png => "png",
            Self::Jpeg => "jpeg",
            Self::Gif => "gif",
        }
    }
}

/// The kinds, as an error names them.
pub const TAKEN: &str = "PDF, PPTX, DOCX, PPT, DOC, PNG, JPEG and GIF";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_what_its_content_says() {
        assert_eq!(FileKind::of(b"%PDF-1.7\n"), Ok(FileKind::Pdf));
        assert_eq!(FileKind::of(b"\n\n%PDF-1.4"), Ok(FileKind::Pdf));
        assert_eq!(FileKind::of(b"\x89PNG\r\n\x1a\n123"), Ok(FileKind::Png));
        assert_eq!(FileKind::of(b"GIF89a"), Ok(FileKind::Gif));
        assert_eq!(FileKind::of(b"\xff\xd8\xff\xe0"), Ok(FileKind::Jpeg));
        assert_eq!(FileKind::of(b"MZ\x90\0%PDF-1.7"), Err("a program"));
        for bytes in [&b""[..], b"\x7fELF", b"hello", b"<html>", b"PK\x03\x04zip of something else"] {
            assert!(FileKind::of(bytes).is_err(), "{bytes:?}");
        }
    }
}
