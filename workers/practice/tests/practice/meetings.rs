use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::world::{World, json_request, message, send_to, text};

#[tokio::test]
async fn a_meeting_goes_from_its_making_to_its_end_as_the_routes_say() {
    let world = World::new().await;
    let salesperson = world.salesperson(&[]).await;
    let company = world.company().await;
    let john = world.representative(&company, "John Smith", "ceo").await;
    let maria = world.representative(&company, "Maria Garcia", "cfo").await;
    let body = json!({
        "salesperson_id": salesperson, "company_id": company, "meeting_mode": "1-on-2", "representatives": [john, maria],
        "meeting_goal": "Close a $50k deal", "personality": "nice", "duration_minutes": 30, "difficulty": "intermediate",
    });
    let made = world.post("/api/meeting/create", &body).await;
    assert_eq!(made.status, StatusCode::CREATED);
    let made = made.data();
    assert_eq!(made["status"], "pending");
    assert_eq!(made["top_5_questions"].as_array().unwrap().len(), 5);
    assert!(
        made["questions"].as_array().unwrap().iter().all(|one| !one["reason"].as_str().unwrap().is_empty())
    );
    assert_eq!(made["representatives"][1]["name"], "Maria Garcia");
    let meeting = text(&made["meeting_id"]);
    let start = format!("/api/meeting/{meeting}/start");
    assert_eq!(world.post(&start, &json!({})).await.data()["status"], "active");

    let answer = world.say(&meeting, "Maria, what is your budget for this year?").await;
    assert_eq!(answer["ai_response"]["speaker_id"], maria.as_str());
    assert_eq!((&answer["turn_number"], &answer["salesperson_turn"]), (&json!(2), &json!(1)));
    assert!(answer["reasoning"].as_str().unwrap().contains("named"), "{answer}");
    assert_eq!(answer["ai_response"]["source"], "built_in");
    assert!(answer["ai_response"]["duration_seconds"].as_f64().unwrap() > 0.0);
    let answer = world.say(&meeting, "John, what is your vision?").await;
    assert_eq!(answer["ai_response"]["speaker_name"], "John Smith");

    let end = world.post(&format!("/api/meeting/{meeting}/end"), &json!({})).await.data();
    assert_eq!(end["status"], "completed");
    assert!(end["call_id"].is_string() && end["duration_seconds"].is_number(), "{end}");
    let analytics = world.get(&format!("/api/conversation/{meeting}/analytics")).await.data();
    assert_eq!(analytics["salesperson_turns"], 2);
    assert_eq!((&analytics["questions_asked"], &analytics["open_questions"]), (&json!(2), &json!(2)));
    let ratios = analytics["salesperson_talk_ratio"].as_f64().unwrap()
        + analytics["representatives_talk_ratio"].as_f64().unwrap();
    assert!((ratios - 100.0).abs() < 0.02, "{analytics}");
    assert_eq!(analytics["score"]["criteria"].as_array().unwrap().len(), 5);
    let view = world.get(&format!("/api/meeting/{meeting}")).await.data();
    assert_eq!((&view["status"], &view["call_id"]), (&json!("completed"), &end["call_id"]));
    let list = world.get(&format!("/api/meeting/salesperson/{salesperson}/meetings")).await.data();
    assert_eq!((&list["total"], &list["meetings"][0]["id"]), (&json!(1), &json!(meeting)));
}

#[tokio::test]
async fn a_meeting_out_of_order_is_answered_409() {
    let world = World::new().await;
    let salesperson = world.salesperson(&[]).await;
    let company = world.company().await;
    let maria = world.representative(&company, "Maria Garcia", "cfo").await;
    let body = json!({"salesperson_id": salesperson, "company_id": company, "meeting_mode": "1-on-1", "representatives": [maria], "meeting_goal": "g"});
    let meeting = text(&world.post("/api/meeting/create", &body).await.data()["meeting_id"]);
    let path = |what: &str| format!("/api/meeting/{meeting}/{what}");
    let nothing = json!({});
    world.post(&path("end"), &nothing).await.is_problem(409);
    world.post("/api/conversation/send-message", &message(&meeting, "Hello")).await.is_problem(409);
    world.post(&path("start"), &nothing).await.data();
    world.post(&path("start"), &nothing).await.is_problem(409);
    let ended = world.post(&path("end"), &nothing).await.data();
    assert_eq!(ended["call_id"], Value::Null, "nobody said anything, so there is no call");
    world.post(&path("end"), &nothing).await.is_problem(409);
    world.post("/api/conversation/send-message", &message(&meeting, "Hello")).await.is_problem(409);
}

#[tokio::test]
async fn a_mode_that_does_not_fit_its_representatives_is_refused_and_the_number_is_named() {
    let world = World::new().await;
    let salesperson = world.salesperson(&[]).await;
    let company = world.company().await;
    let maria = world.representative(&company, "Maria Garcia", "cfo").await;
    let body = |mode: &str| json!({"salesperson_id": salesperson, "company_id": company, "meeting_mode": mode, "representatives": [maria], "meeting_goal": "g"});
    let problem = world.post("/api/meeting/create", &body("1-on-3")).await.is_problem(422);
    let error = &problem["errors"][0];
    assert_eq!(error["pointer"], "/representatives");
    assert!(error["detail"].as_str().unwrap().contains('3'), "{problem}");
    let problem = world.post("/api/meeting/create", &body("1-on-4")).await.is_problem(422);
    assert_eq!(problem["errors"][0]["pointer"], "/meeting_mode");
    let problem =
        world.post("/api/meeting/create", &json!({"from_call": {"call_id": 7}})).await.is_problem(422);
    assert!(
        problem["errors"]
            .as_array()
            .unwrap()
            .iter()
            .all(|error| error["pointer"].as_str().unwrap().starts_with('/')),
        "{problem}"
    );
}

