//! A meeting that somebody uploads: the JSON that Zoom gives for it, with its transcript or its recording.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use chrono_tz::Tz;
use domain::call::{CallDetails, CallKind, Participant, Role};
use domain::email_address;
use domain::event::MaterialKind;
use domain::note::Note;
use platform::blobs::Upload;
use queue_topology::intake::{Accepted, Arrival, NewMaterial, without_query};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use web::Problem;

use super::recording;
use crate::door::{AcceptedView, Read, Sender, Sent, Source, upload_accepted};
use crate::fields::{Fields, OTHER_TYPE};
use crate::{Ingest, form};

/// The longest JSON of a meeting, in bytes.
pub const MAX_JSON_BYTES: u64 = 1024 * 1024;
const AT: &str = "/meeting";
pub(super) const SOURCE: &str = "zoom";
/// Fields with which one can enter a meeting or open its recording. We do not need them, so they are not kept.
const SECRETS: [&str; 8] = [
    "download_access_token",
    "download_token",
    "encrypted_password",
    "h323_password",
    "password",
    "pstn_password",
    "recording_play_passcode",
    "start_url",
];

/// A meeting with its transcript or its recording.
#[utoipa::path(post, path = "/api/meetings", operation_id = "uploadMeeting", tag = "bringing in", security(("key" = ["bring_in"])),
    request_body(content = MeetingForm, content_type = "multipart/form-data"),
    params(("Idempotency-Key" = Option<String>, Header, description = "Names the meeting, where it has no id")),
    responses((status = 202, body = AcceptedView),
        (status = 413, description = "Longer than `DEBRIEF_MAX_UPLOAD_MB`", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A part is missing or cannot be used", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn meetings(
    State(ingest): State<Arc<Ingest>>,
    request: Request,
) -> Result<Response, Problem> {
    ingest.receive(Meeting { ingest: &ingest }, request).await
}

struct Meeting<'a> {
    ingest: &'a Ingest,
}

impl Source for Meeting<'_> {
    const SENDER: Sender<Self> = Sender::Key(web::Door::BringIn);

    fn max_bytes(&self) -> u64 {
        self.ingest.settings.longest_form()
    }

    async fn read(&self, sent: Sent) -> Result<Read, Problem> {
        let Ingest { settings, intake, .. } = self.ingest;
        let idempotency_key = sent.idempotency_key()?;
        let mut parts = sent.form().await?;
        let (mut meeting, mut transcript, mut audio) = (None, None, None);
        while let Some(part) = form::next(&mut parts).await? {
            match part.name().unwrap_or_default() {
                "meeting" => {
                    form::once(&mut meeting, AT, form::json(part, AT, MAX_JSON_BYTES).await?)?;
                }
                "transcript" => {
                    let file = form::transcript(&intake.blobs, part, "/transcript").await?;
                    form::once(&mut transcript, "/transcript", file)?;
                }
                "audio" => {
                    let max = settings.max_audio_bytes;
                    let file = form::recording(&intake.blobs, part, "/audio", max).await?;
                    form::once(&mut audio, "/audio", file)?;
                }
                _ => {}
            }
        }
        let meeting = meeting.ok_or_else(|| Problem::field(AT, "is missing"))?;
        let arrival = arrival(meeting, transcript, audio, idempotency_key, settings.timezone)?;
        Ok(Read::Arrivals(vec![arrival]))
    }

    fn answer(&self, accepted: &[Accepted]) -> Response {
        upload_accepted(accepted)
    }
}

/// A transcript, or audio, or both.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the form is read part by part; this type describes it")]
struct MeetingForm {
    /// The meeting as Zoom describes it, in JSON.
    meeting: Map<String, Value>,
    #[schema(schema_with = web::openapi::transcript, required = false)]
    transcript: Option<Vec<u8>>,
    #[schema(schema_with = web::openapi::recording, required = false)]
    audio: Option<Vec<u8>>,
}

/// Makes an arrival of a meeting. Its `uuid` names the call. Without it, `idempotency_key` names the call. Without
/// both, the content does.
pub fn arrival(
    meeting: Value,
    transcript: Option<Upload>,
    audio: Option<Upload>,
    idempotency_key: Option<String>,
    timezone: Tz,
) -> Result<Arrival, Problem> {
    let Some(content) = transcript.as_ref().or(audio.as_ref()) else {
        return Err(Problem::field("/transcript", "is missing; or send `audio`"));
    };
    let (uuid, details) = read(meeting, AT, timezone)?;
    let (source, external_id) = match uuid {
        Some(uuid) => (SOURCE, uuid),
        None => (recording::SOURCE, idempotency_key.unwrap_or_else(|| content.digest.clone())),
    };
    let transcript = transcript.map(|file| NewMaterial::File(MaterialKind::Transcript, file));
    let audio = audio.map(|file| NewMaterial::File(MaterialKind::Recording, file));
    let materials = transcript.into_iter().chain(audio).collect();
    Ok(Arrival { source: source.to_owned(), external_id, kind: CallKind::Meeting, details, materials })
}

