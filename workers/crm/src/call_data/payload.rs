//! The document that the call-data API takes, built from what the store knows of a call.
//!
//! A voice agent's session is passed on in its own words: times, items and metadata as it wrote them.
//! Any other call is told in the same form from its transcript. The analysis is no part of it.

use std::time::Duration;

use chrono::SecondsFormat;
use domain::call::{Call, CallDetails, CallKind, Direction};
use domain::moment::Moment;
use domain::parties::SupportLines;
use domain::transcript::Transcript;
use serde_json::{Value, json};

use super::transcription::{from_session, from_transcript};

/// What the payload takes from the configuration, where the call itself does not say it.
#[derive(Clone, Debug, Default)]
pub struct Defaults {
    pub campaign_id: Option<String>,
    pub voice_agent_id: Option<String>,
    pub client_id: Option<String>,
    pub caller_phone: Option<String>,
    /// Our own lines: who called whom.
    pub lines: SupportLines,
}

/// What neither the session nor the configuration says.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("failed to tell whose call this is: the call has no {field}; set {setting}")]
pub struct MissingId {
    field: &'static str,
    setting: &'static str,
}

/// The payload of one call. `session` is the session as it came, where the call is one; `transcript` is
/// read where it is not.
pub fn payload(
    call: &Call,
    session: Option<&Value>,
    transcript: &Transcript,
    defaults: &Defaults,
) -> Result<Value, MissingId> {
    let details = &call.details;
    let campaign = campaign(session, details);
    let id = |field: &'static str, set: &Option<String>, setting: &'static str| {
        campaign
            .and_then(|campaign| text(campaign, field))
            .or(set.as_deref())
            .map(str::to_owned)
            .ok_or(MissingId { field, setting })
    };
    let times = Times::of(call, session, transcript);
    let parties = defaults.lines.parties(call);
    let outgoing = parties.direction() == Direction::Outgoing;
    let phone =
        parties.customer.or_else(|| text(campaign?, "dialedNumber")).or(defaults.caller_phone.as_deref());
    Ok(json!({
        "campaignId": id("campaignId", &defaults.campaign_id, "CRM_CAMPAIGN_ID")?,
        "voiceAgentId": id("voiceAgentId", &defaults.voice_agent_id, "CRM_VOICE_AGENT_ID")?,
        "client": id("clientId", &defaults.client_id, "CRM_CLIENT_ID")?,
        "callDetails": {
            "callId": call_id(call, session),
            "direction": if outgoing { "outbound" } else { "inbound" },
            "startTime": stamp(times.start),
            "endTime": stamp(times.end),
            "duration": times.duration_ms / 1000,
            "status": details.source_status.as_deref().unwrap_or("completed"),
            "callerNumber": phone,
        },
        "caller": { "phoneNumber": phone },
        "transcription": session.map_or_else(
            || from_transcript(call, transcript, &times),
            |session| from_session(call, session, &times),
        ),
        "lead": details.lead.clone().filter(Value::is_object).unwrap_or_else(|| json!({})),
    }))
}

/// The source's own id. A session that came without a call's id is known by its session id, and is
/// `CALL-<session id>` over there.
pub fn call_id(call: &Call, session: Option<&Value>) -> String {
    let session_id = session.and_then(|session| text(session, "session_id"));
    if call.kind == CallKind::Session && session_id == Some(call.external_id.as_str()) {
        format!("CALL-{}", call.external_id)
    } else {
        call.external_id.clone()
    }
}

/// When the call was, as far as anybody said.
pub(super) struct Times {
    pub(super) start: Moment,
    pub(super) end: Moment,
    pub(super) duration_ms: u64,
}

impl Times {
    /// The duration is what the source said, else what lies between its times, else what was measured. A
    /// call without any time is as old as its first delivery.
    fn of(call: &Call, session: Option<&Value>, transcript: &Transcript) -> Self {
        let details = &call.details;
        let positive = |ms: i64| u64::try_from(ms).ok().filter(|ms| *ms > 0);
        let duration_ms = details
            .duration_ms
            .and_then(positive)
            .or_else(|| session_duration(session?))
            .or_else(|| positive((details.ended_at?.micros() - details.started_at?.micros()) / 1000))
            .or_else(|| transcript.duration_ms().and_then(positive))
            .unwrap_or(0);
        let duration = Duration::from_millis(duration_ms);
        let start = details
            .started_at
            .or_else(|| details.ended_at.map(|end| end.minus(duration)))
            .unwrap_or(call.received_at);
        let end = details.ended_at.filter(|end| *end >= start).unwrap_or_else(|| start.plus(duration));
        Self { start, end, duration_ms }
    }
}

fn session_duration(session: &Value) -> Option<u64> {
    let seconds = session.get("duration_seconds")?.as_f64()?;
    Duration::try_from_secs_f64(seconds)
        .ok()
        .and_then(|duration| u64::try_from(duration.as_millis()).ok())
        .filter(|ms| *ms > 0)
}

