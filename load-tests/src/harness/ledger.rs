//! What was accepted, and whether every bit of it ended well.
//!
//! Whoever sends writes down what it sends, and what of it was answered with 2xx. Afterwards every accepted
//! call has to have ended where a person can see it, and what it was to change at a provider has to have
//! been changed once. What Debrief shows as unknown is the only excuse.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

const UNKNOWN: &str = "unknown";
/// It cannot be asked what it has.
const TRANSCRIBER: &str = "assemblyai";

/// A thing that a call makes at a provider, by the simulator's own names: (`slack`, `post`, the call's id).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// The simulator, and what Debrief calls the destination.
    pub provider: &'static str,
    /// As the simulator counts it.
    pub kind: &'static str,
    pub key: String,
}

impl Key {
    pub fn new(provider: &'static str, kind: &'static str, key: impl Into<String>) -> Self {
        Self { provider, kind, key: key.into() }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.provider, self.kind, self.key)
    }
}

/// What is known of a call that was sent.
#[derive(Clone, Debug, Default)]
struct Sent {
    /// What a completed call has made, once each.
    makes: Vec<Key>,
    /// How often it was answered with 2xx.
    accepted: u64,
    /// An answer that is neither 2xx nor one that asks to send again.
    refused: Option<String>,
}

/// Where a call stands, as the API says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stand {
    /// Debrief's own id of it.
    pub id: String,
    pub status: String,
}

/// An effect that is not confirmed, as the API lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    /// Debrief's own id of the call.
    pub call: String,
    /// The destination: `slack`, `salesforce`, `call_data`, `assemblyai`.
    pub target: String,
    pub object: String,
    pub state: String,
}

/// How an accepted call ended.
enum End {
    Done,
    Dead,
    Waits,
    /// It stands still until somebody says what became of an effect.
    InDoubt,
    /// Not at all, or in a way that is not allowed; why.
    No(String),
}

impl Seen {
    fn end(&self, id: &str, sent: &Sent, allowed: &Allowed) -> End {
        let Some(Stand { id: ours, status }) = self.calls.get(id) else {
            return End::No(format!("{id} was accepted, and is nowhere"));
        };
        let is_in_doubt =
            allowed.unknown && self.open.iter().any(|effect| effect.call == *ours && effect.state == UNKNOWN);
        match status.as_str() {
            "completed" => {
                let is_missing = |key: &&Key| !self.made.contains_key(key) && !self.is_in_doubt(id, key);
                match sent.makes.iter().find(is_missing) {
                    Some(key) => End::No(format!("{id} is completed, and {key} was never made")),
                    None => End::Done,
                }
            }
            "failed" if !self.dead_letters.contains(ours) => {
                End::No(format!("{id} has failed, and no dead letter says so"))
            }
            "failed" if allowed.dead => End::Dead,
            "failed" => End::No(format!("{id} is dead")),
            "waiting" | "no_recording" if allowed.waiting => End::Waits,
            _ if is_in_doubt => End::InDoubt,
            other => End::No(format!("{id} ({ours}) is still {other}")),
        }
    }

    /// Whether Debrief says that nobody knows what became of `key`, of the call that its source calls `call`.
    fn is_in_doubt(&self, call: &str, key: &Key) -> bool {
        let ours = self.calls.get(call).map(|stand| stand.id.as_str());
        // A shared thing, such as a contact, is named by its object, whatever call it is listed for.
        let is_it = |effect: &Open| Some(effect.call.as_str()) == ours || effect.object.ends_with(&key.key);
        self.open.iter().any(|effect| effect.is_in_doubt() && effect.target == key.provider && is_it(effect))
    }
}

impl Open {
    /// Whether it says that nobody knows.
    fn is_in_doubt(&self) -> bool {
        matches!(self.state.as_str(), "intent" | UNKNOWN)
    }
}

/// What Debrief says, and what the simulators counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// By the source's id of the call.
    pub calls: BTreeMap<String, Stand>,
    /// The calls that a listed dead letter names, by Debrief's own id.
    pub dead_letters: BTreeSet<String>,
    pub open: Vec<Open>,
    /// How often each thing was made.
    pub made: BTreeMap<Key, u64>,
}

/// What a fault may lead to beside completed calls. The default is nothing.
#[derive(Clone, Debug, Default)]
pub struct Allowed {
    dead: bool,
    waiting: bool,
    unknown: bool,
    resubmitted: u64,
}

impl Allowed {
    /// Every accepted call is completed, and everything was made once.
    pub fn nothing() -> Self {
        Self::default()
    }

    /// Calls may be dead, each with a dead letter.
    pub fn dead(self) -> Self {
        Self { dead: true, ..self }
    }

