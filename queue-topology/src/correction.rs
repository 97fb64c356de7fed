//! What a person corrects in a call is kept, and what follows from it is done again.

use domain::call::{CallId, WorkspaceId};
use domain::speakers::Correction;
use serde_json::{Value, json};
use store::{Action, Again, LineSaid, OperatorRequest, Rewritten, RunKey, Store};

use crate::replay::Start;
use crate::table;

/// Words and speakers change what the analysis reads.
const OF_THE_TRANSCRIPT: [Start; 1] = [Start::at(&table::ANALYSIS)];
/// A summary changes only what others are told. The analysis is not made again, because that would cost money.
const OF_THE_SUMMARY: [Start; 2] = [Start::at(&table::CRM), Start::at(&table::SLACK)];

/// Keeps what `actor` says about the speakers of a call, and does the analysis again, and every stage after it. Returns
/// the generation that does that. It is absent where the call never came to its analysis.
pub async fn speakers(
    store: &Store,
    who: (WorkspaceId, &str),
    call: CallId,
    corrections: &[Correction],
) -> store::Result<Option<i64>> {
    let request = request(who, Action::CorrectSpeakers, json!({"call": call, "speakers": corrections.len()}));
    let stages = stages(&OF_THE_TRANSCRIPT);
    let corrected = store
        .correct_speakers(&request, call, corrections, again(store, &stages, &OF_THE_TRANSCRIPT))
        .await?;
    let generation = corrected.runs.first().map(|run| run.generation);
    tracing::info!(%call, speakers = corrections.len(), ?generation, actor = who.1, "speakers of a call are corrected");
    Ok(generation)
}

/// Keeps what `actor` makes of the words of a line, and does the analysis again, and every stage after it.
pub async fn line(
    store: &Store,
    who: (WorkspaceId, &str),
    call: CallId,
    line: LineSaid<'_>,
) -> store::Result<Rewritten> {
    let request = request(who, Action::CorrectWords, json!({"call": call, "line": line.segment}));
    let stages = stages(&OF_THE_TRANSCRIPT);
    let rewritten =
        store.correct_line(&request, call, line, again(store, &stages, &OF_THE_TRANSCRIPT)).await?;
    tracing::info!(%call, line = line.segment, actor = who.1, done = is_done(&rewritten), "words of a call are corrected");
    Ok(rewritten)
}

/// Keeps the summary that `actor` wrote in the place of `shown`, and tells it to the CRM and to the team again.
pub async fn summary(
    store: &Store,
    who: (WorkspaceId, &str),
    call: CallId,
    shown: &str,
    text: &str,
) -> store::Result<Rewritten> {
    let request = request(who, Action::CorrectSummary, json!({"call": call}));
    let stages = stages(&OF_THE_SUMMARY);
    let again = again(store, &stages, &OF_THE_SUMMARY);
    let rewritten = store.correct_summary(&request, call, shown, text, again).await?;
    tracing::info!(%call, actor = who.1, done = is_done(&rewritten), "the summary of a call is corrected");
    Ok(rewritten)
}

fn request((workspace, actor): (WorkspaceId, &str), action: Action, what: Value) -> OperatorRequest<'_> {
    OperatorRequest { workspace, actor, action, what }
}

fn stages(starts: &[Start]) -> Vec<&'static str> {
    starts.iter().map(|start| start.stage).collect()
}

fn again<'a>(
    store: &'a Store,
    stages: &'a [&'static str],
    starts: &'a [Start],
) -> Again<'a, impl Fn(&RunKey) -> String + Send + 'a> {
    let input_of = |run: &RunKey| {
        let start = starts.iter().find(|start| start.stage == run.stage);
        start.map(|start| start.input(store, run)).unwrap_or_default()
    };
    Again { stages, input_of }
}

fn is_done(rewritten: &Rewritten) -> bool {
    matches!(rewritten, Rewritten::Done(_))
}
