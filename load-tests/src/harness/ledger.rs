//! What was sent and accepted, and whether every promise about it was kept.
//!
//! The senders write down each call that they send, and whether it was answered with 2xx. In the end every accepted call
//! must have ended in a way that a person can see, and each thing that it makes at a provider must have been made once.
//! The only excuse is an effect that Debrief shows as unknown.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use simulators::assemblyai;

use super::seen::{CallState, Key, OpenEffect, Seen};

/// What is known of a call that was sent.
#[derive(Clone, Debug, Default)]
struct SentCall {
    /// The things that the call has made once it is completed, each of them once.
    makes: Vec<Key>,
    /// The number of times that the call was answered with 2xx.
    accepted: u64,
    /// An answer that is neither 2xx nor one after which a sender tries again.
    refused: Option<String>,
}

/// How an accepted call ended.
enum CallEnd {
    Completed,
    Dead,
    Waiting,
    /// The call stands still until a person says what became of an effect.
    InDoubt,
    /// The call has not ended, or it has ended in a way that is not allowed. The text says why.
    Broken(String),
}

impl Seen {
    fn end_of(&self, id: &str, sent: &SentCall, allowed: &Allowed) -> CallEnd {
        let Some(CallState { id: own_id, status }) = self.calls.get(id) else {
            return CallEnd::Broken(format!("call {id} was accepted, and Debrief does not know it"));
        };
        let is_in_doubt = allowed.unknown
            && self.open_effects.iter().any(|effect| effect.call == *own_id && effect.state == "unknown");
        match status.as_str() {
            "completed" => {
                let is_missing = |key: &&Key| !self.made.contains_key(key) && !self.is_in_doubt(id, key);
                match sent.makes.iter().find(is_missing) {
                    Some(key) => CallEnd::Broken(format!("call {id} is completed, but {key} was never made")),
                    None => CallEnd::Completed,
                }
            }
            "failed" if !self.dead_letters.contains(own_id) => {
                CallEnd::Broken(format!("call {id} has failed, and no dead letter says so"))
            }
            "failed" if allowed.dead => CallEnd::Dead,
            "failed" => CallEnd::Broken(format!("call {id} is dead")),
            "waiting" | "no_recording" if allowed.waiting => CallEnd::Waiting,
            _ if is_in_doubt => CallEnd::InDoubt,
            other => CallEnd::Broken(format!("call {id} ({own_id}) is still {other}")),
        }
    }

    /// Whether Debrief shows that nobody knows if `key` was made. `call` is the id that the source gave the call.
    fn is_in_doubt(&self, call: &str, key: &Key) -> bool {
        let own_id = self.calls.get(call).map(|state| state.id.as_str());
        // A thing that calls share, such as a contact, is named by its object, whichever call it is listed under.
        let is_it =
            |effect: &OpenEffect| Some(effect.call.as_str()) == own_id || effect.object.ends_with(&key.key);
        let in_doubt = self.open_effects.iter().filter(|effect| effect.is_in_doubt());
        in_doubt.into_iter().any(|effect| effect.target == key.provider && is_it(effect))
    }
}

/// What a fault may lead to beside completed calls. By default this is nothing.
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

    /// Calls may wait for something from outside (`waiting`, `no_recording`).
    pub fn waiting(self) -> Self {
        Self { waiting: true, ..self }
    }

    /// Effects may be shown as unknown, and their calls may stand still because of it.
    pub fn unknown(self) -> Self {
        Self { unknown: true, ..self }
    }

    /// A recording may be submitted to the transcription provider so many times more. Nobody can ask the provider
    /// whether it has a recording, so each kill may cost one more submission.
    pub fn resubmitted(self, times: u64) -> Self {
        Self { resubmitted: times, ..self }
    }
}

/// What became of everything that was sent.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    pub accepted: u64,
    pub done: u64,
    pub dead: u64,
    pub waiting: u64,
    /// The number of things of which nobody knows whether they were made, as Debrief shows them.
    pub unknown: u64,
    /// The number of times that a thing was made after the first time, when this was not allowed.
    pub duplicates: u64,
    /// The number of times that a recording was submitted again, as it was allowed.
    pub resubmitted: u64,
    /// Every broken promise, with ids. The run holds when there is none.
    pub broken: Vec<String>,
}

impl Verdict {
    pub fn holds(&self) -> bool {
        self.broken.is_empty()
    }