    /// Calls may wait for something outside (`waiting`, `no_recording`).
    pub fn waiting(self) -> Self {
        Self { waiting: true, ..self }
    }

    /// Effects may be shown as unknown, and their calls stand still for it.
    pub fn unknown(self) -> Self {
        Self { unknown: true, ..self }
    }

    /// A recording may be submitted so many times more to the transcription provider, which cannot be asked
    /// whether it has it: once for every kill.
    pub fn resubmitted(self, times: u64) -> Self {
        Self { resubmitted: times, ..self }
    }
}

/// What became of everything.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    pub accepted: u64,
    pub done: u64,
    pub dead: u64,
    pub waiting: u64,
    /// Things of which Debrief says that nobody knows whether they were made.
    pub unknown: u64,
    /// Times that a thing was made beyond the first, where that was not allowed.
    pub duplicates: u64,
    /// Times that a recording was submitted again, as allowed.
    pub resubmitted: u64,
    /// Every broken promise, with the ids. Empty: it holds.
    pub broken: Vec<String>,
}

impl Verdict {
    pub fn holds(&self) -> bool {
        self.broken.is_empty()
    }

    /// Adds what a scenario itself found broken.
    pub fn broke(&mut self, what: impl Into<String>) {
        self.broken.push(what.into());
    }

    /// Adds `what` unless it is so.
    pub fn demand(&mut self, is_so: bool, what: impl Into<String>) {
        if !is_so {
            self.broke(what);
        }
    }
}

/// Everything that was sent. Shared by all senders.
#[derive(Debug, Default)]
pub struct Ledger {
    sent: Mutex<BTreeMap<String, Sent>>,
}

impl Ledger {
    /// Before the first try: from here on the call may be known, whatever the answer.
    pub fn sending(&self, call: &str, makes: &[Key]) {
        let mut sent = self.lock();
        let entry = sent.entry(call.to_owned()).or_default();
        if entry.makes.is_empty() {
            entry.makes = makes.to_vec();
        }
    }

    /// It was answered with 2xx.
    pub fn accepted(&self, call: &str) {
        self.lock().entry(call.to_owned()).or_default().accepted += 1;
    }

    /// It was answered with what no sender tries again.
    pub fn refused(&self, call: &str, answer: String) {
        self.lock().entry(call.to_owned()).or_default().refused = Some(answer);
    }

    /// How many calls were accepted.
    pub fn accepted_calls(&self) -> u64 {
        self.lock().values().map(|sent| u64::from(sent.accepted > 0)).sum()
    }

    /// The accepted calls' ids, as their source gave them.
    pub fn accepted_ids(&self) -> Vec<String> {
        let sent = self.lock();
        sent.iter().filter(|(_, sent)| sent.accepted > 0).map(|(id, _)| id.clone()).collect()
    }

    /// The accepted calls that have not come to an end, and why that is none.
    pub fn unfinished(&self, seen: &Seen, allowed: &Allowed) -> Vec<String> {
        let sent = self.lock();
        let accepted = sent.iter().filter(|(_, sent)| sent.accepted > 0);
        let ends = accepted.map(|(id, sent)| seen.end(id, sent, allowed));
        ends.filter_map(|end| if let End::No(why) = end { Some(why) } else { None }).collect()
    }

