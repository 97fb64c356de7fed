//! The routes of the data API that work on contacts.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::contacts::EMAIL;
use super::org::Org;
use super::refusal::Refusal;
use super::soql::{self, Selected, Wanted};

#[derive(Deserialize)]
pub(super) struct Soql {
    q: String,
}

pub(super) async fn query(
    State(org): State<Arc<Org>>,
    Path(version): Path<String>,
    Query(soql): Query<Soql>,
) -> Result<Json<Value>, Refusal> {
    let query = soql::parse(&soql.q).map_err(|reason| Refusal::bad_request("MALFORMED_QUERY", reason))?;
    if !query.object.eq_ignore_ascii_case("Contact") {
        let message = format!("sObject type '{}' is not supported.", query.object);
        return Err(Refusal::bad_request("INVALID_TYPE", message));
    }
    let fields = org.fields();
    let known = |name: &str| fields.iter().find(|field| field.eq_ignore_ascii_case(name)).cloned();
    let column = |name: &str| {
        let message = format!("No such column '{name}' on entity 'Contact'.");
        known(name).ok_or_else(|| Refusal::bad_request("INVALID_FIELD", message))
    };
    let columns = match &query.selected {
        Selected::Columns(names) => names.iter().map(|name| column(name)).collect::<Result<Vec<_>, _>>()?,
        Selected::Count => Vec::new(),
        Selected::CountOf(name) => vec![column(name)?],
    };
    let conditions = query
        .conditions
        .into_iter()
        .map(|(name, wanted)| Ok((column(&name)?, wanted)))
        .collect::<Result<Vec<_>, Refusal>>()?;
    let holds = |contact: &&Map<String, Value>| {
        conditions
            .iter()
            .all(|(name, wanted)| wanted.holds(contact.get(name).and_then(Value::as_str).unwrap_or_default()))
    };
    // The contacts are listed oldest first, which is also the order of CreatedDate, the only one that a query can name.
    let contacts = org.contacts();
    let addresses = conditions.iter().find_map(|(name, wanted)| match wanted {
        Wanted::Values(addresses) if name == EMAIL => Some(addresses),
        _ => None,
    });
    let candidates: Box<dyn Iterator<Item = &Map<String, Value>>> = match addresses {
        Some(addresses) => Box::new(contacts.with_email(addresses)),
        None => Box::new(contacts.iter()),
    };
    let matching = candidates.filter(holds).take(query.limit.unwrap_or(2000));
    let records: Vec<Value> = match &query.selected {
        Selected::Columns(_) => matching.map(|contact| record(contact, &columns, &version)).collect(),
        Selected::Count => {
            return Ok(Json(json!({ "totalSize": matching.count(), "done": true, "records": [] })));
        }
        Selected::CountOf(_) => {
            let has_value =
                |contact: &&Map<String, Value>| !contact.get(&columns[0]).is_none_or(Value::is_null);
            let count = matching.filter(has_value).count();
            vec![json!({ "attributes": { "type": "AggregateResult" }, "expr0": count })]
        }
    };
    Ok(Json(json!({ "totalSize": records.len(), "done": true, "records": records })))
}

fn record(contact: &Map<String, Value>, columns: &[String], version: &str) -> Value {
    let id = contact.get("Id").and_then(Value::as_str).unwrap_or_default();
    let url = format!("/services/data/{version}/sobjects/Contact/{id}");
    let mut record = json!({ "attributes": { "type": "Contact", "url": url } });
    for name in columns {
        record[name] = contact.get(name).cloned().unwrap_or(Value::Null);
    }
    record
}

pub(super) async fn create(State(org): State<Arc<Org>>, body: String) -> Result<Response, Refusal> {
    let id = org.create(org.read_fields(&body)?)?;
    let created = json!({ "id": id, "success": true, "errors": [] });
    Ok((StatusCode::CREATED, Json(created)).into_response())
}

pub(super) async fn read(
    State(org): State<Arc<Org>>,
    Path((version, id)): Path<(String, String)>,
) -> Result<Json<Value>, Refusal> {
    let contacts = org.contacts();
    let contact = contacts.get(&id).ok_or_else(Refusal::not_found)?;
    let columns: Vec<String> = org.fields().into_iter().collect();
    Ok(Json(record(contact, &columns, &version)))
}

pub(super) async fn update(
    State(org): State<Arc<Org>>,
    Path((_, id)): Path<(String, String)>,
    body: String,
) -> Result<StatusCode, Refusal> {
    org.update(&id, org.read_fields(&body)?)?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn delete(
    State(org): State<Arc<Org>>,
    Path((_, id)): Path<(String, String)>,
) -> Result<StatusCode, Refusal> {
    org.delete(&id)?;
    Ok(StatusCode::NO_CONTENT)
}

/// The ids of the contacts with this external id, oldest first.
fn ids_by(org: &Org, field: &str, value: &str) -> Result<Vec<String>, Refusal> {
    if !org.fields().contains(field) {
        return Err(Refusal::not_found());
    }
    let is_same = |contact: &&Map<String, Value>| {
        contact.get(field).and_then(Value::as_str).is_some_and(|held| held.eq_ignore_ascii_case(value))
    };
    let contacts = org.contacts();
    Ok(contacts
        .iter()
        .filter(is_same)
        .filter_map(|contact| contact["Id"].as_str().map(str::to_owned))
        .collect())
}

/// The answer for an external id that several contacts have.
fn ambiguous(version: &str, ids: &[String]) -> Response {
    let url = |id: &String| format!("/services/data/{version}/sobjects/Contact/{id}");
    (StatusCode::MULTIPLE_CHOICES, Json(ids.iter().map(url).collect::<Vec<_>>())).into_response()
}

pub(super) async fn read_by(
    org: State<Arc<Org>>,
    Path((version, field, value)): Path<(String, String, String)>,
) -> Result<Response, Refusal> {
    match ids_by(&org, &field, &value)?.as_slice() {
        [] => Err(Refusal::not_found()),
        [id] => Ok(read(org, Path((version, id.clone()))).await?.into_response()),
        many => Ok(ambiguous(&version, many)),
    }
}

pub(super) async fn delete_by(
    State(org): State<Arc<Org>>,
    Path((version, field, value)): Path<(String, String, String)>,
) -> Result<Response, Refusal> {
    match ids_by(&org, &field, &value)?.as_slice() {
        [] => Err(Refusal::not_found()),
        [id] => {
            org.delete(id)?;
            Ok(StatusCode::NO_CONTENT.into_response())
        }
        many => Ok(ambiguous(&version, many)),
    }
}

/// Creates or changes a contact by an external id: 201 when it is created, 204 when it is changed, and 300 when several
/// contacts have the id.
pub(super) async fn upsert(
    State(org): State<Arc<Org>>,
    Path((version, field, value)): Path<(String, String, String)>,
    body: String,
) -> Result<Response, Refusal> {
    let mut fields = org.read_fields(&body)?;
    match ids_by(&org, &field, &value)?.as_slice() {
        [] => {
            fields.insert(field, value.into());
            let id = org.create(fields)?;
            let created = json!({ "id": id, "success": true, "errors": [], "created": true });
            Ok((StatusCode::CREATED, Json(created)).into_response())
        }
        [id] => {
            org.update(id, fields)?;
            Ok(StatusCode::NO_CONTENT.into_response())
        }
        many => Ok(ambiguous(&version, many)),
    }
}
