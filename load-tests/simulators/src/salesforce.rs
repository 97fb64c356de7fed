//! Salesforce: signing in, and contacts.
//!
//! An org knows the fields it was given and refuses a record as a whole when one is unknown or too long.
//! Errors are arrays; those of signing in are objects. Access tokens never say when they end.

mod contacts;
mod signin;
mod soql;

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, patch, post, put};
use axum::{Json, Router};
use chrono::Utc;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::control::Control;
use super::{Bounded, Options, lock};
use contacts::{Contacts, EMAIL};

/// The standard fields of `Contact` that the simulator has, each with its longest value in characters.
pub const CONTACT_FIELDS: &[(&str, usize)] = &[
    ("Id", 18),
    ("FirstName", 40),
    ("MiddleName", 40),
    ("LastName", 80),
    ("Suffix", 40),
    ("Salutation", 40),
    ("Email", 80),
    ("Phone", 40),
    ("MobilePhone", 40),
    ("HomePhone", 40),
    ("OtherPhone", 40),
    ("Fax", 40),
    ("AssistantName", 40),
    ("AssistantPhone", 40),
    ("Birthdate", 10),
    ("Title", 128),
    ("Department", 80),
    ("LeadSource", 40),
    ("Description", 32_000),
    ("AccountId", 18),
    ("OwnerId", 18),
    ("ReportsToId", 18),
    ("MailingStreet", 255),
    ("MailingCity", 40),
    ("MailingState", 80),
    ("MailingPostalCode", 20),
    ("MailingCountry", 80),
    ("OtherStreet", 255),
    ("OtherCity", 40),
    ("OtherState", 80),
    ("OtherPostalCode", 20),
    ("OtherCountry", 80),
    ("CreatedDate", 40),
    ("LastModifiedDate", 40),
];
/// Of a field that the org was given beyond the standard ones.
const CUSTOM_LENGTH: usize = 255;
const READ_ONLY: [&str; 3] = ["Id", "CreatedDate", "LastModifiedDate"];
const MAX_SESSIONS: usize = 10_000;

pub(super) struct Org {
    base: String,
    control: Arc<Control>,
    fields: Mutex<HashSet<String>>,
    contacts: Mutex<Contacts>,
    created: Mutex<u64>,
    sessions: Mutex<Bounded<()>>,
}

pub(crate) fn app(base: &str, control: Arc<Control>, options: &Options) -> Router {
    let org = Arc::new(Org {
        base: base.to_owned(),
        control,
        fields: Mutex::new(options.contact_fields.iter().cloned().collect()),
        contacts: Mutex::new(Contacts::new()),
        created: Mutex::new(0),
        sessions: Mutex::new(Bounded::new(MAX_SESSIONS)),
    });
    let data = Router::new()
        .route("/services/data/{version}/query", get(query))
        .route("/services/data/{version}/query/", get(query))
        .route("/services/data/{version}/sobjects/Contact", post(create))
        .route("/services/data/{version}/sobjects/Contact/", post(create))
        .route("/services/data/{version}/sobjects/Contact/{id}", patch(update).get(read))
        .route("/services/data/{version}/sobjects/Contact/{field}/{value}", patch(upsert))
        .layer(from_fn_with_state(org.clone(), signed_in));
    Router::new()
        .route("/services/oauth2/token", post(signin::token))
        .route("/_control/expire", post(expire))
        .route("/_control/fields", put(set_fields))
        .route("/_control/contacts", get(list))
        .merge(data)
        .fallback(|| async { refusal(StatusCode::NOT_FOUND) })
        .with_state(org)
}

pub(crate) fn refusal(status: StatusCode) -> Response {
    let (code, message) = match status {
        StatusCode::UNAUTHORIZED => ("INVALID_SESSION_ID", "Session expired or invalid"),
        StatusCode::FORBIDDEN => ("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."),
        StatusCode::NOT_FOUND => ("NOT_FOUND", "The requested resource does not exist"),
        StatusCode::SERVICE_UNAVAILABLE => ("SERVER_UNAVAILABLE", "Service unavailable"),
        StatusCode::BAD_REQUEST => ("JSON_PARSER_ERROR", "The request cannot be read"),
        _ => ("UNKNOWN_EXCEPTION", "An unexpected error occurred"),
    };
    Refusal { status, code, message: message.to_owned(), fields: None }.into_response()
}

/// What is refused, as the one element of an error array.
struct Refusal {
    status: StatusCode,
    code: &'static str,
    message: String,
    fields: Option<Vec<String>>,
}

impl Refusal {
    fn bad(code: &'static str, message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, code, message: message.into(), fields: None }
    }

