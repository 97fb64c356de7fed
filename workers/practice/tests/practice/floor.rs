use std::time::Duration;

use futures::future::join_all;
use futures::{StreamExt as _, stream};
use serde_json::{Value, json};
use store::{FloorClaim, NewMeeting, NewTurn, Store, TurnState};
use uuid::Uuid;

use crate::world::{WORKSPACE, World, message};

const SEND: &str = "/api/conversation/send-message";

#[tokio::test]
async fn eight_senders_at_once_give_turns_in_order_each_once() {
    let world = World::new().await;
    let meeting = world.meeting(&[("John Smith", "ceo"), ("Maria Garcia", "cfo")]).await;
    let words: Vec<String> = (0..8).map(|n| format!("Maria, I tell you the number {n}.")).collect();
    let answers = join_all(words.iter().map(|words| world.say(&meeting, words))).await;
    let turns = world.history(&meeting).await;
    let numbers: Vec<i64> = turns.iter().map(|turn| turn["turn_number"].as_i64().unwrap()).collect();
    assert_eq!(numbers, (1..=i64::try_from(turns.len()).unwrap()).collect::<Vec<_>>());
    for words in &words {
        let count = turns.iter().filter(|turn| turn["text"] == words.as_str()).count();
        assert_eq!(count, 1, "{words}");
    }
    // Each turn of the salesperson is followed by its answer.
    for answer in &answers {
        let own = answer["salesperson_turn"].as_i64().unwrap();
        assert_eq!(answer["turn_number"], own + 1, "{answer}");
        let answered = &turns[usize::try_from(own).unwrap()];
        assert_eq!(answered["text"], answer["ai_response"]["response_text"]);
    }
}

#[tokio::test]
async fn a_message_that_comes_again_with_its_key_is_one_turn_with_one_answer() {
    let world = World::new().await;
    let meeting = world.meeting(&[("Maria Garcia", "cfo")]).await;
    let said = message(&meeting, "Maria, what do you need?");
    let (one, other) =
        tokio::join!(world.post_with_key(SEND, &said, "k"), world.post_with_key(SEND, &said, "k"));
    let (one, other) = (one.data(), other.data());
    assert_eq!(one, other);
    assert_eq!(world.post_with_key(SEND, &said, "k").await.data(), one);
    assert_eq!(world.history(&meeting).await.len(), 2);
    world.post_with_key(SEND, &message(&meeting, "Something else"), "k").await.is_problem(422);
    world.post_with_key(SEND, &said, "another").await.data();
    assert_eq!(world.history(&meeting).await.len(), 4);
}

/// Leaves a meeting as a process leaves it that dies in the middle of an answer.
async fn die_in_an_answer(world: &World, meeting: &str, key: Option<&str>, words: &str) {
    let (meeting, holder): (Uuid, _) = (meeting.parse().unwrap(), Uuid::now_v7());
    let taken = world.store.take_floor(WORKSPACE, meeting, holder, Duration::ZERO).await.unwrap();
    assert_eq!(taken, FloorClaim::Taken);
    let request = key.map(|key| {
        let space = Uuid::new_v5(&WORKSPACE.0, meeting.as_bytes());
        let body = message(&meeting.to_string(), words).to_string();
        (Uuid::new_v5(&space, key.as_bytes()), Uuid::new_v5(&space, body.as_bytes()))
    });
    let turn = |speaker, said, state, answers, request| NewTurn {
        speaker,
        name: "Maria Garcia",
        role: "cfo",
        said,
        state,
        details: &Value::Null,
        answers,
        request,
        audio: None,
        duration_ms: 900,
    };
    let own = turn("salesperson", words, TurnState::Said, None, request);
    let number = world.store.add_turn(WORKSPACE, meeting, holder, own).await.unwrap();
    let view = world.get(&format!("/api/meeting/{meeting}")).await.data();
    let maria = view["representatives"][0]["id"].as_str().unwrap().to_owned();
    let half = turn(&maria, "What I want", TurnState::Speaking, number, None);
    world.store.add_turn(WORKSPACE, meeting, holder, half).await.unwrap().unwrap();
}

#[tokio::test]
async fn what_a_process_left_half_said_is_marked_as_cut_and_the_meeting_goes_on() {
    let world = World::new().await;
    let meeting = world.meeting(&[("Maria Garcia", "cfo")]).await;
    die_in_an_answer(&world, &meeting, None, "What do you want?").await;
    assert_eq!(world.history(&meeting).await[1]["state"], "speaking");
    let answer = world.say(&meeting, "Are you there?").await;
    assert_eq!((&answer["salesperson_turn"], &answer["turn_number"]), (&json!(3), &json!(4)));
    let turns = world.history(&meeting).await;
    assert_eq!((&turns[1]["state"], &turns[1]["text"]), (&json!("cut"), &json!("What I want")));
    assert_eq!(turns[3]["state"], "said");
}

