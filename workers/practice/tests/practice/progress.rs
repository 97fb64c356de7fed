use serde_json::{Value, json};

use crate::world::{World, text};

async fn practise(world: &World, salesperson: &str, words: &[&str]) -> Value {
    let meeting = world.meeting_of(salesperson, &[("Maria Garcia", "cfo")]).await;
    for words in words {
        world.say(&meeting, words).await;
    }
    world.post(&format!("/api/meeting/{meeting}/end"), &json!({})).await.data()
}

#[tokio::test]
async fn the_scores_of_the_meetings_stand_in_their_order_and_few_calls_are_said_to_be_few() {
    let world = World::new().await;
    let salesperson = world.salesperson(&[]).await;
    let mut ended = Vec::new();
    for words in [
        &["We are the best."][..],
        &["What slows your month-end down today?"],
        &["What slows your month-end down today?", "Shall we schedule a pilot on Tuesday?"],
    ] {
        ended.push(practise(&world, &salesperson, words).await);
    }
    // A meeting that was not held has no score.
    world.meeting_of(&salesperson, &[("Maria Garcia", "cfo")]).await;
    let path = format!("/api/meeting/salesperson/{salesperson}/progress");
    let progress = world.get(&path).await.data();
    let scores: Vec<&Value> =
        progress["meetings"].as_array().unwrap().iter().map(|meeting| &meeting["overall"]).collect();
    let expected: Vec<&Value> = ended.iter().map(|ended| &ended["score"]["overall"]).collect();
    assert_eq!(scores, expected);
    assert!(scores[0].as_i64() < scores[2].as_i64(), "{progress}");
    assert_eq!(progress["meetings"][0]["criteria"].as_array().unwrap().len(), 5);
    for comparison in ["lift", "over_time", "real_against_practice"] {
        assert_eq!(progress[comparison]["verdict"], "not_enough_calls", "{progress}");
        assert!(text(&progress[comparison]["says"]).starts_with("Not enough calls: "), "{progress}");
    }
    assert_eq!((&progress["agent"], &progress["real_calls_after"]["count"]), (&Value::Null, &json!(0)));
    let bant = world.get(&format!("{path}?criteria=bant")).await.data();
    assert_eq!((&bant["criteria"], bant["meetings"].as_array().unwrap().len()), (&json!("bant"), 3));
    world.get("/api/meeting/salesperson/0198c1f2-6f4c-7a53-9d39-2a1b6c2f9a14/progress").await.is_problem(404);
}