    /// Adds a broken promise that a fault run found itself.
    pub fn add_broken(&mut self, promise: impl Into<String>) {
        self.broken.push(promise.into());
    }

    /// Adds a broken promise unless `is_kept`.
    pub fn demand(&mut self, is_kept: bool, promise: impl Into<String>) {
        if !is_kept {
            self.add_broken(promise);
        }
    }
}

/// Everything that was sent. All senders share it.
#[derive(Debug, Default)]
pub struct Ledger {
    /// The calls by the ids that their source gave them.
    sent: Mutex<BTreeMap<String, SentCall>>,
}

impl Ledger {
    /// Notes that a call is about to be sent. From now on Debrief may know it, whatever it answers.
    pub fn sending(&self, call: &str, makes: &[Key]) {
        let mut sent = self.lock();
        let entry = sent.entry(call.to_owned()).or_default();
        if entry.makes.is_empty() {
            entry.makes = makes.to_vec();
        }
    }

    /// Notes that a call was answered with 2xx.
    pub fn accepted(&self, call: &str) {
        self.lock().entry(call.to_owned()).or_default().accepted += 1;
    }

    /// Notes that a call got an answer after which no sender tries again.
    pub fn refused(&self, call: &str, answer: String) {
        self.lock().entry(call.to_owned()).or_default().refused = Some(answer);
    }

    /// Returns the number of accepted calls.
    pub fn accepted_calls(&self) -> u64 {
        self.lock().values().map(|sent| u64::from(sent.accepted > 0)).sum()
    }

    /// Returns the ids of the accepted calls, as their source gave them.
    pub fn accepted_ids(&self) -> Vec<String> {
        let sent = self.lock();
        sent.iter().filter(|(_, sent)| sent.accepted > 0).map(|(id, _)| id.clone()).collect()
    }

    /// Returns a text for each accepted call that has not ended, or has ended in a way that is not allowed.
    pub fn unfinished(&self, seen: &Seen, allowed: &Allowed) -> Vec<String> {
        let sent = self.lock();
        let accepted = sent.iter().filter(|(_, sent)| sent.accepted > 0);
        let ends = accepted.map(|(id, sent)| seen.end_of(id, sent, allowed));
        ends.filter_map(|end| if let CallEnd::Broken(why) = end { Some(why) } else { None }).collect()
    }

