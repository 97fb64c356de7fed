//! Writes one call on one page for a person: what, when and who, what was said and agreed, where it was sent, what is
//! odd, and what happened when. The page is made only from the arguments, so the functions here need neither the
//! store nor a clock.

use std::time::Duration;

use api::view::{EffectView, TimelineView};
use chrono_tz::Tz;
use domain::analysis::{ActionItem, Analysis, ContactFacts};
use domain::blank::given;
use domain::call::{Call, CallDetails, CallKind, Direction, Participant};
use domain::moment::{Moment, in_words};
use domain::note::Note;
use domain::parties::SupportLines;
use serde::Serialize;
use serde_json::Value;
use store::DeadLetter;

use super::super::print::{self, Said};
use super::oddity;

/// The longest id of another system that is shown in full.
const MAX_ID_CHARS: usize = 40;
/// How many lines of the timeline are shown. The newest ones are kept.
const MAX_TIMELINE: usize = 40;

/// What the store knows about the call, and the settings with which the page is written.
pub(super) struct Shown<'a> {
    pub(super) call: &'a Call,
    pub(super) lines: &'a SupportLines,
    /// The time zone in which times are shown.
    pub(super) timezone: Tz,
    pub(super) analysis: Option<&'a Analysis>,
    pub(super) timeline: &'a TimelineView,
    /// The dead letters of this call that were not replayed.
    pub(super) letters: &'a [DeadLetter],
    pub(super) notes: &'a [Note],
}

pub(super) fn page(shown: &Shown<'_>) -> String {
    let Shown { call, analysis, .. } = shown;
    let title = match call.kind {
        CallKind::Phone => "Phone call",
        CallKind::Meeting => "Meeting",
        CallKind::Session => "Session of a voice agent",
        CallKind::Practice => "Practice meeting",
    };
    let name = given(call.details.topic.as_ref()).unwrap_or(&call.external_id);
    let odd = oddity::oddities(shown.call, shown.timeline, shown.letters, shown.notes, shown.timezone);
    let odd = if odd.is_empty() { vec!["nothing".to_owned()] } else { odd };
    let groups = [
        facts(shown),
        analysis.map(meaning).unwrap_or_default(),
        vec![("Where it went", destinations(shown.timeline))],
        vec![("What is odd", odd)],
        vec![("Timeline", timeline(shown))],
    ];
    print::page(&format!("{title}: {name}"), &groups)
}

fn facts(shown: &Shown<'_>) -> Vec<Said> {
    let Shown { call, lines, timezone, .. } = shown;
    let details = &call.details;
    let parties = lines.parties(call);
    let started = details.started_at.map(|at| print::time(at, *timezone));
    let started = started.or_else(|| given(details.started_text.as_ref()).map(str::to_owned));
    let length = details.said_duration_ms().and_then(|ms| u64::try_from(ms).ok());
    let length = length.map(|ms| in_words(Duration::from_millis(ms)));
    let agent = [&details.agent_name, &details.agent_slack_handle, &details.agent_phone];
    let agent = agent.into_iter().filter_map(|text| given(text.as_ref()));
    let direction = parties.known_direction.map(Direction::name);
    vec![
        ("Status", vec![call.status.name().replace('_', " ")]),
        ("When", joined(started.into_iter().chain(length))),
        ("Direction", one(direction)),
        ("Customer", one(parties.customer)),
        ("Our number", one(parties.support)),
        ("Agent", joined(agent.map(str::to_owned))),
        ("Department", one(given(details.department.as_ref()))),
        ("Customer segment", one(given(details.customer_segment.as_ref()))),
        ("Who was there", details.participants.iter().filter_map(person).collect()),
        ("Files", joined(files(details))),
        ("Source", vec![format!("{}, its id there: {}", call.source, call.external_id)]),
        ("Our id", vec![call.id.to_string()]),
    ]
}

/// The names of the files from which the call was imported.
fn files(details: &CallDetails) -> impl Iterator<Item = String> {
    let named = |name: &str| details.metadata.get(name).cloned().unwrap_or_default();
    let others = match named("other_file_names") {
        Value::Array(others) => others,
        _ => Vec::new(),
    };
    std::iter::once(named("file_name")).chain(others).filter_map(|file| Some(file.as_str()?.to_owned()))
}

fn one(text: Option<&str>) -> Vec<String> {
    text.map(str::to_owned).into_iter().collect()
}

/// Joins the parts that are known into one line, with commas between them.
fn joined(parts: impl Iterator<Item = String>) -> Vec<String> {
    let parts: Vec<String> = parts.collect();
    if parts.is_empty() { Vec::new() } else { vec![parts.join(", ")] }
}

fn person(of: &Participant) -> Option<String> {
    let known: Vec<&str> =
        [&of.name, &of.email, &of.phone].into_iter().filter_map(|text| given(text.as_ref())).collect();
    let role = of.role.map(|role| format!(" ({})", role.name())).unwrap_or_default();
    (!known.is_empty()).then(|| format!("• {}{role}", known.join(", ")))
}

