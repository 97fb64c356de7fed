//! The sample calls that the console can load: the calls of the demo, with their transcripts, as the built-in analyzer reads
//! them. They are made here and sent nowhere, so they need no provider.

use std::error::Error;
use std::time::Duration;

use analysis::builtin;
use chrono_tz::Tz;
use domain::call::{CallDetails, CallKind, Direction, Participant, Role};
use domain::event::MaterialKind;
use domain::moment::Moment;
use domain::transcript::{Segment, Transcript};
use media::transcripts::{self, People};
use serde::Deserialize;
use store::SampleCall;

const PHONE_CALL: &str = include_str!("../samples/phone_call.json");
const CALLBACK: &str = include_str!("../samples/callback.json");
const STEREO_CALL: &str = include_str!("../samples/stereo_call.json");
const REPAIR: &str = include_str!("../samples/second_provider.json");
const MEETING: &str = include_str!("../samples/meeting.vtt");
const REPORTING: &str = include_str!("../samples/zoom_meeting.vtt");

const AGENT: &str = "Dana Whitfield";
const SUPPORT_NUMBER: &str = "+442079460100";
const CUSTOMER_NUMBER: &str = "+442079460991";

/// One piece of a dialogue, as the files of the demo have it. Times are in milliseconds.
#[derive(Deserialize)]
struct Said {
    speaker: String,
    start: i64,
    end: i64,
    text: String,
}

/// The sample calls. They began within the days before `now`.
pub(crate) fn samples(now: Moment) -> Result<Vec<SampleCall>, Box<dyn Error + Send + Sync>> {
    let (incoming, outgoing) = (Direction::Incoming, Direction::Outgoing);
    Ok(vec![
        phone_call("SAMPLE-1", PHONE_CALL, ("A", incoming), hours_before(now, 2))?,
        phone_call("SAMPLE-2", STEREO_CALL, ("agent", incoming), hours_before(now, 21))?,
        phone_call("SAMPLE-3", CALLBACK, ("B", outgoing), hours_before(now, 26))?,
        phone_call("SAMPLE-4", REPAIR, ("A", incoming), hours_before(now, 51))?,
        meeting(
            "SAMPLE-5",
            MEETING,
            (
                "Northbeam and Calder Logistics: route planning",
                &["Iris Adeyemi", "Ruben Calder", "Mei Tanaka"],
            ),
            hours_before(now, 73),
        )?,
        meeting(
            "SAMPLE-6",
            REPORTING,
            ("Northbeam and Brightwater Clinics: reporting", &["Iris Adeyemi", "Samira Holt"]),
            hours_before(now, 98),
        )?,
    ])
}

fn hours_before(now: Moment, hours: u64) -> Moment {
    now.minus(Duration::from_hours(hours))
}

/// A call between the agent, whose label in the dialogue is `agent`, and a customer.
fn phone_call(
    id: &str,
    dialogue: &str,
    (agent, direction): (&str, Direction),
    began: Moment,
) -> Result<SampleCall, Box<dyn Error + Send + Sync>> {
    let said: Vec<Said> = serde_json::from_str(dialogue)?;
    let segment = |said: Said| {
        let is_agent = said.speaker == agent;
        Segment {
            id: 0,
            speaker: Some(if is_agent { AGENT.to_owned() } else { "customer".to_owned() }),
            role: Some(if is_agent { Role::Agent } else { Role::Customer }),
            start_ms: Some(said.start),
            end_ms: Some(said.end),
            text: said.text,
            confidence: None,
        }
    };
    let segments = said.into_iter().map(segment).collect();
    let transcript = Transcript { language: Some("en".to_owned()), segments, ..Transcript::default() };
    let (from, to) = match direction {
        Direction::Incoming => (CUSTOMER_NUMBER, SUPPORT_NUMBER),
        Direction::Outgoing => (SUPPORT_NUMBER, CUSTOMER_NUMBER),
    };
    let details = CallDetails {
        from_number: Some(from.to_owned()),
        to_number: Some(to.to_owned()),
        direction: Some(direction),
        agent_name: Some(AGENT.to_owned()),
        department: Some("Support".to_owned()),
        ..CallDetails::default()
    };
    Ok(sample(id, CallKind::Phone, details, transcript.numbered(), began))
}

/// A meeting of the host, who is named first, with others.
fn meeting(
    id: &str,
    captions: &str,
    (topic, people): (&str, &[&str]),
    began: Moment,
) -> Result<SampleCall, Box<dyn Error + Send + Sync>> {
    let names = People::of(people.iter().copied());
    let mut transcript = transcripts::parse(MaterialKind::Transcript, captions.as_bytes(), Tz::UTC, &names)?;
    let role = |name: &str| if people.first() == Some(&name) { Role::Host } else { Role::Participant };
    for segment in &mut transcript.segments {
        segment.role = segment.speaker.as_deref().map(role);
    }
    let participant = |name: &&str| Participant {
        name: Some((*name).to_owned()),
        role: Some(role(name)),
        ..Participant::default()
    };
    let details = CallDetails {
        topic: Some(topic.to_owned()),
        agent_name: people.first().map(|name| (*name).to_owned()),
        department: Some("Sales".to_owned()),
        participants: people.iter().map(participant).collect(),
        ..CallDetails::default()
    };
    Ok(sample(id, CallKind::Meeting, details, transcript, began))
}

fn sample(
    id: &str,
    kind: CallKind,
    details: CallDetails,
    transcript: Transcript,
    began: Moment,
) -> SampleCall {
    let people: Vec<String> = details.participants.iter().filter_map(|person| person.name.clone()).collect();
    let analysis = builtin::analyze(&transcript, &people);
    let details = CallDetails { started_at: Some(began), duration_ms: transcript.duration_ms(), ..details };
    SampleCall { external_id: id.to_owned(), kind, details, transcript, analysis }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sample_says_who_spoke_about_what_and_when() {
        let now = Moment::from_micros(1_764_500_000_000_000);
        let samples = samples(now).unwrap();
        assert_eq!(samples.len(), 6);
        for SampleCall { external_id, details, transcript, analysis, .. } in &samples {
            assert!(details.started_at.is_some_and(|began| began < now), "{external_id}");
            assert!(details.duration_ms.is_some_and(|length| length > 10_000), "{external_id}");
            assert!(transcript.segments.len() > 3, "{external_id}");
            assert!(transcript.segments.iter().all(|said| said.role.is_some()), "{external_id}");
            assert!(!analysis.summary.is_empty() && !analysis.topics.is_empty(), "{external_id}");
        }
        let mut ids: Vec<_> = samples.iter().map(|sample| &sample.external_id).collect();
        ids.dedup();
        assert_eq!(ids.len(), 6);
    }
}
