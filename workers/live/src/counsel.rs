//! Tells the listeners advice and summaries while the call goes on: not with every turn, but soon after one.

use std::sync::Arc;
use std::time::Duration;

use domain::analysis::{Analysis, Sentiment};
use domain::call::{Call, Role};
use domain::moment::Moment;
use domain::transcript::{Segment, Transcript};
use serde_json::{Value, json};
use store::live::NewLiveEvent;

use crate::help::{Advice, Card, Line, Mood, advise};
use crate::progress::Progress;
use crate::settings::Settings;

/// The shortest time between two events with advice, and between two summaries, in microseconds.
const ADVISE_EVERY: i64 = 2_000_000;
const SUM_UP_EVERY: i64 = 20_000_000;
/// How many new turns are worth a new summary.
const NEW_TURNS: i64 = 3;
/// How many of the last lines are searched for cards, and how many cards are shown at once and in one call.
const CARD_LINES: usize = 3;
const CARDS: usize = 2;
const MOST_CARDS: usize = 200;
/// How many of the last lines of the customer tell the mood.
const MOOD_LINES: usize = 4;

/// Makes the analysis of what was said so far, without a model: from the transcript, and from the names of the people.
pub type SumUp = Arc<dyn Fn(&Transcript, &[String]) -> Analysis + Send + Sync>;

/// What is said so far.
pub(crate) struct SoFar<'a> {
    pub(crate) call: &'a Call,
    pub(crate) session: &'a str,
    pub(crate) segments: Vec<Segment>,
    /// How many turns have words.
    pub(crate) turns: i64,
}

/// The events that are due now. `progress` notes what was told.
pub(crate) async fn due(
    so_far: SoFar<'_>,
    progress: &mut Progress,
    settings: &Settings,
    sum_up: &SumUp,
    now: Moment,
) -> Vec<NewLiveEvent> {
    let mut events = Vec::new();
    let SoFar { call, session, segments, turns } = so_far;
    let people: Vec<String> =
        call.details.participants.iter().filter_map(|person| person.name.clone()).collect();
    if turns > progress.advised && now.micros() - progress.advised_at >= ADVISE_EVERY {
        let advice = advise(&lines(&segments), progress.measures(), &settings.trackers);
        let mood = mood(&segments, &people, sum_up).await;
        let cards = new_cards(&segments, progress, settings);
        progress.advised = turns;
        progress.advised_at = now.micros();
        if !advice.is_empty() || mood != Mood::Neutral || !cards.is_empty() {
            events.push(insights(
                session,
                &Told { advice: &advice, mood, urgency: None, cards: &cards, source: "rules" },
                now,
            ));
        }
    }
    if turns - progress.summed_up >= NEW_TURNS && now.micros() - progress.summed_up_at >= SUM_UP_EVERY {
        let transcript = Transcript { segments, ..Transcript::default() }.numbered();
        if let Some(analysis) = analyzed(transcript, people, sum_up).await {
            events.push(summary_update(session, &analysis, false, now));
        }
        progress.summed_up = turns;
        progress.summed_up_at = now.micros();
    }
    events
}

/// The analyzer looks at the whole text, which can take longer than other tasks want to wait.
async fn analyzed(transcript: Transcript, people: Vec<String>, sum_up: &SumUp) -> Option<Analysis> {
    let sum_up = Arc::clone(sum_up);
    tokio::task::spawn_blocking(move || sum_up(&transcript, &people)).await.ok()
}

/// How the customer feels, by the tone of the last words.
async fn mood(segments: &[Segment], people: &[String], sum_up: &SumUp) -> Mood {
    let customers: Vec<Segment> = segments
        .iter()
        .rev()
        .filter(|segment| segment.role == Some(Role::Customer))
        .take(MOOD_LINES)
        .cloned()
        .collect();
    if customers.is_empty() {
        return Mood::Neutral;
    }
    let segments = customers.into_iter().rev().collect();
    let last = Transcript { segments, ..Transcript::default() }.numbered();
    let analysis = analyzed(last, people.to_vec(), sum_up).await;
    match analysis.map(|analysis| analysis.sentiment) {
        Some(Sentiment::Positive) => Mood::Positive,
        Some(Sentiment::Negative) => Mood::Negative,
        _ => Mood::Neutral,
    }
}

