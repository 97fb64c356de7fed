//! Which questions of the customer the agent has not answered yet.

use domain::call::Role;

use super::Line;

/// An answer has at least so many words. "Yes" and "I see" are shorter.
const ANSWER_WORDS: usize = 4;

/// The last questions of the customer, as far as nobody answered. What the agent says after a question counts as an answer
/// when it is more than a word or two and no question itself.
pub(crate) fn open(lines: &[Line]) -> Vec<&Line> {
    let mut open: Vec<&Line> = Vec::new();
    for line in lines {
        match line.role {
            Some(Role::Customer) if is_question(&line.text) => open.push(line),
            Some(Role::Agent) if is_answer(&line.text) => open.clear(),
            _ => {}
        }
    }
    open
}

fn is_question(text: &str) -> bool {
    text.contains('?')
}

fn is_answer(text: &str) -> bool {
    !text.trim_end().ends_with('?') && text.split_whitespace().count() >= ANSWER_WORDS
}

/// The question in a text: its last sentence with a question mark.
pub(crate) fn question(text: &str) -> &str {
    let end = text.rfind('?').map_or(text.len(), |at| at + 1);
    let start = text[..end.saturating_sub(1)].rfind(['.', '!', '?']).map_or(0, |at| at + 1);
    text[start..end].trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(role: Role, text: &str) -> Line {
        Line { role: Some(role), text: text.into(), start_ms: 0, end_ms: 0 }
    }

    #[test]
    fn a_question_is_open_until_the_agent_says_more_than_a_word() {
        let asked = line(Role::Customer, "I see. When does it come?");
        let hm = line(Role::Agent, "Hm, yes.");
        let back = line(Role::Agent, "Could you tell me your order number?");
        let answered = line(Role::Agent, "It comes on Thursday morning.");
        assert_eq!(open(&[asked.clone(), hm.clone(), back.clone()]), [&asked]);
        assert!(open(&[asked.clone(), hm, back, answered]).is_empty());
        assert_eq!(question(&asked.text), "When does it come?");
    }
}
