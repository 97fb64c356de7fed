//! The parts of a call's page: the lines of the transcript, the effects, and what happened when.

use chrono_tz::Tz;
use domain::corrections::Corrections;
use domain::moment::Moment;
use domain::transcript::{Segment, Transcript};
use platform::config::Values;
use store::{DeliveredRow, EffectRow, EndedRun, RunRow, RunTrace};

use super::correcting::seal;
use super::finding::Finding;
use crate::marked::{self, Piece};
use crate::show;
use crate::texts::{CallTexts, fill};

/// How many lines of a transcript a page shows. A meeting of a day has many thousands.
const ON_A_PAGE: usize = 500;

/// The lines of a transcript that a page shows.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Lines {
    pub(super) shown: Vec<Line>,
    pub(super) language: Option<String>,
    /// Which lines these are, where they are not all.
    pub(super) part: Option<String>,
    /// The first line of the page before and of the page behind.
    pub(super) earlier: Option<usize>,
    pub(super) later: Option<usize>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) id: u32,
    pub(super) who: String,
    pub(super) start_ms: Option<i64>,
    pub(super) at: String,
    pub(super) text: String,
    /// The text, with what the visitor looks for marked.
    pub(super) pieces: Vec<Piece>,
    /// The visitor looks at this line, because it has something of what was looked for.
    pub(super) is_here: bool,
    pub(super) is_corrected: bool,
}

impl Line {
    /// What a form sends back instead of these words.
    pub(super) fn seal(&self) -> String {
        seal(&self.text)
    }
}

impl Lines {
    /// The page of the transcript that has the line with the number `wanted`.
    pub(super) fn around(
        wanted: u32,
        transcript: Option<&Transcript>,
        corrections: &Corrections,
        finding: &Finding,
        texts: &CallTexts,
    ) -> Self {
        let Some(transcript) = transcript else { return Self::default() };
        let wanted = usize::try_from(wanted).unwrap_or(usize::MAX);
        let count = transcript.segments.len();
        let last = count.saturating_sub(1) / ON_A_PAGE;
        let page = (wanted.saturating_sub(1) / ON_A_PAGE).min(last);
        let start = page * ON_A_PAGE;
        let end = count.min(start + ON_A_PAGE);
        let number = |number: usize| number.to_string();
        let part = || fill(texts.segments, &[&number(start + 1), &number(end), &number(count)]);
        Self {
            shown: transcript.segments[start..end]
                .iter()
                .map(|segment| line(segment, corrections, finding))
                .collect(),
            language: transcript.language.as_deref().and_then(language_tag),
            part: (count > ON_A_PAGE).then(part),
            earlier: (page > 0).then(|| start + 1 - ON_A_PAGE),
            later: (end < count).then_some(end + 1),
        }
    }
}

/// The language as HTML names it (BCP 47), where a provider names one. Some write `en_us`.
fn language_tag(language: &str) -> Option<String> {
    let tag = language.replace('_', "-");
    let mut parts = tag.split('-');
    let is_primary =
        |part: &str| matches!(part.len(), 2 | 3) && part.bytes().all(|b| b.is_ascii_alphabetic());
    let is_further =
        |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric());
    let is_tag = parts.next().is_some_and(is_primary) && parts.all(is_further);
    is_tag.then_some(tag)
}

fn line(segment: &Segment, corrections: &Corrections, finding: &Finding) -> Line {
    Line {
        id: segment.id,
        who: segment.label(),
        start_ms: segment.start_ms,
        at: segment.start_ms.map(show::milliseconds).unwrap_or_default(),
        pieces: marked::pieces(&segment.text, &finding.places(&segment.text)),
        is_here: finding.line() == Some(segment.id),
        is_corrected: corrections
            .lines
            .iter()
            .any(|line| line.segment == segment.id && line.text == segment.text),
        text: segment.text.clone(),
    }
}

/// What a stage made in another system.
pub(super) struct EffectLine {
    pub(super) target: String,
    pub(super) object: String,
    pub(super) state: String,
    pub(super) remote: String,
    /// The page of it in the other system, where its address is known.
    pub(super) page: Option<String>,
    pub(super) error: String,
}

impl EffectLine {
    pub(super) fn of(effect: EffectRow, values: &Values) -> Self {
        let remote = effect.remote_id.as_deref().unwrap_or_default();
        Self {
            page: providers::page_of(values, &effect.target, remote).map(String::from),
            target: effect.target,
            object: effect.object,
            state: effect.state,
            remote: effect.remote_id.unwrap_or_default(),
            error: effect.error_code.unwrap_or_default(),
        }
    }
}