/// The cards that fit what was said last and were not shown before.
fn new_cards(segments: &[Segment], progress: &mut Progress, settings: &Settings) -> Vec<Card> {
    if progress.cards.len() >= MOST_CARDS {
        return Vec::new();
    }
    let last = &segments[segments.len().saturating_sub(CARD_LINES)..];
    let said = last.iter().map(|segment| segment.text.as_str()).collect::<Vec<_>>().join("\n");
    let place = |card: &Card| format!("{}:{}", card.file, card.line);
    let found = settings.cards.find(&said, CARDS).into_iter().cloned();
    let new: Vec<Card> = found.filter(|card| !progress.cards.contains(&place(card))).collect();
    progress.cards.extend(new.iter().map(place));
    new
}

/// How long until advice is due that is held back now, because there was some a moment ago.
pub(crate) fn due_in(turns: i64, progress: &Progress, now: Moment) -> Option<Duration> {
    let left = ADVISE_EVERY - (now.micros() - progress.advised_at);
    (turns > progress.advised && left > 0)
        .then(|| Duration::from_micros(u64::try_from(left).unwrap_or_default()))
}

pub(crate) fn lines(segments: &[Segment]) -> Vec<Line> {
    let line = |segment: &Segment| Line {
        role: segment.role,
        text: segment.text.clone(),
        start_ms: segment.start_ms.unwrap_or_default(),
        end_ms: segment.end_ms.unwrap_or_default(),
    };
    segments.iter().map(line).collect()
}

/// What an agent is told at once.
pub(crate) struct Told<'a> {
    pub(crate) advice: &'a Advice,
    pub(crate) mood: Mood,
    /// How urgent it is, where that is known. Otherwise the advice and the mood decide.
    pub(crate) urgency: Option<&'static str>,
    pub(crate) cards: &'a [Card],
    /// Who says it: `rules` or `model`.
    pub(crate) source: &'static str,
}

pub(crate) fn insights(session: &str, told: &Told<'_>, now: Moment) -> NewLiveEvent {
    let Told { advice, mood, urgency, cards, source } = *told;
    let by_rules = match (advice.is_urgent, mood) {
        (true, _) => "high",
        (false, Mood::Negative) => "medium",
        (false, Mood::Neutral | Mood::Positive) => "low",
    };
    let data = json!({
        "session_id": session,
        "insights": advice.insights,
        "suggestions": advice.suggestions,
        "urgency_level": urgency.unwrap_or(by_rules),
        "customer_mood": mood.name(),
        "evidence": advice.evidence,
        "cards": cards,
        "source": source,
        "timestamp": now,
    });
    NewLiveEvent { kind: "real_time_insights", data }
}

/// A summary, as its listeners get it.
pub(crate) fn summary_update(
    session: &str,
    analysis: &Analysis,
    is_final: bool,
    now: Moment,
) -> NewLiveEvent {
    let data = json!({
        "session_id": session,
        "summary_text": analysis.summary,
        "key_points": analysis.key_points,
        "is_final": is_final,
        "sentiment_analysis": sentiment_analysis(analysis),
        "timestamp": now,
    });
    NewLiveEvent { kind: "summary_update", data }
}

/// What the analysis says about the mood of the call, in the words of the seed.
pub(crate) fn sentiment_analysis(analysis: &Analysis) -> Value {
    json!({
        "sentiment": analysis.sentiment,
        "tone": analysis.tone,
        "analyzer": analysis.analyzer,
        "category": analysis.category,
        "resolution_status": analysis.resolution,
        "priority": analysis.priority,
    })
}
