//! Looks for what is odd about a provider's answer, and says it on the transcript. Nothing is invented in its place.

use domain::note::Note;
use domain::transcript::Transcript;

/// How far a time may lie behind the end of the audio. Providers round, and a container can name a shorter length.
const TOLERANCE_MS: i64 = 1_000;

/// Notes that nobody spoke, that another language was heard than the installation expects, and that words are said to lie
/// outside the audio. A time that no recording can have is left out, and the words stay.
pub(crate) fn note(
    transcript: &mut Transcript,
    provider: &str,
    audio_ms: Option<i64>,
    expected: Option<&str>,
) {
    if transcript.segments.is_empty() {
        let text = format!("{provider} found no words in the recording.");
        transcript.notes.push(Note::new("no_words_heard", text));
    }
    if let (Some(expected), Some(heard)) = (expected, transcript.language.as_deref())
        && base(expected) != base(heard)
    {
        let text =
            format!("{provider} heard the language `{heard}`, and SPEECH_LANGUAGE names `{expected}`.");
        transcript.notes.push(Note::new("language_differs", text));
    }
    let Some(end) = audio_ms.map(|ms| ms.saturating_add(TOLERANCE_MS)) else { return };
    let all = transcript.segments.len();
    let mut outside = 0;
    for segment in &mut transcript.segments {
        let is_outside = |time: Option<i64>| time.is_some_and(|ms| ms > end);
        if is_outside(segment.start_ms) {
            (segment.start_ms, segment.end_ms) = (None, None);
            outside += 1;
        } else if is_outside(segment.end_ms) {
            segment.end_ms = None;
            outside += 1;
        }
    }
    if outside > 0 {
        let text = format!(
            "{provider} gave {outside} of {all} segments a time behind the end of the recording. These times were left out."
        );
        transcript.notes.push(Note::new("times_outside_audio", text));
    }
}

fn base(tag: &str) -> String {
    tag.split(['-', '_']).next().unwrap_or(tag).to_lowercase()
}

#[cfg(test)]
mod tests {
    use domain::transcript::Segment;

    use super::*;

    fn said(start: i64, end: i64) -> Segment {
        Segment {
            id: 1,
            speaker: None,
            role: None,
            start_ms: Some(start),
            end_ms: Some(end),
            text: "Hello.".into(),
            confidence: None,
        }
    }

    fn codes(transcript: &Transcript) -> Vec<&str> {
        transcript.notes.iter().map(|note| note.code.as_str()).collect()
    }

    #[test]
    fn words_outside_the_audio_stay_and_their_times_do_not() {
        let segments = vec![said(0, 900), said(9_000, 12_000), said(60_000, 61_000)];
        let mut transcript = Transcript { segments, ..Transcript::default() };
        note(&mut transcript, "Somebody", Some(10_000), None);
        let times: Vec<_> =
            transcript.segments.iter().map(|segment| (segment.start_ms, segment.end_ms)).collect();
        assert_eq!(times, [(Some(0), Some(900)), (Some(9_000), None), (None, None)]);
        assert_eq!(codes(&transcript), ["times_outside_audio"]);
    }

    #[test]
    fn another_language_is_said_and_another_region_is_not() {
        let heard = |language: &str| {
            let language = Some(language.to_owned());
            let mut transcript = Transcript { language, segments: vec![said(0, 1)], ..Transcript::default() };
            note(&mut transcript, "Somebody", None, Some("en-US"));
            transcript.notes.len()
        };
        assert_eq!([heard("en_us"), heard("en"), heard("fr")], [0, 0, 1]);
    }

    #[test]
    fn silence_is_said() {
        let mut nothing = Transcript::default();
        note(&mut nothing, "Somebody", Some(1), Some("en"));
        assert_eq!(codes(&nothing), ["no_words_heard"]);
    }
}
