//! A call is a phone call, a meeting, a session of a voice agent or a practice meeting. This module holds its
//! identity and the details that its source gave.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use strum::{EnumString, IntoStaticStr, VariantArray, VariantNames};
use uuid::Uuid;

use crate::moment::Moment;
use crate::note::Note;

/// The id of a workspace: one company, team or client. Every row and every event belongs to one workspace, and
/// nothing may read the data of another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "sqlx", derive(sqlx::Type), sqlx(transparent))]
#[serde(transparent)]
pub struct WorkspaceId(pub Uuid);

impl WorkspaceId {
    /// The workspace that a fresh installation starts with.
    pub const DEFAULT: Self = Self(Uuid::from_u128(0x6465_6272_6965_6600_8000_0000_0000_0001));
}

/// The id of a call. It is `uuid_v5(uuid_v5(workspace, source), external id)`, so every process that sees an
/// event computes the same id without asking a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "sqlx", derive(sqlx::Type), sqlx(transparent))]
#[serde(transparent)]
pub struct CallId(pub Uuid);

impl CallId {
    pub fn derive(workspace: WorkspaceId, source: &str, external_id: &str) -> Self {
        let source = Uuid::new_v5(&workspace.0, source.as_bytes());
        Self(Uuid::new_v5(&source, external_id.as_bytes()))
    }
}

impl std::fmt::Display for WorkspaceId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::fmt::Display for CallId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// What sort of conversation a call is.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    EnumString,
    IntoStaticStr,
    VariantArray,
    VariantNames,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum CallKind {
    Phone,
    Meeting,
    /// A conversation that a voice agent held and wrote down itself.
    Session,
    /// A practice meeting. It never reaches a CRM or Slack.
    Practice,
}

impl CallKind {
    pub const ALL: &'static [Self] = <Self as VariantArray>::VARIANTS;
    pub const NAMES: &'static [&'static str] = <Self as VariantNames>::VARIANTS;

    pub const fn name(self) -> &'static str {
        self.into_str()
    }
}

#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, EnumString, IntoStaticStr, VariantNames,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum Direction {
    Incoming,
    Outgoing,
}

impl Direction {
    pub const NAMES: &'static [&'static str] = <Self as VariantNames>::VARIANTS;

    pub const fn name(self) -> &'static str {
        self.into_str()
    }
}

/// The state of a call, as people see it. It is derived from the call's stage runs.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, EnumString, IntoStaticStr, VariantNames,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum CallStatus {
    Queued,
    Processing,
    /// Something outside Debrief has to happen first: somebody must configure a provider, or a provider that is
    /// down must come back.
    Waiting,
    Completed,
    Failed,
    /// The source announced the call, but sent neither a recording nor a transcript. A later delivery can still
    /// bring one.
    NoRecording,
    /// The settings say that calls like this one are not transcribed. A later delivery can still change that.
    Filtered,
}

impl CallStatus {
    pub const NAMES: &'static [&'static str] = <Self as VariantNames>::VARIANTS;

    pub const fn name(self) -> &'static str {
        self.into_str()
    }
}

/// The part that a person plays in a call.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, EnumString, IntoStaticStr, VariantNames,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum Role {
    /// Speaks for us: a support agent, a sales person, a voice agent.
    Agent,
    Customer,
    /// Invited the others to the meeting. The host is one of us, never a customer.
    Host,
    Presenter,
    Participant,
}

impl Role {
    pub const NAMES: &'static [&'static str] = <Self as VariantNames>::VARIANTS;

    pub const fn name(self) -> &'static str {
        self.into_str()
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Participant {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
}

/// The largest number of notes on what the sources of one call sent.
pub const MAX_NOTES: usize = 100;

/// What the sources said about a call. Every field may be missing. A later delivery adds to it
/// ([`CallDetails::merge`]), and an empty value never replaces a value that is there.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CallDetails {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from_number: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to_number: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direction: Option<Direction>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Moment>,
    /// The start in the source's own text, when that text could not be read as a time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Moment>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<i64>,
    /// The source's own word for how the call ended (`completed`, `no-answer` …).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_status: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent_email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent_phone: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent_slack_handle: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub department: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer_segment: Option<String>,
    /// The subject of a meeting.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub participants: Vec<Participant>,
    /// The lead that a voice agent wrote down during a session, unchanged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lead: Option<Value>,
    /// Everything else that the source sent, under the source's own field names.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub metadata: Map<String, Value>,
    /// What was odd about what the sources sent.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Note>,
}