pub(super) fn stamp(moment: Moment) -> String {
    moment.utc().to_rfc3339_opts(SecondsFormat::Millis, true)
}

fn campaign<'a>(session: Option<&'a Value>, details: &'a CallDetails) -> Option<&'a Value> {
    session
        .and_then(|session| session.pointer("/metadata/campaign_metadata"))
        .or_else(|| details.metadata.get("campaign_metadata"))
        .filter(|campaign| campaign.is_object())
}

/// A field's text, unless it is empty.
pub(super) fn text<'a>(value: &'a Value, field: &str) -> Option<&'a str> {
    value.get(field)?.as_str().filter(|text| !text.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use domain::call::{CallId, CallStatus, Role, WorkspaceId};
    use domain::transcript::Segment;

    use super::*;

    const SESSION: &str = include_str!("../../tests/samples/session.json");

    fn read(json: &str) -> Value {
        serde_json::from_str(json).unwrap()
    }

    fn moment(text: &str) -> Moment {
        text.parse::<chrono::DateTime<chrono::Utc>>().unwrap().into()
    }

    fn call(kind: CallKind, external_id: &str, details: CallDetails) -> Call {
        let received_at = moment("2025-10-23T12:00:00Z");
        Call {
            id: CallId::derive(WorkspaceId::DEFAULT, "x", external_id),
            workspace: WorkspaceId::DEFAULT,
            source: "x".into(),
            external_id: external_id.into(),
            kind,
            status: CallStatus::Processing,
            generation: 1,
            details,
            received_at,
            updated_at: received_at,
        }
    }

    fn defaults() -> Defaults {
        Defaults {
            campaign_id: Some("campaign".into()),
            voice_agent_id: Some("agent".into()),
            client_id: Some("client".into()),
            caller_phone: Some("+12025550199".into()),
            lines: SupportLines::new(vec!["+1 202 555 0100".into()], "US".parse().ok()),
        }
    }

    fn built(call: &Call, session: Option<&Value>, transcript: &Transcript) -> Value {
        payload(call, session, transcript, &defaults()).unwrap()
    }

    fn segment(role: Option<Role>, start_ms: Option<i64>, text: &str) -> Segment {
        Segment {
            id: 0,
            speaker: None,
            role,
            start_ms,
            end_ms: None,
            text: text.into(),
            confidence: Some(0.5),
        }
    }

    #[test]
    fn a_session_with_its_lead_gives_exactly_the_payload_of_the_contract() {
        let details = CallDetails {
            started_at: Some(moment("2025-10-23T10:15:00.120Z")),
            ended_at: Some(moment("2025-10-23T10:18:30.480Z")),
            duration_ms: Some(210_360),
            lead: Some(read(include_str!("../../tests/samples/lead.json"))),
            ..CallDetails::default()
        };
        let call = call(CallKind::Session, "session_20251023_101500_a1b2c3d4", details);
        let payload =
            payload(&call, Some(&read(SESSION)), &Transcript::default(), &Defaults::default()).unwrap();
        assert_eq!(payload, read(include_str!("../../tests/samples/payload.json")));
    }

    #[test]
    fn a_phone_call_is_told_from_its_transcript() {
        let details = CallDetails {
            from_number: Some("+12025550131".into()),
            to_number: Some("+12025550100".into()),
            started_at: Some(moment("2025-10-23T10:00:00Z")),
            source_status: Some("completed".into()),
            ..CallDetails::default()
        };
        let transcript = Transcript {
            language: None,
            segments: vec![
                segment(Some(Role::Agent), Some(500), "Hello."),
                segment(Some(Role::Customer), Some(1500), "Hi."),
            ],
            ..Transcript::default()
        };
        assert_eq!(
            built(&call(CallKind::Phone, "EX-1", details), None, &transcript),
            json!({
                "campaignId": "campaign", "voiceAgentId": "agent", "client": "client",
                "callDetails": {
                    "callId": "EX-1", "direction": "inbound", "startTime": "2025-10-23T10:00:00.000Z",
                    "endTime": "2025-10-23T10:00:01.500Z", "duration": 1, "status": "completed",
                    "callerNumber": "+12025550131",
                },
                "caller": { "phoneNumber": "+12025550131" },
                "transcription": {
                    "session_id": "EX-1", "start_time": "2025-10-23T10:00:00.000Z",
                    "end_time": "2025-10-23T10:00:01.500Z", "duration_seconds": 1.5, "total_items": 2,
                    "conversation_items": [
                        { "role": "assistant", "content": "Hello.", "source": "agent",
                          "timestamp": "2025-10-23T10:00:00.500Z", "transcript_confidence": 0.5 },
                        { "role": "user", "content": "Hi.", "source": "transcription_node",
                          "timestamp": "2025-10-23T10:00:01.500Z", "transcript_confidence": 0.5 },
                    ],
                    "lead_generated": false, "metadata": {},
                },
                "lead": {},
            })
        );
    }

    #[test]
    fn a_call_id_that_the_caller_gave_is_kept_and_a_session_id_gets_a_prefix() {
        let session = read(SESSION);
        let id =
            |kind, external: &str| call_id(&call(kind, external, CallDetails::default()), Some(&session));
        assert_eq!(id(CallKind::Session, "CALL-20250929-001"), "CALL-20250929-001");
        assert_eq!(
            id(CallKind::Session, "session_20251023_101500_a1b2c3d4"),
            "CALL-session_20251023_101500_a1b2c3d4"
        );
        assert_eq!(call_id(&call(CallKind::Phone, "EX-1", CallDetails::default()), None), "EX-1");
    }

    #[test]
    fn a_call_from_a_support_number_is_outbound_and_the_caller_is_the_other_party() {
        let details = CallDetails {
            from_number: Some("(202) 555-0100".into()),
            to_number: Some("+12025550131".into()),
            ..CallDetails::default()
        };
        let payload = built(&call(CallKind::Phone, "EX-1", details), None, &Transcript::default());
        assert_eq!(payload["callDetails"]["direction"], "outbound");
        assert_eq!(payload["caller"]["phoneNumber"], "+12025550131");
    }

    #[test]
    fn the_callers_number_comes_before_the_dialled_one_and_that_before_the_default() {
        let phone = |from: Option<&str>, session: Option<&Value>| {
            let details = CallDetails { from_number: from.map(str::to_owned), ..CallDetails::default() };
            let call = call(CallKind::Session, "s", details);
            built(&call, session, &Transcript::default())["caller"]["phoneNumber"].clone()
        };
        let session = read(SESSION);
        assert_eq!(phone(Some("+12025550131"), Some(&session)), "+12025550131");
        assert_eq!(phone(Some(" "), Some(&session)), "+12025550171");
        assert_eq!(phone(None, None), "+12025550199");
    }

    #[test]
    fn parts_of_content_become_one_text_and_only_the_two_parties_speak() {
        let session = read(include_str!("../../tests/samples/session_raw_items.json"));
        let payload = built(
            &call(CallKind::Session, "s", CallDetails::default()),
            Some(&session),
            &Transcript::default(),
        );
        let transcription = &payload["transcription"];
        assert_eq!(transcription["total_items"], 2);
        assert_eq!(
            transcription["conversation_items"][0],
            json!({"role": "assistant", "interrupted": false,
                   "content": "Hello, this is Wrenbot from Bluefinch Voice. How can I help you?"})
        );
        assert_eq!(payload["callDetails"]["duration"], 280);
    }

    #[test]
    fn an_older_conversation_without_times_is_as_old_as_its_delivery() {
        let session = read(include_str!("../../tests/samples/conversation.json"));
        let payload = built(
            &call(CallKind::Session, "call-7", CallDetails::default()),
            Some(&session),
            &Transcript::default(),
        );
        assert_eq!(payload["callDetails"]["startTime"], "2025-10-23T12:00:00.000Z");
        assert_eq!(payload["callDetails"]["callId"], "call-7");
        assert_eq!(payload["transcription"]["session_id"], "call-7");
        assert_eq!(payload["transcription"]["conversation_items"][0]["role"], "assistant");
        assert_eq!(payload["transcription"]["lead_generated"], false);
    }

    #[test]
    fn a_call_to_create_a_lead_says_that_there_is_one() {
        let mut session = read(SESSION);
        session.as_object_mut().unwrap().remove("lead_generated");
        let payload = built(
            &call(CallKind::Session, "s", CallDetails::default()),
            Some(&session),
            &Transcript::default(),
        );
        assert_eq!(payload["transcription"]["lead_generated"], true);
    }

    #[test]
    fn an_absurd_duration_is_not_believed() {
        for duration in [json!(-5), json!(1e300), json!("long")] {
            let session = json!({"items": [], "duration_seconds": duration});
            let details = CallDetails { duration_ms: Some(-1), ..CallDetails::default() };
            let payload =
                built(&call(CallKind::Session, "s", details), Some(&session), &Transcript::default());
            assert_eq!(payload["callDetails"]["duration"], 0);
        }
    }

    #[test]
    fn a_call_without_a_campaign_names_the_setting_that_is_missing() {
        let call = call(CallKind::Phone, "EX-1", CallDetails::default());
        let defaults = Defaults { client_id: None, ..defaults() };
        let error = payload(&call, None, &Transcript::default(), &defaults).unwrap_err();
        assert!(error.to_string().ends_with("set CRM_CLIENT_ID"), "{error}");
    }
}
