//! What comes in, described. The routes themselves are the ingest worker's, which reads what senders send
//! field by field and so has no types that could describe it.
#![expect(dead_code, reason = "functions and types here are descriptions that macros read")]

use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::view::ProblemView;

/// Numbers may come as texts, and fields that are not listed are kept as metadata.
#[derive(ToSchema)]
struct CallAnnounced {
    /// The source's own id. The same id of the same source again is the same call.
    #[schema(min_length = 1, max_length = 255)]
    call_id: String,
    /// Who issued the id.
    #[schema(default = "exotel", max_length = 40, pattern = "^[A-Za-z0-9_-]+$")]
    source: Option<String>,
    from_number: Option<String>,
    to_number: Option<String>,
    /// In seconds.
    duration: Option<f64>,
    #[schema(max_length = 2048)]
    recording_url: Option<String>,
    /// When the call began; without an offset it is read in `DEBRIEF_TIMEZONE`.
    timestamp: Option<String>,
    status: Option<String>,
    agent_phone: Option<String>,
    agent_name: Option<String>,
    agent_slack_handle: Option<String>,
    department: Option<String>,
    customer_segment: Option<String>,
}

#[derive(ToSchema)]
struct Queued {
    success: bool,
    message: String,
    /// The source's own id, as it came.
    call_id: String,
    #[schema(format = DateTime)]
    timestamp: String,
}

/// The call is on disk and will be worked on.
#[derive(ToSchema)]
struct Accepted {
    /// Our id.
    #[schema(format = Uuid)]
    call_id: String,
    status_url: String,
}

#[derive(ToSchema)]
struct Success {
    success: bool,
}

/// A transcript, or audio, or both.
#[derive(ToSchema)]
struct MeetingForm {
    /// The meeting as Zoom describes it, in JSON.
    meeting: Map<String, Value>,
    /// `WebVTT` or `SubRip`.
    #[schema(content_media_type = "text/vtt")]
    transcript: Option<String>,
    #[schema(content_media_type = "application/octet-stream")]
    audio: Option<Vec<u8>>,
}

#[derive(ToSchema)]
struct CallForm {
    /// wav, mp3, m4a/mp4, flac, ogg/opus or webm.
    #[schema(content_media_type = "application/octet-stream")]
    audio: Vec<u8>,
    /// The fields of `CallAnnounced`, in JSON, all of them optional.
    metadata: Option<Map<String, Value>>,
}

/// A conversation that a voice agent held and wrote down itself.
#[derive(ToSchema)]
struct SessionBody {
    /// The session: an object with a list of `items`.
    transcript: Map<String, Value>,
    /// What the agent noted of the caller.
    lead: Option<Map<String, Value>>,
    caller_phone: Option<String>,
    /// Names the call, else the session's own `session_id`, else the `Idempotency-Key`.
    call_id: Option<String>,
}

/// A call that has ended.
#[utoipa::path(post, path = "/webhook/zapier", operation_id = "announceCall", tag = "bringing in", request_body = CallAnnounced,
    params(("key" = Option<String>, Query, description = "A key that can only bring in, where no header can be sent")),
    security(("key" = ["bring_in"]), ("password" = ["bring_in"])),
    responses((status = 200, body = Queued),
        (status = 422, description = "A field is missing or cannot be used", body = ProblemView, content_type = "application/problem+json"),
        (status = 503, description = "It could not be kept: send it again", body = ProblemView, content_type = "application/problem+json")))]
pub(super) fn zapier() {}

/// A transcript is ready. The header that we set when we asked for it is checked.
#[utoipa::path(post, path = "/webhooks/assemblyai", operation_id = "transcriptReady", tag = "bringing in", security(()),
    params(("call" = String, Query), ("workspace" = String, Query), ("generation" = i64, Query),
        ("X-Debrief-Webhook-Secret" = String, Header)),
    responses((status = 200, body = Success),
        (status = 401, description = "The secret is missing or wrong", body = ProblemView, content_type = "application/problem+json")))]
pub(super) fn assemblyai() {}

/// A meeting with its transcript or its recording.
#[utoipa::path(post, path = "/api/meetings", operation_id = "uploadMeeting", tag = "bringing in", security(("key" = ["bring_in"])),
    request_body(content = MeetingForm, content_type = "multipart/form-data"),
    params(("Idempotency-Key" = Option<String>, Header, description = "Names the meeting, where it has no id")),
    responses((status = 202, body = Accepted),
        (status = 413, description = "Longer than `DEBRIEF_MAX_UPLOAD_MB`", body = ProblemView, content_type = "application/problem+json"),
        (status = 422, description = "A part is missing or cannot be used", body = ProblemView, content_type = "application/problem+json")))]
pub(super) fn meetings() {}

/// A recording.
#[utoipa::path(post, path = "/api/calls", operation_id = "uploadRecording", tag = "bringing in", security(("key" = ["bring_in"])),
    request_body(content = CallForm, content_type = "multipart/form-data"),
    params(("Idempotency-Key" = Option<String>, Header, description = "Names the call, where its metadata has no `call_id`")),
    responses((status = 202, body = Accepted),
        (status = 413, description = "Longer than `DEBRIEF_MAX_UPLOAD_MB`", body = ProblemView, content_type = "application/problem+json"),
        (status = 415, description = "Not audio that is known", body = ProblemView, content_type = "application/problem+json"),
        (status = 422, description = "A part is missing or cannot be used", body = ProblemView, content_type = "application/problem+json")))]
pub(super) fn calls() {}

/// A voice agent's session.
#[utoipa::path(post, path = "/api/sessions", operation_id = "uploadSession", tag = "bringing in", security(("key" = ["bring_in"])), request_body = SessionBody,
    params(("Idempotency-Key" = Option<String>, Header, description = "Names the call, where the session has no id")),
    responses((status = 202, body = Accepted),
        (status = 422, description = "A field is missing or cannot be used", body = ProblemView, content_type = "application/problem+json")))]
pub(super) fn sessions() {}
