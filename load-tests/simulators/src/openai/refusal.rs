//! How OpenAI refuses a request.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde_json::json;

/// Makes the answer that OpenAI gives with this status.
pub(super) fn refusal(status: StatusCode) -> Response {
    let (kind, code) = match status {
        StatusCode::UNAUTHORIZED => ("invalid_request_error", Some("invalid_api_key")),
        StatusCode::TOO_MANY_REQUESTS => ("requests", Some("rate_limit_exceeded")),
        status if status.is_server_error() => ("server_error", None),
        _ => ("invalid_request_error", None),
    };
    let message = status.canonical_reason().unwrap_or("Error");
    error(status, kind, message, None, code)
}

pub(super) fn error(
    status: StatusCode,
    kind: &str,
    message: &str,
    param: Option<&str>,
    code: Option<&str>,
) -> Response {
    let error = json!({ "message": message, "type": kind, "param": param, "code": code });
    (status, Json(json!({ "error": error }))).into_response()
}

/// What is wrong with a request.
pub(super) struct WrongRequest {
    pub(super) message: String,
    /// The name of the field that is wrong.
    pub(super) param: &'static str,
}

pub(super) fn wrong<T>(param: &'static str, message: impl Into<String>) -> Result<T, WrongRequest> {
    Err(WrongRequest { message: message.into(), param })
}
