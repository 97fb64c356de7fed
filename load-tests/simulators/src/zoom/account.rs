//! What the account holds: its tokens, the recorded meetings, and the files.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, NaiveDate};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::control::Control;
use crate::state::{BoundedMap, lock};

const MAX_MEETINGS: usize = 10_000;
const MAX_TOKENS: usize = 10_000;

#[derive(Clone, Debug)]
pub(super) struct File {
    pub(super) bytes: Bytes,
    pub(super) content_type: &'static str,
}

#[derive(Clone, Debug)]
struct Meeting {
    /// As the API lists it.
    listed: Value,
    participants: Vec<Value>,
}

/// A meeting that was just taken in, with the token that opens its files.
pub(super) struct Brought {
    pub(super) meeting: Value,
    pub(super) token: String,
}

pub(super) struct Account {
    pub(super) base: String,
    pub(super) control: Arc<Control>,
    tokens: Mutex<BoundedMap<()>>,
    /// The tokens of webhooks, with the ids of the files that each opens.
    download_tokens: Mutex<BoundedMap<Vec<String>>>,
    meetings: Mutex<BoundedMap<Meeting>>,
    files: Mutex<BoundedMap<File>>,
}

impl Account {
    pub(super) fn new(base: &str, control: Arc<Control>) -> Self {
        Self {
            base: base.to_owned(),
            control,
            tokens: Mutex::new(BoundedMap::new(MAX_TOKENS)),
            download_tokens: Mutex::new(BoundedMap::new(MAX_MEETINGS)),
            meetings: Mutex::new(BoundedMap::new(MAX_MEETINGS)),
            files: Mutex::new(BoundedMap::new(10 * MAX_MEETINGS)),
        }
    }

    pub(super) fn new_token(&self) -> String {
        let token = format!("account-{}", Uuid::new_v4());
        self.control.made("token", "account");
        lock(&self.tokens).insert(token.clone(), ());
        token
    }

    pub(super) fn knows_token(&self, token: &str) -> bool {
        lock(&self.tokens).get(token).is_some()
    }

    /// Whether the token of a webhook opens this file.
    pub(super) fn opens(&self, token: &str, file: &str) -> bool {
        lock(&self.download_tokens).get(token).is_some_and(|files| files.iter().any(|known| known == file))
    }

    pub(super) fn end_tokens(&self) {
        *lock(&self.tokens) = BoundedMap::new(MAX_TOKENS);
        *lock(&self.download_tokens) = BoundedMap::new(MAX_MEETINGS);
    }

    pub(super) fn file(&self, id: &str) -> Option<File> {
        lock(&self.files).get(id).cloned()
    }

    pub(super) fn meeting(&self, uuid: &str) -> Option<Value> {
        lock(&self.meetings).get(uuid).map(|meeting| meeting.listed.clone())
    }

    pub(super) fn participants(&self, uuid: &str) -> Option<Vec<Value>> {
        lock(&self.meetings).get(uuid).map(|meeting| meeting.participants.clone())
    }

    /// The hosts of the meetings.
    pub(super) fn users(&self) -> Vec<Value> {
        let meetings = lock(&self.meetings);
        let hosts: BTreeSet<_> = meetings.iter().map(|meeting| host(&meeting.listed)).collect();
        hosts.into_iter().map(|id| json!({ "id": id, "status": "active" })).collect()
    }

    /// The meetings that this user recorded from one day to another, the newest first. `me` is everybody, because an
    /// account of a simulator has one owner.
    pub(super) fn recorded(&self, user: &str, from: NaiveDate, to: NaiveDate) -> Vec<Value> {
        let meetings = lock(&self.meetings);
        let is_wanted = |meeting: &&Meeting| {
            let began = meeting.listed["start_time"]
                .as_str()
                .and_then(|time| DateTime::parse_from_rfc3339(time).ok());
            let in_time = began.is_some_and(|time| (from..=to).contains(&time.to_utc().date_naive()));
            in_time && (user == "me" || host(&meeting.listed) == user)
        };
        let mut found: Vec<_> =
            meetings.iter().filter(is_wanted).map(|meeting| meeting.listed.clone()).collect();
        found.sort_by(|one, other| other["start_time"].as_str().cmp(&one["start_time"].as_str()));
        found
    }

    pub(super) fn bring(&self, mut meeting: Value) -> Result<Brought, &'static str> {
        let Some(uuid) = meeting["uuid"].as_str().map(str::to_owned) else {
            return Err("a meeting has a uuid");
        };
        let participants = meeting["participants"].as_array().cloned().unwrap_or_default();
        if let Some(fields) = meeting.as_object_mut() {
            fields.remove("participants");
            fields.entry("host_id").or_insert("simulated-host".into());
        }
        let mut ids = Vec::new();
        for file in meeting["recording_files"].as_array_mut().into_iter().flatten() {
            let Some(fields) = file.as_object_mut() else { return Err("a file is an object") };
            let id = fields.entry("id").or_insert_with(|| Uuid::new_v4().to_string().into());
            let id = id.as_str().unwrap_or_default().to_owned();
            let text = fields.remove("content").and_then(|text| Some(Bytes::from(text.as_str()?.to_owned())));
            let bytes = fields.remove("content_base64").and_then(|text| STANDARD.decode(text.as_str()?).ok());
            let bytes = text.or(bytes.map(Bytes::from)).unwrap_or_default();
            let content_type = match fields.get("file_type").and_then(Value::as_str) {
                Some("TRANSCRIPT" | "CC") => "text/vtt",
                Some("MP4") => "video/mp4",
                _ => "audio/mp4",
            };
            fields.entry("file_size").or_insert(bytes.len().into());
            fields.entry("status").or_insert("completed".into());
            fields
                .insert("download_url".to_owned(), format!("{}/rec/webhook_download/{id}", self.base).into());
            lock(&self.files).insert(id.clone(), File { bytes, content_type });
            ids.push(id);
        }
        let token = format!("download-{}", Uuid::new_v4());
        lock(&self.download_tokens).insert(token.clone(), ids);
        lock(&self.meetings).insert(uuid, Meeting { listed: meeting.clone(), participants });
        Ok(Brought { meeting, token })
    }
}

fn host(meeting: &Value) -> String {
    meeting["host_id"].as_str().unwrap_or_default().to_owned()
}