    fn of_fields(code: &'static str, message: impl Into<String>, fields: &[&str]) -> Self {
        let fields = Some(fields.iter().map(|&name| name.to_owned()).collect());
        Self { fields, ..Self::bad(code, message) }
    }

    fn not_found() -> Self {
        let message = "Provided external ID field does not exist or is not accessible, or no such record";
        Self { status: StatusCode::NOT_FOUND, ..Self::bad("NOT_FOUND", message) }
    }
}

impl axum::response::IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut error = json!({ "message": self.message, "errorCode": self.code });
        if let Some(fields) = self.fields {
            error["fields"] = json!(fields);
        }
        (self.status, Json(json!([error]))).into_response()
    }
}

async fn signed_in(State(org): State<Arc<Org>>, request: Request, next: Next) -> Response {
    let token = bearer(request.headers());
    if token.is_none_or(|token| lock(&org.sessions).get(token).is_none()) {
        return refusal(StatusCode::UNAUTHORIZED);
    }
    let mut answer = next.run(request).await;
    let used = HeaderValue::from_static("api-usage=1/100000");
    answer.headers_mut().insert("sforce-limit-info", used);
    answer
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    value.strip_prefix("Bearer ").or_else(|| value.strip_prefix("OAuth "))
}

/// Ends every session: the next request with an old token gets `INVALID_SESSION_ID`.
async fn expire(State(org): State<Arc<Org>>) -> StatusCode {
    *lock(&org.sessions) = Bounded::new(MAX_SESSIONS);
    StatusCode::NO_CONTENT
}

async fn set_fields(State(org): State<Arc<Org>>, Json(fields): Json<HashSet<String>>) -> StatusCode {
    *lock(&org.fields) = fields;
    StatusCode::NO_CONTENT
}

async fn list(State(org): State<Arc<Org>>) -> Json<Value> {
    let contacts = lock(&org.contacts);
    Json(contacts.iter().map(|contact| Value::Object(contact.clone())).collect())
}

#[derive(Deserialize)]
struct Soql {
    q: String,
}