    /// Compares what was sent with what is there.
    pub fn check(&self, seen: &Seen, allowed: &Allowed) -> Verdict {
        let sent = self.lock();
        let mut verdict = Verdict::default();
        for (id, sent) in sent.iter() {
            if let Some(answer) = &sent.refused {
                verdict.add_broken(format!("call {id} was refused: {answer}"));
            }
            if sent.accepted == 0 {
                continue;
            }
            verdict.accepted += 1;
            match seen.end_of(id, sent, allowed) {
                CallEnd::Completed => verdict.done += 1,
                CallEnd::Dead => verdict.dead += 1,
                CallEnd::Waiting => verdict.waiting += 1,
                // The effects of the call are counted below.
                CallEnd::InDoubt => {}
                CallEnd::Broken(why) => verdict.add_broken(why),
            }
        }
        check_made(&sent, seen, allowed, &mut verdict);
        let in_doubt = || seen.open_effects.iter().filter(|effect| effect.is_in_doubt());
        verdict.unknown = in_doubt().map(|_| 1).sum();
        if !allowed.unknown {
            for OpenEffect { call, target, object, state } in in_doubt() {
                verdict.add_broken(format!("{target} {object}, of call {call}, is {state}"));
            }
        }
        verdict
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, SentCall>> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Checks that everything was made for a call that somebody sent, and was made once.
fn check_made(sent: &BTreeMap<String, SentCall>, seen: &Seen, allowed: &Allowed, verdict: &mut Verdict) {
    let calls: BTreeMap<&Key, &str> =
        sent.iter().flat_map(|(id, sent)| sent.makes.iter().map(move |key| (key, id.as_str()))).collect();
    for (key, times) in &seen.made {
        let Some(call) = calls.get(key) else {
            verdict.add_broken(format!("{key} was made, but nobody sent its call"));
            continue;
        };
        let again = times.saturating_sub(1);
        if again == 0 {
            continue;
        }
        if key.provider == assemblyai::PROVIDER.name && again <= allowed.resubmitted {
            verdict.resubmitted += again;
        } else if !(allowed.unknown && seen.is_in_doubt(call, key)) {
            verdict.duplicates += again;
            verdict.add_broken(format!("{key}, of call {call}, was made {times} times"));
        }
    }
}

#[cfg(test)]
mod tests {
    use simulators::slack;

    use super::*;

    const POST: &str = "post";

    /// One call that was accepted and has this status. Its post was made so many times.
    fn world(status: &str, posts: u64) -> (Ledger, Seen) {
        let ledger = Ledger::default();
        let key = Key::new(&slack::PROVIDER, POST, "a");
        ledger.sending("a", std::slice::from_ref(&key));
        ledger.accepted("a");
        let mut seen = Seen::default();
        seen.calls.insert("a".into(), CallState { id: "1".into(), status: status.into() });
        if posts > 0 {
            seen.made.insert(key, posts);
        }
        (ledger, seen)
    }

    fn open_effect(state: &str) -> OpenEffect {
        OpenEffect { call: "1".into(), target: "slack".into(), object: POST.into(), state: state.into() }
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
    fn an_accepted_call_that_debrief_does_not_know_is_lost() {
        let (ledger, mut seen) = world("completed", 0);
        seen.calls.clear();
        let allowed = Allowed::nothing().dead().waiting().unknown();
        assert_eq!(broken(&ledger, &seen, &allowed), ["call a was accepted, and Debrief does not know it"]);
    }

    #[test]
    fn a_completed_call_without_its_post_breaks_the_promise() {
        let (ledger, seen) = world("completed", 0);
        let allowed = Allowed::nothing().unknown();
        let expected = ["call a is completed, but slack post a was never made"];
        assert_eq!(broken(&ledger, &seen, &allowed), expected);
    }

    #[test]
    fn a_second_post_is_a_duplicate_unless_it_is_shown_as_unknown() {
        let (ledger, mut seen) = world("completed", 2);
        let allowed = Allowed::nothing().unknown();
        let verdict = ledger.check(&seen, &allowed);
        assert_eq!((verdict.duplicates, verdict.broken.len()), (1, 1));
        seen.open_effects.push(open_effect("unknown"));
        assert!(ledger.check(&seen, &allowed).holds());
        assert!(!ledger.check(&seen, &Allowed::nothing()).holds());
    }

    #[test]
    fn a_dead_call_needs_a_dead_letter_and_has_to_be_allowed() {
        let (ledger, mut seen) = world("failed", 0);
        let allowed = Allowed::nothing().dead();
        assert_eq!(broken(&ledger, &seen, &allowed), ["call a has failed, and no dead letter says so"]);
        seen.dead_letters.insert("1".into());
        assert_eq!(ledger.check(&seen, &allowed).dead, 1);
        assert_eq!(broken(&ledger, &seen, &Allowed::nothing()), ["call a is dead"]);
    }

    #[test]
    fn a_call_with_an_intent_has_not_ended_and_one_with_an_unknown_effect_has() {
        let (ledger, mut seen) = world("processing", 0);
        let allowed = Allowed::nothing().unknown();
        seen.open_effects.push(open_effect("intent"));
        assert_eq!(ledger.unfinished(&seen, &allowed), ["call a (1) is still processing"]);
        seen.open_effects = vec![open_effect("unknown")];
        assert!(ledger.unfinished(&seen, &allowed).is_empty());
        assert_eq!(ledger.check(&seen, &allowed).unknown, 1);
    }

    #[test]
    fn a_recording_may_be_submitted_again_only_as_often_as_allowed() {
        let (ledger, mut seen) = world("completed", 1);
        let key = Key::new(&assemblyai::PROVIDER, "transcript", "digest");
        ledger.sending("b", std::slice::from_ref(&key));
        seen.made.insert(key, 2);
        assert!(!ledger.check(&seen, &Allowed::nothing()).holds());
        assert_eq!(ledger.check(&seen, &Allowed::nothing().resubmitted(1)).resubmitted, 1);
    }

    #[test]
    fn a_thing_without_a_call_and_a_refused_call_break_the_promise() {
        let (ledger, mut seen) = world("completed", 1);
        ledger.refused("b", "422 no".into());
        seen.made.insert(Key::new(&slack::PROVIDER, POST, "c"), 1);
        let found = broken(&ledger, &seen, &Allowed::nothing());
        assert_eq!(found.len(), 2, "{found:?}");
    }
}
