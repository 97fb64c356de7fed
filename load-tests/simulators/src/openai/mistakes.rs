//! The mistakes that a model makes on request.

use serde_json::Value;

use super::completion::Answer;
use crate::faults::ModelFault;

/// Returns the answer with this mistake, if there is to be one.
pub(super) fn with_mistake(mut answer: Answer, fault: Option<ModelFault>) -> Answer {
    match fault {
        None => {}
        Some(ModelFault::NotJson) => {
            answer.content = format!("Sure! Here is what I found:\n\n{}\n\nAnything else?", answer.content);
        }
        Some(ModelFault::CutOff) => {
            answer.content = answer.content.chars().take(answer.content.chars().count() / 2).collect();
            answer.finish_reason = "length";
        }
        Some(ModelFault::Refusal) => {
            answer.refusal = Some("I'm sorry, I can't assist with that request.");
        }
        Some(ModelFault::SchemaBreak) => answer.content = without_schema(&answer.content),
    }
    answer
}

/// Removes the first property of the answer and adds one that is not in the schema.
fn without_schema(content: &str) -> String {
    let mut value: Value = serde_json::from_str(content).unwrap_or_default();
    if let Some(object) = value.as_object_mut() {
        if let Some(first) = object.keys().next().cloned() {
            object.remove(&first);
        }
        object.insert("unexpected".to_owned(), true.into());
    }
    value.to_string()
}
