//! Puts together what an agent is told: insights, suggestions, how urgent it is and how the customer feels.

use domain::call::Role;
use serde_json::{Value, json};

use super::{Line, Trackers, questions};
use crate::progress::Measures;

/// How far back the last turns go.
const LAST_TURNS: usize = 8;
/// Who speaks for so long without the other side is asked to stop.
const MONOLOGUE_MS: i64 = 60_000;
/// An agent who talks more than this share of the time is told so, once both have spoken for a while.
const TOO_MUCH: f64 = 0.65;
const ENOUGH_MS: i64 = 60_000;
/// The share of silence that is worth a word.
const QUIET: f64 = 0.4;
/// The topics that make a call urgent.
const URGENT: [&str; 3] = ["cancel", "legal", "escalation"];

/// How the customer feels, by the tone of the last words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mood {
    Positive,
    #[default]
    Neutral,
    Negative,
}

impl Mood {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Positive => "positive",
            Self::Neutral => "neutral",
            Self::Negative => "negative",
        }
    }
}

/// What the agent is told.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Advice {
    pub(crate) insights: Vec<String>,
    pub(crate) suggestions: Vec<String>,
    /// Where each insight stands in the call.
    pub(crate) evidence: Vec<Value>,
    pub(crate) is_urgent: bool,
}

impl Advice {
    pub(crate) fn is_empty(&self) -> bool {
        self.insights.is_empty() && self.suggestions.is_empty()
    }

    fn add(&mut self, kind: &str, insight: String, line: Option<&Line>) {
        if self.insights.contains(&insight) {
            return;
        }
        let quote = line.map(|line| json!({"text": line.text, "start_ms": line.start_ms}));
        self.evidence.push(json!({"kind": kind, "quote": quote}));
        self.insights.push(insight);
    }

    /// Adds an insight of a model, with the words that prove it.
    pub(super) fn add_proven(&mut self, kind: &str, insight: &str, quote: &str, line: &Line) {
        if self.insights.iter().any(|known| known == insight) {
            return;
        }
        self.evidence.push(json!({"kind": kind, "insight": insight,
            "quote": {"text": quote, "start_ms": line.start_ms}}));
        self.insights.push(insight.to_owned());
    }

    /// Adds a suggestion of a model, with the words that prove it.
    pub(super) fn suggest_proven(&mut self, suggestion: &str, quote: &str, line: &Line) {
        if self.suggestions.iter().any(|known| known == suggestion) {
            return;
        }
        self.evidence.push(json!({"kind": "model_suggestion", "suggestion": suggestion,
            "quote": {"text": quote, "start_ms": line.start_ms}}));
        self.suggestions.push(suggestion.to_owned());
    }

    fn suggest(&mut self, suggestion: &str) {
        if !self.suggestions.iter().any(|known| known == suggestion) {
            self.suggestions.push(suggestion.to_owned());
        }
    }
}

/// Makes the advice from the turns so far and from what was measured.
pub(crate) fn advise(lines: &[Line], measures: Measures, trackers: &Trackers) -> Advice {
    let last = &lines[lines.len().saturating_sub(LAST_TURNS)..];
    let mut advice = Advice::default();
    for line in last {
        for mention in trackers.find(&line.text) {
            let who = line
                .role
                .map_or("Somebody", |role| if role == Role::Customer { "The customer" } else { "The agent" });
            advice.add(
                mention.topic,
                format!("{who} mentioned “{}” ({}).", mention.phrase, mention.topic),
                Some(line),
            );
            if line.role != Some(Role::Agent) && URGENT.contains(&mention.topic) {
                advice.is_urgent = true;
                advice.suggest("Ask what the reason is before you offer anything.");
            }
        }
    }
    for line in questions::open(last) {
        let question = questions::question(&line.text);
        advice.add("open_question", format!("A question of the customer is open: “{question}”"), Some(line));
        advice.suggest("Answer the customer's question.");
    }
    talk(&mut advice, lines, measures);
    advice
}

#[expect(clippy::cast_precision_loss, reason = "a share needs no exact milliseconds")]
fn talk(advice: &mut Advice, lines: &[Line], measures: Measures) {
    if let Some((line, length_ms)) = monologue(lines)
        && length_ms >= MONOLOGUE_MS
    {
        let seconds = length_ms / 1_000;
        advice.add("monologue", format!("The agent has talked for {seconds} s without a break."), Some(line));
        advice.suggest("Ask the customer something.");
    }
    let talked_ms = measures.agent_ms + measures.customer_ms;
    if talked_ms >= ENOUGH_MS {
        let share = measures.agent_ms as f64 / talked_ms as f64;
        if share > TOO_MUCH {
            let percent = (share * 100.0).round();
            advice.add("talk_ratio", format!("The agent talks {percent} % of the time."), None);
            advice.suggest("Let the customer talk more.");
        }
    }
    if measures.duration_ms >= ENOUGH_MS && measures.silence_ms as f64 / measures.duration_ms as f64 > QUIET {
        let seconds = measures.silence_ms / 1_000;
        advice.add("silence", format!("Nobody spoke for {seconds} s of the call."), None);
    }
}

/// How long the agent has talked since somebody else spoke last.
fn monologue(lines: &[Line]) -> Option<(&Line, i64)> {
    let others = lines.iter().rposition(|line| line.role != Some(Role::Agent)).map_or(0, |at| at + 1);
    let (first, last) = (lines.get(others)?, lines.last()?);
    Some((first, last.end_ms - first.start_ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(role: Role, start_ms: i64, end_ms: i64, text: &str) -> Line {
        Line { role: Some(role), text: text.into(), start_ms, end_ms }
    }

    #[test]
    fn a_customer_who_wants_to_cancel_makes_the_call_urgent_and_the_words_are_shown() {
        let lines = [line(Role::Customer, 4_000, 6_000, "I want to cancel it. How long does that take?")];
        let advice = advise(&lines, Measures::default(), &Trackers::default());
        assert!(advice.is_urgent);
        assert_eq!(
            advice.insights,
            [
                "The customer mentioned “cancel” (cancel).",
                "A question of the customer is open: “How long does that take?”"
            ]
        );
        assert_eq!(advice.evidence[0]["quote"]["start_ms"], 4_000);
        assert_eq!(advice.suggestions.len(), 2);
    }

    #[test]
    fn an_agent_who_talks_too_much_is_told_so_and_one_who_listens_is_not() {
        let lines = [
            line(Role::Customer, 0, 9_000, "It broke."),
            line(Role::Agent, 9_500, 40_000, "Let me explain the whole thing."),
            line(Role::Agent, 40_500, 75_000, "There is more to explain."),
        ];
        let measures =
            Measures { duration_ms: 75_000, agent_ms: 65_000, customer_ms: 9_000, ..Measures::default() };
        let advice = advise(&lines, measures, &Trackers::default());
        let kinds: Vec<_> = advice.evidence.iter().map(|evidence| evidence["kind"].clone()).collect();
        assert_eq!(kinds, ["monologue", "talk_ratio"]);
        let fair = Measures { agent_ms: 30_000, customer_ms: 40_000, duration_ms: 75_000, ..measures };
        assert!(advise(&lines[..1], fair, &Trackers::default()).is_empty());
    }

    #[test]
    fn a_call_with_long_silence_says_so() {
        let measures = Measures { duration_ms: 100_000, silence_ms: 50_000, ..Measures::default() };
        let advice = advise(&[], measures, &Trackers::default());
        assert_eq!(advice.insights, ["Nobody spoke for 50 s of the call."]);
    }
}