#[tokio::test]
async fn a_message_whose_process_died_is_answered_when_it_comes_again() {
    let world = World::new().await;
    let meeting = world.meeting(&[("Maria Garcia", "cfo")]).await;
    let words = "What do you want?";
    die_in_an_answer(&world, &meeting, Some("k"), words).await;
    let answer = world.post_with_key(SEND, &message(&meeting, words), "k").await.data();
    assert_eq!((&answer["salesperson_turn"], &answer["turn_number"]), (&json!(1), &json!(3)));
    assert_eq!(world.post_with_key(SEND, &message(&meeting, words), "k").await.data(), answer);
    let turns = world.history(&meeting).await;
    assert_eq!(
        turns.iter().map(|turn| turn["state"].as_str().unwrap()).collect::<Vec<_>>(),
        ["said", "cut", "said"]
    );
}

#[tokio::test]
async fn who_lost_the_floor_writes_nothing_more() {
    let world = World::new().await;
    let meeting: Uuid = world.meeting(&[("Maria Garcia", "cfo")]).await.parse().unwrap();
    let (slow, fast) = (Uuid::now_v7(), Uuid::now_v7());
    let take = async |holder, lease| world.store.take_floor(WORKSPACE, meeting, holder, lease).await.unwrap();
    assert_eq!(take(slow, Duration::ZERO).await, FloorClaim::Taken);
    assert_eq!(take(fast, Duration::from_mins(1)).await, FloorClaim::Taken);
    assert_eq!(take(slow, Duration::from_mins(1)).await, FloorClaim::Busy);
    let turn = NewTurn {
        speaker: "salesperson",
        name: "",
        role: "",
        said: "late",
        state: TurnState::Said,
        details: &Value::Null,
        answers: None,
        request: None,
        audio: None,
        duration_ms: 0,
    };
    assert_eq!(world.store.add_turn(WORKSPACE, meeting, slow, turn).await.unwrap(), None);
    assert!(!world.store.keep_floor(WORKSPACE, meeting, slow, Duration::from_mins(1)).await.unwrap());
    assert_eq!(world.store.add_turn(WORKSPACE, meeting, fast, turn).await.unwrap(), Some(1));
    assert_eq!(world.store.free_all_floors().await.unwrap(), 1);
    assert_eq!(take(slow, Duration::from_mins(1)).await, FloorClaim::Taken);
}

/// A generator of numbers that gives the same numbers for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % most
    }
}

/// One of those who send, in one process or in several.
#[derive(Clone, Copy, Default)]
struct Sender {
    /// Its claim on the floor. It may have lost the floor without knowing it.
    claim: Option<Uuid>,
    /// The trainee's turn that it answers, and the answer whose words still come.
    asked: Option<i64>,
    open: Option<i64>,
}

/// What the meeting should be like.
#[derive(Default)]
struct Model {
    holder: Option<Uuid>,
    /// The lease of the holder is over, because its process died.
    is_over: bool,
    turns: Vec<(TurnState, String)>,
}

impl Model {
    fn place(number: i64) -> usize {
        usize::try_from(number - 1).unwrap()
    }

    fn take(&mut self, claim: Uuid) -> bool {
        if self.holder.is_some() && !self.is_over {
            return false;
        }
        (self.holder, self.is_over) = (Some(claim), false);
        // What was left half said is cut.
        for (state, _) in &mut self.turns {
            if *state == TurnState::Speaking {
                *state = TurnState::Cut;
            }
        }
        true
    }

    fn add(&mut self, claim: Uuid, state: TurnState, said: &str) -> Option<i64> {
        if self.holder != Some(claim) {
            return None;
        }
        self.turns.push((state, said.to_owned()));
        Some(i64::try_from(self.turns.len()).unwrap())
    }

    fn set(&mut self, claim: Uuid, number: i64, state: TurnState, said: &str) -> bool {
        let turn = &mut self.turns[Self::place(number)];
        if self.holder != Some(claim) || turn.0 != TurnState::Speaking {
            return false;
        }
        *turn = (state, said.to_owned());
        true
    }

    fn free(&mut self, claim: Uuid) -> bool {
        let was_ours = self.holder == Some(claim);
        if was_ours {
            self.holder = None;
        }
        was_ours
    }
}