/// A call as the store knows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    pub id: CallId,
    pub workspace: WorkspaceId,
    /// The system that gave the call its external id: `exotel`, `twilio`, `zoom`, `upload` …
    pub source: String,
    pub external_id: String,
    pub kind: CallKind,
    pub status: CallStatus,
    /// How often the call was processed from the start. It rises by one when new material arrives from which a
    /// transcript can be made, and when a person asks to process the call again. It is 0 before the first time.
    pub generation: i64,
    pub details: CallDetails,
    pub received_at: Moment,
    pub updated_at: Moment,
}

impl CallDetails {
    /// The participants who play one of these parts.
    pub fn participants_as(&self, roles: &[Role]) -> impl Iterator<Item = &Participant> {
        self.participants.iter().filter(|who| who.role.is_some_and(|role| roles.contains(&role)))
    }

    /// How long the call was, in milliseconds, as its source said it: its duration, else the time between its start
    /// and its end.
    pub fn said_duration_ms(&self) -> Option<i64> {
        let between = || Some((self.ended_at?.micros() - self.started_at?.micros()) / 1000);
        self.duration_ms.or_else(between).filter(|duration_ms| *duration_ms >= 0)
    }

    /// Adds the values of `newer`. A field that is absent or empty in `newer` keeps its present value.
    pub fn merge(&mut self, newer: Self) {
        fn text(old: &mut Option<String>, new: Option<String>) {
            if let Some(new) = new.filter(|new| !new.trim().is_empty()) {
                *old = Some(new);
            }
        }
        text(&mut self.from_number, newer.from_number);
        text(&mut self.to_number, newer.to_number);
        text(&mut self.started_text, newer.started_text);
        text(&mut self.source_status, newer.source_status);
        text(&mut self.agent_email, newer.agent_email);
        text(&mut self.agent_name, newer.agent_name);
        text(&mut self.agent_phone, newer.agent_phone);
        text(&mut self.agent_slack_handle, newer.agent_slack_handle);
        text(&mut self.department, newer.department);
        text(&mut self.customer_segment, newer.customer_segment);
        text(&mut self.topic, newer.topic);
        self.direction = newer.direction.or(self.direction);
        self.started_at = newer.started_at.or(self.started_at);
        self.ended_at = newer.ended_at.or(self.ended_at);
        self.duration_ms = newer.duration_ms.or(self.duration_ms);
        if !newer.participants.is_empty() {
            self.participants = newer.participants;
        }
        if newer.lead.as_ref().is_some_and(|lead| !lead.is_null()) {
            self.lead = newer.lead;
        }
        for (name, value) in newer.metadata {
            if !value.is_null() {
                self.metadata.insert(name, value);
            }
        }
        for note in newer.notes {
            self.add_note(note);
        }
    }

    /// Adds a note. It takes the place of an earlier note about the same. What many deliveries say about one call is
    /// bounded, so further notes are left out when there are [`MAX_NOTES`].
    pub fn add_note(&mut self, note: Note) {
        let same = |known: &&mut Note| known.code == note.code && known.field == note.field;
        if let Some(known) = self.notes.iter_mut().find(same) {
            *known = note;
        } else if self.notes.len() < MAX_NOTES {
            self.notes.push(note);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_delivery_adds_values_and_an_empty_value_never_replaces_one() {
        let mut known = CallDetails { from_number: Some("+12025550131".into()), ..CallDetails::default() };
        known.merge(CallDetails {
            from_number: Some("  ".into()),
            department: Some("Sales".into()),
            ..CallDetails::default()
        });
        assert_eq!(known.from_number.as_deref(), Some("+12025550131"));
        assert_eq!(known.department.as_deref(), Some("Sales"));
    }

    #[test]
    fn a_later_note_about_the_same_takes_the_place_of_the_earlier_one_and_their_number_is_bounded() {
        let noted = |fields: std::ops::Range<usize>, text: &str| {
            let note = |field: usize| Note::new("time_unreadable", text).of_field(&field.to_string());
            CallDetails { notes: fields.map(note).collect(), ..CallDetails::default() }
        };
        let mut known = noted(0..2, "earlier");
        known.merge(noted(1..3, "later"));
        let texts: Vec<_> = known.notes.iter().map(|note| note.text.as_str()).collect();
        assert_eq!(texts, ["earlier", "later", "later"]);
        known.merge(noted(0..1000, "many"));
        assert_eq!(known.notes.len(), MAX_NOTES);
    }

    #[test]
    fn the_same_source_and_id_are_the_same_call_and_the_same_id_of_another_source_is_not() {
        let id = |source| CallId::derive(WorkspaceId::DEFAULT, source, "CALL-1");
        assert_eq!(id("exotel"), id("exotel"));
        assert_ne!(id("exotel"), id("twilio"));
    }
}