fn meaning(analysis: &Analysis) -> Vec<Said> {
    let bullets = |texts: &[String]| texts.iter().map(|text| format!("• {text}")).collect();
    let judged = [
        format!("{} tone", word(&analysis.tone)),
        word(&analysis.category),
        word(&analysis.resolution),
        format!("{} priority", word(&analysis.priority)),
        format!("analysed by {}", analysis.analyzer),
    ];
    vec![
        ("Summary", one(given(Some(&analysis.summary)))),
        ("Key points", bullets(&analysis.key_points)),
        ("Action items", analysis.action_items.iter().map(action_item).collect()),
        ("Requests", bullets(&analysis.customer_requests)),
        ("Contacts", analysis.contacts.iter().map(contact).collect()),
        ("Judged", joined(judged.into_iter())),
    ]
}

fn action_item(item: &ActionItem) -> String {
    let part = |name: &str, text: Option<&String>| given(text).map(|text| format!("{name}: {text}"));
    let parts: Vec<String> =
        [part("owner", item.owner.as_ref()), part("due", item.due.as_ref())].into_iter().flatten().collect();
    if parts.is_empty() {
        format!("• {}", item.text)
    } else {
        format!("• {} ({})", item.text, parts.join(", "))
    }
}

fn contact(of: &ContactFacts) -> String {
    let facts: Vec<String> =
        of.facts.iter().map(|fact| format!("{} {}", word(&fact.field), fact.value)).collect();
    format!("• {}: {}", of.name, facts.join(", "))
}

/// Turns the name of an enum's variant into words: `general_inquiry` becomes `general inquiry`.
fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(name)) => name.replace('_', " ").to_lowercase(),
        _ => String::new(),
    }
}

fn destinations(timeline: &TimelineView) -> Vec<String> {
    if timeline.effects.is_empty() {
        return vec!["nowhere".to_owned()];
    }
    let line = |effect: &EffectView| {
        // An incoming webhook of Slack answers `ok` and gives no id.
        let there = effect.remote_id.as_deref().filter(|id| id.contains(|c: char| c.is_ascii_digit()));
        let there = there.map(|id| format!(", {}", short(id))).unwrap_or_default();
        let state = effect.state.replace('_', " ");
        format!("{} {}: {state}{there}", effect.target, short(&effect.object))
    };
    timeline.effects.iter().map(line).collect()
}

fn short(id: &str) -> String {
    match id.char_indices().nth(MAX_ID_CHARS) {
        Some((end, _)) => format!("{}…", &id[..end]),
        None => id.to_owned(),
    }
}

fn timeline(shown: &Shown<'_>) -> Vec<String> {
    let TimelineView { materials, stages, earlier, transcription, .. } = shown.timeline;
    let mut happened: Vec<(Moment, String)> = Vec::new();
    for material in materials {
        let what = match material.kind.as_str() {
            "announcement" => "announced, without anything to make a transcript from".to_owned(),
            kind => format!("{kind} arrived"),
        };
        happened.push((material.received_at, what));
    }
    for attempt in transcription {
        let ended = Ended {
            attempts: attempt.tries,
            duration_ms: Some(attempt.duration_ms),
            code: attempt.error_code.as_deref(),
        };
        let what = match attempt.outcome.as_str() {
            "transcribed" => "transcribed the recording",
            "refused" => "did not transcribe the recording",
            "unavailable" => "was away",
            "throttled" => "had no room",
            _ => "failed",
        };
        let ended = ended.to_string();
        let how = ended.strip_prefix(", ").map(|how| format!(" ({how})")).unwrap_or_default();
        happened.push((attempt.last_at, format!("{} {what}{how}", attempt.provider)));
    }
    for run in earlier {
        let ended =
            Ended { attempts: run.attempts, duration_ms: run.duration_ms, code: run.error_code.as_deref() };
        happened.push((run.finished_at, format!("{} {} (earlier{ended})", run.stage, run.state)));
    }
    for run in stages {
        let ended =
            Ended { attempts: run.attempts, duration_ms: run.duration_ms, code: run.error_code.as_deref() };
        let at = run.finished_at.or(run.started_at).unwrap_or(run.since);
        let ended = ended.to_string();
        let how = ended.strip_prefix(", ").map(|how| format!(" ({how})")).unwrap_or_default();
        happened.push((at, format!("{} {}{how}", run.stage, run.state)));
    }
    happened.sort_by_key(|(at, _)| *at);
    let left_out = happened.len().saturating_sub(MAX_TIMELINE);
    let line = |(at, what): &(Moment, String)| {
        format!("{}  {what}", at.utc().with_timezone(&shown.timezone).format("%Y-%m-%d %H:%M:%S"))
    };
    let shown_lines = happened.iter().skip(left_out).map(line);
    let note = (left_out > 0).then(|| format!("({left_out} earlier lines are left out)"));
    note.into_iter().chain(shown_lines).collect()
}

/// Writes in short how a run ended. Each part begins with a comma.
struct Ended<'a> {
    attempts: i64,
    duration_ms: Option<i64>,
    code: Option<&'a str>,
}

impl std::fmt::Display for Ended<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(ms) = self.duration_ms.and_then(|ms| u64::try_from(ms).ok()) {
            write!(f, ", {}", in_words(Duration::from_millis(ms)))?;
        }
        if self.attempts > 1 {
            write!(f, ", {} attempts", self.attempts)?;
        }
        match self.code {
            Some(code) => write!(f, ", {code}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