/// Plays one random schedule of three senders that speak, are interrupted, and die, and checks each step against the model.
async fn play(store: &Store, meeting: Uuid, seed: u64) {
    const LEASE: Duration = Duration::from_mins(10);
    const STEPS: u64 = 24;
    let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let (mut model, mut senders) = (Model::default(), [Sender::default(); 3]);
    for step in 0..STEPS {
        let at = format!("seed {seed}, step {step}");
        let sender = &mut senders[usize::try_from(dice.below(3)).unwrap()];
        let said = format!("words of step {step}");
        let Some(claim) = sender.claim else {
            let claim = Uuid::now_v7();
            let taken = store.take_floor(WORKSPACE, meeting, claim, LEASE).await.unwrap();
            assert_eq!(taken == FloorClaim::Taken, model.take(claim), "{at}");
            if taken == FloorClaim::Taken {
                *sender = Sender { claim: Some(claim), ..Sender::default() };
            }
            continue;
        };
        match (dice.below(6), sender.asked, sender.open) {
            (0, None, _) => {
                let turn = turn_of("salesperson", &said, TurnState::Said);
                sender.asked = store.add_turn(WORKSPACE, meeting, claim, turn).await.unwrap();
                assert_eq!(sender.asked, model.add(claim, TurnState::Said, &said), "{at}");
            }
            (0 | 1, _, None) => {
                let turn = turn_of("maria", &said, TurnState::Speaking);
                sender.open = store.add_turn(WORKSPACE, meeting, claim, turn).await.unwrap();
                assert_eq!(sender.open, model.add(claim, TurnState::Speaking, &said), "{at}");
            }
            // A sentence more, the end, or an interruption that leaves only what was heard.
            (one @ 0..=3, _, Some(number)) => {
                let (state, said) = match one {
                    0 | 1 => (TurnState::Speaking, said),
                    2 => (TurnState::Said, said),
                    _ => (TurnState::Cut, "what was heard".to_owned()),
                };
                let now = (said.as_str(), state, 7);
                let written = store.set_turn(WORKSPACE, meeting, claim, number, now).await.unwrap();
                assert_eq!(written, model.set(claim, number, state, &said), "{at}");
                if state != TurnState::Speaking {
                    sender.open = None;
                }
            }
            (4, _, _) => {
                // The process dies, and its lease runs out. It is not always dead: it goes on writing, as a stopped process does.
                let kept = store.keep_floor(WORKSPACE, meeting, claim, Duration::ZERO).await.unwrap();
                assert_eq!(kept, model.holder == Some(claim), "{at}");
                model.is_over |= kept;
                if dice.below(2) == 0 {
                    *sender = Sender::default();
                }
            }
            (_, asked, _) => {
                let freed = if let Some(asked) = asked {
                    store.end_exchange(WORKSPACE, meeting, claim, asked).await.unwrap()
                } else {
                    store.leave_floor(WORKSPACE, meeting, claim).await.unwrap();
                    model.holder == Some(claim)
                };
                assert_eq!(freed, model.free(claim), "{at}");
                *sender = Sender::default();
            }
        }
    }
    let turns = store.turns_of(WORKSPACE, meeting).await.unwrap();
    let found: Vec<(i64, TurnState, String)> =
        turns.into_iter().map(|turn| (turn.number, turn.state, turn.said)).collect();
    let expected: Vec<(i64, TurnState, String)> =
        (1..).zip(model.turns).map(|(number, (state, said))| (number, state, said)).collect();
    assert_eq!(found, expected, "seed {seed}");
}

fn turn_of<'a>(speaker: &'a str, said: &'a str, state: TurnState) -> NewTurn<'a> {
    NewTurn {
        speaker,
        name: "",
        role: "",
        said,
        state,
        details: &Value::Null,
        answers: None,
        request: None,
        audio: None,
        duration_ms: 0,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_senders_deaths_and_interruptions_do_there_is_one_holder_and_each_turn_is_there_once_in_order()
 {
    const AT_ONCE: usize = 32;
    #[expect(clippy::disallowed_methods, reason = "who runs the test says how long it may take")]
    let schedules = std::env::var("DEBRIEF_TEST_SCHEDULES").ok().and_then(|text| text.parse().ok());
    let schedules: u64 = schedules.unwrap_or(500);
    let world = World::new().await;
    let salesperson: Uuid = world.salesperson(&[]).await.parse().unwrap();
    let company: Uuid = world.company().await.parse().unwrap();
    let store = &world.store;
    let playing = (1..=schedules).map(|seed| async move {
        let meeting = Uuid::now_v7();
        let new = NewMeeting { salesperson, company, created_by: "test", plan: &Value::Null };
        assert!(store.add_meeting(WORKSPACE, meeting, new).await.unwrap());
        assert!(store.start_meeting(WORKSPACE, meeting).await.unwrap());
        play(store, meeting, seed).await;
    });
    stream::iter(playing).buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
    println!("{schedules} schedules");
}