#[tokio::test]
async fn what_is_not_there_is_404() {
    let world = World::new().await;
    let nobody = "0198c1f2-6f4c-7a53-9d39-2a1b6c2f9a10";
    for path in ["/api/salesperson", "/api/company", "/api/meeting"] {
        for id in [nobody, "nothing"] {
            world.get(&format!("{path}/{id}")).await.is_problem(404);
            world.delete(&format!("{path}/{id}")).await.is_problem(404);
        }
    }
    world.get(&format!("/api/conversation/{nobody}/history")).await.is_problem(404);
    world.post("/api/conversation/send-message", &message(nobody, "Hello")).await.is_problem(404);
    world.put(&format!("/api/company/representatives/{nobody}"), &json!({})).await.is_problem(404);
    world.put(&format!("/api/salesperson/{nobody}"), &json!({})).await.is_problem(404);
}

#[tokio::test]
async fn deletes_take_along_what_belongs_to_them() {
    let world = World::new().await;
    let salesperson = world.salesperson(&[("deck.gif", b"GIF89a-a-picture")]).await;
    let meeting = world.meeting_of(&salesperson, &[("Maria Garcia", "cfo")]).await;
    world.say(&meeting, "Hello Maria").await;
    let view = world.get(&format!("/api/meeting/{meeting}")).await.data();
    let (company, maria) = (text(&view["company_id"]), text(&view["representatives"][0]["id"]));
    assert_eq!(blobs(&world).await, 1);
    world.delete(&format!("/api/company/{company}")).await.data();
    world.get(&format!("/api/meeting/{meeting}")).await.is_problem(404);
    world.put(&format!("/api/company/representatives/{maria}"), &json!({"name": "x"})).await.is_problem(404);
    world.get(&format!("/api/salesperson/{salesperson}")).await.data();

    let meeting = world.meeting_of(&salesperson, &[("Maria Garcia", "cfo")]).await;
    world.say(&meeting, "Hello Maria").await;
    world.delete(&format!("/api/salesperson/{salesperson}")).await.data();
    world.get(&format!("/api/meeting/{meeting}")).await.is_problem(404);
    assert_eq!(blobs(&world).await, 0);
}

async fn blobs(world: &World) -> usize {
    use futures::StreamExt as _;
    world.blobs.list().count().await
}

#[tokio::test]
async fn a_representative_who_is_changed_or_removed_stays_in_a_meeting_that_was_made() {
    let world = World::new().await;
    let meeting = world.meeting(&[("Maria Garcia", "cfo")]).await;
    let view = world.get(&format!("/api/meeting/{meeting}")).await.data();
    let maria = text(&view["representatives"][0]["id"]);
    let path = format!("/api/company/representatives/{maria}");
    let changed = world
        .put(&path, &json!({"name": "Eva Novak", "personality_traits": ["angry", "Cold Hearted"]}))
        .await
        .data();
    assert_eq!((&changed["name"], &changed["role"]), (&json!("Eva Novak"), &json!("cfo")));
    assert_eq!(changed["personality_traits"], json!(["angry", "cold_hearted"]));
    world.put(&path, &json!({"personality_traits": ["grumpy"]})).await.is_problem(422);
    world.delete(&path).await.data();
    assert_eq!(world.say(&meeting, "Hello!").await["ai_response"]["speaker_name"], "Maria Garcia");
}

#[tokio::test]
async fn an_agent_practises_and_sees_only_her_own_meetings() {
    let world = World::new().await;
    let meeting = world.meeting(&[("Maria Garcia", "cfo")]).await;
    let view = world.get(&format!("/api/meeting/{meeting}")).await.data();
    let body = json!({
        "salesperson_id": view["salesperson_id"], "company_id": view["company_id"], "meeting_mode": "1-on-1",
        "representatives": [view["representatives"][0]["id"]], "meeting_goal": "g",
    });
    let ask = async |method: &str, path: &str, body: &Value| {
        send_to(world.as_agent("Dana"), json_request(method, path, body, None)).await
    };
    ask("GET", &format!("/api/meeting/{meeting}"), &json!({})).await.is_problem(404);
    ask("POST", "/api/conversation/send-message", &message(&meeting, "Hello")).await.is_problem(404);
    let own = text(&ask("POST", "/api/meeting/create", &body).await.data()["meeting_id"]);
    ask("POST", &format!("/api/meeting/{own}/start"), &json!({})).await.data();
    ask("POST", "/api/conversation/send-message", &message(&own, "Hello")).await.data();
    let list = ask(
        "GET",
        &format!("/api/meeting/salesperson/{}/meetings", text(&view["salesperson_id"])),
        &json!({}),
    )
    .await
    .data();
    assert_eq!((&list["total"], &list["meetings"][0]["id"]), (&json!(1), &json!(own)));
}

#[tokio::test]
async fn a_request_that_comes_again_with_its_key_makes_one_thing() {
    let world = World::new().await;
    let company = json!({"company_url": "https://acme.example", "auto_fetch": false});
    let one = world.post_with_key("/api/company/create", &company, "k").await.data();
    let again = world.post_with_key("/api/company/create", &company, "k").await.data();
    assert_eq!(one["company_id"], again["company_id"]);
    let other = json!({"company_url": "https://other.example", "auto_fetch": false});
    world.post_with_key("/api/company/create", &other, "k").await.is_problem(422);
}
