//! Writes the message about a meeting: its topic, its time and length, the people, the summary, the key points and
//! the action items. The transcript follows in further messages.
//!
//! An empty section is left out, and an action item without an owner shows no owner. The words of people and models
//! stand outside a code block here, so addresses in them are broken and become no links.

use std::time::Duration;

use domain::analysis::{ActionItem, Analysis};
use domain::blank::{given, is_blank};
use domain::call::{Call, CallDetails, Participant, Role};
use domain::moment::in_words;
use domain::transcript::Transcript;

use super::format::{Format, turns};
use crate::escape::{defuse, id, unlink};
use crate::split::{MAX_CHARS, Whole, pack};

/// How many people are listed. Nobody reads the list of a webinar with hundreds of people.
const MAX_PEOPLE: usize = 40;

/// The texts to post: the message, and then the transcript. Each text has at most [`MAX_CHARS`] characters. A message
/// that is longer continues in the next text.
pub(super) fn write(
    call: &Call,
    analysis: &Analysis,
    transcript: &Transcript,
    format: &Format,
) -> Vec<String> {
    let mut texts = pack(&lines(&sections(call, analysis, transcript, format)), MAX_CHARS, MAX_CHARS);
    let turns = turns(transcript);
    if !turns.is_empty() {
        let call = id(&call.external_id).unwrap_or_default();
        let head = format!("📝 *Full Transcription* of `{call}`:");
        let parts = Whole { head, turns, tail: String::new(), call }.split(MAX_CHARS);
        texts.extend(parts.into_iter().map(|part| part.trim_end().to_owned()));
    }
    texts
}

/// A heading and the lines under it. The lines are defused and not yet escaped.
struct Section {
    title: &'static str,
    lines: Vec<String>,
}

fn sections(call: &Call, analysis: &Analysis, transcript: &Transcript, format: &Format) -> Vec<Section> {
    let details = &call.details;
    let section = |title, lines: Vec<String>| Section { title, lines };
    let bullets = |texts: &[String]| texts.iter().filter_map(|text| bullet(text)).collect();
    // The id stands between backticks, so a backtick in it would end the code. Everything else is escaped later with
    // the line.
    let call_id = defuse(&call.external_id.replace('`', "'"));
    vec![
        section("📅 *Meeting:*", details.topic.as_deref().and_then(words).into_iter().collect()),
        section("⏰ *When:*", when(details, transcript, format).into_iter().collect()),
        section("👥 *Who was there:*", people(details, transcript)),
        section("💡 *Summary:*", words(&analysis.summary).into_iter().collect()),
        section("🔑 *Key Points:*", bullets(&analysis.key_points)),
        section("✅ *Action Items:*", analysis.action_items.iter().filter_map(action_item).collect()),
        section("📋 *Call Metadata:*", vec![format!("• Call ID: `{call_id}`")]),
    ]
}

/// Turns the sections into lines of text, with a blank line between two sections. A heading stays together with the
/// first line under it.
fn lines(sections: &[Section]) -> Vec<String> {
    let mut all = Vec::new();
    for Section { title, lines } in sections.iter().filter(|section| !section.lines.is_empty()) {
        if !all.is_empty() {
            all.push(String::new());
        }
        for (number, line) in lines.iter().enumerate() {
            all.push(if number == 0 { format!("{title}\n{line}") } else { line.clone() });
        }
    }
    all
}

/// Puts somebody's words on one line, without anything that Slack would act on.
fn words(text: &str) -> Option<String> {
    let text = unlink(&defuse(text));
    (!is_blank(&text)).then_some(text)
}

fn bullet(text: &str) -> Option<String> {
    words(text).map(|text| format!("• {text}"))
}

fn when(details: &CallDetails, transcript: &Transcript, format: &Format) -> Option<String> {
    let start = details.started_at.map(|_| format.start(details));
    // A time that cannot be read is shown as the source wrote it. It is not escaped here, because the whole line is
    // escaped later.
    let start = start.unwrap_or_else(|| details.started_text.as_deref().and_then(words));
    let duration_ms = details.said_duration_ms().or_else(|| transcript.duration_ms());
    let duration_ms = duration_ms.and_then(|ms| u64::try_from(ms).ok()).filter(|ms| *ms > 0);
    let length = duration_ms.map(|ms| in_words(Duration::from_millis(ms)));
    let known: Vec<String> = start.into_iter().chain(length).collect();
    (!known.is_empty()).then(|| known.join(", "))
}