/// Reads what Zoom says of a meeting: its `uuid` and its details. `at` is the JSON pointer to the object.
pub(super) fn read(meeting: Value, at: &str, timezone: Tz) -> Result<(Option<String>, CallDetails), Problem> {
    let mut fields = Fields::of(meeting, at)?;
    let uuid = fields.id("uuid");
    let host = ["host_email", "host_id"].into_iter().find_map(|name| fields.peek(name)?.as_str());
    let host = host.filter(|host| host.contains('@')).map(str::to_owned);
    // A time without an offset is read in the zone of the meeting.
    let zone = fields.peek("timezone").and_then(|zone| zone.as_str()?.parse().ok()).unwrap_or(timezone);
    let (started_at, started_text) = fields.time("start_time", zone);
    let mut details = CallDetails {
        topic: fields.text("topic"),
        started_at,
        started_text,
        ended_at: fields.time_only("end_time", zone),
        duration_ms: fields.span_ms("duration", 60.0 * 1000.0),
        participants: participants(&mut fields, host.as_deref()),
        ..CallDetails::default()
    };
    let mut rest = fields.rest()?;
    rest.metadata.retain(|name, _| !SECRETS.contains(&name.as_str()));
    rest.metadata.values_mut().for_each(|value| *value = without_passwords(value.take()));
    rest.add_to(&mut details);
    Ok((uuid, details))
}

/// Removes the queries of URLs from the value, because a join URL holds the password there.
fn without_passwords(value: Value) -> Value {
    match value {
        Value::String(text) => without_query(&text).into(),
        Value::Array(values) => values.into_iter().map(without_passwords).collect(),
        Value::Object(map) => map
            .into_iter()
            .filter(|(name, _)| !SECRETS.contains(&name.as_str()))
            .map(|(name, value)| (name, without_passwords(value)))
            .collect::<Map<_, _>>()
            .into(),
        other => other,
    }
}

/// Takes the participants. Those that are no participants, and those of which a field cannot be used, are also kept in the
/// metadata.
fn participants(fields: &mut Fields, host: Option<&str>) -> Vec<Participant> {
    const NAME: &str = "participants";
    let listed = match fields.value(NAME) {
        None => return Vec::new(),
        Some(Value::Array(listed)) => listed,
        Some(other) => {
            fields.other_type(NAME, other, "a list");
            return Vec::new();
        }
    };
    let (mut people, mut odd) = (Vec::with_capacity(listed.len()), Vec::new());
    for (index, entry) in listed.into_iter().enumerate() {
        match entry {
            Value::Null => {}
            Value::String(name) => people.push(Participant { name: Some(name), ..Participant::default() }),
            Value::Object(_) => {
                let (person, rest) = participant(entry.clone(), &format!("{AT}/{NAME}/{index}"), host);
                people.push(person);
                if !rest.is_empty() {
                    odd.push(entry);
                }
                for note in rest {
                    let field = note.field.unwrap_or_default();
                    fields.note(&note.code, &format!("{NAME}/{index}/{field}"), note.text);
                }
            }
            other => {
                let text = "This participant is neither an object nor a name. It is kept in the metadata and not used.";
                fields.note(OTHER_TYPE, &format!("{NAME}/{index}"), text);
                odd.push(other);
            }
        }
    }
    if !odd.is_empty() {
        fields.keep(NAME, odd.into());
    }
    people
}

fn participant(person: Value, at: &str, host: Option<&str>) -> (Participant, Vec<Note>) {
    // An object can always be opened, and no field below is ever refused.
    let Ok(mut fields) = Fields::of(person, at) else { return Default::default() };
    let email = fields.text("email").or_else(|| fields.text("user_email"));
    let role = fields.text("role").and_then(|role| read_role(&role));
    let is_host = || {
        let address = email.as_deref().and_then(email_address::read);
        address.is_some() && address == host.and_then(email_address::read)
    };
    let person = Participant {
        name: fields.text("name").or_else(|| fields.text("user_name")),
        phone: fields.text("phone").or_else(|| fields.text("phone_number")),
        role: role.or_else(|| is_host().then_some(Role::Host)),
        email,
    };
    (person, fields.rest().map(|rest| rest.notes).unwrap_or_default())
}

fn read_role(role: &str) -> Option<Role> {
    Some(match role.to_ascii_lowercase().as_str() {
        "host" => Role::Host,
        "presenter" | "co-host" | "cohost" | "panelist" => Role::Presenter,
        "participant" | "attendee" | "guest" => Role::Participant,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn details(meeting: Value) -> CallDetails {
        read(meeting, AT, chrono_tz::UTC).unwrap().1
    }

    #[test]
    fn links_and_passwords_that_open_a_meeting_are_not_kept() {
        let kept = details(json!({
            "topic": "Pilot", "start_url": "https://zoom.example.com/s/1?zak=secret", "password": "secret",
            "join_url": "https://zoom.example.com/j/1?pwd=secret", "agenda": "Agree? Yes",
            "recording_files": [{ "id": "a", "download_token": "secret", "play_url": "https://z.example.com/p?t=secret" }],
        }));
        let text = serde_json::to_string(&kept).unwrap();
        assert!(!text.contains("secret"), "{text}");
        assert_eq!(kept.metadata["join_url"], "https://zoom.example.com/j/1");
        assert_eq!(kept.metadata["agenda"], "Agree? Yes");
    }

    #[test]
    fn a_time_without_an_offset_is_one_of_the_meetings_own_zone() {
        let kept = details(json!({ "start_time": "2025-06-03T09:00:00", "timezone": "America/Chicago" }));
        assert_eq!(kept.started_at.unwrap().to_string(), "2025-06-03T14:00:00Z");
    }

    #[test]
    fn the_host_is_recognised_by_the_address_where_no_role_is_given() {
        let kept = details(json!({
            "host_id": "priya@tidegrid.example.com",
            "participants": [{ "name": "Priya", "email": "mailto:Priya@tidegrid.example.com" }, { "name": "Tom", "role": "Guest" }, null, "Cher"],
        }));
        let roles: Vec<_> = kept.participants.iter().map(|person| person.role).collect();
        assert_eq!(roles, [Some(Role::Host), Some(Role::Participant), None]);
    }
}
