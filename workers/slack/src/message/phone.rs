//! Writes the message about a phone call or a session, from the default template.
//!
//! A value that the source did not send is shown as `Not provided`, because an empty line would look like a mistake.
//! The angle brackets around the agent's number are text, so they are escaped. Otherwise Slack would take
//! `<+12025550100>` for a link and show the number without the brackets. What people said is quoted and never
//! rephrased.

use domain::analysis::{Analysis, Tone};
use domain::blank::{given, is_blank};
use domain::call::{Call, CallDetails, Role};
use domain::transcript::Transcript;

use super::format::{Format, turns};
use crate::concern::concern;
use crate::escape::{defuse, escape, field, id, unlink};
use crate::split::{MAX_CHARS, Whole};

const MISSING: &str = "Not provided";
const RECORDING: &str = "🎧 *Recording/Voice Note:*\n\
    Recording processed and transcribed above (as per no-audio requirement)";

/// The texts to post, in order. Each has at most [`MAX_CHARS`] characters. There is nearly always only one. A longer
/// message continues in the texts that follow.
pub(super) fn write(
    call: &Call,
    analysis: &Analysis,
    transcript: &Transcript,
    format: &Format,
) -> Vec<String> {
    let turns = turns(transcript);
    let whole = Whole {
        head: head(call, analysis, transcript, format),
        turns: if turns.is_empty() { vec![MISSING.to_owned()] } else { turns },
        tail: RECORDING.to_owned(),
        call: or_missing(id(&call.external_id)),
    };
    whole.split(MAX_CHARS)
}

fn head(call: &Call, analysis: &Analysis, transcript: &Transcript, format: &Format) -> String {
    let details = &call.details;
    let parties = format.lines.parties(call);
    let concern = concern(transcript, details, parties.direction())
        .map(|words| escape(&unlink(&defuse(&words))))
        .filter(|words| !is_blank(words));
    format!(
        "📞 *Support Number:*\n{support}\n\n\
         📱 *Candidate/Customer Number:*\n{customer}\n\n\
         ❗ *Concern:*\nCall inquiry: {concern} (Tone: {tone})\n\n\
         👤 *CS Agent:*\n{agent}\n\n\
         🏢 *Department:*\n{department}\n\n\
         ⏰ *Timestamp:*\n{timestamp}\n\n\
         📋 *Call Metadata:*\n\
         • Call ID: `{call_id}`\n\
         • Duration: {duration}\n\
         • Status: {status}\n\
         • Agent: {name}\n\
         • Customer Segment: {segment}\n\n\
         📝 *Full Transcription:*",
        support = show(parties.support),
        customer = show(parties.customer),
        concern = or_missing(concern),
        tone = tone(analysis.tone),
        agent = agent(details, parties.support),
        department = show(details.department.as_deref()),
        timestamp = or_missing(format.start(details)),
        call_id = or_missing(id(&call.external_id)),
        duration = or_missing(duration(details)),
        status = show(details.source_status.as_deref().map(capitalized).as_deref()),
        name = show(agent_name(details)),
        segment = show(details.customer_segment.as_deref()),
    )
}

fn show(text: Option<&str>) -> String {
    or_missing(text.and_then(field))
}

fn or_missing(text: Option<String>) -> String {
    text.unwrap_or_else(|| MISSING.to_owned())
}

fn tone(tone: Tone) -> &'static str {
    match tone {
        Tone::Positive => "Positive",
        Tone::Neutral => "Neutral",
        Tone::Negative => "Negative",
    }
}

/// Writes `@handle <number>`. The number is the agent's own one, or else the line of the call.
fn agent(details: &CallDetails, support: Option<&str>) -> String {
    let handle = given(details.agent_slack_handle.as_ref()).and_then(field);
    let host = details.participants_as(OURS).find_map(|who| given(who.phone.as_ref()));
    let phone = given(details.agent_phone.as_ref()).or(host).or(support).and_then(field);
    match (handle, phone) {
        (None, None) => MISSING.to_owned(),
        (handle, phone) => format!("{} &lt;{}&gt;", or_missing(handle), or_missing(phone)),
    }
}

const OURS: &[Role] = &[Role::Agent, Role::Host];

/// The person who spoke for us. In a meeting it is the host.
fn agent_name(details: &CallDetails) -> Option<&str> {
    let host = || details.participants_as(OURS).find_map(|who| given(who.name.as_ref()));
    given(details.agent_name.as_ref()).or_else(host)
}

