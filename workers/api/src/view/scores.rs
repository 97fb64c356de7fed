//! The JSON of what a call is worth by criteria.

use domain::moment::Moment;
use serde::{Deserialize, Serialize};
use store::CallScoreRow;
use utoipa::ToSchema;

/// What a call is worth by one file of criteria.
#[derive(Serialize, ToSchema)]
#[schema(as = CallScore)]
pub struct CallScoreView {
    /// The name of the criteria: `sales`, `meddicc`, `bant`, `spin`, or that of a file of one's own.
    pub name: String,
    /// The version of the criteria.
    pub version: i64,
    /// From 0 to 100: the criteria by their weight.
    pub overall: i64,
    pub criteria: Vec<CallCriterionView>,
    #[schema(value_type = String, format = DateTime)]
    pub made_at: Moment,
}

/// What one criterion is worth. Only what our own side said counts.
#[derive(Serialize, Deserialize, ToSchema)]
#[schema(as = CallCriterion)]
pub struct CallCriterionView {
    pub name: String,
    pub title: String,
    /// From 0 to 100.
    pub score: i64,
    /// What was found, in words.
    pub reason: String,
    /// The ids of the transcript's segments on which the score rests. A turn of several segments is named by its first one.
    pub turns: Vec<i64>,
}

#[derive(Deserialize)]
struct Card {
    criteria: Vec<CallCriterionView>,
}

/// A scorecard that a newer version wrote in another form is shown without its criteria.
pub(super) fn score(of: &CallScoreRow) -> CallScoreView {
    let criteria = Card::deserialize(&of.card).map(|card| card.criteria).unwrap_or_default();
    CallScoreView {
        name: of.name.clone(),
        version: of.version,
        overall: of.overall,
        criteria,
        made_at: of.created_at,
    }
}