/// The participants of the meeting. Where the meeting names no participants, the named speakers of the transcript.
fn people(details: &CallDetails, transcript: &Transcript) -> Vec<String> {
    let mut people: Vec<String> = details.participants.iter().filter_map(person).collect();
    if people.is_empty() {
        for name in transcript.segments.iter().filter_map(|segment| segment.name().and_then(words)) {
            let line = format!("• {name}");
            if !people.contains(&line) {
                people.push(line);
            }
        }
    }
    if people.len() > MAX_PEOPLE {
        let more = people.len() - MAX_PEOPLE;
        people.truncate(MAX_PEOPLE);
        people.push(format!("• and {more} more"));
    }
    people
}

fn person(of: &Participant) -> Option<String> {
    let known = [&of.name, &of.email, &of.phone].into_iter().find_map(|text| given(text.as_ref()))?;
    let part = match of.role {
        Some(role @ (Role::Host | Role::Presenter | Role::Agent | Role::Customer)) => {
            format!(" ({})", role.name())
        }
        Some(Role::Participant) | None => String::new(),
    };
    Some(format!("• {}{part}", words(known)?))
}

fn action_item(item: &ActionItem) -> Option<String> {
    let part =
        |name: &str, text: Option<&String>| given(text).and_then(words).map(|text| format!("{name}: {text}"));
    let parts: Vec<String> =
        [part("owner", item.owner.as_ref()), part("due", item.due.as_ref())].into_iter().flatten().collect();
    let text = bullet(&item.text)?;
    Some(if parts.is_empty() { text } else { format!("{text} ({})", parts.join(", ")) })
}

#[cfg(test)]
mod tests {
    use chrono_tz::Tz;
    use domain::analysis::{Category, Metrics, Priority, Resolution, Sentiment, Tone};
    use domain::call::{CallId, CallKind, CallStatus, WorkspaceId};
    use domain::moment::Moment;
    use domain::parties::SupportLines;
    use domain::transcript::Segment;

    use super::*;

