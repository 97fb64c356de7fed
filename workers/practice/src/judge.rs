//! The stage that judges calls by criteria, after their analysis.
//!
//! It judges practice and real calls by one rule, so that they can be compared. The material of a salesperson is not known in a
//! real call, so it counts in neither. The stage is optional: without `SCORECARDS` no call gets a run of it.

use std::sync::Arc;

use anyhow::anyhow;
use domain::event::{CallAnalyzed, Envelope, Nothing};
use domain::sides;
use domain::transcript::Transcript;
use platform::config::{ConfigError, Values};
use queue_topology::table::{self, Queue};
use queue_topology::{Cx, Outcome, Stage, StageError};
use store::{NewScore, Write};

use crate::score::{Criteria, Scorecard, chosen, score_call};

/// Judges calls.
pub struct Judge {
    criteria: Arc<[Criteria]>,
}

impl Judge {
    pub fn from_values(values: &Values) -> Result<Self, ConfigError> {
        Ok(Self { criteria: chosen(values)?.into() })
    }

    /// Whether there is anything to judge by.
    pub fn is_on(&self) -> bool {
        !self.criteria.is_empty()
    }
}

/// A long call takes a while to judge, so that is done on a thread of its own.
async fn judged(criteria: Arc<[Criteria]>, transcript: Transcript) -> Vec<Scorecard> {
    let judging = move || criteria.iter().filter_map(|one| score_call(one, &transcript)).collect();
    match tokio::task::spawn_blocking(judging).await {
        Ok(cards) => cards,
        // The runner, which calls the stage, handles a panic.
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

fn kept(card: &Scorecard) -> Result<NewScore, StageError> {
    let unreadable =
        |error| StageError::permanent("score_unwritable", anyhow!("failed to write a score: {error}"));
    Ok(NewScore {
        name: card.name.clone(),
        version: i64::from(card.version),
        overall: i64::from(card.overall),
        card: serde_json::to_value(card).map_err(unreadable)?,
    })
}

impl Stage for Judge {
    type In = CallAnalyzed;
    type Out = Nothing;
    const QUEUE: Queue<CallAnalyzed> = table::SCORE;

    async fn handle(&self, cx: &Cx, _event: &Envelope<CallAnalyzed>) -> Result<Outcome<Nothing>, StageError> {
        if !self.is_on() {
            return Ok(Outcome::Done);
        }
        let (call, transcript) = (cx.call().await?, cx.transcript().await?);
        let cards = judged(Arc::clone(&self.criteria), sides::with_roles(transcript, &call)).await;
        if cards.is_empty() {
            tracing::info!("nobody knows who of the speakers is one of us, so the call is not judged");
        }
        let scores = cards.iter().map(kept).collect::<Result<Vec<_>, _>>()?;
        cx.keep(Write::Scores(scores));
        Ok(Outcome::Done)
    }
}
