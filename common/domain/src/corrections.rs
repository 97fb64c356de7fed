//! What people corrected in a call, laid over what the stages made of it.

use serde::{Deserialize, Serialize};

use crate::analysis::Analysis;
use crate::note::Note;
use crate::speakers;
use crate::transcript::Transcript;

/// What a person made of the words of one line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineCorrection {
    /// The number of the line.
    pub segment: u32,
    /// The words as they were transcribed. The correction is of these words, so another transcript that does not have them
    /// in this line is not changed.
    pub was: String,
    pub text: String,
}

/// All corrections of a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Corrections {
    pub speakers: Vec<speakers::Correction>,
    pub lines: Vec<LineCorrection>,
    pub summary: Option<String>,
}

impl Corrections {
    /// The transcript as people corrected it. A correction whose words the transcript does not have is told in a note.
    pub fn of_transcript(&self, transcript: Transcript) -> Transcript {
        let mut transcript = transcript;
        for line in &self.lines {
            let own =
                transcript.segments.iter_mut().find(|own| own.id == line.segment && own.text == line.was);
            match own {
                Some(own) => own.text.clone_from(&line.text),
                None => transcript.notes.push(Note::new(
                    "correction_left_out",
                    format!(
                        "the words of line {} were corrected to \"{}\", but this transcript has other words there",
                        line.segment, line.text
                    ),
                )),
            }
        }
        speakers::correct(transcript, &self.speakers)
    }

    /// The analysis as people corrected it.
    pub fn of_analysis(&self, analysis: Analysis) -> Analysis {
        match &self.summary {
            Some(summary) => Analysis { summary: summary.clone(), ..analysis },
            None => analysis,
        }
    }

    /// Keeps what a person made of a line, which had the words `was` when it was transcribed.
    pub fn set_line(&mut self, segment: u32, was: &str, text: &str) {
        self.lines.retain(|line| line.segment != segment || line.was != was);
        if text != was {
            self.lines.push(LineCorrection { segment, was: was.to_owned(), text: text.to_owned() });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transcript::Segment;

    fn said(texts: &[&str]) -> Transcript {
        let segment = |text: &&str| Segment {
            id: 0,
            speaker: Some("A".into()),
            role: None,
            start_ms: None,
            end_ms: None,
            text: (*text).to_owned(),
            confidence: None,
        };
        Transcript { segments: texts.iter().map(segment).collect(), ..Transcript::default() }.numbered()
    }

    fn texts(transcript: &Transcript) -> Vec<&str> {
        transcript.segments.iter().map(|segment| &*segment.text).collect()
    }

    #[test]
    fn a_line_has_the_words_of_its_correction_and_the_last_correction_holds() {
        let mut corrections = Corrections::default();
        corrections.set_line(2, "I want a re fund.", "I want a fund.");
        corrections.set_line(2, "I want a re fund.", "I want a refund.");
        let corrected = corrections.of_transcript(said(&["Hello.", "I want a re fund."]));
        assert_eq!(texts(&corrected), ["Hello.", "I want a refund."]);
        assert!(corrected.notes.is_empty());
        corrections.set_line(2, "I want a re fund.", "I want a re fund.");
        assert_eq!(corrections, Corrections::default(), "the words as they were are no correction");
    }

    #[test]
    fn another_transcript_is_not_changed_by_a_correction_of_other_words() {
        let mut corrections = Corrections::default();
        corrections.set_line(1, "Helo.", "Hello.");
        let other = corrections.of_transcript(said(&["Good morning."]));
        assert_eq!(texts(&other), ["Good morning."]);
        assert_eq!(other.notes.len(), 1);
    }
}
