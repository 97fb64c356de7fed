//! The webhooks of Exotel: the status callback of a call, and the request of a passthru applet.
//!
//! Exotel signs nothing, so the sender shows a key. It sends what was configured there: a form, a multipart form, JSON,
//! or (for a passthru applet) a query. Nothing is sent again after a refusal, so only a delivery without a usable
//! `CallSid` is refused. Times have no zone and are Indian. Durations come as texts, and as `0` where Exotel does not
//! know them yet.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::Method;
use axum::response::Response;
use chrono_tz::{Asia::Kolkata, Tz};
use domain::call::{CallDetails, CallKind, Direction};
use domain::event::MaterialKind;
use domain::held_file::{HeldFile, Holder};
use domain::moment::Moment;
use queue_topology::intake::{Accepted, Arrival, NewMaterial};
use serde_json::Value;
use utoipa::ToSchema;
use web::Problem;

use super::zapier::{Queued, queued};
use crate::door::{MAX_WEBHOOK_BYTES, Read, Sender, Sent, Source};
use crate::fields::Fields;
use crate::{Ingest, pairs};

const SOURCE: &str = "exotel";
/// The time zone of Exotel's times.
const ZONE: Tz = Kolkata;
/// The longest URL of a recording. The URL is sealed, and the sealed text has to fit into an event.
const MAX_URL_BYTES: usize = 2048;
/// The words with which Exotel says that nobody talked, so that there is no recording.
const NOBODY_TALKED: [&str; 7] =
    ["failed", "busy", "no-answer", "canceled", "cancelled", "call-attempt", "incomplete"];