async fn query(
    State(org): State<Arc<Org>>,
    Path(version): Path<String>,
    Query(soql): Query<Soql>,
) -> Result<Json<Value>, Refusal> {
    let query = soql::parse(&soql.q).map_err(|reason| Refusal::bad("MALFORMED_QUERY", reason))?;
    if !query.object.eq_ignore_ascii_case("Contact") {
        let message = format!("sObject type '{}' is not supported.", query.object);
        return Err(Refusal::bad("INVALID_TYPE", message));
    }
    let fields = lock(&org.fields).clone();
    let known = |name: &str| fields.iter().find(|field| field.eq_ignore_ascii_case(name)).cloned();
    let column = |name: &str| {
        let message = format!("No such column '{name}' on entity 'Contact'.");
        known(name).ok_or_else(|| Refusal::bad("INVALID_FIELD", message))
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
    // Oldest first, which is also the order of CreatedDate, the one that can be asked for.
    let contacts = lock(&org.contacts);
    let candidates: Box<dyn Iterator<Item = &Map<String, Value>>> =
        match conditions.iter().find(|(name, _)| name == EMAIL) {
            Some((_, addresses)) => Box::new(contacts.with_email(addresses)),
            None => Box::new(contacts.iter()),
        };
    let found = candidates.filter(holds).take(query.limit.unwrap_or(2000));
    let records: Vec<Value> = found.map(|contact| record(contact, &columns, &version)).collect();
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

async fn create(State(org): State<Arc<Org>>, body: String) -> Result<Response, Refusal> {
    let fields = org.fields_of(&body)?;
    required(&fields)?;
    let id = org.insert(fields);
    let created = json!({ "id": id, "success": true, "errors": [] });
    Ok((StatusCode::CREATED, Json(created)).into_response())
}

async fn read(
    State(org): State<Arc<Org>>,
    Path((version, id)): Path<(String, String)>,
) -> Result<Json<Value>, Refusal> {
    let contacts = lock(&org.contacts);
    let contact = contacts.get(&id).ok_or_else(Refusal::not_found)?;
    let columns: Vec<String> = lock(&org.fields).iter().cloned().collect();
    Ok(Json(record(contact, &columns, &version)))
}

async fn update(
    State(org): State<Arc<Org>>,
    Path((_, id)): Path<(String, String)>,
    body: String,
) -> Result<StatusCode, Refusal> {
    let fields = org.fields_of(&body)?;
    org.change(&id, fields)?;
    Ok(StatusCode::NO_CONTENT)
}

/// By an external id: 201 where it makes a contact, 204 where it changes one, 300 where there are many.
async fn upsert(
    State(org): State<Arc<Org>>,
    Path((version, field, value)): Path<(String, String, String)>,
    body: String,
) -> Result<Response, Refusal> {
    let mut fields = org.fields_of(&body)?;
    if !lock(&org.fields).contains(&field) {
        return Err(Refusal::not_found());
    }
    let same = |contact: &&Map<String, Value>| contact.get(&field).and_then(Value::as_str) == Some(&value);
    let ids: Vec<String> = {
        let contacts = lock(&org.contacts);
        contacts.iter().filter(same).filter_map(|contact| contact["Id"].as_str().map(str::to_owned)).collect()
    };
    match ids.as_slice() {
        [] => {
            fields.insert(field, value.into());
            required(&fields)?;
            let id = org.insert(fields);
            let made = json!({ "id": id, "success": true, "errors": [], "created": true });
            Ok((StatusCode::CREATED, Json(made)).into_response())
        }
        [id] => {
            org.change(id, fields)?;
            Ok(StatusCode::NO_CONTENT.into_response())
        }
        many => {
            let url = |id: &String| format!("/services/data/{version}/sobjects/Contact/{id}");
            Ok((StatusCode::MULTIPLE_CHOICES, Json(many.iter().map(url).collect::<Vec<_>>())).into_response())
        }
    }
}

/// A contact has a last name.
fn required(fields: &Map<String, Value>) -> Result<(), Refusal> {
    if fields.get("LastName").and_then(Value::as_str).is_some_and(|name| !name.trim().is_empty()) {
        return Ok(());
    }
    let message = "Required fields are missing: [LastName]";
    Err(Refusal::of_fields("REQUIRED_FIELD_MISSING", message, &["LastName"]))
}

impl Org {
    /// The fields of a body, each one that the org has, may be written and is not too long.
    fn fields_of(&self, body: &str) -> Result<Map<String, Value>, Refusal> {
        let Ok(Value::Object(mut fields)) = serde_json::from_str::<Value>(body) else {
            return Err(Refusal::bad("JSON_PARSER_ERROR", "The body is not a JSON object"));
        };
        fields.remove("attributes");
        let known = lock(&self.fields);
        for (name, value) in &fields {
            if !known.contains(name) {
                let message = format!("No such column '{name}' on sobject of type Contact");
                return Err(Refusal::of_fields("INVALID_FIELD", message, &[name]));
            }
            if READ_ONLY.contains(&name.as_str()) {
                let message = format!("Unable to create/update fields: {name}.");
                return Err(Refusal::of_fields("INVALID_FIELD_FOR_INSERT_UPDATE", message, &[name]));
            }
            let longest =
                CONTACT_FIELDS.iter().find(|(field, _)| field == name).map_or(CUSTOM_LENGTH, |f| f.1);
            let length = value.as_str().map_or(0, |text| text.chars().count());
            if length > longest {
                let message = format!("{name}: data value too large (max length={longest})");
                return Err(Refusal::of_fields("STRING_TOO_LONG", message, &[name]));
            }
            let is_address = |text: &str| text.split_once('@').is_some_and(|(_, host)| host.contains('.'));
            if name == "Email" && value.as_str().is_some_and(|text| !text.is_empty() && !is_address(text)) {
                let message = format!("Email: invalid email address: {value}");
                return Err(Refusal::of_fields("INVALID_EMAIL_ADDRESS", message, &[name]));
            }
        }
        Ok(fields)
    }

    fn insert(&self, mut fields: Map<String, Value>) -> String {
        let id = {
            let mut created = lock(&self.created);
            *created += 1;
            // 15 characters, and 3 that make it safe where case is lost: all of ours are digits.
            format!("003{created:012}AAA")
        };
        let email = fields.get("Email").and_then(Value::as_str).map(str::to_lowercase);
        self.control.made("contact", &email.unwrap_or_else(|| format!("id:{id}")));
        fields.insert("Id".to_owned(), json!(id));
        fields.insert("CreatedDate".to_owned(), json!(Utc::now()));
        lock(&self.contacts).insert(id.clone(), fields);
        id
    }

    fn change(&self, id: &str, mut fields: Map<String, Value>) -> Result<(), Refusal> {
        if fields.get("LastName").is_some_and(|name| name.as_str().is_none_or(|name| name.trim().is_empty()))
        {
            required(&fields)?;
        }
        fields.insert("LastModifiedDate".to_owned(), json!(Utc::now()));
        lock(&self.contacts).change(id, fields).ok_or_else(Refusal::not_found)?;
        self.control.made("contact_update", id);
        Ok(())
    }
}