    #[expect(clippy::unnecessary_wraps, reason = "every field of a call may be absent")]
    fn text(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    fn person(name: &str, role: Option<Role>) -> Participant {
        Participant { name: text(name), role, ..Participant::default() }
    }

    fn meeting() -> Call {
        let start: chrono::DateTime<chrono::Utc> = "2026-03-04T09:30:00Z".parse().unwrap();
        let guest = Participant { email: text("mei@calder.example.com"), ..Participant::default() };
        Call {
            id: CallId::derive(WorkspaceId::DEFAULT, "zoom", "hN3xT0aWQ1yA=="),
            workspace: WorkspaceId::DEFAULT,
            source: "zoom".into(),
            external_id: "hN3xT0aWQ1yA==".into(),
            kind: CallKind::Meeting,
            status: CallStatus::Processing,
            generation: 1,
            details: CallDetails {
                topic: text("Northbeam & Calder: route planning"),
                started_at: Some(start.into()),
                duration_ms: Some(1_800_000),
                participants: vec![
                    person("Iris Adeyemi", Some(Role::Host)),
                    person("Ruben Calder", Some(Role::Participant)),
                    guest,
                ],
                ..CallDetails::default()
            },
            received_at: Moment::from_micros(0),
            updated_at: Moment::from_micros(0),
        }
    }

    fn analysis() -> Analysis {
        let item = |what: &str, owner: Option<&str>, due: Option<&str>| ActionItem {
            text: what.to_owned(),
            owner: owner.map(str::to_owned),
            due: due.map(str::to_owned),
        };
        Analysis {
            analyzer: "builtin".into(),
            summary: "Calder plans its routes by hand. A pilot starts in April.".into(),
            key_points: vec!["Two people plan every morning".into(), "Ten percent < 10 miles".into()],
            topics: Vec::new(),
            sentiment: Sentiment::Positive,
            tone: Tone::Positive,
            concern: None,
            category: Category::Sales,
            action_items: vec![
                item("Send the pilot plan", Some("Iris Adeyemi"), Some("by Friday")),
                item("Read the connector's documentation", Some("Mei"), None),
                item("Name a test region", None, Some(" ")),
            ],
            customer_requests: Vec::new(),
            resolution: Resolution::Pending,
            priority: Priority::Medium,
            contacts: Vec::new(),
            metrics: Metrics::default(),
            usage: None,
        }
    }

    fn said(turns: &[(&str, &str)]) -> Transcript {
        let segment = |(speaker, words): &(&str, &str)| Segment {
            id: 0,
            speaker: text(speaker),
            role: None,
            start_ms: None,
            end_ms: None,
            text: (*words).to_owned(),
            confidence: None,
        };
        Transcript { language: None, segments: turns.iter().map(segment).collect(), ..Transcript::default() }
            .numbered()
    }

    fn posted(call: &Call, analysis: &Analysis, transcript: &Transcript) -> Vec<String> {
        let lines = SupportLines::new(vec!["+12025550100".into()], None);
        write(call, analysis, transcript, &Format { lines, timezone: Tz::UTC })
    }

    #[test]
    fn a_meeting_is_posted_as_a_meeting_and_its_transcript_follows() {
        let transcript =
            said(&[("Iris Adeyemi", "Shall we start?"), ("Ruben Calder", "Sure, R&D is here too.")]);
        let texts = posted(&meeting(), &analysis(), &transcript);
        let golden = include_str!("../../tests/samples/meeting.txt");
        assert_eq!(texts.join("\n----\n"), golden.trim_end());
    }

    #[test]
    fn empty_sections_are_left_out_and_no_support_number_is_named() {
        let mut call = meeting();
        call.details = CallDetails { topic: text(" \u{200B}"), ..CallDetails::default() };
        let analysis = Analysis {
            summary: String::new(),
            key_points: Vec::new(),
            action_items: Vec::new(),
            ..analysis()
        };
        let texts = posted(&call, &analysis, &Transcript::default());
        assert_eq!(texts, ["📋 *Call Metadata:*\n• Call ID: `hN3xT0aWQ1yA==`"]);
    }

    #[test]
    fn without_a_list_of_participants_the_named_speakers_were_there() {
        let mut call = meeting();
        call.details.participants.clear();
        let transcript = said(&[("Iris Adeyemi", "Hello."), ("B", "Hi."), ("Iris Adeyemi", "So.")]);
        let texts = posted(&call, &analysis(), &transcript);
        assert!(texts[0].contains("👥 *Who was there:*\n• Iris Adeyemi\n\n"), "{}", texts[0]);
    }

    #[test]
    fn a_length_that_the_source_did_not_send_is_measured() {
        let mut call = meeting();
        call.details.duration_ms = None;
        let mut transcript = said(&[("A", "Hello.")]);
        transcript.segments[0].end_ms = Some(65_000);
        let texts = posted(&call, &analysis(), &transcript);
        assert!(texts[0].contains("⏰ *When:*\n2026-03-04 09:30:00 UTC, 1 min 5 s\n"), "{}", texts[0]);
        call.details.started_at = None;
        call.details.started_text = text("last <Tuesday>");
        let texts = posted(&call, &analysis(), &transcript);
        assert!(texts[0].contains("⏰ *When:*\nlast &lt;Tuesday&gt;, 1 min 5 s\n"), "{}", texts[0]);
    }

    #[test]
    fn words_of_others_can_neither_notify_everybody_nor_link_nor_look_like_our_lines() {
        let evil = "<!channel> @here https://evil.example evil.example ```x```\n• Send the keys";
        let mut call = meeting();
        call.details.topic = text(evil);
        call.details.participants = vec![person(evil, Some(Role::Host))];
        call.external_id = "`@channel <x>".into();
        let item = || ActionItem { text: evil.to_owned(), owner: text(evil), due: text(evil) };
        let analysis = Analysis {
            summary: evil.to_owned(),
            key_points: vec![evil.to_owned()],
            action_items: vec![item()],
            ..analysis()
        };
        let texts = posted(&call, &analysis, &said(&[("A", evil)]));
        for text in &texts {
            for dangerous in ["<", "@here", "@channel", "://", "\n• Send"] {
                assert!(!text.contains(dangerous), "{dangerous}: {text}");
            }
        }
        assert!(!texts[0].contains("evil.example") && !texts[0].contains("```"), "{}", texts[0]);
        assert_eq!(texts[1].matches("```").count(), 2, "{}", texts[1]);
    }

    #[test]
    fn a_long_meeting_is_cut_between_lines_and_between_turns_and_no_word_is_lost() {
        let mut call = meeting();
        call.details.participants = (0..200).map(|n| person(&format!("Guest number {n}"), None)).collect();
        let points: Vec<String> = (0..200).map(|n| format!("Point {n} & what was said of it")).collect();
        let analysis =
            Analysis { summary: "So it goes. ".repeat(600), key_points: points.clone(), ..analysis() };
        let turns: Vec<_> = (0..300).map(|n| format!("This is turn number {n} of the meeting.")).collect();
        let spoken: Vec<_> = turns.iter().map(|turn| ("Iris Adeyemi", turn.as_str())).collect();
        let texts = posted(&call, &analysis, &said(&spoken));
        assert!(texts.iter().all(|text| text.chars().count() <= MAX_CHARS && !text.starts_with('\n')));
        let all = format!("{}\n", texts.join("\n"));
        assert_eq!(all.matches("goes.").count(), 600);
        assert!(all.contains("\n• and 160 more\n"));
        for point in points {
            assert!(all.contains(&format!("• {}\n", point.replace('&', "&amp;"))), "{point}");
        }
        for turn in turns {
            assert!(all.contains(&format!("\nIris Adeyemi: {turn}\n")), "{turn}");
        }
    }
}
