//! `/analytics`: what the calls of a period were like, beside the period before. Every number leads to its calls.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::routing::get;
use chrono::NaiveDate;
use chrono_tz::Tz;
use domain::moment::Moment;
use domain::period::{Period, Step, date_of};
use store::{Dashboard, ListFilter, Scope, Sums};
use web::ReadOwn;

use crate::fields::Fields;
use crate::sections::Section;
use crate::texts::{AnalyticsTexts, fill};
use crate::{Answer, Console, Visitor, show};

const MAX_DAYS: i64 = 3660;
const MAX_ROWS: usize = 50;
/// The size of the chart, in its own units.
const WIDTH: i64 = 900;
const HEIGHT: i64 = 180;

#[derive(Template)]
#[template(path = "analytics/analytics.html")]
struct Page<'a> {
    texts: &'static AnalyticsTexts,
    from: String,
    to: String,
    zone: &'static str,
    fields: &'a Fields,
    figures: Vec<Figure>,
    /// The list of all calls that were counted.
    all_calls: String,
    read_by: String,
    bars: Vec<Bar>,
    highest: String,
    tones: Vec<(&'static str, i64, String)>,
    lists: Vec<List>,
    topics: Vec<(String, i64, String)>,
    topics_of: String,
}

/// The page of a form that cannot be read.
#[derive(Template)]
#[template(path = "analytics/problem.html")]
struct Problem {
    problem: &'static str,
}

struct Figure {
    name: &'static str,
    value: String,
    before: String,
}

struct Bar {
    x: i64,
    y: i64,
    width: i64,
    height: i64,
    label: String,
    link: String,
}

struct List {
    name: &'static str,
    rows: Vec<ListRow>,
}

struct ListRow {
    name: String,
    /// Absent for the calls without a name, for which the list of calls has no filter.
    link: Option<String>,
    calls: i64,
    duration: String,
    talk_ratio: String,
    satisfaction: String,
}

pub(crate) fn routes() -> Router<Console> {
    Router::new().route("/analytics", get(show_page))
}

async fn show_page(visitor: Visitor<ReadOwn>, State(console): State<Console>, uri: Uri) -> Answer {
    let texts = AnalyticsTexts::of(visitor.language);
    let fields = Fields::parse(uri.query().unwrap_or_default().as_bytes());
    let mut scope = match scope(&fields, &console, texts) {
        Ok(scope) => scope,
        Err(problem) => {
            let page = Problem { problem };
            return visitor.page_with(
                StatusCode::UNPROCESSABLE_ENTITY,
                Section::Analytics,
                texts.title,
                &page,
            );
        }
    };
    let dashboard =
        async |scope: &Scope| console.store.dashboard(visitor.workspace, scope, &visitor.sees).await;
    let mut found = visitor.store(dashboard(&scope).await)?;
    // Where nothing came in lately, the last days with calls say more than nothing.
    let is_usual = fields.given("from").is_none() && fields.given("to").is_none();
    if is_usual && found.sums.calls == 0 {
        let filter = ListFilter::default();
        let newest = console.store.call_list(visitor.workspace, &filter, &visitor.sees, None, 1).await;
        if let Some(newest) = visitor.store(newest)?.first() {
            scope.period = Period::usual(newest.began_at, scope.period.zone);
            found = visitor.store(dashboard(&scope).await)?;
        }
    }
    let page = page(texts, &fields, &scope, &found);
    visitor.page(Section::Analytics, texts.title, &page)
}

fn scope(fields: &Fields, console: &Console, texts: &AnalyticsTexts) -> Result<Scope, &'static str> {
    let zone = match fields.given("tz") {
        None => console.installation.timezone,
        Some(name) => name.parse::<Tz>().map_err(|_| texts.wrong_zone)?,
    };
    let day =
        |name| fields.given(name).map(str::parse::<NaiveDate>).transpose().map_err(|_| texts.wrong_period);
    let (usual_first, usual_last) = Period::usual(Moment::now(), zone).dates();
    let last = day("to")?.unwrap_or(usual_last);
    let first = day("from")?.unwrap_or_else(|| usual_first.min(last));
    if !(0..=MAX_DAYS).contains(&last.signed_duration_since(first).num_days()) {
        return Err(texts.wrong_period);
    }
    let text = |name| fields.given(name).map(str::to_owned);
    Ok(Scope {
        period: Period::of_days(first, last, zone),
        agent: text("agent"),
        team: text("team"),
        source: text("source"),
        direction: text("direction"),
    })
}

