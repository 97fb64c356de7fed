//! Decides what Salesforce's errors mean for us.
//!
//! The errors come as an array of `{errorCode, message, fields}`, and the status alone says little. A used up daily
//! quota is a 403, and a locked row is a 400. A request that only reads cannot take effect, even if its answer is
//! lost.

use std::collections::BTreeSet;
use std::time::Duration;

use domain::fault::Fault;
use domain::refusal::{Code, Codes, Destination, Refusal, Remote, Sent};
use platform::http::{Answer, HttpError};
use reqwest::StatusCode;
use serde::Deserialize;
use serde_json::Value;

use crate::said;

const MAX_REASON_CHARS: usize = 300;
const FORBIDDEN: Code = Code::new("salesforce_forbidden");

pub static REMOTE: Remote = Remote {
    destination: Destination::named("salesforce"),
    title: "Salesforce",
    advice: "check SALESFORCE_*",
    codes: Codes {
        unreachable: Code::new("salesforce_unreachable"),
        no_answer: Code::new("salesforce_no_answer"),
        too_long: Code::new("salesforce_answer_too_long"),
        account: Code::new("salesforce_unauthorized"),
        throttled: Code::new("salesforce_throttled"),
        failed: Code::new("salesforce_error"),
        refused: Code::new("salesforce_refused"),
    },
    default_wait: Duration::from_mins(1),
};

