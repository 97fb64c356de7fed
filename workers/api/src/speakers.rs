//! The route with which a person says who a speaker of a call is.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use domain::call::Role;
use domain::speakers::{self, Correction};
use domain::transcript::Transcript;
use queue_topology::correction;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;
use web::{FieldProblem, Problem};

use crate::request::{Answer, Id, Operator, find};
use crate::state::Api;
use crate::view::{self, SpeakerView};

const MAX_BODY_BYTES: u64 = 64 * 1024;

/// What a person says about one speaker. One of the two fields must be there.
#[derive(ToSchema)]
#[schema(as = SpeakerCorrection)]
#[expect(dead_code, reason = "the body is read field by field, so that an error can name each of them")]
pub(crate) struct SpeakerSaid {
    /// The person's name, 1 to 200 characters.
    #[schema(min_length = 1, max_length = 200)]
    name: Option<String>,
    #[schema(schema_with = view::role)]
    role: Option<String>,
}

/// The speakers of the call after the correction.
#[derive(Serialize, ToSchema)]
pub(crate) struct SpeakersCorrected {
    call_id: Uuid,
    speakers: Vec<SpeakerView>,
    /// The generation that does the analysis again, and what follows from it. It is null where the call was not
    /// analyzed yet.
    generation: Option<i64>,
    status_url: String,
}