    /// Compares what was sent with what is there.
    pub fn check(&self, seen: &Seen, allowed: &Allowed) -> Verdict {
        let sent = self.lock();
        let mut verdict = Verdict::default();
        for (id, sent) in sent.iter() {
            if let Some(answer) = &sent.refused {
                verdict.broke(format!("{id} was refused: {answer}"));
            }
            if sent.accepted == 0 {
                continue;
            }
            verdict.accepted += 1;
            match seen.end(id, sent, allowed) {
                End::Done => verdict.done += 1,
                End::Dead => verdict.dead += 1,
                End::Waits => verdict.waiting += 1,
                // It is counted by its effects.
                End::InDoubt => {}
                End::No(why) => verdict.broke(why),
            }
        }
        let owners: BTreeMap<&Key, &str> =
            sent.iter().flat_map(|(id, sent)| sent.makes.iter().map(move |key| (key, id.as_str()))).collect();
        for (key, times) in &seen.made {
            let Some(call) = owners.get(key) else {
                verdict.broke(format!("{key} was made, of which nobody sent the call"));
                continue;
            };
            let again = times.saturating_sub(1);
            if again == 0 {
            } else if key.provider == TRANSCRIBER && again <= allowed.resubmitted {
                verdict.resubmitted += again;
            } else if !(allowed.unknown && seen.is_in_doubt(call, key)) {
                verdict.duplicates += again;
                verdict.broke(format!("{key}, of call {call}, was made {times} times"));
            }
        }
        verdict.unknown = seen.open.iter().filter(|effect| effect.is_in_doubt()).map(|_| 1).sum();
        if !allowed.unknown {
            for effect in seen.open.iter().filter(|effect| effect.is_in_doubt()) {
                let Open { call, target, object, state } = effect;
                verdict.broke(format!("{target} {object}, of call {call}, is {state}"));
            }
        }
        verdict
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Sent>> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POST: &str = "post";

    /// One call that was accepted and stands so, with its post made so many times.
    fn world(status: &str, posts: u64) -> (Ledger, Seen) {
        let ledger = Ledger::default();
        let key = Key::new("slack", POST, "a");
        ledger.sending("a", std::slice::from_ref(&key));
        ledger.accepted("a");
        let mut seen = Seen::default();
        seen.calls.insert("a".into(), Stand { id: "1".into(), status: status.into() });
        if posts > 0 {
            seen.made.insert(key, posts);
        }
        (ledger, seen)
    }

    fn in_doubt(state: &str) -> Open {
        Open { call: "1".into(), target: "slack".into(), object: POST.into(), state: state.into() }
    }

    fn broken(ledger: &Ledger, seen: &Seen, allowed: &Allowed) -> Vec<String> {
        ledger.check(seen, allowed).broken
    }

    #[test]
    fn a_call_that_is_completed_with_its_post_keeps_the_promise() {
        let (ledger, seen) = world("completed", 1);
        let verdict = ledger.check(&seen, &Allowed::nothing());
        assert!(verdict.holds(), "{verdict:?}");
        assert_eq!((verdict.accepted, verdict.done), (1, 1));
    }

    #[test]
    fn what_was_accepted_and_is_nowhere_is_lost() {
        let (ledger, mut seen) = world("completed", 0);
        seen.calls.clear();
        let allowed = Allowed::nothing().dead().waiting().unknown();
        assert_eq!(broken(&ledger, &seen, &allowed), ["a was accepted, and is nowhere"]);
    }

    #[test]
    fn a_completed_call_without_its_post_is_silent_loss() {
        let (ledger, seen) = world("completed", 0);
        let allowed = Allowed::nothing().unknown();
        assert_eq!(broken(&ledger, &seen, &allowed), ["a is completed, and slack post a was never made"]);
    }

    #[test]
    fn a_second_post_is_a_duplicate_unless_it_is_shown_as_unknown() {
        let (ledger, mut seen) = world("completed", 2);
        let allowed = Allowed::nothing().unknown();
        let verdict = ledger.check(&seen, &allowed);
        assert_eq!((verdict.duplicates, verdict.broken.len()), (1, 1));
        seen.open.push(in_doubt("unknown"));
        assert!(ledger.check(&seen, &allowed).holds());
        assert!(!ledger.check(&seen, &Allowed::nothing()).holds());
    }

    #[test]
    fn a_dead_call_needs_a_dead_letter_and_leave() {
        let (ledger, mut seen) = world("failed", 0);
        let allowed = Allowed::nothing().dead();
        assert_eq!(broken(&ledger, &seen, &allowed), ["a has failed, and no dead letter says so"]);
        seen.dead_letters.insert("1".into());
        assert_eq!(ledger.check(&seen, &allowed).dead, 1);
        assert_eq!(broken(&ledger, &seen, &Allowed::nothing()), ["a is dead"]);
    }

    #[test]
    fn an_intent_has_not_ended_and_an_unknown_effect_has() {
        let (ledger, mut seen) = world("processing", 0);
        let allowed = Allowed::nothing().unknown();
        seen.open.push(in_doubt("intent"));
        assert_eq!(ledger.unfinished(&seen, &allowed), ["a (1) is still processing"]);
        seen.open = vec![in_doubt("unknown")];
        assert!(ledger.unfinished(&seen, &allowed).is_empty());
        assert_eq!(ledger.check(&seen, &allowed).unknown, 1);
    }

    #[test]
    fn a_recording_may_be_submitted_again_only_as_often_as_allowed() {
        let (ledger, mut seen) = world("completed", 1);
        let key = Key::new("assemblyai", "transcript", "digest");
        ledger.sending("b", std::slice::from_ref(&key));
        seen.made.insert(key, 2);
        assert!(!ledger.check(&seen, &Allowed::nothing()).holds());
        assert_eq!(ledger.check(&seen, &Allowed::nothing().resubmitted(1)).resubmitted, 1);
    }

    #[test]
    fn what_nobody_sent_and_what_was_refused_are_told() {
        let (ledger, mut seen) = world("completed", 1);
        ledger.refused("b", "422 no".into());
        seen.made.insert(Key::new("slack", POST, "c"), 1);
        let found = broken(&ledger, &seen, &Allowed::nothing());
        assert_eq!(found.len(), 2, "{found:?}");
    }
}
