//! Predicts what a number of calls in a day needs: processes, servers, providers and money.
//!
//! The model is arithmetic that a person can check. A process of a stage holds so many calls at the same time, and each
//! takes so long, so it does `places / seconds` calls in a second, unless its processor is the bound. What the processor
//! needs for a call is not assumed: it is read from `RESULTS.md`, where it was measured.

mod measured;

use std::fmt::Write as _;

pub use measured::{Measured, Point};

/// The part of a process or a server that is planned to be used. The rest takes what is uneven.
const PLANNED: f64 = 0.7;
const SECONDS_IN_A_DAY: f64 = 86_400.0;
/// The events that one call brings to the broker: received, accepted, transcribed, and analyzed for two stages.
const MESSAGES_FOR_A_CALL: f64 = 5.0;

/// What is assumed about the calls and about the systems of others.
#[derive(Clone, Copy, Debug)]
pub struct Assumptions {
    pub calls_per_day: f64,
    /// How many times more calls come in at the busiest time than on average.
    pub peak: f64,
    pub minutes_of_audio: f64,
    /// How long a place is held while a recording is fetched and uploaded.
    pub transfer_s: f64,
    /// How long the speech provider works on a recording.
    pub speech_s: f64,
    pub model_s: f64,
    pub crm_s: f64,
    pub slack_s: f64,
    /// How many recordings the speech provider works on at the same time.
    pub speech_jobs: f64,
    /// How many requests the model takes in a minute.
    pub model_per_minute: f64,
    pub slack_channels: f64,
    /// The processors of the server with PostgreSQL.
    pub database_cores: f64,
    pub prompt_tokens: f64,
    pub completion_tokens: f64,
    /// US dollars for a million tokens.
    pub prompt_price: f64,
    pub completion_price: f64,
    /// US dollars for an hour of audio.
    pub audio_price: f64,
}

impl Assumptions {
    pub fn calls_per_second(&self) -> f64 {
        self.calls_per_day / SECONDS_IN_A_DAY
    }

    /// The calls in a second at the busiest time.
    pub fn at_peak(&self) -> f64 {
        self.calls_per_second() * self.peak
    }
}

/// What one role needs.
#[derive(Clone, Debug, PartialEq)]
pub struct Need {
    pub role: &'static str,
    /// The calls in a second that one process does at most.
    pub of_one: f64,
    pub processes: u64,
    pub bound: Bound,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// The places of a process, because each call waits for somebody else.
    Places,
    Processor,
    /// Even one process would be enough; the second is there when one dies.
    Spare,
}

impl Bound {
    fn words(self) -> &'static str {
        match self {
            Self::Places => "each call waits for somebody else",
            Self::Processor => "the processor",
            Self::Spare => "one is enough; two, so that one may die",
        }
    }
}

/// The calls in a second that one process does: it holds `places` of them, each for so long, on one processor.
pub fn rate_of_one(places: f64, seconds: f64, processor_ms: f64) -> f64 {
    let by_places = if seconds > 0.0 { places / seconds } else { f64::INFINITY };
    let by_processor = if processor_ms > 0.0 { 1000.0 / processor_ms } else { f64::INFINITY };
    by_places.min(by_processor)
}