/// The duration that the source sent, to the nearest second.
fn duration(details: &CallDetails) -> Option<String> {
    let duration_ms = details.duration_ms.filter(|duration_ms| *duration_ms >= 0)?;
    Some(format!("{}s", duration_ms.saturating_add(500) / 1_000))
}

fn capitalized(text: &str) -> String {
    let text = text.trim();
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

#[cfg(test)]
mod tests {
    use chrono_tz::Asia::Kolkata;
    use chrono_tz::Tz;
    use domain::analysis::{Category, Metrics, Priority, Resolution, Sentiment};
    use domain::call::{CallId, CallKind, CallStatus, WorkspaceId};
    use domain::moment::Moment;
    use domain::parties::SupportLines;
    use domain::transcript::Segment;

    use super::*;

    fn call() -> Call {
        let text = |text: &str| Some(text.to_owned());
        Call {
            id: CallId::derive(WorkspaceId::DEFAULT, "exotel", "CALL-1"),
            workspace: WorkspaceId::DEFAULT,
            source: "exotel".into(),
            external_id: "CALL-1".into(),
            kind: CallKind::Phone,
            status: CallStatus::Processing,
            generation: 1,
            details: CallDetails {
                from_number: text("+12025550131"),
                to_number: text("+12025550100"),
                started_at: Some(
                    "2025-10-04T17:58:27Z".parse::<chrono::DateTime<chrono::Utc>>().unwrap().into(),
                ),
                duration_ms: Some(56_000),
                source_status: text("completed"),
                agent_name: text("Dana Ortiz"),
                agent_slack_handle: text("@dana.ortiz"),
                department: text("Customer Success"),
                customer_segment: text("General"),
                ..CallDetails::default()
            },
            received_at: Moment::from_micros(0),
            updated_at: Moment::from_micros(0),
        }
    }

    fn analysis() -> Analysis {
        Analysis {
            analyzer: "builtin".into(),
            summary: String::new(),
            key_points: Vec::new(),
            topics: Vec::new(),
            sentiment: Sentiment::Negative,
            tone: Tone::Negative,
            concern: None,
            category: Category::Other,
            action_items: Vec::new(),
            customer_requests: Vec::new(),
            resolution: Resolution::Unknown,
            priority: Priority::Low,
            contacts: Vec::new(),
            metrics: Metrics::default(),
            usage: None,
        }
    }

    fn said(turns: &[(&str, &str)]) -> Transcript {
        let segment = |(speaker, text): &(&str, &str)| Segment {
            id: 0,
            speaker: Some((*speaker).to_owned()),
            role: None,
            start_ms: None,
            end_ms: None,
            text: (*text).to_owned(),
            confidence: None,
        };
        Transcript { language: None, segments: turns.iter().map(segment).collect(), ..Transcript::default() }
            .numbered()
    }

    fn format() -> Format {
        let lines = SupportLines::new(vec!["+12025550100".into()], "US".parse().ok());
        Format { lines, timezone: Tz::UTC }
    }

    fn posted(call: &Call) -> String {
        let transcript = said(&[("A", "Larkfield, how can I help?"), ("B", "My report is late again.")]);
        let parts = write(call, &analysis(), &transcript, &format());
        assert_eq!(parts.len(), 1);
        parts.concat()
    }

    /// The text under a heading, or behind a bullet.
    fn value<'a>(message: &'a str, name: &str) -> &'a str {
        let (_, rest) = message.split_once(name).unwrap_or_else(|| panic!("no {name} in {message}"));
        rest.trim_start_matches(['*', '\n', ' ']).lines().next().unwrap()
    }

    #[test]
    fn the_number_beside_the_agent_is_never_the_customers() {
        let mut call = call();
        assert_eq!(value(&posted(&call), "CS Agent:"), "@dana.ortiz &lt;+12025550100&gt;");
        call.details.agent_phone = Some("202-555-0111".into());
        assert_eq!(value(&posted(&call), "CS Agent:"), "@dana.ortiz &lt;202-555-0111&gt;");
    }

    #[test]
    fn a_call_of_which_nothing_is_known_prints_no_empty_line_and_no_none() {
        let mut call = call();
        call.details = CallDetails { department: Some("  ".into()), ..CallDetails::default() };
        call.kind = CallKind::Session;
        let message = write(&call, &analysis(), &Transcript::default(), &format()).concat();
        for name in [
            "Support Number:",
            "Customer Number:",
            "CS Agent:",
            "Department:",
            "Timestamp:",
            "Duration:",
            "Status:",
            "• Agent:",
            "Customer Segment:",
        ] {
            assert_eq!(value(&message, name), "Not provided", "{name}");
        }
        assert_eq!(value(&message, "Concern:"), "Call inquiry: Not provided (Tone: Negative)");
        assert!(message.contains("\n```\nNot provided\n```\n"), "{message}");
        assert!(!message.contains("None"), "{message}");
    }

    #[test]
    fn a_missing_handle_leaves_the_number() {
        let mut call = call();
        call.details.agent_slack_handle = None;
        call.details.agent_name = None;
        let message = posted(&call);
        assert_eq!(value(&message, "CS Agent:"), "Not provided &lt;+12025550100&gt;");
        assert_eq!(value(&message, "• Agent:"), "Not provided");
    }

    #[test]
    fn the_status_starts_with_a_capital_letter() {
        let mut call = call();
        assert_eq!(value(&posted(&call), "Status:"), "Completed");
        call.details.source_status = Some("no-answer".into());
        assert_eq!(value(&posted(&call), "Status:"), "No-answer");
    }

    #[test]
    fn a_time_is_shown_in_our_zone_and_an_unreadable_time_is_shown_as_it_came() {
        let mut call = call();
        assert_eq!(value(&posted(&call), "Timestamp:"), "2025-10-04 17:58:27 UTC");
        let kolkata = Format { timezone: Kolkata, ..format() };
        let message = write(&call, &analysis(), &Transcript::default(), &kolkata).concat();
        assert_eq!(value(&message, "Timestamp:"), "2025-10-04 23:28:27 IST");
        call.details.started_at = None;
        call.details.started_text = Some("yesTerday".into());
        assert_eq!(value(&posted(&call), "Timestamp:"), "yesTerday");
    }

    #[test]
    fn markup_in_names_is_shown_as_it_was_written() {
        let mut call = call();
        call.details.agent_name = Some("<!channel> & *Bob*".into());
        call.details.agent_slack_handle = Some("@channel".into());
        call.external_id = "../../etc/`evil`".into();
        let message = posted(&call);
        assert_eq!(value(&message, "• Agent:"), "&lt;!channel&gt; &amp; *Bob*");
        assert_eq!(value(&message, "Call ID:"), "`../../etc/'evil'`");
        assert!(!message.contains("@channel") && !message.contains('<'), "{message}");
    }

    #[test]
    fn a_caller_can_neither_call_everybody_nor_link_nor_leave_the_code_block() {
        let words = "Ping <!here> @here, see https://evil.example or evil.example ``` *now* ```";
        let transcript = said(&[("A", "Larkfield desk, how can I help?"), ("B", words)]);
        let message = write(&call(), &analysis(), &transcript, &format()).concat();
        assert_eq!(message.matches("```").count(), 2, "{message}");
        assert!(
            !message.contains("@here") && !message.contains("://") && !message.contains('<'),
            "{message}"
        );
        assert!(!value(&message, "Concern:").contains("evil.example"), "{message}");
        assert!(
            message.replace('\u{200B}', "").contains(&escape(words)),
            "the words are all there: {message}"
        );
    }

    #[test]
    fn a_speaker_cannot_write_lines_for_somebody_else() {
        let transcript = said(&[("A", "Yes.\nSpeaker B: I agree to everything.")]);
        let message = write(&call(), &analysis(), &transcript, &format()).concat();
        assert!(message.contains("\nSpeaker A: Yes. Speaker B: I agree to everything.\n"), "{message}");
    }

    #[test]
    fn a_long_call_with_hostile_fields_keeps_every_part_under_the_limit() {
        let mut call = call();
        let flood = Some("&".repeat(9_000));
        call.external_id = "&".repeat(255);
        call.details = CallDetails {
            from_number: flood.clone(),
            to_number: flood.clone(),
            started_text: flood.clone(),
            source_status: flood.clone(),
            agent_name: flood.clone(),
            agent_phone: flood.clone(),
            agent_slack_handle: flood.clone(),
            department: flood.clone(),
            customer_segment: flood,
            ..CallDetails::default()
        };
        let turns = vec![("B", "So it goes & on and on."); 2_000];
        let parts = write(&call, &analysis(), &said(&turns), &format());
        assert!(parts.iter().all(|part| part.chars().count() <= MAX_CHARS));
        assert_eq!(
            parts.concat().matches("So it goes &amp; on and on.").count(),
            2_000 + 1,
            "and the concern"
        );
    }
}
