//! Notes: what was odd about what arrived, or about what was made of it, in words for a person.

use serde::{Deserialize, Serialize};

/// Something odd that lost nothing, or that says what was lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// Snake case and stable, for programs: `times_repaired`, `field_of_another_type`.
    pub code: String,
    /// The field that the note is about, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// A sentence for a person.
    pub text: String,
}

impl Note {
    pub fn new(code: &str, text: impl Into<String>) -> Self {
        Self { code: code.to_owned(), field: None, text: text.into() }
    }

    pub fn of_field(self, field: &str) -> Self {
        Self { field: Some(field.to_owned()), ..self }
    }
}
