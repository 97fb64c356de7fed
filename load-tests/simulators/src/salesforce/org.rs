//! A Salesforce org: the fields that a contact has, the contacts, and the sessions of those who are signed in.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard};

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::contacts::Contacts;
use super::refusal::Refusal;
use crate::control::Control;
use crate::state::{BoundedMap, lock};

/// The standard fields of a contact, each with the length of its longest value in characters.
pub(super) const STANDARD_FIELDS: &[(&str, usize)] = &[
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
/// The length of the longest value of any other field.
pub(super) const CUSTOM_FIELD_LENGTH: usize = 255;
pub(super) const READ_ONLY_FIELDS: [&str; 3] = ["Id", "CreatedDate", "LastModifiedDate"];
const MAX_SESSIONS: usize = 10_000;
/// The number of deleted contacts that are remembered.
const MAX_DELETED: usize = 10_000;

pub(super) struct Org {
    /// The address of the simulator, which the answer to a sign-in names.
    pub(super) base: String,
    control: Arc<Control>,
    fields: Mutex<HashSet<String>>,
    contacts: Mutex<Contacts>,
    /// The ids of the contacts that were deleted.
    deleted: Mutex<BoundedMap<()>>,
    /// The number of contacts that were created so far.
    created: Mutex<u64>,
    /// The access tokens of the sessions.
    sessions: Mutex<BoundedMap<()>>,
}

impl Org {
    /// Makes an org without contacts. An empty list of fields stands for the standard fields.
    pub(super) fn new(base: &str, control: Arc<Control>, fields: &[String]) -> Self {
        let standard = || STANDARD_FIELDS.iter().map(|(name, _)| (*name).to_owned()).collect();
        let fields = if fields.is_empty() { standard() } else { fields.iter().cloned().collect() };
        Self {
            base: base.to_owned(),
            control,
            fields: Mutex::new(fields),
            contacts: Mutex::new(Contacts::new()),
            deleted: Mutex::new(BoundedMap::new(MAX_DELETED)),
            created: Mutex::new(0),
            sessions: Mutex::new(BoundedMap::new(MAX_SESSIONS)),
        }
    }

    // ------------------------------------------------------------ sessions

    /// Begins a session for the client of this id and returns its access token.
    pub(super) fn begin_session(&self, client_id: &str) -> String {
        let token = format!("00D000000000001!{}", Uuid::new_v4().simple());
        lock(&self.sessions).insert(token.clone(), ());
        self.control.made("session", client_id);
        token
    }

    pub(super) fn has_session(&self, token: &str) -> bool {
        lock(&self.sessions).get(token).is_some()
    }

    pub(super) fn end_sessions(&self) {
        *lock(&self.sessions) = BoundedMap::new(MAX_SESSIONS);
    }

    // ------------------------------------------------------------ fields

    /// Returns the names of the fields that a contact has.
    pub(super) fn fields(&self) -> HashSet<String> {
        lock(&self.fields).clone()
    }

    pub(super) fn set_fields(&self, fields: HashSet<String>) {
        *lock(&self.fields) = fields;
    }

    /// Reads the fields in a body. Each of them must exist, may be written and is short enough.
    pub(super) fn read_fields(&self, body: &str) -> Result<Map<String, Value>, Refusal> {
        let Ok(Value::Object(mut fields)) = serde_json::from_str::<Value>(body) else {
            return Err(Refusal::bad_request("JSON_PARSER_ERROR", "The body is not a JSON object"));
        };
        fields.remove("attributes");
        let known = lock(&self.fields);
        for (name, value) in &fields {
            if !known.contains(name) {
                let message = format!("No such column '{name}' on sobject of type Contact");
                return Err(Refusal::of_fields("INVALID_FIELD", message, &[name]));
            }
            if READ_ONLY_FIELDS.contains(&name.as_str()) {
                let message = format!("Unable to create/update fields: {name}.");
                return Err(Refusal::of_fields("INVALID_FIELD_FOR_INSERT_UPDATE", message, &[name]));
            }
            let standard = STANDARD_FIELDS.iter().find(|(field, _)| field == name);
            let longest = standard.map_or(CUSTOM_FIELD_LENGTH, |(_, length)| *length);
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

    // ------------------------------------------------------------ contacts

    pub(super) fn contacts(&self) -> MutexGuard<'_, Contacts> {
        lock(&self.contacts)
    }

    /// Creates a contact and returns its id.
    pub(super) fn create(&self, mut fields: Map<String, Value>) -> Result<String, Refusal> {
        check_last_name(&fields)?;
        let id = {
            let mut created = lock(&self.created);
            *created += 1;
            // An id has 15 characters, and 3 more that keep it apart from ids that differ only in case. Ours have
            // digits only.
            format!("003{created:012}AAA")
        };
        let email = fields.get("Email").and_then(Value::as_str).map(str::to_lowercase);
        self.control.made("contact", &email.unwrap_or_else(|| format!("id:{id}")));
        fields.insert("Id".to_owned(), json!(id));
        let now = written(Utc::now());
        fields.insert("CreatedDate".to_owned(), json!(now));
        fields.insert("LastModifiedDate".to_owned(), json!(now));
        self.contacts().insert(id.clone(), fields);
        Ok(id)
    }

    pub(super) fn update(&self, id: &str, mut fields: Map<String, Value>) -> Result<(), Refusal> {
        if fields.contains_key("LastName") {
            check_last_name(&fields)?;
        }
        fields.insert("LastModifiedDate".to_owned(), json!(written(Utc::now())));
        self.contacts().change(id, fields).ok_or_else(|| self.missing(id))?;
        self.control.made("contact_update", id);
        Ok(())
    }

    pub(super) fn delete(&self, id: &str) -> Result<(), Refusal> {
        self.contacts().remove(id).ok_or_else(|| self.missing(id))?;
        lock(&self.deleted).insert(id.to_owned(), ());
        self.control.made("contact_delete", id);
        Ok(())
    }

    /// The refusal for a contact that is to be changed and is not there.
    fn missing(&self, id: &str) -> Refusal {
        if lock(&self.deleted).get(id).is_some() { Refusal::deleted() } else { Refusal::not_found() }
    }
}

/// A time as the API writes it: in milliseconds, and with an offset without a colon.
fn written(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%dT%H:%M:%S%.3f+0000").to_string()
}

/// Refuses a contact without a last name.
fn check_last_name(fields: &Map<String, Value>) -> Result<(), Refusal> {
    if fields.get("LastName").and_then(Value::as_str).is_some_and(|name| !name.trim().is_empty()) {
        return Ok(());
    }
    let message = "Required fields are missing: [LastName]";
    Err(Refusal::of_fields("REQUIRED_FIELD_MISSING", message, &["LastName"]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_as_the_api_writes_it() {
        let time = "2026-11-29T10:00:00Z".parse().unwrap();
        assert_eq!(written(time), "2026-11-29T10:00:00.000+0000");
    }
}
