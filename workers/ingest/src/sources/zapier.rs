//! The webhook that a Zap sends when a call has ended, and the same fields beside an upload.
//!
//! A Zap's fields are filled by hand from another product's, so every type is read leniently. A recording's
//! URL is kept as it came, whatever its scheme: refusing it here would lose the call; the fetcher refuses
//! what it must not open, and the call shows that.

use chrono_tz::Tz;
use domain::call::{CallDetails, CallKind};
use serde_json::Value;
use web::Problem;

use crate::arrival::{Arrival, Found};
use crate::fields::Fields;

/// Who issued the id, where the Zap does not say.
const DEFAULT_SOURCE: &str = "exotel";
/// Sealed it has to fit into an event.
const MAX_URL_BYTES: usize = 2048;

/// The webhook's fields, each where we keep it.
pub(crate) struct Said {
    pub(crate) call_id: Option<String>,
    pub(crate) source: String,
    pub(crate) recording_url: Option<String>,
    pub(crate) details: CallDetails,
}

pub(crate) fn arrival(body: Value, timezone: Tz) -> Result<Arrival, Problem> {
    let said = read(body, "", true, timezone)?;
    Ok(Arrival {
        source: said.source,
        external_id: said.call_id.unwrap_or_default(),
        kind: CallKind::Phone,
        details: said.details,
        found: said.recording_url.map(Found::Url).into_iter().collect(),
    })
}

pub(crate) fn read(body: Value, at: &str, needs_id: bool, timezone: Tz) -> Result<Said, Problem> {
    let mut fields = Fields::of(body, at)?;
    if needs_id && !fields.has("call_id") {
        fields.refuse("call_id", "is missing or empty");
    }
    let call_id = fields.id("call_id");
    let source = source(&mut fields);
    let recording_url = fields.text_only("recording_url", MAX_URL_BYTES);
    // Characters beyond ASCII take more.
    if recording_url.as_ref().is_some_and(|url| url.len() > MAX_URL_BYTES) {
        fields.refuse("recording_url", format!("is longer than {MAX_URL_BYTES} bytes"));
    }
    let (started_at, started_text) = fields.time("timestamp", timezone);
    let details = CallDetails {
        from_number: fields.text("from_number"),
        to_number: fields.text("to_number"),
        started_at,
        started_text,
        duration_ms: fields.span_ms("duration", 1000.0),
        source_status: fields.text("status"),
        agent_name: fields.text("agent_name"),
        agent_phone: fields.text("agent_phone"),
        agent_slack_handle: fields.text("agent_slack_handle"),
        department: fields.text("department"),
        customer_segment: fields.text("customer_segment"),
        ..CallDetails::default()
    };
    Ok(Said { call_id, source, recording_url, details: CallDetails { metadata: fields.rest()?, ..details } })
}

fn source(fields: &mut Fields) -> String {
    let source =
        fields.text("source").map_or_else(|| DEFAULT_SOURCE.to_owned(), |text| text.to_ascii_lowercase());
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    if source.len() > 40 || !source.chars().all(plain) {
        fields.refuse("source", "must be 1 to 40 letters, digits, `-` or `_`");
    }
    source
}
