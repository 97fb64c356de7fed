use super::*;

fn speaker(line: &str) -> Option<String> {
    Labels::of(&People::default(), [line].into_iter()).split(line).map(|(speaker, _)| speaker)
}

#[test]
fn the_words_that_are_not_names_are_sorted() {
    assert!(NOT_NAMES.is_sorted());
}

#[test]
fn names_of_many_kinds_are_labels() {
    for name in [
        "Priya Raman",
        "Cher",
        "Mary Ann Van Dyke",
        "Ludwig van der Berg",
        "Conor O'Neil",
        "Dr. Speaker Title",
        "Speaker A",
        "A",
        "speaker 1",
        "Tom Björk (Halvorsen)",
        "+1 202-555-0131",
        "12025550131",
        "dana@halvorsen.example.com",
        "山田太郎",
        "agent",
        "Jean-Luc",
        "Notable Person",
    ] {
        assert_eq!(speaker(&format!("{name}: hello")).as_deref(), Some(name));
    }
    assert_eq!(speaker("山田：こんにちは").as_deref(), Some("山田"));
}

#[test]
fn a_listed_person_is_the_speaker_whatever_the_name_looks_like() {
    let names = [
        "Hari Host",
        "प्रिया शर्मा",
        "Meera Iyer (she/her)",
        "🔥 Karan",
        "👩\u{200d}🔬 Dr. Lee",
        "Amit's iPhone",
        "karan",
        "*** Sam ***",
        "Widget™ Support",
        "Robert “Bob” Lee",
        "maria garcia de la cruz y lopez from accounts payable",
        "the real ann",
        "Nguyễn Thị Minh Khai",
        "ক্ষিতিশ",
        "Note",
        "dana_ortiz",
        "=Q=",
    ];
    let people = People::of(names);
    for name in names {
        let line = format!("{name}: You can reach me at +91 98200 11223.");
        let labels = Labels::of(&people, [line.as_str()].into_iter());
        let split = labels.split(&line).map(|(speaker, words)| (speaker, words.trim().to_owned()));
        let words = "You can reach me at +91 98200 11223.".to_owned();
        assert_eq!(split, Some((name.to_owned(), words)), "{name}");
    }
}

#[test]
fn where_the_labels_are_listed_people_the_start_of_a_sentence_names_nobody() {
    let people = People::of(["Hari Host", "Priya Sharma"]);
    let lines = [
        "Hari Host: Good morning.",
        "Order Number: 4471 never arrived.",
        "priya sharma: I see.",
        "Dear Sir: we regret the delay.",
        "Hari Host: Let me look.",
        "Monday: nobody was there.",
        "Priya Sharma: Quote: all good.",
    ];
    let labels = Labels::of(&people, lines.into_iter());
    let speakers: Vec<_> = lines.iter().map(|line| labels.split(line).map(|(speaker, _)| speaker)).collect();
    let (hari, priya) = (Some("Hari Host".to_owned()), Some("Priya Sharma".to_owned()));
    assert_eq!(speakers, [hari.clone(), None, priya.clone(), None, hari, None, priya]);
}

#[test]
fn who_joined_late_and_is_not_listed_is_a_speaker_once_they_spoke_often() {
    let people = People::of(["Hari Host"]);
    let lines = [
        "Hari Host: Hi.",
        "Hari Host: So.",
        "Hari Host: Who?",
        "Gil Novak: me",
        "Gil Novak: yes",
        "Gil Novak: bye",
    ];
    let labels = Labels::of(&people, lines.into_iter());
    assert_eq!(labels.split(lines[3]).unwrap().0, "Gil Novak");
}

#[test]
fn the_start_of_a_sentence_is_not_a_label() {
    for line in [
        "Note: I'll be late.",
        "Step 2: sign it",
        "So here is the thing: we wait.",
        "At 10:30 we start",
        "https://a.example",
        "Question: who pays?",
        "I said this. Listen: no",
        "Next steps: none",
        "10: the last point",
        "(no speaker label)",
        ": what",
        "",
    ] {
        assert_eq!(speaker(line), None, "{line}");
    }
}

#[test]
fn only_the_first_colon_ends_a_label() {
    let people = People::default();
    let labels = Labels::of(&people, std::iter::empty::<&str>());
    let (name, words) = labels.split("Marcus Oyelaran: Note: I'll be covering it.").unwrap();
    assert_eq!((name.as_str(), words.trim()), ("Marcus Oyelaran", "Note: I'll be covering it."));
}

#[test]
fn a_label_that_does_not_read_like_a_name_is_accepted_when_the_file_uses_it_often() {
    let lines = ["dana_ortiz: hi", "Cher: hi", "dana_ortiz: yes", "dana_ortiz: bye", "so far: good"];
    let people = People::default();
    let labels = Labels::of(&people, lines.into_iter());
    assert!(labels.split(lines[0]).is_some());
    assert!(labels.split(lines[4]).is_none());
}