/// What each role needs at the busiest time. The places are those of the table of queues, less the share that a stage
/// keeps free of waits for a provider.
pub fn needs(of: &Assumptions, measured: &Measured) -> Vec<Need> {
    let roles: [(&'static str, f64, f64); 6] = [
        ("ingest", 256.0, 0.005),
        ("dedup", 64.0, 64.0 / measured.dedup_per_second),
        ("transcription", 12.0, of.transfer_s),
        ("analysis", 20.0, of.model_s),
        ("crm", 20.0, of.crm_s),
        ("slack", 20.0, of.slack_s),
    ];
    let need = |(role, places, seconds): (&'static str, f64, f64)| {
        let processor_ms = measured.processor_ms(&format!("debrief {role}"));
        let of_one = rate_of_one(places, seconds, processor_ms);
        let needed = whole(of.at_peak() / (of_one * PLANNED));
        let bound = match (needed, processor_ms > 0.0 && 1000.0 / processor_ms <= of_one) {
            (..=1, _) => Bound::Spare,
            (_, true) => Bound::Processor,
            (_, false) => Bound::Places,
        };
        Need { role, of_one, processes: needed.max(2), bound }
    };
    roles.into_iter().map(need).collect()
}

/// A limit, and the calls in a day that it allows.
#[derive(Clone, Debug, PartialEq)]
pub struct Limit {
    pub what: String,
    pub calls_per_day: f64,
}

/// What breaks first: each limit with the calls in a day from which on calls wait at the busiest time, the lowest first.
pub fn limits(of: &Assumptions, measured: &Measured) -> Vec<Limit> {
    let limit = |what: String, per_second: f64| Limit {
        what,
        calls_per_day: per_second * SECONDS_IN_A_DAY / of.peak,
    };
    let channels = of.slack_channels;
    let mut limits = vec![
        limit(format!("Slack takes one message a second in each channel ({channels} channels)"), channels),
        limit(
            format!("the speech provider works on {} recordings at the same time", of.speech_jobs),
            of.speech_jobs / of.speech_s,
        ),
        limit(
            format!("the model takes {} requests in a minute", of.model_per_minute),
            of.model_per_minute / 60.0,
        ),
        limit(
            format!("PostgreSQL on {} processors", of.database_cores),
            of.database_cores * PLANNED * 1000.0 / measured.processor_ms("PostgreSQL"),
        ),
        limit("one process takes the events in (dedup)".to_owned(), measured.dedup_per_second),
        limit("one process answers the webhooks (ingest)".to_owned(), measured.ingest_per_second),
    ];
    limits.sort_by(|a, b| a.calls_per_day.total_cmp(&b.calls_per_day));
    limits
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small number of processes")]
fn whole(processes: f64) -> u64 {
    processes.ceil().max(1.0) as u64
}

/// The prediction, as it stands in the documentation.
pub fn page(of: &Assumptions, measured: &Measured) -> Result<String, std::fmt::Error> {
    let mut page = format!(
        "{:.0} calls in a day are {:.1} in a second, and {:.1} at the busiest time.\n\n\
         | role | calls in a second of one process | processes | the bound |\n|---|---|---|---|\n",
        of.calls_per_day,
        of.calls_per_second(),
        of.at_peak()
    );
    for Need { role, of_one, processes, bound } in needs(of, measured) {
        writeln!(page, "| `{role}` | {of_one:.1} | {processes} | {} |", bound.words())?;
    }
    page.push_str("\n| server | processors at the busiest time | |\n|---|---|---|\n");
    for (server, more) in [
        ("PostgreSQL", String::new()),
        ("RabbitMQ", format!("{:.0} messages in a second", of.at_peak() * MESSAGES_FOR_A_CALL)),
        ("Redis", String::new()),
    ] {
        writeln!(
            page,
            "| {server} | {:.2} | {more} |",
            of.at_peak() * measured.processor_ms(server) / 1000.0
        )?;
    }
    writeln!(
        page,
        "\n| of others | in a day | at the busiest time |\n|---|---|---|\n\
         | recordings at the speech provider | {:.0} hours of audio | {:.0} at the same time |\n\
         | requests to the model | {:.0} | {:.0} in a minute |\n\
         | messages to Slack | {:.0} | {:.0} channels |\n",
        of.calls_per_day * of.minutes_of_audio / 60.0,
        of.at_peak() * of.speech_s,
        of.calls_per_day,
        of.at_peak() * 60.0,
        of.calls_per_day,
        of.at_peak().ceil(),
    )?;
    let model = of.calls_per_day
        * (of.prompt_tokens * of.prompt_price + of.completion_tokens * of.completion_price)
        / 1_000_000.0;
    let speech = of.calls_per_day * of.minutes_of_audio / 60.0 * of.audio_price;
    writeln!(
        page,
        "Money in a day: {model:.0} US dollars for the model, and {speech:.0} for the speech provider.\n\n\
         | what breaks first | from so many calls in a day on |\n|---|---|"
    )?;
    for Limit { what, calls_per_day } in limits(of, measured) {
        writeln!(page, "| {what} | {calls_per_day:.0} |")?;
    }
    page.push_str("\n| measured | predicted | measured | error |\n|---|---|---|---|\n");
    for Point { what, predicted, measured } in measured.points() {
        let error = (predicted / measured - 1.0) * 100.0;
        writeln!(
            page,
            "| {what} | {predicted:.1} in a second | {measured:.1} in a second | {error:+.0} % |"
        )?;
    }
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RESULTS: &str = include_str!("../../RESULTS.md");
    const MILLION: Assumptions = Assumptions {
        calls_per_day: 1_000_000.0,
        peak: 3.0,
        minutes_of_audio: 4.0,
        transfer_s: 3.0,
        speech_s: 30.0,
        model_s: 4.0,
        crm_s: 1.0,
        slack_s: 0.4,
        speech_jobs: 200.0,
        model_per_minute: 500.0,
        slack_channels: 1.0,
        database_cores: 4.0,
        prompt_tokens: 2500.0,
        completion_tokens: 500.0,
        prompt_price: 1.0,
        completion_price: 4.0,
        audio_price: 0.2,
    };

    fn measured() -> Measured {
        Measured::read(RESULTS).unwrap()
    }

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 0.01 * b
    }

    #[test]
    fn a_process_is_bound_by_its_places_or_by_its_processor() {
        assert!(close(rate_of_one(20.0, 2.0, 1.0), 10.0));
        assert!(close(rate_of_one(20.0, 0.001, 1.0), 1000.0));
    }

    #[test]
    fn a_million_calls_need_processes_where_calls_wait_for_somebody() {
        let needs = needs(&MILLION, &measured());
        let of = |role: &str| needs.iter().find(|need| need.role == role).unwrap();
        // 34.7 calls in a second; 5 in a second of one process that is used to 70 %.
        assert_eq!((of("analysis").processes, of("analysis").bound), (10, Bound::Places));
        assert_eq!((of("transcription").processes, of("transcription").bound), (13, Bound::Places));
        assert_eq!((of("dedup").processes, of("dedup").bound), (2, Bound::Spare));
    }

    #[test]
    fn twice_the_calls_need_twice_the_processes_of_a_stage_that_waits() {
        let twice = Assumptions { calls_per_day: 2_000_000.0, ..MILLION };
        let of = |all: Vec<Need>| all.into_iter().find(|need| need.role == "analysis").unwrap().processes;
        assert_eq!(of(needs(&twice, &measured())), 20);
    }

    #[test]
    fn slack_breaks_first_and_more_channels_let_something_else_break() {
        let first = |of: &Assumptions| limits(of, &measured())[0].clone();
        let slack = first(&MILLION);
        assert!(slack.what.starts_with("Slack") && close(slack.calls_per_day, 28_800.0), "{slack:?}");
        let other = first(&Assumptions { slack_channels: 100.0, ..MILLION });
        assert!(
            other.what.starts_with("the speech provider") && close(other.calls_per_day, 192_000.0),
            "{other:?}"
        );
    }

    #[test]
    fn what_was_measured_is_predicted_within_a_sixth() {
        let points = measured().points();
        assert!(points.len() >= 7, "{points:?}");
        for Point { what, predicted, measured } in points {
            let error = (predicted / measured - 1.0).abs();
            assert!(error < 1.0 / 6.0, "{what}: {predicted:.1} is not {measured:.1}");
        }
    }

    #[test]
    fn the_page_shows_what_the_model_says() {
        let page = page(&MILLION, &measured()).unwrap();
        let docs = include_str!("../../../docs/scaling.md");
        assert!(docs.contains(&page), "docs/scaling.md does not hold this:\n{page}");
    }
}
