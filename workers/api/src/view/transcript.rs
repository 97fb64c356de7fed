//! The JSON of a transcript.

use std::borrow::Cow;

use domain::transcript::{Segment, Speaker, Transcript};
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
    /// Who the speakers are, and how that was found out. A speaker about whom nothing is known is missing.
    pub speakers: Vec<SpeakerView>,
}

/// One speaker of a transcript, as far as anybody knows.
#[derive(Serialize, ToSchema)]
#[schema(as = Speaker)]
pub struct SpeakerView {
    /// The label that the provider or the source gave the speaker.
    pub label: String,
    /// The name of the person. It is null where only the side is known, and where the label is the name.
    pub name: Option<String>,
    #[schema(schema_with = role)]
    pub role: Option<Cow<'static, str>>,
    /// How sure that is, from 0 to 1.
    #[schema(minimum = 0, maximum = 1)]
    pub confidence: f64,
    /// How it was found out, in words.
    pub reason: String,
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
    TranscriptView {
        language: of.language,
        segments: of.segments.into_iter().map(segment).collect(),
        speakers: speakers(of.speakers),
    }
}

pub fn speakers(of: Vec<Speaker>) -> Vec<SpeakerView> {
    let view = |of: Speaker| SpeakerView {
        label: of.label,
        name: of.name,
        role: of.role.map(|role| role.name().into()),
        confidence: of.confidence,
        reason: of.reason,
    };
    of.into_iter().map(view).collect()
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

pub(crate) fn role() -> Object {
    one_of_or_null(&["agent", "customer", "host", "presenter", "participant"])
}
