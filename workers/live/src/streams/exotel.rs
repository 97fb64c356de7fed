//! Exotel's `AgentStream`: <https://support.exotel.com/support/solutions/articles/3000108630>.
//!
//! Its names are in snake case. The audio is 16-bit PCM, low byte first, unless `start.media_format` says another encoding.
//! Exotel sends the key in the address, as `?key=`.

use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{FromRequestParts as _, Request, State};
use axum::response::{IntoResponse as _, Response};
use domain::call::CallDetails;
use serde_json::Value;

use super::MAX_MESSAGE_BYTES;
use super::format::{Encoding, Format};
use super::telephony::{self, Heard, Side, Start};
use crate::service::Live;

const SOURCE: &str = "exotel";
const DEFAULT_RATE: u32 = 8_000;

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
            let details = CallDetails {
                from_number: text(&start["from"]),
                to_number: text(&start["to"]),
                ..CallDetails::default()
            };
            let stream = text(&start["stream_sid"]).or_else(|| text(&message["stream_sid"]));
            Ok(Heard::Start(Start {
                stream: stream.ok_or("the start names no stream_sid")?,
                call: text(&start["call_sid"]).ok_or("the start names no call_sid")?,
                parameters: start["custom_parameters"].as_object().cloned().unwrap_or_default(),
                details,
                format: format(&start["media_format"])?,
            }))
        }
        "media" => {
            let payload = text(&message["media"]["payload"]).ok_or("the media has no payload")?;
            Ok(Heard::Media { side: Side::Caller, payload })
        }
        "stop" => Ok(Heard::Stop),
        _ => Ok(Heard::Nothing),
    }
}

/// The format that the start names. Both versions of the protocol are read: one writes numbers as texts.
fn format(named: &Value) -> Result<Format, String> {
    let encoding = match named["encoding"].as_str().map(str::to_ascii_lowercase).as_deref() {
        None | Some("" | "base64" | "pcm" | "raw/slin" | "slin" | "linear16" | "audio/x-l16") => {
            Encoding::Pcm
        }
        Some("mulaw" | "ulaw" | "audio/x-mulaw" | "pcmu") => Encoding::MuLaw,
        Some("alaw" | "audio/x-alaw" | "pcma") => Encoding::ALaw,
        Some(_) => return Err("the encoding is not known".into()),
    };
    let rate = &named["sample_rate"];
    let rate = rate.as_u64().or_else(|| rate.as_str()?.trim().parse().ok());
    let sample_rate =
        rate.map_or(Ok(DEFAULT_RATE), u32::try_from).map_err(|_| "the sample rate is too high")?;
    Format { encoding, sample_rate, channels: 1 }.checked()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_format_is_that_of_the_start_in_either_version() {
        let started = |format: Value| {
            let start = json!({"event": "start", "stream_sid": "s", "start": {
                "stream_sid": "s", "call_sid": "c", "from": "0802", "to": "0803", "media_format": format}});
            let Ok(Heard::Start(start)) = read(&start) else { panic!("it is no start") };
            (start.format.encoding, start.format.sample_rate)
        };
        assert_eq!(started(json!({"encoding": "base64", "sample_rate": "8000"})), (Encoding::Pcm, 8_000));
        assert_eq!(started(json!({"encoding": "mulaw", "sample_rate": 8000})), (Encoding::MuLaw, 8_000));
        assert_eq!(started(json!(null)), (Encoding::Pcm, 8_000));
        let opus = json!({"event": "start", "start": {"stream_sid": "s", "call_sid": "c", "media_format": {"encoding": "opus"}}});
        assert!(read(&opus).is_err());
    }
}