/// The status of a call.
#[utoipa::path(post, path = "/webhooks/exotel", operation_id = "exotelCallback", tag = "bringing in",
    request_body(content((ExotelCall = "multipart/form-data"), (ExotelCall = "application/x-www-form-urlencoded"), (ExotelCall = "application/json"))),
    params(("key" = Option<String>, Query, description = "A key that can only bring in, where no header can be sent")),
    security(("key" = ["bring_in"]), ("password" = ["bring_in"])),
    responses((status = 200, body = Queued),
        (status = 415, description = "The body is compressed. Every media type is taken", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`CallSid` is missing or cannot be used", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "It could not be kept: send it again", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn callback(
    State(ingest): State<Arc<Ingest>>,
    request: Request,
) -> Result<Response, Problem> {
    ingest.receive(Exotel { ingest: &ingest }, request).await
}

/// The request of a passthru applet, which asks while its caller waits.
#[utoipa::path(get, path = "/webhooks/exotel", operation_id = "exotelPassthru", tag = "bringing in",
    params(("key" = Option<String>, Query, description = "A key that can only bring in"),
        ("CallSid" = String, Query, description = "Exotel's id of the call")),
    security(("key" = ["bring_in"]), ("password" = ["bring_in"])),
    responses((status = 200, body = Queued),
        (status = 422, description = "`CallSid` is missing or cannot be used", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "It could not be kept: send it again", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn passthru(
    State(ingest): State<Arc<Ingest>>,
    request: Request,
) -> Result<Response, Problem> {
    ingest.receive(Exotel { ingest: &ingest }, request).await
}

struct Exotel<'a> {
    ingest: &'a Ingest,
}

impl Source for Exotel<'_> {
    const SENDER: Sender<Self> = Sender::Key(web::Door::Unsigned);

    fn max_bytes(&self) -> u64 {
        MAX_WEBHOOK_BYTES
    }

    async fn read(&self, sent: Sent) -> Result<Read, Problem> {
        let body = if sent.head.method == Method::GET {
            pairs::of_query(sent.query().as_bytes())
        } else {
            pairs::of_body(sent).await?
        };
        Ok(Read::Arrivals(vec![arrival(body, self.ingest.settings.exotel_can_be_asked)?]))
    }

    fn answer(&self, accepted: &[Accepted]) -> Response {
        queued(accepted)
    }
}

/// What Exotel says about a call. Every field but `CallSid` may be missing, and a value of another type is kept as
/// metadata. Other fields are kept as metadata too.
#[derive(ToSchema)]
#[schema(rename_all = "PascalCase")]
#[expect(dead_code, reason = "the body is read field by field; this type describes it")]
struct ExotelCall {
    call_sid: String,
    from: Option<String>,
    to: Option<String>,
    /// `inbound`, `outbound-dial` or `outbound-api`.
    direction: Option<String>,
    status: Option<String>,
    #[schema(max_length = 2048)]
    recording_url: Option<String>,
    /// A time in India, such as `2026-01-18 10:47:05`.
    start_time: Option<String>,
    end_time: Option<String>,
    /// In seconds.
    conversation_duration: Option<String>,
    custom_field: Option<String>,
}

pub(super) fn arrival(body: Value, can_be_asked: bool) -> Result<Arrival, Problem> {
    let mut fields = Fields::of(body, "")?;
    // The key of the address stands in the same query as what a passthru applet says.
    fields.value("key");
    let id = if fields.has("CallSid") { "CallSid" } else { "Sid" };
    if !fields.has(id) {
        fields.refuse("CallSid", "is missing or empty");
    }
    let external_id = fields.id(id).unwrap_or_default();
    let url = fields.url("RecordingUrl", MAX_URL_BYTES);
    let status = fields.text("Status").or_else(|| said(&fields, "CallType"));
    let nobody_talked = status.as_deref().is_some_and(is_without_talk);
    let mut details = CallDetails {
        from_number: first_text(&mut fields, &["From", "CallFrom"]),
        to_number: first_text(&mut fields, &["To", "CallTo"]),
        direction: direction(&mut fields),
        started_at: time(&mut fields, "StartTime"),
        ended_at: time(&mut fields, "EndTime"),
        duration_ms: duration_ms(&mut fields, nobody_talked),
        source_status: status,
        agent_phone: said(&fields, "DialWhomNumber"),
        ..CallDetails::default()
    };
    for name in ["digits", "Digits"] {
        unquote(&mut fields, name);
    }
    read_json(&mut fields, "Legs");
    fields.rest()?.add_to(&mut details);
    let file = HeldFile::new(Holder::Exotel, &external_id);
    let file = match url {
        Some(url) => Some(file.with("url", url)),
        // Exotel is asked for the recording later. Without an account at Exotel there is nobody to ask.
        None => Some(file).filter(|_| can_be_asked && !nobody_talked),
    };
    let held = |file| NewMaterial::Held { kind: MaterialKind::Recording, file, media_type: None };
    Ok(Arrival {
        source: SOURCE.to_owned(),
        external_id,
        kind: CallKind::Phone,
        details,
        materials: file.map(held).into_iter().collect(),
    })
}

fn is_without_talk(status: &str) -> bool {
    NOBODY_TALKED.iter().any(|word| status.eq_ignore_ascii_case(word))
}

/// A text that stays in the metadata too.
fn said(fields: &Fields, name: &str) -> Option<String> {
    let text = fields.peek(name)?.as_str()?.trim();
    (fields.has(name) && text.chars().count() <= 100).then(|| text.to_owned())
}

fn first_text(fields: &mut Fields, names: &[&str]) -> Option<String> {
    let name = names.iter().find(|name| fields.has(name))?;
    fields.text(name)
}

/// Reads the direction. Exotel's own word stays in the metadata, because it says more.
fn direction(fields: &mut Fields) -> Option<Direction> {
    let word = said(fields, "Direction")?.to_ascii_lowercase();
    if word == "inbound" || word == "incoming" {
        return Some(Direction::Incoming);
    }
    if word.starts_with("outbound") || word == "outgoing" {
        return Some(Direction::Outgoing);
    }
    fields.note("direction_unknown", "Direction", format!("`{word}` is no direction that is known."));
    None
}

/// Reads an Indian time. The first second of 1970 (in India it is `1970-01-01 05:30:00`) is how Exotel says that there
/// is no time.
fn time(fields: &mut Fields, name: &str) -> Option<Moment> {
    fields.time_only(name, ZONE).filter(|time| time.micros() > 0)
}

/// Reads how long the people talked, in milliseconds. A duration of 0 in a call in which somebody talked is one that
/// Exotel does not know yet. The other durations stay in the metadata.
fn duration_ms(fields: &mut Fields, nobody_talked: bool) -> Option<i64> {
    let mut found = None;
    for name in ["ConversationDuration", "Duration", "DialCallDuration"] {
        let Some(value) = fields.peek(name).cloned() else { continue };
        if !fields.has(name) {
            fields.value(name);
            continue;
        }
        let read = fields.span_ms(name, 1000.0).filter(|ms| *ms > 0 || nobody_talked);
        if read.is_none() || found.is_some() {
            fields.keep(name, value);
        }
        found = found.or(read);
    }
    found
}

/// Takes the quotes off, in which a passthru applet sends the digits that were pressed.
fn unquote(fields: &mut Fields, name: &str) {
    let Some(text) = fields.peek(name).and_then(Value::as_str) else { return };
    let bare = text.trim().trim_matches('"').to_owned();
    fields.value(name);
    fields.keep(name, bare.into());
}

/// Reads the JSON that stands as a text in a form.
fn read_json(fields: &mut Fields, name: &str) {
    let parsed = fields.peek(name).and_then(Value::as_str).and_then(|text| web::parse(text.as_bytes()).ok());
    if let Some(parsed @ (Value::Array(_) | Value::Object(_))) = parsed {
        fields.value(name);
        fields.keep(name, parsed);
    }
}
