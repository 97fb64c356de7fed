//! `debrief usage`: shows what models and transcripts cost.

use std::process::ExitCode;

use chrono::{Days, NaiveDate, NaiveTime};
use domain::moment::Moment;
use platform::config::{ConfigError, Values};
use serde_json::json;
use store::{Page, UsageBy, UsageRow, UsageTime};

use super::print;
use crate::deployment::open_workspace;
use crate::outcome::Ended;

/// How many lines are shown. That is more than the days of some years.
const MAX_LINES: i64 = 10_000;

pub(crate) async fn usage(
    values: &Values,
    workspace: &str,
    from: Option<&str>,
    to: Option<&str>,
    by: &str,
    as_json: bool,
) -> Ended {
    let by: UsageBy = by
        .parse()
        .map_err(|_| ConfigError::new("--by", format!("`{by}` is none of {}", UsageBy::NAMES.join(", "))))?;
    let time = UsageTime { from: time("--from", from, false)?, to: time("--to", to, true)? };
    let (store, workspace) = open_workspace(values, workspace).await?;
    let page = Page { offset: 0, limit: MAX_LINES };
    let (rows, total) = store.usage(workspace, by, time, page).await.map_err(anyhow::Error::from)?;
    let sum = store.usage_in_all(workspace, time).await.map_err(anyhow::Error::from)?;
    store.close().await;
    if as_json {
        let items: Vec<_> = rows.iter().map(api::view::usage_sum).collect();
        let sum = api::view::used(&sum);
        print::json(&json!({ "by": by.name(), "items": items, "sum": sum, "total": total }))?;
    } else {
        let sum = UsageRow { name: "in all".to_owned(), ..sum };
        let lines = rows.iter().chain([&sum]).map(line);
        print::table(
            [
                by.name(),
                "uses",
                "calls",
                "prompt tokens",
                "completion tokens",
                "audio",
                "us dollars",
                "no price",
            ],
            lines,
        );
    }
    Ok(ExitCode::SUCCESS)
}

fn line(of: &UsageRow) -> [String; 8] {
    let minutes = of.audio_ms / 60_000;
    [
        of.name.clone(),
        of.uses.to_string(),
        of.calls.to_string(),
        of.prompt_tokens.to_string(),
        of.completion_tokens.to_string(),
        format!("{minutes}:{:02}", of.audio_ms / 1000 % 60),
        of.cost_usd.map_or_else(|| "-".to_owned(), |cost| format!("{cost:.4}")),
        of.unpriced.to_string(),
    ]
}

/// Reads a bound. A day is its first moment, or its last one where it is the `end`.
fn time(option: &str, text: Option<&str>, end: bool) -> Result<Option<Moment>, ConfigError> {
    let Some(text) = text else { return Ok(None) };
    if let Ok(day) = text.parse::<NaiveDate>() {
        let first = if end { day.checked_add_days(Days::new(1)) } else { Some(day) };
        let at = first.map(|day| day.and_time(NaiveTime::MIN).and_utc().timestamp_micros());
        let at = at.ok_or_else(|| ConfigError::new(option, "is a day beyond all calendars"))?;
        return Ok(Some(Moment::from_micros(at - i64::from(end))));
    }
    print::moment(text).map(Some).map_err(|problem| ConfigError::new(option, problem))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_a_whole_day_and_a_wrong_time_names_its_option() {
        let bound = |text: &str, end| time("--to", Some(text), end).map(|at| at.unwrap().to_string());
        assert!(bound("2026-05-01", false).unwrap().starts_with("2026-05-01T00:00:00"));
        assert!(bound("2026-05-01", true).unwrap().starts_with("2026-05-01T23:59:59"));
        assert!(bound("2026-05-01T10:00:00+02:00", true).unwrap().starts_with("2026-05-01T08:00:00"));
        assert_eq!(bound("soon", true).unwrap_err().name, "--to");
    }

    #[test]
    fn a_cost_that_is_not_known_is_no_zero() {
        let free = UsageRow { cost_usd: Some(0.0), audio_ms: 61_000, ..UsageRow::default() };
        assert_eq!(line(&free)[5..7], ["1:01", "0.0000"]);
        assert_eq!(line(&UsageRow::default())[6], "-");
    }
}
