//! The route that says what the calls of a period were like.

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use chrono::NaiveDate;
use chrono_tz::Tz;
use domain::call::Direction;
use domain::moment::Moment;
use domain::period::{Period, midnight};
use store::Scope;
use web::{Params, Problem};

use crate::request::{Answer, CallReader};
use crate::state::Api;
use crate::view::{self, DashboardView};

/// The longest period that is summed up.
const MAX_DAYS: i64 = 3660;

/// What the calls of a period were like, beside the period before.
///
/// The times are counted, from the sound of a recording or from the times of a transcript. What a customer felt, whether a
/// question was settled and what a call was about are readings: of the model that is configured, or of the built-in
/// analyzer. `satisfaction` says how many calls each of the two read.
#[utoipa::path(get, path = "/api/analytics/dashboard", operation_id = "getDashboard", tag = "calls",
    params(("from" = Option<String>, Query, description = "The begin of the period: RFC 3339 with an offset, or a day in `tz`. Without it, the period is the 30 days up to `to`"),
        ("to" = Option<String>, Query, description = "The end of the period; a day means the whole day. Without it, the end of today"),
        ("agent" = Option<String>, Query, description = "Only calls of the agent with this name"),
        ("team" = Option<String>, Query, description = "Only calls of this department"),
        ("source" = Option<String>, Query, description = "Only calls of this source"),
        ("direction" = Option<String>, Query, description = "Only `incoming` or only `outgoing` calls"),
        ("tz" = Option<String>, Query, description = "The time zone in which days begin, such as `Asia/Kolkata`. Without it, the one of the installation")),
    responses((status = 200, body = DashboardView),
        (status = 422, description = "A parameter that cannot be used", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn dashboard(
    State(api): State<Api>,
    reader: CallReader,
    uri: Uri,
) -> Answer<Json<DashboardView>> {
    let mut params = Params::of_query(&uri);
    let zone =
        params.read("tz", "the name of a time zone, such as Asia/Kolkata", |name| name.parse::<Tz>().ok());
    let zone = zone.unwrap_or(api.installation.timezone);
    let to = end(&mut params, "to", zone, true);
    let from = end(&mut params, "from", zone, false);
    let usual = Period::usual(Moment::now(), zone);
    let to = to.unwrap_or(usual.to);
    let from = from.unwrap_or_else(|| {
        let ends = Period { from: to, to, zone }.dates().1;
        Period::usual(midnight(ends, zone), zone).from
    });
    let period = Period { from, to, zone };
    if from >= to {
        params.refuse("from", "must be before `to`");
    } else {
        let (first, last) = period.dates();
        if last.signed_duration_since(first).num_days() > MAX_DAYS {
            params.refuse("from", format!("must not be more than {MAX_DAYS} days before `to`"));
        }
    }
    let direction = params.read("direction", "one of incoming, outgoing", |name| {
        Direction::NAMES.contains(&name).then(|| name.to_owned())
    });
    let scope = Scope {
        period,
        agent: params.text("agent"),
        team: params.text("team"),
        source: params.text("source"),
        direction,
    };
    params.check()?;
    let dashboard = api.store.dashboard(reader.workspace, &scope, &reader.sees).await?;
    Ok(Json(view::dashboard(&scope.period, &dashboard)))
}

/// The begin or the end of a period. A day is a day in the zone.
fn end(params: &mut Params, name: &str, zone: Tz, is_end: bool) -> Option<Moment> {
    let text = params.text(name)?;
    match text.parse::<NaiveDate>() {
        Ok(day) if is_end => Some(Period::of_days(day, day, zone).to),
        Ok(day) => Some(midnight(day, zone)),
        // A moment at the end of a period belongs to it.
        Err(_) => params
            .moment(name, is_end)
            .map(|at| if is_end { Moment::from_micros(at.micros().saturating_add(1)) } else { at }),
    }
}
