use super::*;

const UTTERANCES: &str = include_str!("utterances.txt");
/// How many of the utterances have to be decided right.
const LEAST_RIGHT: f64 = 0.98;
/// Utterances that no rule was made for.
const HELD_OUT: &str = include_str!("held_out.txt");
/// How many of these were decided right when they were written. No rule may be made for one of them.
const LEAST_RIGHT_HELD_OUT: f64 = 0.90;

struct Line {
    people: Vec<(String, String, bool)>,
    expected: Vec<usize>,
    before: Before,
    said: String,
}

fn lines(of: &str) -> Vec<Line> {
    let (mut people, mut lines) = (Vec::new(), Vec::new());
    for line in of.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()) {
        if let Some(cast) = line.strip_prefix('@') {
            people = cast
                .split(';')
                .map(|person| {
                    let fields: Vec<&str> = person.trim().split('|').collect();
                    (fields[0].to_owned(), fields[1].to_owned(), fields.get(2) == Some(&"*"))
                })
                .collect();
            continue;
        }
        let (head, said) = line.split_once(" > ").unwrap();
        let (who, last) = head.split_once(" (").unwrap_or((head, ""));
        let number = |text: &str| text.trim().parse::<usize>().unwrap() - 1;
        let last = last.strip_suffix(')').map(number);
        lines.push(Line {
            people: people.clone(),
            expected: who.split('+').map(number).collect(),
            before: Before {
                last_addressed: last,
                last_spoke: last,
                spoken: last
                    .map(|last| (0..3).map(|one| u32::from(one == last)).collect())
                    .unwrap_or_default(),
                last_turn: Vec::new(),
            },
            said: said.to_owned(),
        });
    }
    lines
}

fn choose(line: &Line) -> Choice {
    let people: Vec<Person<'_>> = line
        .people
        .iter()
        .map(|(name, role, decides)| Person { name, role, traits: &[], is_decision_maker: *decides })
        .collect();
    who_answers(&people, &line.said, &line.before)
}

/// The share of the lines that are answered by the one who was meant, and what is wrong with the others.
fn judged(lines: &[Line]) -> (f64, String) {
    let mut wrong = Vec::new();
    for line in lines {
        let choice = choose(line);
        let second = choice.second.filter(|(_, why)| *why == WhySecond::Addressed).map(|(second, _)| second);
        let answering: Vec<usize> = std::iter::once(choice.first).chain(second).collect();
        let (mut sorted, mut expected) = (answering.clone(), line.expected.clone());
        sorted.sort_unstable();
        expected.sort_unstable();
        // No more than two answer, also where all were asked.
        let is_right = if expected.len() > 2 { sorted.len() == 2 } else { sorted == expected };
        if !is_right {
            let name = |one: &usize| line.people[*one].0.as_str();
            wrong.push(format!(
                "“{}”: {:?} instead of {:?}, because {:?}",
                line.said,
                answering.iter().map(name).collect::<Vec<_>>(),
                line.expected.iter().map(name).collect::<Vec<_>>(),
                choice.because,
            ));
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "there are some hundred lines")]
    let right = 1.0 - wrong.len() as f64 / lines.len() as f64;
    let wrong = wrong.join("\n");
    println!("{} utterances, {:.1} % right\n{wrong}", lines.len(), right * 100.0);
    (right, wrong)
}

#[test]
fn nearly_all_of_the_labelled_utterances_are_answered_by_the_one_who_was_meant() {
    let lines = lines(UTTERANCES);
    assert!(lines.len() >= 200, "{}", lines.len());
    let (right, wrong) = judged(&lines);
    assert!(right >= LEAST_RIGHT, "{:.1} % right:\n{wrong}", right * 100.0);
}

#[test]
fn utterances_that_no_rule_was_made_for_are_mostly_answered_by_the_one_who_was_meant_too() {
    let lines = lines(HELD_OUT);
    assert!(lines.len() >= 80, "{}", lines.len());
    let (right, wrong) = judged(&lines);
    assert!(right >= LEAST_RIGHT_HELD_OUT, "{:.1} % right:\n{wrong}", right * 100.0);
}

fn room(said: &str) -> Choice {
    let line = Line {
        people: vec![
            ("Dana Ortiz".into(), "director".into(), false),
            ("Ravi Menon".into(), "cto".into(), true),
        ],
        expected: Vec::new(),
        before: Before::default(),
        said: said.into(),
    };
    choose(&line)
}

#[test]
fn a_role_inside_another_word_asks_for_nobody() {
    for said in ["A question for the director.", "I would like to ask the director."] {
        assert_eq!(room(said).first, 0, "{said}");
    }
    for said in ["A question for the CTO.", "CTO, what do you say?"] {
        assert_eq!(room(said).first, 1, "{said}");
    }
    assert!(!matches!(room("That factor in our sector is cool.").because, Because::Role(_)));
    assert_eq!(kinds("director"), [Kind::Director]);
}

#[test]
fn whoever_said_least_answers_where_nobody_is_meant() {
    let people = ["Ada Byron", "Kofi Annan", "Lin Yutang"].map(|name| Person {
        name,
        role: "manager",
        traits: &[],
        is_decision_maker: false,
    });
    let before = Before {
        last_spoke: Some(0),
        last_addressed: Some(0),
        spoken: vec![2, 1, 1],
        last_turn: vec![8, 4, 6],
    };
    let choice = who_answers(&people, "We have been in this business for ten years.", &before);
    assert_eq!((choice.first, choice.because), (1, Because::Silent));
}

#[test]
fn a_second_one_speaks_where_the_topic_is_hers_too_and_the_temperament_lets_her() {
    let choose = |traits: &[Trait], decides| {
        let people = [
            Person { name: "Maria Garcia", role: "cfo", traits: &[], is_decision_maker: false },
            Person { name: "John Smith", role: "ceo", traits, is_decision_maker: decides },
        ];
        who_answers(&people, "What is your budget?", &Before::default()).second
    };
    assert_eq!(choose(&[], true), Some((1, WhySecond::Adds)));
    assert_eq!(choose(&[Trait::Angry], false), Some((1, WhySecond::Interrupts)));
    assert_eq!(choose(&[Trait::Soft], true), None);
    assert_eq!(choose(&[], false), None);
}

#[test]
fn no_text_is_too_odd_to_be_answered_by_somebody() {
    let people = [("", ""), ("🙂", "??"), ("O’", "ceo")].map(|(name, role)| Person {
        name,
        role,
        traits: &[],
        is_decision_maker: false,
    });
    for said in [
        "",
        " ",
        "…",
        "?!",
        "🙂",
        "'s",
        "\u{0}",
        "İstanbul'da",
        "a,b;c-d—e",
        "ﷺ",
        &"x".repeat(10_000),
        &",".repeat(5_000),
    ] {
        assert!(who_answers(&people, said, &Before::default()).first < 3, "{said}");
    }
}
