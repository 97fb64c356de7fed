//! Finds the line of a transcript in which an action or a topic comes up.
//!
//! An analysis keeps a line for each fact about a contact only. An action and a topic keep words of the call: the sentence in
//! which it was promised, the words by when, or the phrase itself. So a line is named where it has these words, and no line
//! where none has.

use domain::analysis::ActionItem;
use domain::transcript::Segment;

/// The line of each of `actions` and of each of `topics`, where it is known.
pub(super) fn lines(
    actions: &[ActionItem],
    topics: &[String],
    segments: &[Segment],
) -> (Vec<Option<u32>>, Vec<Option<u32>>) {
    let whole = actions.iter().map(|action| plain(action.text.trim_end_matches('…')));
    let due = actions.iter().map(|action| plain(action.due.as_deref().unwrap_or_default()));
    let topics = topics.iter().map(|topic| plain(topic));
    let wanted: Vec<String> = whole.chain(due).chain(topics).collect();
    let mut found: Vec<Option<u32>> = vec![None; wanted.len()];
    let mut open: Vec<usize> = (0..wanted.len()).filter(|place| !wanted[*place].is_empty()).collect();
    for segment in segments {
        if open.is_empty() {
            break;
        }
        let text = plain(&segment.text);
        open.retain(|place| {
            let is_here = has(&text, &wanted[*place]);
            if is_here {
                found[*place] = Some(segment.id);
            }
            !is_here
        });
    }
    let topics = found.split_off(2 * actions.len());
    let due = found.split_off(actions.len());
    (found.into_iter().zip(due).map(|(whole, due)| whole.or(due)).collect(), topics)
}

/// A text in small letters, with one blank between words and straight apostrophes.
fn plain(text: &str) -> String {
    let words: Vec<_> = text.split_whitespace().collect();
    words.join(" ").replace(['’', 'ʼ'], "'").to_lowercase()
}

/// Whether the words stand in the text, and are not the middle of longer words.
fn has(text: &str, words: &str) -> bool {
    text.match_indices(words).any(|(start, _)| {
        let before = text[..start].chars().next_back();
        let behind = text[start + words.len()..].chars().next();
        !before.is_some_and(char::is_alphanumeric) && !behind.is_some_and(char::is_alphanumeric)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segments(texts: &[&str]) -> Vec<Segment> {
        let segment = |(id, text): (u32, &&str)| Segment {
            id,
            speaker: None,
            role: None,
            start_ms: None,
            end_ms: None,
            text: (*text).to_owned(),
            confidence: None,
        };
        (1..).zip(texts).map(segment).collect()
    }

    fn action(text: &str, due: Option<&str>) -> ActionItem {
        ActionItem { text: text.to_owned(), owner: None, due: due.map(str::to_owned) }
    }

    #[test]
    fn an_action_is_where_its_sentence_or_the_words_by_when_were_said() {
        let segments = segments(&[
            "Hello.",
            "Of course.  I’ll send the plan by Friday, and that is it.",
            "By Monday? Yes.",
        ]);
        let actions = [
            action("I'll send the plan by Friday", Some("by Friday")),
            action("Customer calls back", Some("by Monday")),
            action("Nobody said this", Some("tomorrow")),
            action("i'll send the plan…", None),
            action("", None),
        ];
        assert_eq!(lines(&actions, &[], &segments).0, [Some(2), Some(3), None, Some(2), None]);
    }

    #[test]
    fn a_topic_is_where_it_comes_up_first_and_not_in_the_middle_of_a_word() {
        let segments = segments(&["We start on Monday.", "The ART of it.", "Art again.", "Öl und Essig"]);
        let topics = ["art", "öl", "refund"].map(str::to_owned);
        assert_eq!(lines(&[], &topics, &segments).1, [Some(2), Some(4), None]);
    }
}
