use proptest::prelude::*;

use super::*;

/// A word of a recording, as it was said.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Spoken {
    text: String,
    speaker: usize,
    start: i64,
    end: i64,
}

/// A provider that returns words by time: those that lie completely in the piece. It calls the voices of each piece A, B,
/// C in the order in which they speak.
fn transcribe(recording: &[Spoken], start: i64, end: i64, with_words: bool) -> Part {
    let inside: Vec<&Spoken> =
        recording.iter().filter(|word| word.start >= start && word.end <= end).collect();
    let mut voices: Vec<usize> = Vec::new();
    let mut segments: Vec<Segment> = Vec::new();
    let mut last = None;
    for word in &inside {
        let voice = voices.iter().position(|voice| *voice == word.speaker).unwrap_or_else(|| {
            voices.push(word.speaker);
            voices.len() - 1
        });
        let label = char::from(b'A' + u8::try_from(voice).unwrap()).to_string();
        if last == Some(word.speaker) {
            let segment = segments.last_mut().unwrap();
            segment.text = format!("{} {}", segment.text, word.text);
            segment.end_ms = Some(word.end - start);
        } else {
            segments.push(Segment {
                id: 0,
                speaker: Some(label),
                role: None,
                start_ms: Some(word.start - start),
                end_ms: Some(word.end - start),
                text: word.text.clone(),
                confidence: None,
            });
        }
        last = Some(word.speaker);
    }
    let timed = |word: &&Spoken| TimedWord {
        text: word.text.trim_matches(',').to_owned(),
        start_ms: word.start - start,
        end_ms: word.end - start,
    };
    let words = if with_words { inside.iter().map(timed).collect() } else { Vec::new() };
    let transcript = Transcript { segments, ..Transcript::default() };
    Part { start_ms: start, end_ms: end, transcript, words }
}

/// The words of a transcript with the labels of their speakers.
fn words_of(transcript: &Transcript) -> Vec<(String, String)> {
    let words = |segment: &Segment| -> Vec<(String, String)> {
        let speaker = segment.speaker.clone().unwrap();
        segment.text.split_whitespace().map(|word| (word.to_owned(), speaker.clone())).collect()
    };
    transcript.segments.iter().flat_map(words).collect()
}

/// Cuts the recording into pieces that begin at these times and share this much.
fn pieces(recording: &[Spoken], cuts: &[i64], shared: i64) -> Vec<(i64, i64)> {
    let end = recording.last().map_or(1, |word| word.end) + 500;
    let mut cuts: Vec<i64> =
        cuts.iter().copied().filter(|cut| *cut > shared && *cut < end - shared).collect();
    cuts.sort_unstable();
    cuts.dedup_by(|later, earlier| *later - *earlier < 3 * shared);
    let starts = [0].into_iter().chain(cuts.iter().map(|cut| cut - shared / 2));
    let ends = cuts.iter().map(|cut| cut + shared / 2).chain([end]);
    starts.zip(ends).collect()
}

fn holds(recording: &[Spoken], joined: &Transcript) -> Result<(), TestCaseError> {
    let found = words_of(joined);
    let said: Vec<&str> = recording.iter().map(|word| word.text.as_str()).collect();
    let read: Vec<&str> = found.iter().map(|(word, _)| word.as_str()).collect();
    prop_assert_eq!(read, said);
    // One voice may have several labels, and one label never has several voices.
    let mut voice_of = std::collections::HashMap::new();
    for (word, (_, label)) in recording.iter().zip(&found) {
        let voice = *voice_of.entry(label.clone()).or_insert(word.speaker);
        prop_assert_eq!(voice, word.speaker, "{} moved to another speaker", word.text);
    }
    Ok(())
}