fn page<'a>(
    texts: &'static AnalyticsTexts,
    fields: &'a Fields,
    scope: &Scope,
    found: &Dashboard,
) -> Page<'a> {
    let (first, last) = scope.period.dates();
    let (sums, before) = (&found.sums, &found.before);
    let figure = |name, of: fn(&Sums) -> String| Figure {
        name,
        value: of(sums),
        before: fill(texts.before, &[&of(before)]),
    };
    let figures = vec![
        figure(texts.calls, |sums| sums.calls.to_string()),
        figure(texts.duration, |sums| seconds(sums.duration_ms, sums.timed)),
        figure(texts.talk_ratio, share),
        figure(texts.silence, |sums| seconds(sums.silence_ms, sums.analyzed)),
        figure(texts.interruptions, |sums| sums.interruptions.to_string()),
        figure(texts.satisfaction, score),
        figure(texts.resolved, |sums| sums.resolved.to_string()),
    ];
    let tone = |name, value, calls| (name, calls, link(scope, "tone", value));
    let breakdown = |name, key, groups: &[(Option<String>, Sums)]| List {
        name,
        rows: groups
            .iter()
            .take(MAX_ROWS)
            .map(|(group, sums)| ListRow {
                name: group.clone().unwrap_or_else(|| texts.unknown.to_owned()),
                link: group.as_deref().map(|group| link(scope, key, group)),
                calls: sums.calls,
                duration: seconds(sums.duration_ms, sums.timed),
                talk_ratio: share(sums),
                satisfaction: score(sums),
            })
            .collect(),
    };
    let highest = found.trend.iter().map(|(_, sums)| sums.calls).max().unwrap_or_default();
    let by_model = sums.analyzed - sums.by_builtin;
    Page {
        texts,
        from: first.to_string(),
        to: last.to_string(),
        zone: scope.period.zone.name(),
        fields,
        figures,
        all_calls: link(scope, "", ""),
        read_by: fill(texts.read_by, &[&by_model.to_string(), &sums.by_builtin.to_string()]),
        bars: bars(scope, found, highest),
        highest: fill(texts.trend_alt, &[&highest.to_string()]),
        tones: vec![
            tone(texts.positive, "Positive", sums.glad),
            tone(texts.neutral, "Neutral", sums.calm),
            tone(texts.negative, "Negative", sums.upset),
        ],
        lists: vec![
            breakdown(texts.agents, "agent", &found.agents),
            breakdown(texts.teams, "team", &found.teams),
            breakdown(texts.sources, "source", &found.sources),
            breakdown(texts.direction, "direction", &found.directions),
        ],
        topics: found
            .topics
            .iter()
            .map(|(topic, calls)| (topic.clone(), *calls, link(scope, "topic", topic)))
            .collect(),
        topics_of: fill(texts.topics_of, &[&found.topic_calls.to_string()]),
    }
}

/// The list of the calls behind a number.
fn link(scope: &Scope, key: &str, value: &str) -> String {
    let (first, last) = scope.period.dates();
    days_link(scope, first, last, key, value)
}

fn days_link(scope: &Scope, first: NaiveDate, last: NaiveDate, key: &str, value: &str) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("from", &first.to_string()).append_pair("to", &last.to_string());
    let of_scope = [
        ("agent", &scope.agent),
        ("team", &scope.team),
        ("source", &scope.source),
        ("direction", &scope.direction),
    ];
    for (name, filter) in of_scope {
        if let Some(filter) = filter.as_ref().filter(|_| name != key) {
            query.append_pair(name, filter);
        }
    }
    if !value.is_empty() {
        query.append_pair(key, value);
    }
    format!("/calls?{}", query.finish())
}

fn bars(scope: &Scope, found: &Dashboard, highest: i64) -> Vec<Bar> {
    let zone = scope.period.zone;
    let count = i64::try_from(found.trend.len()).unwrap_or(1).max(1);
    let ends = found.trend.iter().skip(1).map(|(begin, _)| *begin).chain([scope.period.to]);
    let steps = (0_i64..).zip(&found.trend).zip(ends);
    steps
        .map(|((place, (begin, sums)), end)| {
            let height = sums.calls * HEIGHT / highest.max(1);
            let (left, right) = (place * WIDTH / count, (place + 1) * WIDTH / count);
            let last = Moment::from_micros(end.micros() - 1);
            let at = begin.utc().with_timezone(&zone);
            let shown = match scope.period.step() {
                Step::Hour => at.format("%Y-%m-%d %H:%M"),
                Step::Day | Step::Week | Step::Month => at.format("%Y-%m-%d"),
            };
            Bar {
                x: left,
                y: HEIGHT - height,
                width: (right - left - 1).max(1),
                height,
                label: format!("{shown}: {}", sums.calls),
                link: days_link(scope, date_of(*begin, zone), date_of(last, zone), "", ""),
            }
        })
        .collect()
}

const UNKNOWN: &str = "–";

fn seconds(ms: i64, calls: i64) -> String {
    let span = |seconds: f64| show::length(std::time::Duration::from_secs_f64(seconds.max(0.0)));
    Sums::average_s(ms, calls).map_or_else(|| UNKNOWN.to_owned(), span)
}

fn share(sums: &Sums) -> String {
    sums.talk_ratio().map_or_else(|| UNKNOWN.to_owned(), |ratio| format!("{:.0} %", ratio * 100.0))
}

fn score(sums: &Sums) -> String {
    sums.satisfaction().map_or_else(|| UNKNOWN.to_owned(), |score| format!("{score:.0}"))
}
