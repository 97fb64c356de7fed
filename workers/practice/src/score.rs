//! Judges a conversation by criteria that stand in files. Practice and real calls are judged by the same rule.
//!
//! Only the words of our own side are counted. Each criterion names the turns on which it rests. The rule is a pure function, so
//! the same conversation always has the same score.

mod chosen;
mod criteria;
mod signals;
#[cfg(test)]
mod tests;

use domain::call::Role;
use domain::transcript::Transcript;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use chosen::chosen;
pub use criteria::{Criteria, all, named};
use signals::Found;

/// What one conversation is worth.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Scorecard {
    /// The name of the criteria: `sales`, `meddicc`, `bant` or `spin`.
    pub name: String,
    pub version: u32,
    /// From 0 to 100: the criteria by their weight.
    pub overall: u32,
    pub criteria: Vec<CriterionScore>,
}

/// What one criterion is worth.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CriterionScore {
    pub name: String,
    pub title: String,
    /// From 0 to 100.
    pub score: u32,
    /// What was found, in words.
    pub reason: String,
    /// The turns on which the score rests. For a call these are the segments.
    pub turns: Vec<i64>,
}

/// A turn of a conversation that is judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    pub number: i64,
    /// Whether our own side said it.
    pub is_ours: bool,
    pub text: String,
}

/// Judges `turns`. `material` is what the salesperson brought, against which claims are checked.
pub fn score(criteria: &Criteria, turns: &[Turn], material: &str) -> Scorecard {
    let conversation = signals::Conversation::of(turns, material);
    let scored: Vec<(u32, CriterionScore)> = criteria
        .criteria
        .iter()
        .map(|criterion| {
            let found: Vec<Found> =
                criterion.signals.iter().map(|signal| conversation.look(signal)).collect();
            let points: i64 = found.iter().map(|one| one.points).sum();
            let mut turns: Vec<i64> = found.iter().flat_map(|one| one.turns.iter().copied()).collect();
            turns.sort_unstable();
            turns.dedup();
            let score = CriterionScore {
                name: criterion.name.clone(),
                title: criterion.title.clone(),
                score: u32::try_from(points.clamp(0, 100)).unwrap_or(0),
                reason: reason(&found),
                turns,
            };
            (criterion.weight, score)
        })
        .collect();
    let weights: u32 = scored.iter().map(|(weight, _)| weight).sum();
    let sum: u32 = scored.iter().map(|(weight, one)| weight * one.score).sum();
    Scorecard {
        name: criteria.name.clone(),
        version: criteria.version,
        overall: (sum + weights / 2).checked_div(weights).unwrap_or(0),
        criteria: scored.into_iter().map(|(_, one)| one).collect(),
    }
}

/// Judges a call. The agent and the host speak for us. `None` where nobody knows who of the speakers is one of us: a score of 0
/// would be an untruth.
pub fn score_call(criteria: &Criteria, transcript: &Transcript) -> Option<Scorecard> {
    let turns: Vec<Turn> = transcript
        .turns()
        .segments
        .iter()
        .map(|segment| Turn {
            number: i64::from(segment.id),
            is_ours: segment.role.is_some_and(Role::is_ours),
            text: segment.text.clone(),
        })
        .collect();
    turns.iter().any(|turn| turn.is_ours).then(|| score(criteria, &turns, ""))
}

fn reason(found: &[Found]) -> String {
    let said: Vec<String> = found.iter().filter(|one| one.count > 0).map(Found::in_words).collect();
    let missing: Vec<&str> =
        found.iter().filter(|one| one.count == 0 && one.is_good).map(|one| one.says.as_str()).collect();
    let part =
        |what: &str, list: String| if list.is_empty() { String::new() } else { format!("{what}: {list}.") };
    let parts = [part("Found", said.join("; ")), part("Missing", missing.join("; "))];
    let reason = parts.join(" ").trim().to_owned();
    if reason.is_empty() { "Nothing speaks for it or against it.".to_owned() } else { reason }
}
