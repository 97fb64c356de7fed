use std::time::Duration;

use futures::future::join_all;
use serde_json::{Value, json};
use store::{FloorClaim, NewTurn, TurnState};
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

#[tokio::test]
async fn whatever_senders_and_deaths_do_there_is_one_holder_and_each_turn_is_there_once_in_order() {
    const SCHEDULES: u64 = 150;
    const LEASE: Duration = Duration::from_mins(10);
    let world = World::new().await;
    for seed in 1..=SCHEDULES {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let meeting: Uuid = world.meeting(&[("Maria Garcia", "cfo")]).await.parse().unwrap();
        // Who holds the floor as far as the store said, and whose turn still comes.
        let (mut holder, mut added, mut open): (Option<Uuid>, i64, Option<i64>) = (None, 0, None);
        for step in 0..12 {
            let me = Uuid::now_v7();
            match dice.below(4) {
                0 | 1 => {
                    let claim = world.store.take_floor(WORKSPACE, meeting, me, LEASE).await.unwrap();
                    assert_eq!(claim == FloorClaim::Taken, holder.is_none(), "seed {seed}, step {step}");
                    if claim == FloorClaim::Taken {
                        (holder, open) = (Some(me), None);
                    }
                }
                2 => {
                    let state = if open.is_some() || dice.below(2) == 0 {
                        TurnState::Said
                    } else {
                        TurnState::Speaking
                    };
                    let said = format!("{step}");
                    let turn = NewTurn {
                        speaker: "salesperson",
                        name: "",
                        role: "",
                        said: &said,
                        state,
                        details: &Value::Null,
                        answers: None,
                        request: None,
                        audio: None,
                        duration_ms: 0,
                    };
                    let number =
                        world.store.add_turn(WORKSPACE, meeting, holder.unwrap_or(me), turn).await.unwrap();
                    assert_eq!(number, holder.map(|_| added + 1), "seed {seed}, step {step}");
                    added += i64::from(holder.is_some());
                    if state == TurnState::Speaking && number.is_some() {
                        open = number;
                    }
                }
                _ => {
                    let Some(dying) = holder.take() else { continue };
                    if dice.below(2) == 0 {
                        // The lease of a process that died is over.
                        assert!(
                            world.store.keep_floor(WORKSPACE, meeting, dying, Duration::ZERO).await.unwrap()
                        );
                    } else if let Some(number) = open.take() {
                        let whole = ("whole", TurnState::Said, 1);
                        assert!(
                            world.store.set_turn(WORKSPACE, meeting, dying, number, whole).await.unwrap()
                        );
                        world.store.leave_floor(WORKSPACE, meeting, dying).await.unwrap();
                    } else {
                        world.store.leave_floor(WORKSPACE, meeting, dying).await.unwrap();
                    }
                }
            }
        }
        let turns = world.store.turns_of(WORKSPACE, meeting).await.unwrap();
        let numbers: Vec<i64> = turns.iter().map(|turn| turn.number).collect();
        assert_eq!(numbers, (1..=added).collect::<Vec<_>>(), "seed {seed}");
        // Only who has the floor can have words that still come.
        let speaking = turns.iter().filter(|turn| turn.state == TurnState::Speaking).count();
        assert!(holder.is_some() || speaking == 0 || open.is_some(), "seed {seed}: {turns:?}");
    }
}
