//! The webhook of Zoom: a meeting was recorded, or its transcript is ready.
//!
//! Zoom signs its webhooks, so the signature over the bytes comes before everything else, also before the question
//! whether this address is ours. Zoom sends a webhook again only after a 5xx or without an answer. After any other
//! answer the recording would never be seen, so a webhook that we cannot keep is answered with 503, and no limit of
//! requests for a key stands in front of this door.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};
use chrono::Utc;
use chrono_tz::Tz;
use domain::call::CallKind;
use domain::held_file::{HeldFile, Holder};
use providers::meetings::zoom::recording::{self, RecordingFile};
use providers::meetings::zoom::signature;
use queue_topology::intake::{Accepted, Arrival, NewMaterial};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use web::Problem;

use super::meeting::{self, SOURCE};
use crate::Ingest;
use crate::door::{MAX_WEBHOOK_BYTES, Read, Sender, Sent, Source};

/// What the addresses of one event may hold together, in bytes. Sealed they are a third longer, and an event has some
/// four kilobytes.
const MAX_ADDRESSES_BYTES: usize = 2000;
/// The longest token and the longest address of a recording that are kept. Zoom's have some hundred characters.
const MAX_TOKEN_BYTES: usize = 1500;
const MAX_URL_BYTES: usize = 2048;
/// What the lists of recordings hold for the program that reads them, and what says nothing of the meeting.
const NOT_OF_THE_MEETING: [&str; 4] =
    ["participant_audio_files", "recording_count", "recording_files", "total_size"];

/// A meeting was recorded, its transcript is ready, or Zoom asks whether this address is ours.
#[utoipa::path(post, path = "/webhooks/zoom", operation_id = "meetingRecorded", tag = "bringing in", security(()),
    request_body = ZoomWebhook,
    params(("x-zm-signature" = String, Header, description = "`v0=` and the HMAC-SHA256 of `v0:{timestamp}:{body}` with `ZOOM_WEBHOOK_SECRET_TOKEN`, in hexadecimal digits"),
        ("x-zm-request-timestamp" = String, Header, description = "Unix time in seconds. It may be five minutes away from our own")),
    responses((status = 200, body = ZoomAnswer),
        (status = 401, description = "The signature is missing, wrong or too old", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "The body is no JSON object, names no meeting, or asks for the signature of a webhook", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "It could not be kept: send it again", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn zoom(State(ingest): State<Arc<Ingest>>, request: Request) -> Result<Response, Problem> {
    let settings = &ingest.settings;
    let source = Zoom {
        secret: settings.zoom_secret.as_ref(),
        timezone: settings.timezone,
        now: Utc::now().timestamp(),
    };
    ingest.receive(source, request).await
}

struct Zoom<'a> {
    /// `None` where `ZOOM_WEBHOOK_SECRET_TOKEN` is not set, and then every webhook is refused.
    secret: Option<&'a SecretString>,
    timezone: Tz,
    /// Unix time in seconds.
    now: i64,
}

impl Zoom<'_> {
    fn check(&self, head: &Parts, body: &[u8]) -> Result<(), Problem> {
        let refused = |detail: String| Err(Problem::new(StatusCode::UNAUTHORIZED, detail));
        let Some(secret) = self.secret else {
            return refused(
                "ZOOM_WEBHOOK_SECRET_TOKEN is not set, so no webhook of Zoom is taken".to_owned(),
            );
        };
        let header = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
        let (timestamp, signature) = (header("x-zm-request-timestamp"), header("x-zm-signature"));
        signature::check(secret.expose_secret(), timestamp, signature, body, self.now)
            .or_else(|forged| refused(forged.to_string()))
    }

    /// Answers the question whether this address is ours.
    fn ours(&self, payload: &Value) -> Result<Response, Problem> {
        const AT: &str = "/payload/plainToken";
        let Some(plain_token) = payload["plainToken"].as_str() else {
            return Err(Problem::field(AT, "is missing or not a text"));
        };
        let secret = self.secret.map_or("", |secret| secret.expose_secret());
        let encrypted_token =
            signature::answer(secret, plain_token).map_err(|problem| Problem::field(AT, problem))?;
        let answer = ZoomAnswer {
            success: true,
            plain_token: Some(plain_token.to_owned()),
            encrypted_token: Some(encrypted_token),
        };
        Ok(Json(answer).into_response())
    }
}

