//! The JSON that the API returns. Pure functions make it from the domain's types.
//!
//! These types are separate from the domain's, so that a change inside Debrief does not break other people's scripts.
//! Their doc comments are the descriptions in the OpenAPI document.

mod analysis;
mod audio;
mod call;
mod dashboard;
mod found;
mod operations;
mod scores;
mod speech;
mod timeline;
mod transcript;

use std::borrow::Cow;

use serde::Serialize;
use serde_json::Value;
use utoipa::openapi::schema::{AdditionalProperties, Object, ObjectBuilder, SchemaType, Type};

pub use analysis::{AnalysisView, analysis};
pub use audio::{AudioView, WaveformView, audio, waveform};
pub use call::{
    CallList, CallSummary, CallView, EffectOfCall, SLACK_POST, SourceCallView, call, source_call, summary,
};
pub use dashboard::{DashboardView, dashboard};
pub use found::{ChangedCalls, FoundCalls, found_calls};
pub use operations::{
    Audit, AuditEntry, Batch, DeadLetterDetail, DeadLetterView, DeadLetters, EffectView, Effects, QueueView,
    Queues, Replayed, audit_entry, batch, dead_group, dead_letter, dead_letter_detail, effect, queues,
};
pub use scores::{CallCriterionView, CallScoreView};
pub use speech::{SpeechAttemptView, TranscriptionView, UsageSumView, UsageView, UsedView, usage_sum, used};
pub use timeline::{StageView, TimelineView, timeline};
pub(crate) use transcript::role;
pub use transcript::{SpeakerView, TranscriptView, speakers, transcript};

/// The name of a value of an enum, as it is serialized.
fn name_of(value: &impl Serialize) -> Cow<'static, str> {
    match serde_json::to_value(value) {
        Ok(Value::String(name)) => name.into(),
        _ => Cow::Borrowed("unknown"),
    }
}

/// The schema of a text that is one of `names`.
fn one_of(names: &[&'static str]) -> Object {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(names.iter().copied())).build()
}

/// The schema of a text that is one of `names`, or null.
fn one_of_or_null(names: &[&'static str]) -> Object {
    let values = names.iter().map(|name| Value::from(*name)).chain([Value::Null]);
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
        .enum_values(Some(values))
        .build()
}

/// The schema of an object whose keys somebody else chooses.
fn free_object() -> Object {
    let any = AdditionalProperties::FreeForm(true);
    ObjectBuilder::new().schema_type(Type::Object).additional_properties(Some(any)).build()
}
