//! What the listeners of a session are told, in the words of seed 001: one function for each event.

use domain::call::Role;
use domain::moment::Moment;
use serde_json::{Value, json};
use store::live::{LiveEvent, LiveTurn, NewLiveEvent};

/// The state of the session changed.
pub(crate) fn call_status(session: &str, status: &str, metadata: &Value, now: Moment) -> NewLiveEvent {
    let data = json!({"session_id": session, "status": status, "metadata": metadata, "timestamp": now});
    NewLiveEvent { kind: "call_status", data }
}

/// How far the work on the audio is. `progress` is from 0 to 1.
pub(crate) fn audio_status(session: &str, stage: &str, progress: f64, now: Moment) -> NewLiveEvent {
    let data = json!({"session_id": session, "stage": stage, "progress": progress, "timestamp": now});
    NewLiveEvent { kind: "audio_processing_status", data }
}

/// What somebody said.
pub(crate) struct Said<'a> {
    pub(crate) turn: i64,
    pub(crate) role: Option<Role>,
    /// The name of the voice, where several people speak in one channel.
    pub(crate) voice: Option<&'a str>,
    /// Whether these are the last words of the turn. What is not final is replaced by what comes next of this turn.
    pub(crate) is_final: bool,
    pub(crate) text: &'a str,
    pub(crate) confidence: Option<f64>,
    pub(crate) start_ms: i64,
    pub(crate) end_ms: i64,
}

pub(crate) fn transcript_update(session: &str, said: &Said<'_>, now: Moment) -> NewLiveEvent {
    let mut data = json!({
        "session_id": session,
        "timestamp": now,
        "speaker": speaker(said.role),
        "text": said.text,
        "confidence": said.confidence,
        "is_final": said.is_final,
        "turn": said.turn,
        "start_ms": said.start_ms,
        "end_ms": said.end_ms,
    });
    if let Some(voice) = said.voice {
        data["voice"] = json!(voice);
    }
    NewLiveEvent { kind: "transcript_update", data }
}

/// A turn has no words after all: what was told of it, while it was spoken, is to be forgotten.
pub(crate) fn taken_back(session: &str, turn: i64, at_ms: i64, now: Moment) -> NewLiveEvent {
    let nothing = Said {
        turn,
        role: None,
        voice: None,
        is_final: true,
        text: "",
        confidence: None,
        start_ms: at_ms,
        end_ms: at_ms,
    };
    transcript_update(session, &nothing, now)
}

/// The turns of streams that were told while they were spoken, and have no final words. `turns` has all of the session.
pub(crate) fn left_open(turns: &[LiveTurn]) -> impl Iterator<Item = &LiveTurn> {
    // A stream begins with a turn that is told to nobody, and has no length.
    turns.iter().filter(|turn| turn.blob.is_empty() && turn.words.is_none() && turn.end_ms > 0)
}

/// The speaker, in the words of the seed.
pub(crate) fn speaker(role: Option<Role>) -> &'static str {
    match role {
        Some(Role::Agent | Role::Host | Role::Presenter) => "agent",
        Some(Role::Customer | Role::Participant) => "customer",
        None => "unknown",
    }
}

/// An event as a listener gets it: its data, with its number.
pub(crate) fn numbered(event: LiveEvent) -> Value {
    let mut data = event.data;
    if let Some(fields) = data.as_object_mut() {
        fields.insert("seq".into(), json!(event.seq));
    }
    data
}