/// A dialogue whose words come from `vocabulary`: a word lasts 120 to 400 ms, and pauses last up to 900 ms.
fn dialogue(vocabulary: Option<usize>) -> impl Strategy<Value = Vec<Spoken>> {
    let word = (0_usize..1_000, 120_i64..400, 0_i64..900, 0_usize..3, 0_u8..4);
    prop::collection::vec(word, 10..150).prop_map(move |words| {
        let (mut now, mut speaker) = (0, 0);
        let said = words.into_iter().enumerate().map(|(nth, (pick, lasts, pause, who, turn))| {
            if turn == 0 {
                speaker = who;
            }
            let text = match vocabulary {
                Some(size) => ["yes,", "no", "Well", "the", "price"][pick % size].to_owned(),
                None => format!("word{nth}"),
            };
            let start = now + pause;
            now = start + lasts;
            Spoken { text, speaker, start, end: now }
        });
        said.collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn no_word_is_lost_or_doubled_or_moved_to_another_speaker_for_cuts_anywhere(
        recording in dialogue(Some(5)),
        cuts in prop::collection::vec(0_i64..90_000, 0..8),
        shared in 1_500_i64..5_000,
    ) {
        let parts = pieces(&recording, &cuts, shared).into_iter();
        let parts = parts.map(|(start, end)| transcribe(&recording, start, end, true)).collect();
        holds(&recording, &join(parts))?;
    }

    #[test]
    fn the_same_holds_where_only_turns_have_times(
        recording in dialogue(None),
        cuts in prop::collection::vec(0_i64..90_000, 0..8),
        shared in 1_500_i64..5_000,
    ) {
        let parts = pieces(&recording, &cuts, shared).into_iter();
        let parts = parts.map(|(start, end)| transcribe(&recording, start, end, false)).collect();
        holds(&recording, &join(parts))?;
    }

    #[test]
    fn pieces_that_were_cut_at_silences_and_share_nothing_are_put_behind_each_other(
        recording in dialogue(Some(5)),
        after in prop::collection::vec(0_usize..150, 0..6),
        with_words in any::<bool>(),
    ) {
        let mut cuts: Vec<i64> =
            after.iter().filter_map(|nth| recording.get(*nth)).map(|word| word.end).collect();
        cuts.sort_unstable();
        cuts.dedup();
        let end = recording.last().unwrap().end + 500;
        let starts = [0].into_iter().chain(cuts.iter().copied());
        let spans = starts.zip(cuts.iter().copied().chain([end]));
        let parts = spans.map(|(start, end)| transcribe(&recording, start, end, with_words)).collect();
        holds(&recording, &join(parts))?;
    }
}

fn spoken(text: &str, speaker: usize, start: i64) -> Spoken {
    Spoken { text: text.into(), speaker, start, end: start + 300 }
}

#[test]
fn times_are_moved_and_voices_are_found_again_by_what_both_pieces_heard() {
    let recording = [
        spoken("Good", 0, 0),
        spoken("morning.", 0, 400),
        spoken("Hello", 1, 2_000),
        spoken("Dana.", 1, 2_400),
        spoken("What", 0, 4_000),
        spoken("now?", 0, 4_400),
    ];
    // In the second piece voice 1 speaks first, so it is called A there.
    let parts = vec![transcribe(&recording, 0, 3_000, true), transcribe(&recording, 1_900, 6_000, true)];
    let joined = join(parts);
    let read: Vec<_> = joined
        .segments
        .iter()
        .map(|segment| (segment.id, segment.speaker.as_deref(), segment.start_ms, segment.text.as_str()))
        .collect();
    assert_eq!(read[0], (1, Some("A"), Some(0), "Good morning."));
    assert_eq!(
        read.last().unwrap(),
        &(u32::try_from(read.len()).unwrap(), Some("C"), Some(4_000), "What now?")
    );
    assert!(
        read.iter().any(|(_, speaker, _, text)| *speaker == Some("B") && text.contains("Dana.")),
        "{read:?}"
    );
}

#[test]
fn a_voice_that_is_not_found_again_gets_a_label_of_its_own_and_that_is_said() {
    let recording = [spoken("Hello.", 0, 0), spoken("Hello", 1, 5_000), spoken("there.", 1, 5_400)];
    let parts = vec![transcribe(&recording, 0, 3_000, true), transcribe(&recording, 3_000, 6_000, true)];
    let joined = join(parts);
    let speakers: Vec<_> = joined.segments.iter().map(|segment| segment.speaker.as_deref()).collect();
    assert_eq!(speakers, [Some("A"), Some("B")]);
    assert_eq!(joined.notes[0].code, "speakers_not_matched");
}

#[test]
fn a_text_without_any_times_is_joined_word_by_word() {
    let part = |start_ms, end_ms, text: &str| {
        let segment = Segment {
            id: 1,
            speaker: None,
            role: None,
            start_ms: None,
            end_ms: None,
            text: text.into(),
            confidence: None,
        };
        let transcript = Transcript { segments: vec![segment], ..Transcript::default() };
        Part { start_ms, end_ms, transcript, words: Vec::new() }
    };
    let parts = vec![
        part(0, 6_000, "I would like to cancel the whole subscription please"),
        part(4_000, 10_000, "whole subscription, please. And what about the invoice of May?"),
    ];
    let joined = join(parts);
    let text = joined.segments.iter().map(|segment| segment.text.as_str()).collect::<Vec<_>>().join(" ");
    assert_eq!(
        text.replace([',', '.'], ""),
        "I would like to cancel the whole subscription please And what about the invoice of May?"
    );
}
