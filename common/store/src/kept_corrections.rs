//! The row in which the corrections of a call are kept, for whoever reads a transcript or an analysis.

use sqlx::types::Json;

use domain::corrections::{Corrections, LineCorrection};
use domain::speakers::Correction;

/// The columns of the corrections of a call. All are null for a call without corrections.
macro_rules! corrections_columns {
    () => {
        "corrections, lines, summary"
    };
}
pub(super) use corrections_columns;

#[derive(Default, sqlx::FromRow)]
pub(super) struct KeptCorrections {
    corrections: Option<Json<Vec<Correction>>>,
    lines: Option<Json<Vec<LineCorrection>>>,
    summary: Option<String>,
}

impl KeptCorrections {
    pub(super) fn all(self) -> Corrections {
        Corrections {
            speakers: self.corrections.map(|Json(speakers)| speakers).unwrap_or_default(),
            lines: self.lines.map(|Json(lines)| lines).unwrap_or_default(),
            summary: self.summary,
        }
    }
}
