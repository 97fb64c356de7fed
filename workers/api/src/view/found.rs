//! The JSON of a search, and of the calls that changed.

use domain::search::Excerpt;
use serde::Serialize;
use store::FoundCall;
use utoipa::ToSchema;
use uuid::Uuid;

use super::CallSummary;
use super::call::started;

#[derive(Serialize, ToSchema)]
pub struct FoundCalls {
    /// What was looked for.
    pub query: String,
    /// Newest first.
    pub results: Vec<FoundCallView>,
    /// How many results there are. There may be older calls that match too, when this is the `limit`.
    pub count: usize,
}

#[derive(Serialize, ToSchema)]
#[schema(as = FoundCall)]
pub struct FoundCallView {
    pub id: Uuid,
    /// The source's own id.
    pub external_id: String,
    /// RFC 3339 in UTC. It is the source's own text when that could not be read as a time.
    pub started_at: Option<String>,
    /// A piece of what was said in the call or written about it.
    pub snippet: String,
    /// What of the snippet was looked for.
    pub snippet_marks: Vec<MarkView>,
    /// The segments of the transcript that have most of what was looked for, at most five.
    pub matches: Vec<MatchView>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Match)]
pub struct MatchView {
    /// The id of the segment.
    pub segment: u32,
    /// When the segment starts, counted from the start of the call. Null when the source gave no times.
    pub start_ms: Option<i64>,
    /// The speaker's name, or else the role, or else the provider's label.
    pub speaker: String,
    pub text: String,
    /// What of the text was looked for.
    pub marks: Vec<MarkView>,
}

/// A piece of a text. The places count Unicode characters, from 0.
#[derive(Serialize, ToSchema)]
#[schema(as = Mark)]
pub struct MarkView {
    pub start: usize,
    /// The first character after the piece.
    pub end: usize,
}

#[derive(Serialize, ToSchema)]
pub struct ChangedCalls {
    /// Each call as it is now, in the order in which the calls changed.
    pub calls: Vec<CallSummary>,
    /// What to send as `after` next time.
    pub cursor: String,
}

pub fn found_calls(query: String, found: &[FoundCall]) -> FoundCalls {
    FoundCalls { query, count: found.len(), results: found.iter().map(found_call).collect() }
}

fn found_call(found: &FoundCall) -> FoundCallView {
    FoundCallView {
        id: found.call.id.0,
        external_id: found.call.external_id.clone(),
        started_at: started(&found.call),
        snippet: found.snippet.text.clone(),
        snippet_marks: marks(&found.snippet),
        matches: found
            .moments
            .iter()
            .map(|moment| MatchView {
                segment: moment.segment,
                start_ms: moment.start_ms,
                speaker: moment.speaker.clone(),
                text: moment.text.text.clone(),
                marks: marks(&moment.text),
            })
            .collect(),
    }
}

fn marks(of: &Excerpt) -> Vec<MarkView> {
    of.marks.iter().map(|(start, end)| MarkView { start: *start, end: *end }).collect()
}
