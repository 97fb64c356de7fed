//! How much work each stage had over time: a row for each minute of the last day, and a row for each ten minutes of the last
//! week.
//!
//! Every process with a keeper offers what it measured. The first one that comes in a minute writes the rows of the
//! minute, so several keepers write as much as one. The row of ten minutes holds the worst of its minutes. Otherwise a
//! short jam would vanish from the picture when it is a day old.

use std::time::Duration;

use super::{Result, Store, execute, read};
use domain::moment::Moment;

const MINUTE: Duration = Duration::from_mins(1);
const TEN_MINUTES: Duration = Duration::from_mins(10);
/// How long the rows of one minute are kept, and those of ten minutes.
const MINUTES_KEPT: Duration = Duration::from_hours(24);
const KEPT: Duration = Duration::from_hours(7 * 24);

/// The work of one stage at one moment, over all workspaces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueueSample {
    pub stage: String,
    /// How many messages no worker has taken yet. `None` where the broker did not answer.
    pub depth: Option<i64>,
    pub consumers: Option<i64>,
    pub due: i64,
    pub later: i64,
    pub running: i64,
    pub parked: i64,
    pub dead: i64,
    /// How long the oldest run that could start has been waiting. It is 0 where there is none.
    pub oldest_due_ms: i64,
}

/// What is kept of one minute or of ten minutes.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct QueueSampleRow {
    pub stage: String,
    /// The begin of the minute, or of the ten minutes.
    pub at: Moment,
    pub depth: Option<i64>,
    pub consumers: Option<i64>,
    pub due: i64,
    pub later: i64,
    pub running: i64,
    pub parked: i64,
    pub dead: i64,
    pub oldest_due_ms: i64,
}

/// How fine the history is that somebody looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SampleSpan {
    /// Kept for a day.
    Minute,
    /// Kept for a week.
    TenMinutes,
}

impl SampleSpan {
    pub const fn length(self) -> Duration {
        match self {
            Self::Minute => MINUTE,
            Self::TenMinutes => TEN_MINUTES,
        }
    }

    fn seconds(self) -> i64 {
        i64::try_from(self.length().as_secs()).unwrap_or(i64::MAX)
    }

    fn begin(self, at: Moment) -> Moment {
        let length = self.seconds() * 1_000_000;
        Moment::from_micros(at.micros().div_euclid(length) * length)
    }
}

impl Store {
    /// Keeps what was measured `at` this moment, unless somebody has kept it for this minute already. Returns whether it
    /// was kept.
    pub async fn keep_queue_samples(&self, at: Moment, samples: &[QueueSample]) -> Result<bool> {
        let minute = SampleSpan::Minute.begin(at);
        let mut tx = self.begin_tx().await?;
        for sample in samples {
            let new = execute!(
                tx,
                "INSERT INTO queue_samples
                    (span_s, at, stage, depth, consumers, due, later, running, parked, dead, oldest_due_ms)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING",
                SampleSpan::Minute.seconds(),
                minute,
                &sample.stage,
                sample.depth,
                sample.consumers,
                sample.due,
                sample.later,
                sample.running,
                sample.parked,
                sample.dead,
                sample.oldest_due_ms,
            )?;
            if new == 0 {
                tx.roll_back().await?;
                return Ok(false);
            }
            // The worst of ten minutes is the most work and the fewest consumers.
            execute!(
                tx,
                "INSERT INTO queue_samples AS kept
                    (span_s, at, stage, depth, consumers, due, later, running, parked, dead, oldest_due_ms)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
                 ON CONFLICT (span_s, at, stage) DO UPDATE SET
                    depth = CASE WHEN kept.depth >= excluded.depth OR excluded.depth IS NULL THEN kept.depth
                        ELSE excluded.depth END,
                    consumers = CASE WHEN kept.consumers <= excluded.consumers OR excluded.consumers IS NULL
                        THEN kept.consumers ELSE excluded.consumers END,
                    due = CASE WHEN kept.due >= excluded.due THEN kept.due ELSE excluded.due END,
                    later = CASE WHEN kept.later >= excluded.later THEN kept.later ELSE excluded.later END,
                    running = CASE WHEN kept.running >= excluded.running THEN kept.running ELSE excluded.running END,
                    parked = CASE WHEN kept.parked >= excluded.parked THEN kept.parked ELSE excluded.parked END,
                    dead = CASE WHEN kept.dead >= excluded.dead THEN kept.dead ELSE excluded.dead END,
                    oldest_due_ms = CASE WHEN kept.oldest_due_ms >= excluded.oldest_due_ms
                        THEN kept.oldest_due_ms ELSE excluded.oldest_due_ms END",
                SampleSpan::TenMinutes.seconds(),
                SampleSpan::TenMinutes.begin(at),
                &sample.stage,
                sample.depth,
                sample.consumers,
                sample.due,
                sample.later,
                sample.running,
                sample.parked,
                sample.dead,
                sample.oldest_due_ms,
            )?;
        }
        for (span, kept) in [(SampleSpan::Minute, MINUTES_KEPT), (SampleSpan::TenMinutes, KEPT)] {
            execute!(
                tx,
                "DELETE FROM queue_samples WHERE span_s = $1 AND at < $2",
                span.seconds(),
                at.minus(kept),
            )?;
        }
        tx.commit().await?;
        Ok(true)
    }

    /// What is kept since this moment, the oldest first, over all workspaces, for whoever operates the system.
    pub async fn queue_samples(&self, span: SampleSpan, since: Moment) -> Result<Vec<QueueSampleRow>> {
        Ok(read!(
            fetch_all,
            QueueSampleRow,
            self,
            "SELECT stage, at, depth, consumers, due, later, running, parked, dead, oldest_due_ms
             FROM queue_samples WHERE span_s = $1 AND at >= $2 ORDER BY at, stage",
            span.seconds(),
            since,
        )?)
    }
}
