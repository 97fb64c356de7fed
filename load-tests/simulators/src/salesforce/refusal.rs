//! How the data API refuses a request: with an array of one error.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// Makes the answer that Salesforce gives with this status.
pub(super) fn refusal(status: StatusCode) -> Response {
    let (code, message) = match status {
        StatusCode::UNAUTHORIZED => ("INVALID_SESSION_ID", "Session expired or invalid"),
        StatusCode::FORBIDDEN => ("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."),
        StatusCode::NOT_FOUND => ("NOT_FOUND", "The requested resource does not exist"),
        StatusCode::SERVICE_UNAVAILABLE => ("SERVER_UNAVAILABLE", "Service unavailable"),
        StatusCode::BAD_REQUEST => ("JSON_PARSER_ERROR", "The request cannot be read"),
        _ => ("UNKNOWN_EXCEPTION", "An unexpected error occurred"),
    };
    Refusal { status, code, message: message.to_owned(), fields: None }.into_response()
}

/// One error of the data API.
pub(super) struct Refusal {
    status: StatusCode,
    code: &'static str,
    message: String,
    /// The names of the fields to which the error belongs.
    fields: Option<Vec<String>>,
}

impl Refusal {
    pub(super) fn bad_request(code: &'static str, message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, code, message: message.into(), fields: None }
    }

    pub(super) fn of_fields(code: &'static str, message: impl Into<String>, fields: &[&str]) -> Self {
        let fields = Some(fields.iter().map(|&name| name.to_owned()).collect());
        Self { fields, ..Self::bad_request(code, message) }
    }

    pub(super) fn not_found() -> Self {
        let message = "Provided external ID field does not exist or is not accessible, or no such record";
        Self { status: StatusCode::NOT_FOUND, ..Self::bad_request("NOT_FOUND", message) }
    }

    pub(super) fn deleted() -> Self {
        let message = "entity is deleted";
        Self { status: StatusCode::NOT_FOUND, ..Self::bad_request("ENTITY_IS_DELETED", message) }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut error = json!({ "message": self.message, "errorCode": self.code });
        if let Some(fields) = self.fields {
            error["fields"] = json!(fields);
        }
        (self.status, Json(json!([error]))).into_response()
    }
}
