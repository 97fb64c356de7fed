//! What the message about a call says. A meeting's message is another one than that of a phone call: nobody dialled
//! a support number, and what was agreed is asked for before the words.

mod format;
mod meeting;
mod phone;

use domain::analysis::Analysis;
use domain::call::{Call, CallKind};
use domain::transcript::Transcript;

pub use format::Format;

/// The texts to post, in order, each of at most [`MAX_CHARS`](crate::MAX_CHARS) characters. The first is the message
/// of the call, the others continue it.
pub fn write(call: &Call, analysis: &Analysis, transcript: &Transcript, format: &Format) -> Vec<String> {
    match call.kind {
        CallKind::Meeting => meeting::write(call, analysis, transcript, format),
        CallKind::Phone | CallKind::Session | CallKind::Practice => {
            phone::write(call, analysis, transcript, format)
        }
    }
}
