//! The sums of calls, which are added from the sums of days and from the facts of single calls.
//!
//! The keeper adds the facts of a day up ([`super::rollups`]). A sum takes the days from there, and every fact that is not
//! in them yet from the fact itself. So it is exact at any time, and it reads as many rows as there are days and agents,
//! not as there are calls.

/// What is counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct Sums {
    pub calls: i64,
    /// Calls whose length is known, and their length together.
    pub timed: i64,
    pub duration_ms: i64,
    /// Calls that are analyzed, and those of them that the built-in analyzer read. A model read the others.
    pub analyzed: i64,
    pub by_builtin: i64,
    /// Calls of which it is known who talked for us, and how long each side talked.
    pub sided: i64,
    pub agent_talk_ms: i64,
    pub customer_talk_ms: i64,
    pub silence_ms: i64,
    pub interruptions: i64,
    /// Calls by the sentiment of the whole call.
    pub positive: i64,
    pub neutral: i64,
    pub negative: i64,
    /// Calls by the tone of the customer.
    pub glad: i64,
    pub calm: i64,
    pub upset: i64,
    pub resolved: i64,
    pub pending: i64,
    pub escalated: i64,
}

impl std::ops::AddAssign for Sums {
    fn add_assign(&mut self, other: Self) {
        self.calls += other.calls;
        self.timed += other.timed;
        self.duration_ms += other.duration_ms;
        self.analyzed += other.analyzed;
        self.by_builtin += other.by_builtin;
        self.sided += other.sided;
        self.agent_talk_ms += other.agent_talk_ms;
        self.customer_talk_ms += other.customer_talk_ms;
        self.silence_ms += other.silence_ms;
        self.interruptions += other.interruptions;
        self.positive += other.positive;
        self.neutral += other.neutral;
        self.negative += other.negative;
        self.glad += other.glad;
        self.calm += other.calm;
        self.upset += other.upset;
        self.resolved += other.resolved;
        self.pending += other.pending;
        self.escalated += other.escalated;
    }
}

/// The columns of [`Sums`], added up.
macro_rules! summed {
    () => {
        "CAST(SUM(calls) AS BIGINT) AS calls, CAST(SUM(timed) AS BIGINT) AS timed, CAST(SUM(duration_ms) AS BIGINT) AS
        duration_ms, CAST(SUM(analyzed) AS BIGINT) AS analyzed, CAST(SUM(by_builtin) AS BIGINT) AS by_builtin,
        CAST(SUM(sided) AS BIGINT) AS sided, CAST(SUM(agent_talk_ms) AS BIGINT) AS agent_talk_ms,
        CAST(SUM(customer_talk_ms) AS BIGINT) AS customer_talk_ms, CAST(SUM(silence_ms) AS BIGINT) AS silence_ms,
        CAST(SUM(interruptions) AS BIGINT) AS interruptions, CAST(SUM(positive) AS BIGINT) AS positive,
        CAST(SUM(neutral) AS BIGINT) AS neutral, CAST(SUM(negative) AS BIGINT) AS negative, CAST(SUM(glad) AS BIGINT)
        AS glad, CAST(SUM(calm) AS BIGINT) AS calm, CAST(SUM(upset) AS BIGINT) AS upset, CAST(SUM(resolved) AS BIGINT)
        AS resolved, CAST(SUM(pending) AS BIGINT) AS pending, CAST(SUM(escalated) AS BIGINT) AS escalated"
    };
}
pub(super) use summed;

/// The names of what is summed, as `call_days` has them.
macro_rules! sum_columns {
    () => {
        "timed, duration_ms, analyzed, by_builtin, sided, agent_talk_ms, customer_talk_ms, silence_ms, interruptions,
        positive, neutral, negative, glad, calm, upset, resolved, pending, escalated"
    };
}
pub(super) use sum_columns;

/// What one fact adds to each of these.
macro_rules! of_fact {
    () => {
        "CASE WHEN duration_ms IS NULL THEN 0 ELSE 1 END AS timed,
        COALESCE(duration_ms, 0) AS duration_ms,
        CASE WHEN analyzer IS NULL THEN 0 ELSE 1 END AS analyzed,
        CASE WHEN analyzer = 'builtin' THEN 1 ELSE 0 END AS by_builtin,
        CASE WHEN agent_talk_ms IS NULL THEN 0 ELSE 1 END AS sided,
        COALESCE(agent_talk_ms, 0) AS agent_talk_ms,
        COALESCE(customer_talk_ms, 0) AS customer_talk_ms,
        COALESCE(silence_ms, 0) AS silence_ms,
        COALESCE(interruptions, 0) AS interruptions,
        CASE WHEN sentiment = 'positive' THEN 1 ELSE 0 END AS positive,
        CASE WHEN sentiment = 'neutral' THEN 1 ELSE 0 END AS neutral,
        CASE WHEN sentiment = 'negative' THEN 1 ELSE 0 END AS negative,
        CASE WHEN tone = 'Positive' THEN 1 ELSE 0 END AS glad,
        CASE WHEN tone = 'Neutral' THEN 1 ELSE 0 END AS calm,
        CASE WHEN tone = 'Negative' THEN 1 ELSE 0 END AS upset,
        CASE WHEN resolution = 'resolved' THEN 1 ELSE 0 END AS resolved,
        CASE WHEN resolution = 'pending' THEN 1 ELSE 0 END AS pending,
        CASE WHEN resolution = 'escalated' THEN 1 ELSE 0 END AS escalated"
    };
}
pub(super) use of_fact;

impl Sums {
    /// The average of `ms` over `calls` in seconds, to a tenth. Absent where no call has the value.
    pub fn average_s(ms: i64, calls: i64) -> Option<f64> {
        quotient(ms, calls).map(|ms| (ms / 100.0).round() / 10.0)
    }

    /// Our side's share of all talk time, from 0 to 1.
    pub fn talk_ratio(&self) -> Option<f64> {
        quotient(self.agent_talk_ms, self.agent_talk_ms + self.customer_talk_ms)
            .map(|ratio| (ratio * 1000.0).round() / 1000.0)
    }

    /// How satisfied the customers sounded, from 0 to 100, to a tenth. A positive tone counts 100 and a neutral one 50.
    pub fn satisfaction(&self) -> Option<f64> {
        let read = self.glad + self.calm + self.upset;
        quotient(100 * self.glad + 50 * self.calm, read).map(|score| (score * 10.0).round() / 10.0)
    }
}

#[expect(clippy::cast_precision_loss, reason = "sums of times and calls are far below 2^52")]
fn quotient(of: i64, by: i64) -> Option<f64> {
    (by > 0).then(|| of as f64 / by as f64)
}
