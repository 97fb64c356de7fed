//! The JSON of a transcript.

use std::borrow::Cow;

use domain::transcript::{Segment, Transcript};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::Object;

use super::one_of_or_null;

#[derive(Serialize, ToSchema)]
#[schema(as = Transcript)]
pub struct TranscriptView {
    /// The language as a BCP 47 tag. It is null when neither the source nor the provider named one.
    pub language: Option<String>,
    /// The segments in the order in which they were said.
    pub segments: Vec<SegmentView>,
}

/// A piece of speech by one speaker. Times count from the start of the call. They are null when the source gave none.
#[derive(Serialize, ToSchema)]
#[schema(as = Segment)]
pub struct SegmentView {
    /// 1 for the first segment of the transcript.
    pub id: u32,
    /// The speaker's name, or the provider's label (`A`, `B`). It is null when the speaker is not known.
    pub speaker: Option<String>,
    #[schema(schema_with = role)]
    pub role: Option<Cow<'static, str>>,
    pub start_ms: Option<i64>,
    pub end_ms: Option<i64>,
    /// The words that the speaker said.
    pub text: String,
    /// How sure the provider is of the words, from 0 to 1.
    pub confidence: Option<f64>,
}

pub fn transcript(of: Transcript) -> TranscriptView {
    TranscriptView { language: of.language, segments: of.segments.into_iter().map(segment).collect() }
}

fn segment(of: Segment) -> SegmentView {
    SegmentView {
        id: of.id,
        speaker: of.speaker,
        role: of.role.map(|role| role.name().into()),
        start_ms: of.start_ms,
        end_ms: of.end_ms,
        text: of.text,
        confidence: of.confidence,
    }
}

pub(super) fn role() -> Object {
    one_of_or_null(&["agent", "customer", "host", "presenter", "participant"])
}