/// Says who speakers of a call are.
///
/// The body names each speaker by a label that the transcript shows (`Speaker A`, `agent`, a name), or by the provider's
/// own label (`A`). The analysis is done again, and what was written to other systems is updated. The correction also
/// holds when the call is transcribed again.
#[utoipa::path(patch, path = "/api/calls/{id}/speakers", operation_id = "correctSpeakers", tag = "calls", security(("key" = ["operate"])),
    params(("id" = String, Path, description = "Our id or the source's id")),
    request_body(content = std::collections::HashMap<String, SpeakerSaid>, content_type = "application/json",
        example = json!({"Speaker A": {"name": "Dana Ortiz", "role": "agent"}})),
    responses((status = 202, body = SpeakersCorrected),
        (status = 404, description = "There is no such call", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The call has no transcript yet", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A speaker whom the transcript does not have, or a field that cannot be used", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn correct(
    State(api): State<Api>,
    operator: Operator,
    Id(id): Id,
    request: Request,
) -> Answer<(StatusCode, Json<SpeakersCorrected>)> {
    let (parts, body) = request.into_parts();
    let body = web::json(&parts.headers, body, MAX_BODY_BYTES).await?;
    let call = find(&api.store, &operator, &id).await?;
    let transcript = api.store.transcript(operator.workspace, call.id).await?.ok_or_else(|| {
        let status = call.status.name();
        Problem::new(StatusCode::CONFLICT, format!("this call has no transcript; its status is {status}"))
    })?;
    let corrections = corrections(&body, &transcript)?;
    let who = (operator.workspace, &*operator.actor);
    let generation = correction::speakers(&api.store, who, call.id, &corrections).await?;
    let corrected = speakers::correct(transcript, &corrections);
    let answer = SpeakersCorrected {
        call_id: call.id.0,
        speakers: view::speakers(corrected.speakers),
        generation,
        status_url: format!("/api/calls/{}/timeline", call.id),
    };
    Ok((StatusCode::ACCEPTED, Json(answer)))
}

/// Reads the body. Every problem is named, so that a person can mend all of them at once.
fn corrections(body: &Value, transcript: &Transcript) -> Result<Vec<Correction>, Problem> {
    let said = match body {
        Value::Object(said) if !said.is_empty() => said,
        _ => return Err(Problem::field("", "must be an object that names at least one speaker")),
    };
    let (mut read, mut problems) = (Vec::new(), Vec::new());
    for (shown, value) in said {
        let pointer = format!("/{}", shown.replace('~', "~0").replace('/', "~1"));
        let own = speakers::own_labels(transcript, shown);
        if own.is_empty() {
            let detail =
                format!("is no speaker of this transcript; its speakers are {}", shown_labels(transcript));
            problems.push(FieldProblem { pointer: pointer.clone(), detail });
        }
        match value {
            Value::Object(fields) => {
                let (name, role) = (name(fields), role(fields));
                let empty = matches!((&name, &role), (Ok(None), Ok(None)));
                for (field, problem) in [("name", name.as_ref().err()), ("role", role.as_ref().err())] {
                    if let Some(detail) = problem {
                        problems.push(FieldProblem {
                            pointer: format!("{pointer}/{field}"),
                            detail: detail.clone(),
                        });
                    }
                }
                for unknown in fields.keys().filter(|field| !matches!(field.as_str(), "name" | "role")) {
                    let detail = "is not known; known are name and role".to_owned();
                    problems.push(FieldProblem { pointer: format!("{pointer}/{unknown}"), detail });
                }
                if empty {
                    let detail = "must have a name or a role".to_owned();
                    problems.push(FieldProblem { pointer, detail });
                }
                if let (Ok(name), Ok(role)) = (name, role) {
                    read.extend(own.into_iter().map(|speaker| Correction {
                        speaker,
                        name: name.clone(),
                        role,
                    }));
                }
            }
            _ => problems.push(FieldProblem { pointer, detail: "must be an object".to_owned() }),
        }
    }
    if problems.is_empty() { Ok(read) } else { Err(Problem::fields(problems)) }
}

fn name(fields: &Map<String, Value>) -> Result<Option<String>, String> {
    match fields.get("name") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => speakers::name(text).map(Some).ok_or_else(|| {
            format!("must have 1 to {} characters, and no control character", speakers::MAX_NAME_CHARS)
        }),
        Some(_) => Err("must be a text".to_owned()),
    }
}

fn role(fields: &Map<String, Value>) -> Result<Option<Role>, String> {
    match fields.get("role") {
        None | Some(Value::Null) => Ok(None),
        Some(value) => serde_json::from_value(value.clone())
            .map(Some)
            .map_err(|_| "must be one of agent, customer, host, presenter, participant".to_owned()),
    }
}

/// The labels that the transcript shows, each once.
fn shown_labels(transcript: &Transcript) -> String {
    let mut labels: Vec<String> =
        transcript.segments.iter().map(domain::transcript::Segment::label).collect();
    labels.sort();
    labels.dedup();
    labels.truncate(20);
    labels.join(", ")
}

#[cfg(test)]
mod tests {
    use domain::transcript::Segment;
    use serde_json::json;

    use super::*;

    fn transcript() -> Transcript {
        let said = |speaker: &str| Segment {
            id: 0,
            speaker: Some(speaker.into()),
            role: None,
            start_ms: None,
            end_ms: None,
            text: "Hello.".into(),
            confidence: None,
        };
        Transcript { segments: vec![said("A"), said("B")], ..Transcript::default() }.numbered()
    }

    #[test]
    fn speakers_are_named_as_the_transcript_shows_them() {
        let body =
            json!({"Speaker A": {"name": " Dana  Ortiz ", "role": "agent"}, "B": {"role": "customer"}});
        let read = corrections(&body, &transcript()).unwrap();
        assert_eq!(read[0].speaker, "B");
        assert_eq!(
            read[1],
            Correction { speaker: "A".into(), name: Some("Dana Ortiz".into()), role: Some(Role::Agent) }
        );
    }

    #[test]
    fn every_problem_of_the_body_is_named() {
        let body = json!({
            "Speaker C": {"name": "x"},
            "A": {"name": 7, "role": "boss", "age": 3},
            "Speaker B": {},
            "B": "Dana",
        });
        let problem = corrections(&body, &transcript()).unwrap_err();
        let mut pointers: Vec<_> = problem.errors.iter().map(|error| error.pointer.as_str()).collect();
        pointers.sort_unstable();
        assert_eq!(pointers, ["/A/age", "/A/name", "/A/role", "/B", "/Speaker B", "/Speaker C"]);
        for body in [json!({}), json!([]), json!(null), json!("A")] {
            assert!(corrections(&body, &transcript()).is_err(), "{body}");
        }
    }
}
