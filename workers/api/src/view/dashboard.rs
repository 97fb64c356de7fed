//! The JSON of what the calls of a period were like.

use domain::moment::Moment;
use domain::period::Period;
use serde::Serialize;
use store::{Dashboard, Sums};
use utoipa::ToSchema;

#[derive(Serialize, ToSchema)]
#[schema(as = Dashboard)]
pub struct DashboardView {
    pub period: PeriodView,
    pub metrics: CallMetricsView,
    /// The same numbers for the period of the same length before.
    pub before: BeforeView,
    /// The agents with most calls come first. At most 100.
    pub agents: Vec<GroupView>,
    /// The departments.
    pub teams: Vec<GroupView>,
    pub sources: Vec<GroupView>,
    /// `incoming` and `outgoing`. The name is null where the direction is not known.
    pub directions: Vec<GroupView>,
    /// The most frequent topics come first. At most 20.
    pub topics: Vec<TopicView>,
    /// Topics are counted in the newest calls of the period. These are so many.
    pub topic_calls: i64,
    /// The steps of the period, in their order.
    pub trend: Vec<TrendView>,
    pub satisfaction: SatisfactionView,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Period)]
pub struct PeriodView {
    #[schema(value_type = String, format = DateTime)]
    pub start: Moment,
    /// The first moment after the period.
    #[schema(value_type = String, format = DateTime)]
    pub end: Moment,
    /// The time zone in which days begin.
    pub timezone: String,
    /// `hour`, `day`, `week` or `month`: how long a step of `trend` is.
    pub step: String,
}

/// Numbers of calls. Times are in seconds. An average is null where no call has the value.
#[derive(Serialize, ToSchema)]
#[schema(as = CallMetrics)]
pub struct CallMetricsView {
    pub total_calls: i64,
    /// Calls that have a transcript and an analysis. Everything below but `avg_duration` is of these.
    pub analyzed_calls: i64,
    pub avg_duration: Option<f64>,
    pub avg_agent_talk_time: Option<f64>,
    pub avg_customer_talk_time: Option<f64>,
    /// Our side's share of all talk time, from 0 to 1.
    pub talk_ratio: Option<f64>,
    pub avg_silence_time: Option<f64>,
    pub total_interruptions: i64,
    pub sentiment_distribution: DistributionView,
    /// How the customers sounded.
    pub tone_distribution: DistributionView,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Distribution)]
pub struct DistributionView {
    pub positive: i64,
    pub neutral: i64,
    pub negative: i64,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Before)]
pub struct BeforeView {
    pub period: PeriodView,
    pub metrics: CallMetricsView,
    pub satisfaction: SatisfactionView,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Group)]
pub struct GroupView {
    /// Null for the calls whose value is not known.
    pub name: Option<String>,
    pub metrics: CallMetricsView,
    pub satisfaction: SatisfactionView,
}

#[derive(Serialize, ToSchema)]
#[schema(as = TopicCount)]
pub struct TopicView {
    pub topic: String,
    pub calls: i64,
}

#[derive(Serialize, ToSchema)]
#[schema(as = TrendStep)]
pub struct TrendView {
    /// The begin of the step.
    #[schema(value_type = String, format = DateTime)]
    pub start: Moment,
    pub metrics: CallMetricsView,
}

/// How satisfied the customers were, as the analyses read it. Nobody asked the customers.
#[derive(Serialize, ToSchema)]
#[schema(as = Satisfaction)]
pub struct SatisfactionView {
    /// From 0 to 100: a call in which the customer sounded positive counts 100, a neutral one 50, and a negative one 0.
    /// Null when no call was read.
    pub score: Option<f64>,
    pub resolved: i64,
    pub pending: i64,
    pub escalated: i64,
    /// How many calls the built-in analyzer read, and how many a model read.
    pub read_by_builtin: i64,
    pub read_by_model: i64,
}

const MAX_GROUPS: usize = 100;

pub fn dashboard(period: &Period, of: &Dashboard) -> DashboardView {
    let groups = |all: &[(Option<String>, Sums)]| {
        let view = |(name, sums): &(Option<String>, Sums)| GroupView {
            name: name.clone(),
            metrics: metrics(sums),
            satisfaction: satisfaction(sums),
        };
        all.iter().take(MAX_GROUPS).map(view).collect()
    };
    let trend = of.trend.iter().map(|(start, sums)| TrendView { start: *start, metrics: metrics(sums) });
    let topics = of.topics.iter().map(|(topic, calls)| TopicView { topic: topic.clone(), calls: *calls });
    DashboardView {
        period: period_view(period),
        metrics: metrics(&of.sums),
        before: BeforeView {
            period: period_view(&period.before()),
            metrics: metrics(&of.before),
            satisfaction: satisfaction(&of.before),
        },
        agents: groups(&of.agents),
        teams: groups(&of.teams),
        sources: groups(&of.sources),
        directions: groups(&of.directions),
        topics: topics.collect(),
        topic_calls: of.topic_calls,
        trend: trend.collect(),
        satisfaction: satisfaction(&of.sums),
    }
}

fn period_view(of: &Period) -> PeriodView {
    PeriodView {
        start: of.from,
        end: of.to,
        timezone: of.zone.name().to_owned(),
        step: of.step().name().to_owned(),
    }
}

fn metrics(of: &Sums) -> CallMetricsView {
    CallMetricsView {
        total_calls: of.calls,
        analyzed_calls: of.analyzed,
        avg_duration: Sums::average_s(of.duration_ms, of.timed),
        avg_agent_talk_time: Sums::average_s(of.agent_talk_ms, of.sided),
        avg_customer_talk_time: Sums::average_s(of.customer_talk_ms, of.sided),
        talk_ratio: of.talk_ratio(),
        avg_silence_time: Sums::average_s(of.silence_ms, of.analyzed),
        total_interruptions: of.interruptions,
        sentiment_distribution: DistributionView {
            positive: of.positive,
            neutral: of.neutral,
            negative: of.negative,
        },
        tone_distribution: DistributionView { positive: of.glad, neutral: of.calm, negative: of.upset },
    }
}

fn satisfaction(of: &Sums) -> SatisfactionView {
    SatisfactionView {
        score: of.satisfaction(),
        resolved: of.resolved,
        pending: of.pending,
        escalated: of.escalated,
        read_by_builtin: of.by_builtin,
        read_by_model: of.analyzed - of.by_builtin,
    }
}
