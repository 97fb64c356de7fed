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
    let (one, other) = tokio::join!(world.post_with_key(SEND, &said, "k"), world.post_with_key(SEND, &said, "k"));
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
    assert_eq!(turns.iter().map(|turn| turn["state"].as_str().unwrap()).collect::<Vec<_>>(), ["said", "cut", "said"]);
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
