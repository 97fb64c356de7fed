//! Checks a request for a transcript as the provider does.

use serde_json::{Map, Value};

/// The models that the provider takes, as it lists them on 2026-11-29.
const MODELS: [&str; 3] = ["assemblyai-stt-3-7", "universal-3-5-pro", "universal-2"];
/// Models that the provider took earlier and refuses now.
const RETIRED_MODELS: [&str; 5] = ["universal-3-pro", "slam-1", "universal", "best", "nano"];
const KNOWN_FIELDS: [&str; 43] = [
    "audio_url",
    "audio_end_at",
    "audio_start_from",
    "auto_chapters",
    "auto_highlights",
    "content_safety",
    "content_safety_confidence",
    "custom_spelling",
    "custom_topics",
    "disfluencies",
    "domain",
    "entity_detection",
    "filter_profanity",
    "format_text",
    "iab_categories",
    "keyterms_prompt",
    "language_code",
    "language_codes",
    "language_confidence_threshold",
    "language_detection",
    "language_detection_options",
    "multichannel",
    "prompt",
    "punctuate",
    "redact_pii",
    "redact_pii_audio",
    "redact_pii_audio_options",
    "redact_pii_audio_quality",
    "redact_pii_policies",
    "redact_pii_return_unredacted",
    "redact_pii_sub",
    "sentiment_analysis",
    "speaker_labels",
    "speaker_options",
    "speakers_expected",
    "speech_models",
    "speech_threshold",
    "speech_understanding",
    "summarization",
    "temperature",
    "webhook_auth_header_name",
    "webhook_auth_header_value",
    "webhook_url",
];

/// Returns the sentence with which the provider refuses the request, if it does. It looks at the models before it looks for
/// the audio.
pub(super) fn refused_because(request: &Map<String, Value>, takes_retired: bool) -> Option<String> {
    if request.contains_key("speech_model") {
        return Some("\"speech_model\" is deprecated. Use \"speech_models\" instead.".to_owned());
    }
    if let Some(unknown) = request.keys().find(|name| !KNOWN_FIELDS.contains(&name.as_str())) {
        return Some(format!("Invalid endpoint schema, unknown field \"{unknown}\""));
    }
    if let Some(reason) = models_refused_because(request.get("speech_models"), takes_retired) {
        return Some(reason);
    }
    let is_address = |name: &str| {
        request.get(name).and_then(Value::as_str).is_some_and(|url| url.parse::<reqwest::Url>().is_ok())
    };
    if !is_address("audio_url") {
        return Some("\"audio_url\" is required and must be a URL".to_owned());
    }
    let is_given = |name: &str| request.get(name).is_some_and(|value| !value.is_null());
    if is_given("webhook_url") && !is_address("webhook_url") {
        return Some("\"webhook_url\" must be a URL".to_owned());
    }
    (is_given("webhook_auth_header_name") != is_given("webhook_auth_header_value"))
        .then(|| "a webhook's authentication needs both a header name and a value".to_owned())
}

/// Returns the sentence with which the provider refuses the models in the request, if it does.
fn models_refused_because(models: Option<&Value>, takes_retired: bool) -> Option<String> {
    let in_quotes =
        |names: &[&str]| names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
    let list = models.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let names: Vec<&str> = list.iter().filter_map(Value::as_str).collect();
    let retired: Vec<&str> = names.iter().copied().filter(|name| RETIRED_MODELS.contains(name)).collect();
    if !retired.is_empty() && !takes_retired {
        let instead = in_quotes(&["assemblyai-stt-3-7", "universal-2"]);
        return Some(format!(
            "The {} speech model(s) have been deprecated. Use speech_models: [{instead}] instead.",
            in_quotes(&retired)
        ));
    }
    let are_known = names.len() == list.len()
        && names.iter().all(|name| MODELS.contains(name) || RETIRED_MODELS.contains(name));
    (names.is_empty() || !are_known).then(|| {
        format!(
            "\"speech_models\" must be a non-empty list containing one or more of: {}",
            in_quotes(&MODELS)
        )
    })
}
