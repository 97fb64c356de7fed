use anyhow::anyhow;
use domain::event::MaterialAt;
use domain::transcript::Segment;
use proptest::prelude::*;

use super::joining::joined;
use super::*;

const RECORDING: MaterialKind = MaterialKind::Recording;
const TRANSCRIPT: MaterialKind = MaterialKind::Transcript;
const SESSION: MaterialKind = MaterialKind::Session;

fn at(second: i64) -> Moment {
    Moment::from_micros(1_772_616_600_000_000 + second * 1_000_000)
}

fn stored(kind: MaterialKind, digest: &str, start: Option<i64>) -> StoredMaterial {
    let material = Material {
        kind,
        digest: digest.into(),
        at: MaterialAt::Blob("b".into()),
        media_type: None,
        starts_at: start.map(at),
    };
    StoredMaterial { material, received_at: Moment::from_micros(0) }
}

/// The digests of the pieces that are chosen of what arrived, in their order.
fn chosen(arrived: &[(MaterialKind, &str, Option<i64>)]) -> Vec<String> {
    let arrived: Vec<_> = arrived.iter().map(|(kind, digest, start)| stored(*kind, digest, *start)).collect();
    of(&arrived).iter().map(|piece| piece.material.digest.clone()).collect()
}

#[test]
fn a_session_goes_before_a_transcript_and_the_newer_before_the_older() {
    let whole = |kinds: &[(MaterialKind, &'static str)]| {
        chosen(&kinds.iter().map(|(kind, digest)| (*kind, *digest, None)).collect::<Vec<_>>())
    };
    assert_eq!(whole(&[(TRANSCRIPT, "old"), (TRANSCRIPT, "new"), (RECORDING, "audio")]), ["new"]);
    assert_eq!(whole(&[(SESSION, "session"), (TRANSCRIPT, "later")]), ["session"]);
    assert_eq!(whole(&[(RECORDING, "audio")]), ["audio"]);
    assert_eq!(whole(&[]), Vec::<String>::new());
}

#[test]
fn two_recordings_with_different_starts_are_pieces_in_the_order_of_their_starts() {
    assert_eq!(
        chosen(&[(RECORDING, "second", Some(60)), (RECORDING, "first", Some(0))]),
        ["first", "second"]
    );
    let three = [(RECORDING, "b", Some(60)), (RECORDING, "c", Some(120)), (RECORDING, "a", Some(0))];
    assert_eq!(chosen(&three), ["a", "b", "c"]);
}

#[test]
fn two_recordings_with_one_start_are_versions_and_the_newer_counts() {
    assert_eq!(chosen(&[(RECORDING, "old", Some(0)), (RECORDING, "new", Some(1))]), ["new"]);
    assert_eq!(chosen(&[(RECORDING, "new", Some(1)), (RECORDING, "newer", Some(0))]), ["newer"]);
}

#[test]
fn a_transcript_takes_the_place_of_the_audio_of_its_own_piece_only() {
    let arrived = [
        (RECORDING, "audio 1", Some(0)),
        (RECORDING, "audio 2", Some(600)),
        (TRANSCRIPT, "words 2", Some(600)),
    ];
    assert_eq!(chosen(&arrived), ["audio 1", "words 2"]);
}

#[test]
fn a_transcript_of_the_whole_call_counts_where_a_piece_has_none_or_where_it_is_the_newest() {
    let (one, two) = ((TRANSCRIPT, "1", Some(0)), (TRANSCRIPT, "2", Some(60)));
    let (audio, all) = ((RECORDING, "audio", Some(60)), (TRANSCRIPT, "all", None));
    assert_eq!(chosen(&[all, one, audio]), ["all"]);
    assert_eq!(chosen(&[one, two, all]), ["all"]);
    assert_eq!(chosen(&[all, one, two]), ["1", "2"]);
    assert_eq!(chosen(&[(RECORDING, "all", None), one, two]), ["1", "2"]);
}

#[test]
fn one_start_beside_material_without_a_start_is_no_piece_but_a_version() {
    assert_eq!(chosen(&[(RECORDING, "started", Some(0)), (RECORDING, "newer", None)]), ["newer"]);
    assert_eq!(chosen(&[(RECORDING, "older", None), (RECORDING, "started", Some(0))]), ["started"]);
}

#[test]
fn what_arrives_again_with_its_start_is_known_by_it() {
    let arrived = [(RECORDING, "a", None), (RECORDING, "b", Some(60)), (RECORDING, "a", Some(0))];
    assert_eq!(chosen(&arrived), ["a", "b"]);
    let without = [(RECORDING, "a", Some(0)), (RECORDING, "b", Some(60)), (RECORDING, "a", None)];
    assert_eq!(chosen(&without), ["a", "b"]);
}

fn spoken(text: &str, speaker: &str, start_ms: Option<i64>) -> Segment {
    Segment {
        id: 1,
        speaker: Some(speaker.into()),
        role: None,
        start_ms,
        end_ms: start_ms.map(|start_ms| start_ms + 500),
        text: text.into(),
        confidence: None,
    }
}

fn transcript(segments: Vec<Segment>) -> Transcript {
    Transcript { segments, ..Transcript::default() }.numbered()
}

fn read(transcript: &Transcript) -> Vec<(u32, &str, &str, Option<i64>)> {
    let line = |segment: &'_ Segment| (segment.id, segment.start_ms);
    transcript
        .segments
        .iter()
        .map(|segment| {
            let (id, start_ms) = line(segment);
            (id, segment.speaker.as_deref().unwrap_or_default(), segment.text.as_str(), start_ms)
        })
        .collect()
}

#[test]
fn the_second_piece_is_moved_by_the_time_between_the_starts_and_numbered_on() {
    let parts = vec![
        (
            Some(at(2_400)),
            transcript(vec![spoken("Again.", "Ann", Some(0)), spoken("Yes.", "Bob", Some(1_000))]),
        ),
        (Some(at(0)), transcript(vec![spoken("Hello.", "Ann", Some(10))])),
    ];
    let joined = joined(parts, Vec::new());
    let wanted = [
        (1, "Ann", "Hello.", Some(10)),
        (2, "Ann", "Again.", Some(2_400_000)),
        (3, "Bob", "Yes.", Some(2_401_000)),
    ];
    assert_eq!(read(&joined), wanted);
    assert_eq!(joined.segments[2].end_ms, Some(2_401_500));
    assert_eq!(joined.notes[0].code, "call_in_pieces");
}

#[test]
fn one_piece_is_left_as_it_is() {
    let only = transcript(vec![spoken("Hello.", "A", Some(10))]);
    assert_eq!(joined(vec![(Some(at(5)), only.clone())], Vec::new()), only);
}

#[test]
fn the_first_voice_of_one_piece_is_not_taken_for_the_first_voice_of_another() {
    let piece =
        || transcript(vec![spoken("x", "A", Some(0)), spoken("y", "B", Some(1)), spoken("z", "A", Some(2))]);
    let both = joined(vec![(Some(at(0)), piece()), (Some(at(60)), piece())], Vec::new());
    let speakers: Vec<_> = read(&both).iter().map(|(_, speaker, _, _)| *speaker).collect();
    assert_eq!(speakers, ["A", "B", "A", "C", "D", "C"]);
    assert!(both.notes[0].text.contains("two letters"), "{:?}", both.notes);
    let channels = || transcript(vec![spoken("x", "1", Some(0)), spoken("y", "Ann Lee", Some(1))]);
    let both = joined(vec![(Some(at(0)), channels()), (Some(at(60)), channels())], Vec::new());
    let speakers: Vec<_> = read(&both).iter().map(|(_, speaker, _, _)| *speaker).collect();
    assert_eq!(speakers, ["1", "Ann Lee", "1", "Ann Lee"]);
}

#[test]
fn pieces_without_times_follow_each_other() {
    let piece = |text: &str| transcript(vec![spoken(text, "Ann", None)]);
    let both = joined(vec![(Some(at(60)), piece("two")), (Some(at(0)), piece("one"))], Vec::new());
    assert_eq!(read(&both), [(1, "Ann", "one", None), (2, "Ann", "two", None)]);
}

/// Gathers the pieces of what arrived. Also returns the digests of those that were begun.
fn gather(
    arrived: &[StoredMaterial],
    heard: impl Fn(&str) -> Result<Part, StageError>,
) -> (Result<Part, StageError>, Vec<String>) {
    let pieces = of(arrived);
    let (mut gathering, mut begun) = (Gathering::of(&pieces), Vec::new());
    for piece in &pieces {
        begun.push(piece.material.digest.clone());
        if let Err(error) = gathering.add(piece, heard(&piece.material.digest)) {
            return (Err(error), begun);
        }
    }
    (gathering.end(), begun)
}

#[test]
fn every_piece_is_begun_before_one_is_waited_for() {
    let arrived =
        [stored(RECORDING, "a", Some(0)), stored(RECORDING, "b", Some(60)), stored(RECORDING, "c", Some(90))];
    let (gathered, asked) = gather(&arrived, |digest| match digest {
        "a" => Ok(Part::Later(Duration::from_secs(9))),
        "b" => Ok(Part::Later(Duration::from_secs(3))),
        _ => Ok(Part::Transcript(Transcript::default())),
    });
    assert_eq!(asked, ["a", "b", "c"]);
    assert!(matches!(gathered, Ok(Part::Later(wait)) if wait == Duration::from_secs(3)));
}

#[test]
fn a_piece_that_can_never_be_transcribed_is_left_out_and_said_but_not_the_only_one() {
    let broken = || StageError::permanent("recording_not_audio", anyhow!("a page"));
    let heard = |digest: &str| match digest {
        "bad" => Err(broken()),
        "away" => Err(StageError::transient("recording_fetch_failed", anyhow!("away"))),
        _ => Ok(Part::Transcript(transcript(vec![spoken("Hello.", "Ann", Some(0))]))),
    };
    let two = [stored(RECORDING, "bad", Some(0)), stored(RECORDING, "good", Some(60))];
    let Ok(Part::Transcript(made)) = gather(&two, heard).0 else { panic!("one piece is good") };
    assert_eq!(made.segments.len(), 1);
    let note = made.notes.iter().find(|note| note.code == "piece_not_transcribed").unwrap();
    assert!(note.text.contains("recording_not_audio"), "{note:?}");
    let both = [stored(RECORDING, "bad", Some(0)), stored(TRANSCRIPT, "bad", Some(60))];
    assert!(gather(&both[..1], heard).0.is_err());
    let (error, _) = gather(&[both[0].clone(), stored(RECORDING, "away", Some(60))], heard);
    assert_eq!(error.err().unwrap().fault, Fault::Transient);
}

/// Pieces that follow each other or overlap, each with segments in order.
fn any_parts() -> impl Strategy<Value = Vec<(i64, Vec<(i64, String)>)>> {
    let segment = (0_i64..600_000, "[A-C]|Ann|Bob|1|2");
    let piece = (0_i64..10_000, proptest::collection::vec(segment, 0..12));
    proptest::collection::vec(piece, 2..5)
}

proptest! {
    /// No word is lost, doubled or moved to another speaker, whatever the pieces are.
    #[test]
    fn joining_keeps_every_word_at_its_time_with_its_speaker(parts in any_parts()) {
        let mut starts: Vec<_> = parts.iter().map(|(start, _)| *start).collect();
        starts.sort_unstable();
        starts.dedup();
        prop_assume!(starts.len() == parts.len());
        let first = starts[0];
        let mut wanted = Vec::new();
        let mut given = Vec::new();
        for (start, mut segments) in parts {
            segments.sort_by_key(|(start_ms, _)| *start_ms);
            let segments: Vec<_> = segments
                .iter()
                .enumerate()
                .map(|(nth, (start_ms, speaker))| spoken(&format!("{start}-{nth}"), speaker, Some(*start_ms)))
                .collect();
            wanted.extend(segments.iter().map(|segment| {
                (segment.text.clone(), segment.start_ms.unwrap() + (start - first) * 1000, start, segment.speaker.clone())
            }));
            given.push((Some(at(start)), transcript(segments)));
        }
        let joined = joined(given, Vec::new());
        prop_assert_eq!(joined.segments.len(), wanted.len());
        let ids: Vec<_> = joined.segments.iter().map(|segment| segment.id).collect();
        prop_assert_eq!(ids, (1..=u32::try_from(wanted.len()).unwrap()).collect::<Vec<_>>());
        let times: Vec<_> = joined.segments.iter().map(|segment| segment.start_ms.unwrap()).collect();
        prop_assert!(times.is_sorted(), "{:?}", times);
        let mut voices: std::collections::HashMap<String, (i64, Option<String>)> = std::collections::HashMap::new();
        for (text, start_ms, piece, speaker) in wanted {
            let found: Vec<_> = joined.segments.iter().filter(|segment| segment.text == text).collect();
            prop_assert_eq!(found.len(), 1, "{}", text);
            prop_assert_eq!(found[0].start_ms, Some(start_ms));
            prop_assert_eq!(found[0].end_ms, Some(start_ms + 500));
            let said_by = found[0].speaker.clone().unwrap();
            let is_letter = matches!(speaker.as_deref(), Some("A" | "B" | "C"));
            if is_letter {
                // One letter stands for one voice of one piece.
                let known = voices.entry(said_by).or_insert((piece, speaker.clone()));
                prop_assert_eq!(&*known, &(piece, speaker));
            } else {
                prop_assert_eq!(Some(said_by), speaker);
            }
        }
    }
}
