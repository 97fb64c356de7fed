//! Full-text search: what words a text has, what a query asks for, and where it is found in a text.
//!
//! PostgreSQL and SQLite would each cut a text into words in their own way. So the words are made here, and both
//! databases only keep them. A query means the same on both.

mod document;
mod excerpt;
mod query;
mod words;

pub use document::{Document, Header, Part};
pub use excerpt::{Excerpt, excerpt};
pub use query::{Clause, Phrase, Query, QueryError};
pub use words::{Word, words};
