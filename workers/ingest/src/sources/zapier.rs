//! The webhook that a Zap sends when a call has ended, and the same fields beside an upload.
//!
//! A person fills the fields of a Zap from the fields of another product, so a number may come as a text and a text
//! as a number. A Zap does not repeat a request that was refused, so only a body without a usable `call_id` is. The URL of a recording is kept as it came, with any scheme, because refusing it here would lose the
//! call. The fetcher later refuses an address that it must not open, and the call shows that.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use chrono_tz::Tz;
use domain::call::{CallDetails, CallKind};
use domain::moment::Moment;
use queue_topology::intake::{Accepted, Arrival, NewMaterial};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;
use web::Problem;

use crate::Ingest;
use crate::door::{MAX_WEBHOOK_BYTES, Read, Sender, Sent, Source};
use crate::fields::Fields;

/// The source that issued the id, where the Zap does not name it.
const DEFAULT_SOURCE: &str = "exotel";
const MAX_SOURCE_CHARS: usize = 40;
/// How many characters of its hash end a name that was changed.
const HASH_CHARS: usize = 8;
/// The longest URL of a recording. The URL is sealed, and the sealed text has to fit into an event.
const MAX_URL_BYTES: usize = 2048;

/// A call that has ended.
#[utoipa::path(post, path = "/webhook/zapier", operation_id = "announceCall", tag = "bringing in", request_body = CallAnnounced,
    params(("key" = Option<String>, Query, description = "A key that can only bring in, where no header can be sent")),
    security(("key" = ["bring_in"]), ("password" = ["bring_in"])),
    responses((status = 200, body = Queued),
        (status = 422, description = "The body is no JSON object, or its `call_id` cannot be used", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "It could not be kept: send it again", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn zapier(State(ingest): State<Arc<Ingest>>, request: Request) -> Result<Response, Problem> {
    ingest.receive(Zapier { timezone: ingest.settings.timezone }, request).await
}

struct Zapier {
    timezone: Tz,
}

impl Source for Zapier {
    const SENDER: Sender<Self> = Sender::Key(web::Door::Unsigned);

    fn max_bytes(&self) -> u64 {
        MAX_WEBHOOK_BYTES
    }

    async fn read(&self, sent: Sent) -> Result<Read, Problem> {
        let fields = read(sent.json().await?, "", true, self.timezone)?;
        Ok(Read::Arrivals(vec![Arrival {
            source: fields.source,
            external_id: fields.call_id.unwrap_or_default(),
            kind: CallKind::Phone,
            details: fields.details,
            materials: fields.recording_url.map(NewMaterial::Url).into_iter().collect(),
        }]))
    }

    fn answer(&self, accepted: &[Accepted]) -> Response {
        queued(accepted)
    }
}

/// The answer to a webhook that brought one call.
pub(super) fn queued(accepted: &[Accepted]) -> Response {
    let Some(Accepted { external_id, repeated, skipped, .. }) = accepted.first() else {
        return StatusCode::OK.into_response();
    };
    let message = match skipped {
        Some(why) => format!("Call skipped - {why}"),
        None if *repeated => "Duplicate call - already received".to_owned(),
        None => "Call queued for processing".to_owned(),
    };
    Json(Queued { success: true, message, call_id: external_id, timestamp: Moment::now() }).into_response()
}

#[derive(Serialize, ToSchema)]
pub(super) struct Queued<'a> {
    success: bool,
    message: String,
    /// The id that the source gave the call, without the blanks around it.
    call_id: &'a str,
    #[schema(value_type = String, format = DateTime)]
    timestamp: Moment,
}

/// Numbers may come as texts, and fields that are not listed are kept as metadata. Every field but `call_id` may be missing,
/// null or empty. A field of another type, or one that is too long, is kept as metadata under its name, and the call says so
/// in `notes`. The texts `null`, `None`, `N/A`, `undefined` and `-` count as absent.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the body is read field by field; this type describes it")]
struct CallAnnounced {
    /// The source's own id: 1 to 255 characters, none of them a control character. Blanks and line breaks around it do not
    /// count. A whole number is taken as the text of its digits. The same id of the same source again is the same call.
    call_id: String,
    /// Who issued the id. It is `exotel` where it is missing.
    #[schema(max_length = 40, pattern = "^[A-Za-z0-9_-]+$")]
    source: Option<String>,
    from_number: Option<String>,
    to_number: Option<String>,
    /// In seconds, or a text such as `00:02:05`.
    #[schema(minimum = 0, maximum = 604_800)]
    duration: Option<f64>,
    #[schema(max_length = 2048)]
    recording_url: Option<String>,
    /// When the call began. A time without an offset is read in `DEBRIEF_TIMEZONE`.
    timestamp: Option<String>,
    status: Option<String>,
    agent_phone: Option<String>,
    agent_name: Option<String>,
    agent_slack_handle: Option<String>,
    department: Option<String>,
    customer_segment: Option<String>,
}

/// Reads the fields of the webhook.
pub(super) struct CallFields {
    pub(super) call_id: Option<String>,
    pub(super) source: String,
    pub(super) recording_url: Option<String>,
    pub(super) details: CallDetails,
}

pub(super) fn read(body: Value, at: &str, needs_id: bool, timezone: Tz) -> Result<CallFields, Problem> {
    let mut fields = Fields::of(body, at)?;
    if needs_id && !fields.has("call_id") {
        fields.refuse("call_id", "is missing or empty");
    }
    let call_id = fields.id("call_id");
    let source = source(&mut fields);
    let recording_url = fields.url("recording_url", MAX_URL_BYTES);
    let (started_at, started_text) = fields.time("timestamp", timezone);
    let mut details = CallDetails {
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
    fields.rest()?.add_to(&mut details);
    Ok(CallFields { call_id, source, recording_url, details })
}

/// Reads who issued the id. A name that cannot be used as it is becomes another one. It ends in a part of its own hash,
/// because the calls of two sources must not become one.
fn source(fields: &mut Fields) -> String {
    let Some(sent) = fields.value("source") else { return DEFAULT_SOURCE.to_owned() };
    let name = match &sent {
        Value::String(text) => text.trim().to_ascii_lowercase(),
        other => other.to_string(),
    };
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    if name.len() <= MAX_SOURCE_CHARS && name.chars().all(plain) {
        return name;
    }
    let hash = Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes()).simple().to_string();
    let slug: String = name.chars().map(|c| if plain(c) { c } else { '-' }).collect();
    let slug: String = slug.trim_matches('-').chars().take(MAX_SOURCE_CHARS - HASH_CHARS - 1).collect();
    let usable = [if slug.is_empty() { "source" } else { &slug }, &hash[..HASH_CHARS]].join("-");
    let what = format!(
        "is no name of 1 to {MAX_SOURCE_CHARS} letters, digits, `-` or `_`; the call has the source `{usable}`"
    );
    fields.set_aside("source", sent, "source_renamed", &what);
    usable
}