/// Why the org did not do what it was asked. Each case holds the refusal that applies when the caller cannot do
/// anything else.
#[derive(Debug, thiserror::Error)]
pub enum SalesforceError {
    /// The org does not know these fields, or does not take them. The caller leaves them out and sends again.
    #[error("{refusal}")]
    Fields { names: Vec<String>, refusal: Box<Refusal> },
    /// The record was deleted or merged into another record. The caller looks for it again.
    #[error("{0}")]
    Gone(Refusal),
    /// A rule of the org says that this person is there already. `of` is the contact that the rule found, if the org
    /// names exactly one.
    #[error("{refusal}")]
    Duplicate { of: Option<String>, refusal: Box<Refusal> },
    #[error(transparent)]
    Refused(#[from] Refusal),
}

impl From<SalesforceError> for Refusal {
    fn from(error: SalesforceError) -> Self {
        match error {
            SalesforceError::Fields { refusal, .. } | SalesforceError::Duplicate { refusal, .. } => *refusal,
            SalesforceError::Gone(refusal) | SalesforceError::Refused(refusal) => refusal,
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
    /// Salesforce spells the field like this in most versions of its API.
    #[serde(rename = "duplicateResut")]
    duplicates_misspelt: Option<Value>,
}

#[derive(Deserialize)]
struct LoginError {
    error: String,
    #[serde(default)]
    error_description: String,
}

pub(super) fn of(fault: Fault, code: Code, what: &str) -> Refusal {
    Refusal {
        fault,
        code,
        destination: REMOTE.destination.clone(),
        retry_after: None,
        sent: Sent::No,
        text: bounded(&format!("failed to use Salesforce: {what}")),
    }
}

/// The refusal for a request without an answer.
pub(super) fn of_silence(error: &HttpError) -> Refusal {
    Refusal::of(&REMOTE, &error.failure(None))
}

/// The refusal for an answer with a 2xx whose body cannot be used.
pub fn unreadable(what: &str) -> Refusal {
    let refusal = of(Fault::Transient, Code::new("salesforce_answer_unreadable"), what);
    Refusal { sent: Sent::Maybe, ..refusal }
}

/// The refusal for a sign-in that failed. A sign-in changes nothing.
pub(super) fn of_login(error: &HttpError) -> Refusal {
    let by_table = of_silence(error).without_effect();
    let may_pass = matches!(by_table.fault, Fault::Transient | Fault::Throttled(_));
    let Some(status) = error.status().filter(|_| !may_pass) else { return by_table };
    let reason = match serde_json::from_str::<LoginError>(error.body()) {
        Ok(LoginError { error, error_description }) => format!("{error}: {error_description}"),
        Err(_) => format!("the answer was {status}"),
    };
    let what = format!("the sign-in was refused, check SALESFORCE_*: {reason}");
    of(Fault::Unavailable, Code::new("salesforce_refused_login"), &what)
}

/// The error for an answer outside 2xx. `version` is the version of the API that was asked.
pub(super) fn of_answer(answer: Answer, version: &str) -> SalesforceError {
    let errors: Vec<ApiError> = serde_json::from_slice(&answer.body).unwrap_or_default();
    let status = answer.status;
    let word = errors.first().map(|error| error.code.as_str()).unwrap_or_default();
    // The message is not shown, because it can quote what we know about a person.
    let shown = said::shown(Some(word), None, &[]);
    let by_table = Refusal::of(&REMOTE, &answer.into_error().failure(shown.clone()));
    if matches!(by_table.fault, Fault::Transient | Fault::Throttled(_)) {
        return by_table.into();
    }
    let reason = shown.unwrap_or_else(|| format!("the answer was {status}"));
    let because = |fault, code| of(fault, Code::new(code), &reason);
    match word {
        "UNABLE_TO_LOCK_ROW" => return because(Fault::Transient, "salesforce_row_locked").into(),
        // The daily quota is a 403, and the answer does not say how long to wait.
        "REQUEST_LIMIT_EXCEEDED" => return because(Fault::Unavailable, "salesforce_quota_used_up").into(),
        "ENTITY_IS_DELETED" => return gone(),
        "DUPLICATES_DETECTED" => return duplicate(&errors, &reason),
        // We may not write this record, but we may write others.
        "INSUFFICIENT_ACCESS_OR_READONLY" | "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY" => {
            return because(Fault::Permanent, "salesforce_record_forbidden").into();
        }
        _ => {}
    }
    match status {
        StatusCode::UNAUTHORIZED => by_table.into(),
        StatusCode::FORBIDDEN => Refusal { code: FORBIDDEN, ..by_table }.into(),
        StatusCode::GONE => no_such_version(version).into(),
        StatusCode::NOT_FOUND if word == "NOT_FOUND" => gone(),
        _ => {
            let names: Vec<String> = errors.iter().flat_map(refused_fields).collect();
            if names.is_empty() {
                return by_table.into();
            }
            let refusal = because(Fault::Permanent, "salesforce_field_refused");
            SalesforceError::Fields { names, refusal: Box::new(refusal) }
        }
    }
}

/// The refusal for a version of the API that the org does not serve.
pub(super) fn no_such_version(version: &str) -> Refusal {
    let what = format!("the org does not serve version {version} of its API: check SALESFORCE_API_VERSION");
    of(Fault::Unavailable, Code::new("salesforce_version_not_served"), &what)
}

fn gone() -> SalesforceError {
    let what = "the record that should be changed is not there any more";
    SalesforceError::Gone(of(Fault::Transient, Code::new("salesforce_contact_gone"), what))
}

fn duplicate(errors: &[ApiError], reason: &str) -> SalesforceError {
    let ids: BTreeSet<&str> = errors.iter().flat_map(matching_contacts).collect();
    let mut ids: Vec<&str> = ids.into_iter().collect();
    let refusal = |what: &str| Box::new(of(Fault::Permanent, Code::new("salesforce_duplicate"), what));
    match (ids.pop(), ids.as_slice()) {
        (Some(id), []) => SalesforceError::Duplicate { of: Some(id.to_owned()), refusal: refusal(reason) },
        // A person has to decide which contact is the right one.
        (Some(last), others) => {
            let others = others.join(", ");
            let what = format!("{reason}: several contacts match, merge them: {others}, {last}");
            SalesforceError::Duplicate { of: None, refusal: refusal(&what) }
        }
        (None, _) => SalesforceError::Duplicate { of: None, refusal: refusal(reason) },
    }
}

/// The ids of the contacts that a rule takes for the contact that was sent. The rule can find leads too, which are left
/// out.
fn matching_contacts(error: &ApiError) -> impl Iterator<Item = &str> {
    let results = [&error.duplicates, &error.duplicates_misspelt].into_iter().flatten();
    results
        .flat_map(|found| list(found, "matchResults"))
        .flat_map(|result| list(result, "matchRecords"))
        .map(|found| &found["record"])
        .filter(|record| record["attributes"]["type"] == "Contact")
        .filter_map(|record| record["Id"].as_str())
        .filter(|id| is_id(id))
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// The fields that an error names.
fn refused_fields(error: &ApiError) -> Vec<String> {
    if let Some(fields) = error.fields.as_ref().filter(|fields| !fields.is_empty()) {
        return fields.clone();
    }
    match error.code.as_str() {
        // The message is `No such column 'X' on sobject of type Contact`, or `on entity 'Contact'` for a query.
        "INVALID_FIELD" => {
            let name =
                error.message.split_once("No such column '").and_then(|(_, rest)| rest.split_once('\''));
            name.map(|(name, _)| vec![name.to_owned()]).unwrap_or_default()
        }
        // An org with lists of states and countries refuses a name that is not in the list, and names no field.
        "FIELD_INTEGRITY_EXCEPTION" => vec!["MailingState".to_owned(), "MailingCountry".to_owned()],
        _ => Vec::new(),
    }
}

/// Whether the text has the form of a record's id. This is checked because ids are put into paths.
pub fn is_id(text: &str) -> bool {
    !text.is_empty() && text.len() <= 64 && text.chars().all(|c| c.is_ascii_alphanumeric())
}

fn bounded(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(MAX_REASON_CHARS).collect()
}
