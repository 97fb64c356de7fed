//! Reads the words of documents of Office that people bring as material: Word and `PowerPoint`, new and old.
//!
//! Nothing that an archive says about itself is believed: its entries, their sizes and the ratio of packing are bounded. The
//! formats of before 2007 are read as far as runs of text can be found in them.

mod old;
mod slides;

use crate::transcripts::{ReadError, docx};

/// The words of one page, one slide or a whole document without pages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part {
    pub title: Option<String>,
    pub text: String,
    /// What the speaker has noted for a slide.
    pub notes: Option<String>,
}

/// Reads a Word document. Its tables are read cell by cell.
pub fn word(bytes: &[u8]) -> Result<String, ReadError> {
    docx::text(bytes)
}

/// Reads the slides of a presentation in their order.
pub fn presentation(bytes: &[u8]) -> Result<Vec<Part>, ReadError> {
    slides::read(bytes)
}

/// Finds the runs of text in a document or a presentation of before 2007. The text may lack parts, and may have parts that
/// nobody wrote.
pub fn old_office(bytes: &[u8]) -> String {
    old::text(bytes)
}

#[cfg(test)]
mod tests;
