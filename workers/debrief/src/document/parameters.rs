//! What each parameter may hold, with an example. A name means the same at every route, so its limits stand here once.

use serde_json::{Value, json};

/// At least one character that is no blank and no character without a width, and no control characters.
const ID: &str = "^[^\\u0000-\\u001f\\u007f-\\u009f]*[^\\s\\u0000-\\u001f\\u007f-\\u009f\\u200b\\u2060\\ufeff][^\\u0000-\\u001f\\u007f-\\u009f]*$";
/// A database stores no NUL in a text.
const NO_NUL: &str = "^[^\\u0000]*$";
/// A text that says something.
pub(super) const NOT_BLANK: &str = "^[^\\u0000]*[^\\s\\u0000][^\\u0000]*$";
/// Visible characters of ASCII, with blanks only inside.
const VISIBLE: &str = "^[!-~]([ -~]*[!-~])?$";

/// The schema and an example of a parameter. `None` where no route may have a parameter of this name.
pub(super) fn of(place: &str, name: &str) -> Option<(Value, Value)> {
    let text = |example: &str| (json!({"type": "string", "pattern": NO_NUL}), json!(example));
    let number = |least: i64, example: i64| {
        (json!({"type": "integer", "format": "int64", "minimum": least}), json!(example))
    };
    Some(match (place, name) {
        ("path", "id" | "call_id" | "session_id") => {
            (json!({"type": "string", "minLength": 1, "pattern": NO_NUL}), json!("CA-77"))
        }
        ("path", "meeting_id") => {
            let id = json!("0198c1f2-6f4c-7a53-9d39-2a1b6c2f9a14");
            (json!({"type": "string", "minLength": 1, "pattern": NO_NUL}), id)
        }
        ("path", "turn") => (json!({"type": "string", "pattern": "^[0-9]{1,6}$"}), json!("2")),
        ("path", "index") => (json!({"type": "string", "pattern": "^[0-9]{1,4}$"}), json!("0")),
        ("query", "call") => text("CA-77"),
        ("query", "criteria") => {
            (json!({"type": "string", "minLength": 1, "maxLength": 50, "pattern": NO_NUL}), json!("sales"))
        }
        ("query", "source") => text("exotel"),
        ("query", "agent") => text("Dana Ortiz"),
        ("query", "team") => text("Support"),
        ("query", "tz") => text("Asia/Kolkata"),
        ("query", "direction") => {
            (json!({"type": "string", "enum": ["incoming", "outgoing"]}), json!("incoming"))
        }
        ("query", "q") => (
            json!({"type": "string", "minLength": 1, "maxLength": 400, "pattern": NO_NUL}),
            json!("refund \"next friday\""),
        ),
        ("query", "after") => {
            (json!({"type": "string", "pattern": "^[0-9]{1,18}$"}), json!("1772720342000001"))
        }
        ("query", "wait") => {
            (json!({"type": "integer", "format": "int64", "minimum": 0, "maximum": 25}), json!(20))
        }
        ("query", "stage") => text("slack"),
        ("query", "group") => text("transcription:recording_gone"),
        ("query", "key") => text("debrief_a-key-that-can-only-bring-in"),
        ("query", "status") => {
            let names = domain::call::CallStatus::NAMES;
            (json!({"type": "string", "enum": names}), json!("completed"))
        }
        ("query", "from" | "to" | "since" | "until") => (moment(), json!("2026-03-05")),
        ("query", "by") => (json!({"type": "string", "enum": store::UsageBy::NAMES}), json!("model")),
        ("query", "page") => number(1, 1),
        ("query", "skip") => number(0, 0),
        ("query", "limit") => {
            (json!({"type": "integer", "format": "int64", "minimum": 1, "maximum": 1000}), json!(50))
        }
        ("header", "Idempotency-Key") => {
            let key = json!({"type": "string", "minLength": 1, "maxLength": 255, "pattern": VISIBLE});
            (key, json!("upload-2026-03-05-0001"))
        }
        ("header", "Range") => (json!({"type": "string", "pattern": "^[ -~]*$"}), json!("bytes=0-1023")),
        ("header", "X-Debrief-Webhook-Secret") => {
            (json!({"type": "string", "pattern": "^[ -~]*$"}), json!("the-secret-that-we-set"))
        }
        ("header", "x-zm-signature") => {
            let signature = "v0=39a63d8d308d9e8adf3f05816993d166e0da28dec8aa1e3e7b807e648d861ed5";
            (json!({"type": "string", "pattern": "^[ -~]*$"}), json!(signature))
        }
        ("header", "x-zm-request-timestamp") => {
            (json!({"type": "string", "pattern": "^[ -~]*$"}), json!("1795996800"))
        }
        ("query", "CallSid") => (external_id(), json!("c0ffee00c0ffee00c0ffee00c0ffee00")),
        ("query", "bodySHA256") => (
            json!({"type": "string", "pattern": "^[0-9a-f]{64}$"}),
            json!("0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620"),
        ),
        ("header", "X-Twilio-Signature") => {
            (json!({"type": "string", "pattern": "^[ -~]*$"}), json!("RSOYDt4T1cUTdK1PDd93/VVr8B8="))
        }
        _ => return None,
    })
}

/// An id that another system made, as the schema of a field.
pub(super) fn external_id() -> Value {
    json!({"type": "string", "minLength": 1, "maxLength": 255, "pattern": ID, "not": {"enum": ["-"]}})
}

/// A time with an offset, or a day.
pub(super) fn moment() -> Value {
    json!({"anyOf": [{"type": "string", "format": "date-time"}, {"type": "string", "format": "date"}]})
}
