//! Twilio's Media Streams: <https://www.twilio.com/docs/voice/media-streams/websocket-messages>.
//!
//! Twilio drops the query of a stream's address, so the key is a `<Parameter>` named `key`, and arrives in
//! `start.customParameters`. Numbers come as texts. The audio is mu-law of 8 kHz in base64.

use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{FromRequestParts as _, Request, State};
use axum::response::{IntoResponse as _, Response};
use domain::call::CallDetails;
use serde_json::Value;

use super::MAX_MESSAGE_BYTES;
use super::format::Format;
use super::telephony::{self, Heard, Side, Start};
use crate::service::Live;

const SOURCE: &str = "twilio";

pub(super) async fn stream(State(live): State<Live>, request: Request) -> Response {
    let (mut head, _) = request.into_parts();
    match WebSocketUpgrade::from_request_parts(&mut head, &live).await {
        Ok(upgrade) => upgrade
            .max_message_size(MAX_MESSAGE_BYTES)
            .on_upgrade(move |socket| telephony::run(socket, live, head, SOURCE, read)),
        Err(rejection) => rejection.into_response(),
    }
}

fn read(message: &Value) -> Result<Heard, String> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    match message["event"].as_str().ok_or("it has no event")? {
        "start" => {
            let start = &message["start"];
            let parameters = start["customParameters"].as_object().cloned().unwrap_or_default();
            let details = CallDetails {
                from_number: parameters.get("from").and_then(text),
                to_number: parameters.get("to").and_then(text),
                ..CallDetails::default()
            };
            let call = text(&start["callSid"]).ok_or("the start names no callSid")?;
            let stream = text(&start["streamSid"]).ok_or("the start names no streamSid")?;
            Ok(Heard::Start(Start { stream, call, parameters, details, format: Format::TELEPHONE }))
        }
        "media" => {
            let media = &message["media"];
            let side = if media["track"] == "outbound" { Side::Ours } else { Side::Caller };
            let payload = text(&media["payload"]).ok_or("the media has no payload")?;
            Ok(Heard::Media { side, payload })
        }
        "stop" => Ok(Heard::Stop),
        // `connected`, `mark`, `dtmf`, and whatever comes later.
        _ => Ok(Heard::Nothing),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_key_and_the_call_are_read_from_the_start_and_the_side_from_the_track() {
        let start = json!({"event": "start", "sequenceNumber": "1", "start": {
            "accountSid": "AC0", "streamSid": "MZ1", "callSid": "CA2", "tracks": ["inbound", "outbound"],
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
            "customParameters": {"key": "secret", "from": "+12025550131"}}, "streamSid": "MZ1"});
        let Ok(Heard::Start(start)) = read(&start) else { panic!("it is no start") };
        assert_eq!((start.call.as_str(), start.stream.as_str()), ("CA2", "MZ1"));
        assert_eq!(start.parameters["key"], "secret");
        assert_eq!(start.details.from_number.as_deref(), Some("+12025550131"));
        let media = json!({"event": "media", "media": {"track": "outbound", "chunk": "2", "timestamp": "5", "payload": "//8="}});
        assert!(matches!(read(&media), Ok(Heard::Media { side: Side::Ours, .. })));
        assert!(matches!(read(&json!({"event": "mark"})), Ok(Heard::Nothing)));
        assert!(read(&json!({"event": "start", "start": {}})).is_err());
        assert!(read(&json!([])).is_err());
    }
}
