//! The callback with which Twilio says what became of a recording. Its signature is checked over the address and the
//! body as they came.

mod signature;

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};
use domain::call::{CallDetails, CallKind, Direction};
use domain::event::MaterialKind;
use domain::held_file::{HeldFile, Holder};
use platform::config::Values;
use queue_topology::intake::{Accepted, Arrival, NewMaterial};
use secrecy::SecretString;
use serde_json::Value;
use url::Url;
use utoipa::ToSchema;
use web::Problem;

use crate::door::{MAX_WEBHOOK_BYTES, Read, Sender, Sent, Source};
use crate::fields::Fields;
use crate::{Ingest, pairs};

const SOURCE: &str = "twilio";
const SIGNATURE: &str = "x-twilio-signature";
/// The longest URL of a recording. The URL is sealed, and the sealed text has to fit into an event.
const MAX_URL_BYTES: usize = 2048;

/// The account whose callbacks are taken.
#[derive(Clone, Debug)]
pub struct Account {
    token: SecretString,
}

impl Account {
    /// Reads `TWILIO_AUTH_TOKEN`. Without it no callback can be checked, and every one is refused.
    pub fn read(values: &Values) -> Option<Self> {
        values.secret("TWILIO_AUTH_TOKEN").map(|token| Self { token })
    }
}

/// A recording is ready, or will not be.
#[utoipa::path(post, path = "/webhooks/twilio/recording", operation_id = "twilioRecording", tag = "bringing in", security(()),
    request_body(content((TwilioRecording = "application/x-www-form-urlencoded"), (TwilioRecording = "application/json"))),
    params(("X-Twilio-Signature" = String, Header, description = "Twilio's signature of the address and the form"),
        ("bodySHA256" = Option<String>, Query, description = "The SHA-256 of a body that is not a form, in hexadecimal digits")),
    responses((status = 204, description = "Taken"),
        (status = 401, description = "The signature is missing or wrong", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The body is compressed. Every media type is taken", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`CallSid` or `RecordingSid` is missing or cannot be used", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "It could not be kept: send it again", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn recording(
    State(ingest): State<Arc<Ingest>>,
    request: Request,
) -> Result<Response, Problem> {
    let (account, public) = (ingest.settings.twilio.as_ref(), ingest.settings.public_url.as_ref());
    ingest.receive(Twilio { account, public }, request).await
}

struct Twilio<'a> {
    account: Option<&'a Account>,
    public: Option<&'a Url>,
}

impl Twilio<'_> {
    fn check(&self, head: &Parts, body: &[u8]) -> Result<(), Problem> {
        let refused = |detail: &str| Err(Problem::new(StatusCode::UNAUTHORIZED, detail));
        let Some(account) = self.account else {
            return refused("callbacks of Twilio cannot be checked, because TWILIO_AUTH_TOKEN is not set");
        };
        let signature = head.headers.get(SIGNATURE).and_then(|text| text.to_str().ok()).unwrap_or_default();
        if signature::is_right(&account.token, self.public, head, body, signature) {
            return Ok(());
        }
        refused(
            "X-Twilio-Signature is missing or wrong; DEBRIEF_PUBLIC_URL must be the address that Twilio calls",
        )
    }
}

impl Source for Twilio<'_> {
    const SENDER: Sender<Self> = Sender::Signature(Self::check);

    fn max_bytes(&self) -> u64 {
        MAX_WEBHOOK_BYTES
    }

    async fn read(&self, sent: Sent) -> Result<Read, Problem> {
        Ok(Read::Arrivals(vec![arrival(pairs::of_body(sent).await?)?]))
    }

    fn answer(&self, _: &[Accepted]) -> Response {
        StatusCode::NO_CONTENT.into_response()
    }
}

/// What Twilio says about a recording. Other fields are kept as metadata.
#[derive(ToSchema)]
#[schema(rename_all = "PascalCase")]
#[expect(dead_code, reason = "the body is read field by field; this type describes it")]
struct TwilioRecording {
    call_sid: String,
    recording_sid: String,
    account_sid: Option<String>,
    #[schema(max_length = 2048)]
    recording_url: Option<String>,
    /// `in-progress`, `completed`, `absent` or `failed`.
    recording_status: Option<String>,
    /// In seconds.
    recording_duration: Option<String>,
    /// `1` or `2`.
    recording_channels: Option<String>,
    recording_start_time: Option<String>,
}

pub(super) fn arrival(body: Value) -> Result<Arrival, Problem> {
    let mut fields = Fields::of(body, "")?;
    for name in ["CallSid", "RecordingSid"] {
        if !fields.has(name) {
            fields.refuse(name, "is missing or empty");
        }
    }
    let external_id = fields.id("CallSid").unwrap_or_default();
    let recording = fields.id("RecordingSid").unwrap_or_default();
    fields.keep("RecordingSid", recording.as_str().into());
    let url = fields.url("RecordingUrl", MAX_URL_BYTES);
    let account = fields.text("AccountSid");
    let channels = fields.text("RecordingChannels");
    let status = fields.text("RecordingStatus").map(|status| status.to_ascii_lowercase());
    // A callback without a status is one of a finished recording: Twilio tells only of that if nothing else is asked.
    let is_there = status.as_deref().is_none_or(|status| status == "completed");
    if matches!(status.as_deref(), Some("absent" | "failed")) {
        let text = "Twilio says that there is no recording of the call, or that it failed.";
        fields.note("recording_absent", "RecordingStatus", text);
    }
    let direction = fields.peek("Direction").and_then(Value::as_str).and_then(|word| match word {
        "inbound" => Some(Direction::Incoming),
        word if word.starts_with("outbound") => Some(Direction::Outgoing),
        _ => None,
    });
    let mut details = CallDetails {
        from_number: fields.text("From"),
        to_number: fields.text("To"),
        direction,
        started_at: fields.time_only("RecordingStartTime", chrono_tz::UTC),
        duration_ms: fields.span_ms("RecordingDuration", 1000.0).filter(|_| is_there),
        source_status: fields.text("CallStatus").or(status),
        ..CallDetails::default()
    };
    for (name, value) in [("AccountSid", &account), ("RecordingChannels", &channels)] {
        if let Some(value) = value {
            fields.keep(name, value.as_str().into());
        }
    }
    fields.rest()?.add_to(&mut details);
    let mut file = HeldFile::new(Holder::Twilio, recording);
    for (name, value) in [("url", url), ("account", account), ("channels", channels)] {
        if let Some(value) = value {
            file = file.with(name, value);
        }
    }
    let held =
        NewMaterial::Held { kind: MaterialKind::Recording, file, media_type: Some("audio/wav".into()) };
    // A call can have several recordings. Each says when it begins, so they are joined in their order.
    let held = held.starting(details.started_at);
    Ok(Arrival {
        source: SOURCE.to_owned(),
        external_id,
        kind: CallKind::Phone,
        details,
        materials: is_there.then_some(held).into_iter().collect(),
    })
}
