//! Writes the message about a call. A meeting has another message than a phone call: it has no support number, and
//! readers want to know what was agreed before they read the transcript.

mod format;
mod meeting;
mod phone;

use domain::analysis::Analysis;
use domain::call::{Call, CallKind};
use domain::transcript::Transcript;

pub use format::Format;

/// The texts to post, in order. Each has at most [`MAX_CHARS`](crate::MAX_CHARS) characters. The first text is the
/// message of the call, and the others continue it.
pub fn write(call: &Call, analysis: &Analysis, transcript: &Transcript, format: &Format) -> Vec<String> {
    match call.kind {
        CallKind::Meeting => meeting::write(call, analysis, transcript, format),
        CallKind::Phone | CallKind::Session | CallKind::Practice => {
            phone::write(call, analysis, transcript, format)
        }
    }
}