impl Source for Zoom<'_> {
    const SENDER: Sender<Self> = Sender::Signature(Self::check);

    fn max_bytes(&self) -> u64 {
        MAX_WEBHOOK_BYTES
    }

    async fn read(&self, sent: Sent) -> Result<Read, Problem> {
        let mut body = sent.json().await?;
        match body["event"].as_str() {
            Some("endpoint.url_validation") => Ok(Read::Reply(self.ours(&body["payload"])?)),
            Some("recording.completed" | "recording.transcript_completed") => {
                // The token stands at the top. An older description has it in the payload.
                let token = [&body, &body["payload"]]
                    .into_iter()
                    .find_map(|place| place["download_token"].as_str().filter(|token| !token.is_empty()))
                    .map(str::to_owned);
                let account = body["payload"]["account_id"].take();
                let mut meeting = body["payload"]["object"].take();
                if let (Some(meeting), false) = (meeting.as_object_mut(), account.is_null()) {
                    meeting.insert("account_id".to_owned(), account);
                }
                Ok(Read::Arrivals(arrivals(meeting, token.as_deref(), self.timezone)?))
            }
            other => {
                tracing::debug!(event = other.unwrap_or("none"), "Zoom told of something that is not needed");
                Ok(Read::Arrivals(Vec::new()))
            }
        }
    }

    fn answer(&self, _: &[Accepted]) -> Response {
        Json(ZoomAnswer { success: true, plain_token: None, encrypted_token: None }).into_response()
    }
}

/// An event of Zoom. Events that are not needed are taken and left out.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the body is read field by field; this type describes it")]
struct ZoomWebhook {
    /// `recording.completed`, `recording.transcript_completed` or `endpoint.url_validation`. Others are left out.
    event: String,
    /// Milliseconds of Unix time.
    event_ts: Option<i64>,
    /// The meeting in `object`, with its `recording_files`. In the question whether this address is ours, `plainToken`.
    payload: Map<String, Value>,
    /// With it the recordings can be fetched for a day.
    download_token: Option<String>,
}

/// The two tokens stand in the answer to the question whether this address is ours.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ZoomAnswer {
    success: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    plain_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    encrypted_token: Option<String>,
}

/// Makes arrivals of a meeting that Zoom recorded: one, or several where its addresses are too long for one event.
/// `token` opens the recordings for a day.
pub fn arrivals(mut meeting: Value, token: Option<&str>, timezone: Tz) -> Result<Vec<Arrival>, Problem> {
    const AT: &str = "/payload/object";
    let files = recording::chosen(&meeting);
    if let Some(fields) = meeting.as_object_mut() {
        fields.retain(|name, _| !NOT_OF_THE_MEETING.contains(&name.as_str()));
        if let Some(id) = fields.remove("id") {
            fields.insert("meeting_id".to_owned(), id);
        }
    }
    let (uuid, details) = meeting::read(meeting, AT, timezone)?;
    let Some(uuid) = uuid else { return Err(Problem::field(format!("{AT}/uuid"), "is missing or empty")) };
    let arrival = |materials| Arrival {
        source: SOURCE.to_owned(),
        external_id: uuid.clone(),
        kind: CallKind::Meeting,
        details: details.clone(),
        materials,
    };
    let (mut all, mut materials, mut bytes) = (Vec::new(), Vec::new(), 0);
    for file in files {
        let (address, material) = material(file, &uuid, token);
        if !materials.is_empty() && bytes + address > MAX_ADDRESSES_BYTES {
            all.push(arrival(std::mem::take(&mut materials)));
            bytes = 0;
        }
        bytes += address;
        materials.push(material);
    }
    if !materials.is_empty() || all.is_empty() {
        all.push(arrival(materials));
    }
    Ok(all)
}

/// Makes material of a file. Returns the length of its address too.
fn material(file: RecordingFile, uuid: &str, token: Option<&str>) -> (usize, NewMaterial) {
    let RecordingFile { id, kind, media_type, starts_at, url } = file;
    let mut held = HeldFile::new(Holder::Zoom, id).with("meeting", uuid);
    // Without its address or the token, a file is found again by the API.
    if let Some(url) = url.filter(|url| url.len() <= MAX_URL_BYTES) {
        held = held.with("url", url);
    }
    if let Some(token) = token.filter(|token| token.len() <= MAX_TOKEN_BYTES) {
        held = held.with("token", token);
    }
    let length = held.address().len();
    let material = NewMaterial::Held { kind, file: held, media_type: Some(media_type.to_owned()) };
    (length, material.starting(starts_at))
}
