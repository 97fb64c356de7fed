//! Salesforce's REST API as far as contacts need it, and what its errors mean for us.
//!
//! Errors come as an array of `{errorCode, message, fields}`; the status alone says little (the daily
//! quota is a 403, a locked row a 400). What was only read cannot have taken effect, whatever happened to
//! the answer.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::Utc;
use domain::fault::Fault;
use platform::http::{self, Answer, HttpError};
use queue_topology::StageError;
use reqwest::{Method, RequestBuilder, StatusCode};
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use serde_json::Value;

use super::auth::{Auth, Token};
use super::mapping::{Fields, Record};

const API: &str = "/services/data/v60.0";
/// Of one request; a contact takes two or three.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);
/// Where a 429 does not say how long.
const DEFAULT_WAIT: Duration = Duration::from_mins(1);
const MAX_REASON_CHARS: usize = 300;

/// What went wrong, by what is to be done about it.
#[derive(Debug, thiserror::Error)]
pub enum SalesforceError {
    /// The org as a whole refuses us, used up its quota, or cannot be reached.
    #[error("failed to use Salesforce: {reason}")]
    Unavailable { code: &'static str, reason: String },
    #[error("failed to use Salesforce: too many requests")]
    Throttled { wait: Duration },
    /// May pass by itself.
    #[error("failed to use Salesforce: {reason}")]
    Transient { code: &'static str, reason: String, retry_after: Option<Duration>, maybe_sent: bool },
    /// The org does not know, or does not take, these fields: leave them out and send again.
    #[error("failed to write a contact: {reason}")]
    Fields { names: Vec<String>, reason: String },
    /// The record was deleted or merged into another: look for the contact again.
    #[error("failed to change a contact: it is not there any more")]
    Gone,
    /// A rule of the org says that this person is there already: `of` is the one contact that it means, if it
    /// tells, and tells of one.
    #[error("failed to write a contact: {reason}")]
    Duplicate { of: Option<String>, reason: String },
    /// Will be refused every time.
    #[error("failed to write a contact: {reason}")]
    Refused { code: &'static str, reason: String },
}

impl From<SalesforceError> for StageError {
    fn from(error: SalesforceError) -> Self {
        match error {
            SalesforceError::Unavailable { code, .. } => Self::unavailable("salesforce", code, error),
            SalesforceError::Throttled { wait } => {
                Self::new(Fault::Throttled(wait), "salesforce_throttled", error)
            }
            SalesforceError::Transient { code, retry_after, maybe_sent, .. } => {
                let stage = Self::transient(code, error).retry_after(retry_after);
                if maybe_sent { stage.maybe_sent() } else { stage }
            }
            SalesforceError::Fields { .. } => Self::permanent("salesforce_field_refused", error),
            SalesforceError::Gone => Self::transient("salesforce_contact_gone", error),
            SalesforceError::Duplicate { .. } => Self::permanent("salesforce_duplicate", error),
            SalesforceError::Refused { code, .. } => Self::permanent(code, error),
        }
    }
}

#[derive(Deserialize)]
struct ApiError {
    #[serde(rename = "errorCode")]
    code: String,
    #[serde(default)]
    message: String,
    fields: Option<Vec<String>>,
    #[serde(rename = "duplicateResult")]
    duplicates: Option<Value>,
    /// How Salesforce spells it in most versions of its API.
    #[serde(rename = "duplicateResut")]
    duplicates_misspelt: Option<Value>,
}

#[derive(Deserialize)]
struct LoginError {
    error: String,
    #[serde(default)]
    error_description: String,
}

#[derive(Deserialize)]
struct Found {
    records: Vec<Record>,
}

#[derive(Deserialize)]
struct Created {
    id: String,
}

pub(super) struct Client {
    http: reqwest::Client,
    auth: Auth,
}

impl Client {
    pub(super) fn new(auth: Auth) -> Self {
        Self { http: http::client(REQUEST_TIMEOUT), auth }
    }

    /// Gets a token, if there is none yet.
    pub(super) async fn sign_in(&self) -> Result<(), SalesforceError> {
        self.auth.token(&self.http, None).await.map(drop)
    }

    /// The first record of a query.
    pub(super) async fn query(&self, soql: &str) -> Result<Option<Record>, SalesforceError> {
        let path = format!("{API}/query");
        let answer = self.call(&Method::GET, &path, |request| request.query(&[("q", soql)])).await?;
        let found: Found = serde_json::from_slice(&answer.body)
            .map_err(|_| SalesforceError::unreadable("the answer to a query cannot be read", false))?;
        Ok(found.records.into_iter().next())
    }

    /// Creates a contact and returns its id.
    pub(super) async fn create(&self, fields: &Fields) -> Result<String, SalesforceError> {
        let path = format!("{API}/sobjects/Contact");
        let answer = self.call(&Method::POST, &path, |request| request.json(fields)).await?;
        let created: Created = serde_json::from_slice(&answer.body)
            .map_err(|_| SalesforceError::unreadable("the new contact's id cannot be read", true))?;
        Ok(created.id)
    }

    pub(super) async fn update(&self, id: &str, fields: &Fields) -> Result<(), SalesforceError> {
        let path = format!("{API}/sobjects/Contact/{id}");
        self.call(&Method::PATCH, &path, |request| request.json(fields)).await.map(drop)
    }

    /// Sends; once more with a new token where the one in use is refused.
    async fn call(
        &self,
        method: &Method,
        path: &str,
        fill: impl Fn(RequestBuilder) -> RequestBuilder + Send + Sync,
    ) -> Result<Answer, SalesforceError> {
        let changes = *method != Method::GET;
        let send = async |token: &Token| {
            let request = self
                .http
                .request(method.clone(), http::join(&token.instance, path))
                .bearer_auth(token.access.expose_secret());
            http::send_any(fill(request)).await.map_err(|error| SalesforceError::lost(&error, changes))
        };
        let token = self.auth.token(&self.http, None).await?;
        let mut answer = send(&token).await?;
        if answer.status == StatusCode::UNAUTHORIZED {
            let token = self.auth.token(&self.http, Some(&token)).await?;
            answer = send(&token).await?;
        }
        if answer.status.is_success() {
            return Ok(answer);
        }
        Err(SalesforceError::of_answer(&answer, changes))
    }
}

impl SalesforceError {
    /// There was no answer.
    pub(super) fn lost(error: &HttpError, changes: bool) -> Self {
        match error {
            HttpError::NotSent(_) => {
                Self::Unavailable { code: "salesforce_unreachable", reason: error.to_string() }
            }
            _ => Self::Transient {
                code: "salesforce_no_answer",
                reason: error.to_string(),
                retry_after: None,
                maybe_sent: changes && error.maybe_sent(),
            },
        }
    }

    /// A 2xx whose body says nothing.
    pub(super) fn unreadable(reason: &str, changes: bool) -> Self {
        Self::Transient {
            code: "salesforce_answer_unreadable",
            reason: reason.into(),
            retry_after: None,
            maybe_sent: changes,
        }
    }

    /// Why we were not let in. Nothing was changed by asking.
    pub(super) fn of_login(answer: &Answer) -> Self {
        if let Some(error) = Self::of_status(answer, false) {
            return error;
        }
        let reason = match serde_json::from_slice::<LoginError>(&answer.body) {
            Ok(LoginError { error, error_description }) => format!("{error}: {error_description}"),
            Err(_) => format!("the answer was {}", answer.status),
        };
        let reason = bounded(&format!("the sign-in was refused, check SALESFORCE_*: {reason}"));
        Self::Unavailable { code: "salesforce_refused_login", reason }
    }

    /// What the status says by itself: wait, or try again.
    fn of_status(answer: &Answer, changes: bool) -> Option<Self> {
        let retry_after = http::retry_after(&answer.headers, Utc::now());
        match answer.status {
            StatusCode::TOO_MANY_REQUESTS => {
                Some(Self::Throttled { wait: retry_after.unwrap_or(DEFAULT_WAIT) })
            }
            status if status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT => {
                Some(Self::Transient {
                    code: "salesforce_error",
                    reason: format!("the answer was {status}"),
                    retry_after,
                    maybe_sent: changes,
                })
            }
            _ => None,
        }
    }

    fn of_answer(answer: &Answer, changes: bool) -> Self {
        if let Some(error) = Self::of_status(answer, changes) {
            return error;
        }
        let errors: Vec<ApiError> = serde_json::from_slice(&answer.body).unwrap_or_default();
        let code = errors.first().map_or("", |error| error.code.as_str());
        // The message can quote what we know of a person.
        let reason =
            http::error_word(&answer.body).unwrap_or_else(|| format!("the answer was {}", answer.status));
        match code {
            "UNABLE_TO_LOCK_ROW" => {
                return Self::Transient {
                    code: "salesforce_row_locked",
                    reason,
                    retry_after: None,
                    maybe_sent: false,
                };
            }
            "REQUEST_LIMIT_EXCEEDED" => {
                return Self::Unavailable { code: "salesforce_quota_used_up", reason };
            }
            "ENTITY_IS_DELETED" => return Self::Gone,
            "DUPLICATES_DETECTED" => return Self::duplicate(&errors, &reason),
            // This record is out of our reach; others are not.
            "INSUFFICIENT_ACCESS_OR_READONLY" | "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY" => {
                return Self::Refused { code: "salesforce_record_forbidden", reason };
            }
            _ => {}
        }
        match answer.status {
            StatusCode::UNAUTHORIZED => Self::Unavailable { code: "salesforce_unauthorized", reason },
            StatusCode::FORBIDDEN => Self::Unavailable { code: "salesforce_forbidden", reason },
            StatusCode::NOT_FOUND if code == "NOT_FOUND" && changes => Self::Gone,
            _ => {
                let names: Vec<String> = errors.iter().flat_map(refused_fields).collect();
                if names.is_empty() {
                    Self::Refused { code: "salesforce_refused", reason }
                } else {
                    Self::Fields { names, reason }
                }
            }
        }
    }
}

impl SalesforceError {
    fn duplicate(errors: &[ApiError], reason: &str) -> Self {
        let ids: BTreeSet<&str> = errors.iter().flat_map(matching_contacts).collect();
        let mut ids: Vec<&str> = ids.into_iter().collect();
        match (ids.pop(), ids.as_slice()) {
            (Some(id), []) => Self::Duplicate { of: Some(id.to_owned()), reason: reason.to_owned() },
            // Which of them it is, is for people to say.
            (Some(last), others) => {
                let others = others.join(", ");
                let reason =
                    bounded(&format!("{reason}: several contacts match, merge them: {others}, {last}"));
                Self::Duplicate { of: None, reason }
            }
            (None, _) => Self::Duplicate { of: None, reason: reason.to_owned() },
        }
    }
}

/// The ids of the contacts that a rule takes for the one that was sent. It can find leads as well.
fn matching_contacts(error: &ApiError) -> impl Iterator<Item = &str> {
    let results = [&error.duplicates, &error.duplicates_misspelt].into_iter().flatten();
    results
        .flat_map(|found| list(found, "matchResults"))
        .flat_map(|result| list(result, "matchRecords"))
        .map(|found| &found["record"])
        .filter(|record| record["attributes"]["type"] == "Contact")
        .filter_map(|record| record["Id"].as_str())
        .filter(|id| super::is_id(id))
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// The fields that an error is about.
fn refused_fields(error: &ApiError) -> Vec<String> {
    if let Some(fields) = error.fields.as_ref().filter(|fields| !fields.is_empty()) {
        return fields.clone();
    }
    match error.code.as_str() {
        // `No such column 'X' on sobject of type Contact`; a query says `on entity 'Contact'`.
        "INVALID_FIELD" => {
            let name =
                error.message.split_once("No such column '").and_then(|(_, rest)| rest.split_once('\''));
            name.map(|(name, _)| vec![name.to_owned()]).unwrap_or_default()
        }
        // Orgs with lists of states and countries refuse a name that is not on them, and name no field.
        "FIELD_INTEGRITY_EXCEPTION" => vec!["MailingState".to_owned(), "MailingCountry".to_owned()],
        _ => Vec::new(),
    }
}

fn bounded(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(MAX_REASON_CHARS).collect()
}
