//! How things look to a reader: the shapes of our JSON, made from the domain's types by pure functions.
//!
//! They are types of their own so that a change inside does not change what people script against. Their
//! doc comments are the descriptions of the OpenAPI document.

mod analysis;
mod call;
mod operations;
mod timeline;
mod transcript;

use std::borrow::Cow;

use serde::Serialize;
use serde_json::Value;
use utoipa::openapi::schema::{AdditionalProperties, Object, ObjectBuilder, SchemaType, Type};

pub use analysis::{AnalysisView, analysis};
pub use call::{CallList, CallSummary, CallView, EffectOfCall, SourceCallView, call, source_call, summary};
pub use operations::{
    Audit, AuditEntry, Batch, DeadLetterDetail, DeadLetterView, DeadLetters, EffectView, Effects, QueueView,
    Queues, Replayed, audit_entry, batch, dead_group, dead_letter, dead_letter_detail, effect, queues,
};
pub use timeline::{TimelineView, timeline};
pub use transcript::{TranscriptView, transcript};

/// A name of a closed set, as the domain's types serialize.
fn name_of(value: &impl Serialize) -> Cow<'static, str> {
    match serde_json::to_value(value) {
        Ok(Value::String(name)) => name.into(),
        _ => Cow::Borrowed("unknown"),
    }
}

/// The schema of a name of a closed set.
fn one_of(names: &[&'static str]) -> Object {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(names.iter().copied())).build()
}

/// As [`one_of`], or null.
fn one_of_or_null(names: &[&'static str]) -> Object {
    let values = names.iter().map(|name| Value::from(*name)).chain([Value::Null]);
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
        .enum_values(Some(values))
        .build()
}

/// The schema of an object of which the keys are not ours.
fn free_object() -> Object {
    let any = AdditionalProperties::FreeForm(true);
    ObjectBuilder::new().schema_type(Type::Object).additional_properties(Some(any)).build()
}
