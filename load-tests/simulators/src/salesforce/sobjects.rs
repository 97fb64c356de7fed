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
use super::soql;

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
    let columns = query.columns.iter().map(|name| column(name)).collect::<Result<Vec<_>, _>>()?;
    let conditions = query
        .conditions
        .into_iter()
        .map(|(name, values)| Ok((column(&name)?, values)))
        .collect::<Result<Vec<_>, Refusal>>()?;
    let holds = |contact: &&Map<String, Value>| {
        conditions.iter().all(|(name, values)| {
            let value = contact.get(name).and_then(Value::as_str).unwrap_or_default();
            // SOQL compares without regard to case.
            values.iter().any(|wanted| value.to_lowercase() == wanted.to_lowercase())
        })
    };
    // The contacts are listed oldest first, which is also the order of CreatedDate, the only one that a query can name.
    let contacts = org.contacts();
    let candidates: Box<dyn Iterator<Item = &Map<String, Value>>> =
        match conditions.iter().find(|(name, _)| name == EMAIL) {
            Some((_, addresses)) => Box::new(contacts.with_email(addresses)),
            None => Box::new(contacts.iter()),
        };
    let matching = candidates.filter(holds).take(query.limit.unwrap_or(2000));
    let records: Vec<Value> = matching.map(|contact| record(contact, &columns, &version)).collect();
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

/// Creates or changes a contact by an external id: 201 when it is created, 204 when it is changed, and 300 when several
/// contacts have the id.
pub(super) async fn upsert(
    State(org): State<Arc<Org>>,
    Path((version, field, value)): Path<(String, String, String)>,
    body: String,
) -> Result<Response, Refusal> {
    let mut fields = org.read_fields(&body)?;
    if !org.fields().contains(&field) {
        return Err(Refusal::not_found());
    }
    let same = |contact: &&Map<String, Value>| contact.get(&field).and_then(Value::as_str) == Some(&value);
    let ids: Vec<String> = {
        let contacts = org.contacts();
        contacts.iter().filter(same).filter_map(|contact| contact["Id"].as_str().map(str::to_owned)).collect()
    };
    match ids.as_slice() {
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
        many => {
            let url = |id: &String| format!("/services/data/{version}/sobjects/Contact/{id}");
            Ok((StatusCode::MULTIPLE_CHOICES, Json(many.iter().map(url).collect::<Vec<_>>())).into_response())
        }
    }
}
