//! Joins the transcripts of the pieces of a call.

use std::collections::{HashMap, HashSet};

use domain::moment::Moment;
use domain::note::Note;
use domain::transcript::{Segment, Transcript};

use super::same_talk;

/// The most notes that a joined transcript has.
const MAX_NOTES: usize = 100;

/// Joins transcripts in the order of their starts. Each is moved by the time between the first start and its own, and
/// the segments get new numbers. Where pieces overlap, the segments are in the order in which they were said. `notes`
/// are added to those of the pieces.
pub(super) fn joined(mut parts: Vec<(Option<Moment>, Transcript)>, notes: Vec<Note>) -> Transcript {
    if parts.len() == 1
        && let Some((_, mut transcript)) = parts.pop()
    {
        add(&mut transcript.notes, notes);
        return transcript;
    }
    parts.sort_by_key(|(start, _)| *start);
    let same_talk = same_talk::once(&mut parts);
    let first = parts.iter().filter_map(|(start, _)| *start).min();
    let mut names = Names::default();
    let mut joined = Transcript::default();
    let starts: Vec<_> =
        parts.iter().filter_map(|(start, _)| *start).map(|start| start.to_string()).collect();
    for (start, transcript) in parts {
        let later_ms = first.zip(start).map_or(0, |(first, start)| (start.micros() - first.micros()) / 1000);
        joined.language = joined.language.or(transcript.language);
        add(&mut joined.notes, transcript.notes);
        let mut segments = transcript.segments;
        names.tell_apart(&mut segments);
        joined.segments.extend(segments.into_iter().map(|segment| Segment {
            start_ms: segment.start_ms.map(|start_ms| start_ms.saturating_add(later_ms)),
            end_ms: segment.end_ms.map(|end_ms| end_ms.saturating_add(later_ms)),
            ..segment
        }));
    }
    if joined.segments.iter().all(|segment| segment.start_ms.is_some()) {
        joined.segments.sort_by_key(|segment| segment.start_ms);
    }
    add(&mut joined.notes, notes);
    add(&mut joined.notes, same_talk.into_iter().collect());
    let mut text =
        format!("The transcript was made of {} pieces, which begin at {}.", starts.len(), starts.join(", "));
    if names.renamed {
        text.push_str(
            " The voices were told apart in each piece by itself, so one person can have two letters.",
        );
    }
    add(&mut joined.notes, vec![Note::new("call_in_pieces", text)]);
    joined.numbered()
}

fn add(notes: &mut Vec<Note>, more: Vec<Note>) {
    for note in more {
        if notes.len() < MAX_NOTES && !notes.contains(&note) {
            notes.push(note);
        }
    }
}

/// The letters that diarizers gave to voices. The letter `A` of one piece and the letter `A` of another are two voices
/// that may belong to two people.
#[derive(Default)]
struct Names {
    taken: HashSet<String>,
    renamed: bool,
}

impl Names {
    /// Gives each voice of a piece a letter that no piece before it has. Names of people and numbers of channels mean
    /// the same in every piece, and stay.
    fn tell_apart(&mut self, segments: &mut [Segment]) {
        let mut here: HashMap<String, String> = HashMap::new();
        for segment in segments.iter_mut() {
            let Some(label) = segment.speaker.as_ref().filter(|label| is_letter(label)) else { continue };
            let new = if let Some(new) = here.get(label) {
                new.clone()
            } else {
                let given = here.values();
                let used: HashSet<&String> = self.taken.iter().chain(given).collect();
                let new = if used.contains(label) {
                    free(&used).unwrap_or_else(|| label.clone())
                } else {
                    label.clone()
                };
                here.insert(label.clone(), new.clone());
                new
            };
            self.renamed |= new != *label;
            segment.speaker = Some(new);
        }
        self.taken.extend(here.into_values());
    }
}

/// Whether the label is a letter that stands for a voice (`A`), and neither a name nor the number of a channel.
fn is_letter(label: &str) -> bool {
    (1..=2).contains(&label.len()) && label.bytes().all(|byte| byte.is_ascii_uppercase())
}

/// The first free label: `A` to `Z`, and then `AA`, `AB`, …
fn free(used: &HashSet<&String>) -> Option<String> {
    let letters = || ('A'..='Z').map(String::from);
    let pairs = letters().flat_map(|first| letters().map(move |second| format!("{first}{second}")));
    letters().chain(pairs).find(|label| !used.contains(label))
}