/// Something that happened to the call: a delivery, or the work of a stage.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Happened {
    since: Moment,
    pub(super) at: String,
    pub(super) what: String,
    pub(super) state: String,
    /// The round of a stage, and how often it was tried. A delivery has neither.
    pub(super) round: Option<i64>,
    pub(super) tries: Option<i64>,
    pub(super) error: String,
    /// The trace of the operation that gave the stage its work. Empty where it is not known.
    pub(super) trace: String,
}

/// Everything that happened, the oldest first.
pub(super) fn happened(
    delivered: &[DeliveredRow],
    (runs, ended): (&[RunRow], &[EndedRun]),
    traces: &[RunTrace],
    zone: Tz,
) -> Vec<Happened> {
    let at = |since| show::time(since, zone);
    let trace = |stage: &str, generation| {
        let of_run = traces.iter().find(|trace| trace.stage == stage && trace.generation == generation);
        of_run.map(|trace| trace.trace_id.clone()).unwrap_or_default()
    };
    let arrived = delivered.iter().map(|row| Happened {
        since: row.received_at,
        at: at(row.received_at),
        what: row.kind.clone(),
        state: "received".into(),
        round: None,
        tries: None,
        error: String::new(),
        trace: String::new(),
    });
    let done = ended.iter().map(|run| Happened {
        since: run.since,
        at: at(run.since),
        what: run.stage.clone(),
        state: run.state.clone(),
        round: Some(run.generation),
        tries: Some(run.attempts),
        error: run.error_code.clone().unwrap_or_default(),
        trace: trace(&run.stage, run.generation),
    });
    let is_listed = |run: &&RunRow| {
        ended.iter().any(|other| other.stage == run.stage && other.generation == run.generation)
    };
    let open = runs.iter().filter(|run| !is_listed(run)).map(|run| Happened {
        since: run.since,
        at: at(run.since),
        what: run.stage.clone(),
        state: run.state.clone(),
        round: Some(run.generation),
        tries: Some(run.attempts),
        error: run.error_code.clone().unwrap_or_default(),
        trace: trace(&run.stage, run.generation),
    });
    let mut all: Vec<Happened> = arrived.chain(done).chain(open).collect();
    all.sort_by_key(|happened| happened.since);
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::texts::Language;

    fn lines(count: usize, wanted: u32) -> Lines {
        let segment = Segment {
            id: 0,
            speaker: Some("A".into()),
            role: None,
            start_ms: Some(65_000),
            end_ms: None,
            text: "Good morning.".into(),
            confidence: None,
        };
        let segments = vec![segment; count];
        let transcript =
            Transcript { language: None, segments, notes: Vec::new(), speakers: Vec::new() }.numbered();
        let (corrections, finding) = (Corrections::default(), Finding::default());
        Lines::around(wanted, Some(&transcript), &corrections, &finding, CallTexts::of(Language::English))
    }

    #[test]
    fn a_long_transcript_is_shown_in_parts_and_the_wanted_line_is_on_the_page() {
        let first = lines(1200, 1);
        assert_eq!((first.shown.len(), first.earlier, first.later), (500, None, Some(501)));
        assert_eq!(first.part.as_deref(), Some("Lines 1 to 500 of 1200"));
        let middle = lines(1200, 777);
        assert_eq!((middle.shown[0].id, middle.earlier, middle.later), (501, Some(1), Some(1001)));
        let last = lines(1200, u32::MAX);
        assert_eq!((last.shown.len(), last.earlier, last.later), (200, Some(501), None));
    }

    #[test]
    fn a_language_is_named_as_html_names_it_or_not_at_all() {
        for (said, shown) in [
            ("en_us", Some("en-us")),
            ("hi", Some("hi")),
            ("zh-Hant-TW", Some("zh-Hant-TW")),
            ("english", None),
            ("\"><script>", None),
            ("", None),
            ("en-", None),
        ] {
            assert_eq!(language_tag(said).as_deref(), shown, "{said}");
        }
    }

    #[test]
    fn a_short_transcript_is_one_part_and_an_empty_one_is_none() {
        let short = lines(1, 0);
        assert_eq!((&*short.shown[0].who, &*short.shown[0].at, short.part), ("Speaker A", "1:05", None));
        assert_eq!(lines(0, 1), Lines::default());
    }
}
