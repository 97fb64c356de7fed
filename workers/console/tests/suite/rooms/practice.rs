//! Meetings that are rehearsed.

use axum::body::Body;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{Request, StatusCode};
use domain::account::Role;
use domain::call::WorkspaceId;
use serde_json::json;
use uuid::Uuid;

use super::meetings::{held, planted};
use crate::world::{WORKSPACE, World};

const MARKUP: &str = r#""><script>alert(1)</script>"#;
const ACTOR: &str = "no key";

#[tokio::test]
async fn a_meeting_shows_who_answered_why_and_what_it_was_worth_with_its_turns() {
    let world = World::new().await;
    let planted = planted(&world, WORKSPACE, ACTOR, "CloudSync").await;
    let path = format!("/practice/{}", planted.meeting);
    let pending = world.page(&path).await;
    assert!(pending.contains(&format!("action=\"{path}/start\"")) && pending.contains("CFO"), "{pending}");
    held(&world, WORKSPACE, planted.meeting, ("How slow is it?", 64)).await;
    let page = world.page(&path).await;
    assert!(page.contains("What it was worth: 64") && page.contains("<a href=\"#t1\">1</a>"), "{page}");
    assert!(page.contains("id=\"t2\"") && page.contains("class=\"soft why\"") && page.contains("cut off"));
    assert!(page.contains("By bant, version 2: 7") && page.contains("50 %"));
    assert!(page.contains("/calls/00000000-0000-0000-0000-000000000005"));
    assert!(!page.contains("/messages") && !page.contains("/end\""), "it is over: {page}");
    let report = world.page(&format!("{path}/report")).await;
    assert!(report.contains("By sales, version 1: 64") && report.contains("How slow is it?"));
    let list = world.page("/practice").await;
    assert!(list.contains(&path) && list.contains(">64</td>") && list.contains("beginner"), "{list}");
    let german = world.get_with(&path, ("accept-language", "de")).await.text;
    assert!(german.contains("Was es wert war: 64") && german.contains("Einstieg"));
}

#[tokio::test]
async fn markup_in_a_meeting_is_shown_as_text() {
    let world = World::new().await;
    let planted = planted(&world, WORKSPACE, ACTOR, MARKUP).await;
    held(&world, WORKSPACE, planted.meeting, (MARKUP, 50)).await;
    let path = format!("/practice/{}", planted.meeting);
    for path in ["/practice", "/practice/setup", &path, &format!("{path}/report")] {
        let page = world.page(path).await;
        assert!(page.contains("alert(1)") && !page.contains("<script>alert"), "{path}: {page}");
    }
}

#[tokio::test]
async fn a_meeting_of_another_workspace_or_of_nobody_is_a_page_with_404() {
    let world = World::new().await;
    let theirs = planted(&world, WorkspaceId(Uuid::from_u128(7)), ACTOR, "Secret product").await;
    for path in ["/practice", "/practice/setup"] {
        assert!(!world.page(path).await.contains("Secret product"), "{path}");
    }
    for id in [theirs.meeting.to_string(), Uuid::from_u128(9).to_string(), "no-id".to_owned()] {
        for path in [format!("/practice/{id}"), format!("/practice/{id}/report")] {
            assert_eq!(world.get(&path).await.status, StatusCode::NOT_FOUND, "{path}");
        }
        for end in ["start", "messages", "end"] {
            let answer =
                world.submit("/practice", &format!("/practice/{id}/{end}"), &[("message", "x")]).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{id} {end}");
        }
    }
    let invited = [("representative", &*theirs.representative.to_string())];
    assert_eq!(
        world.submit("/practice", "/practice", &invited).await.status,
        StatusCode::UNPROCESSABLE_ENTITY
    );
    assert!(world.api.asked().is_empty(), "nothing reaches the routes");
}

#[tokio::test]
async fn an_agent_practises_and_sees_only_her_own_meetings() {
    let world = World::with_key().await;
    world.account("dana@x.com", Role::Agent).await;
    world.account("vera@x.com", Role::Viewer).await;
    let hers = planted(&world, WORKSPACE, "user:dana@x.com", "Hers").await.meeting;
    let his = planted(&world, WORKSPACE, "user:imre@x.com", "His").await.meeting;
    let mut dana = world.signed_in("dana@x.com").await;
    let page = dana.get("/practice").await.text;
    assert!(page.contains(&hers.to_string()) && !page.contains(&his.to_string()), "{page}");
    assert_eq!(dana.get(&format!("/practice/{his}")).await.status, StatusCode::NOT_FOUND);
    assert_eq!(dana.post(&format!("/practice/{his}/start"), &[]).await.status, StatusCode::NOT_FOUND);
    assert_eq!(
        dana.post(&format!("/practice/{hers}/start"), &[]).await.leads_to(),
        format!("/practice/{hers}")
    );
    let asked = world.api.asked();
    assert_eq!((asked.len(), &*asked[0].who), (1, "user:dana@x.com"));
    // Whoever only reads sees all, and starts nothing.
    let mut vera = world.signed_in("vera@x.com").await;
    let page = vera.get(&format!("/practice/{his}")).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(!page.text.contains("/start\""));
    assert_eq!(vera.post(&format!("/practice/{his}/start"), &[]).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn what_somebody_says_goes_to_the_route_once_and_comes_back_when_it_was_not_taken() {
    let world = World::new().await;
    let meeting = planted(&world, WORKSPACE, ACTOR, "CloudSync").await.meeting;
    assert!(world.store.start_meeting(WORKSPACE, meeting).await.unwrap());
    let (page, path) = (format!("/practice/{meeting}"), format!("/practice/{meeting}/messages"));
    world.api.answers(StatusCode::OK, json!({"data": {"salesperson_turn": 3}}));
    let fields = [("message", "What slows you down?"), ("once", "k-1")];
    assert_eq!(world.submit(&page, &path, &fields).await.leads_to(), format!("{page}#t3"));
    let asked = &world.api.asked()[0];
    assert_eq!(asked.what, "POST /api/conversation/send-message");
    assert_eq!(asked.headers["idempotency-key"], "k-1");
    let wanted = json!({"meeting_id": meeting, "speaker": "salesperson", "message": "What slows you down?"});
    assert_eq!(asked.json(), wanted);
    world.api.answers(StatusCode::CONFLICT, json!({"detail": "the meeting is over"}));
    let refused = world.submit(&page, &path, &fields).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    assert!(
        refused.text.contains("the meeting is over")
            && refused.text.contains(">What slows you down?</textarea>")
    );
}

#[tokio::test]
async fn a_script_reads_the_sentences_as_they_come() {
    let world = World::new().await;
    let meeting = planted(&world, WORKSPACE, ACTOR, "CloudSync").await.meeting;
    let mut browser = world.browser();
    let csrf = browser.csrf().await;
    let request = Request::post(format!("/practice/{meeting}/messages"))
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(ACCEPT, "text/event-stream")
        .header("sec-fetch-site", "same-origin")
        .header("x-csrf-token", csrf)
        .body(Body::from("message=Hello&once=k"))
        .unwrap();
    world.api.answers(StatusCode::OK, json!("as it came"));
    assert_eq!(browser.send(request).await.text, "\"as it came\"");
    assert_eq!(world.api.asked()[0].headers[ACCEPT], "text/event-stream");
}

#[tokio::test]
async fn a_meeting_is_made_with_those_who_were_chosen() {
    let world = World::new().await;
    let planted = planted(&world, WORKSPACE, ACTOR, "CloudSync").await;
    let made = Uuid::from_u128(3);
    world.api.answers(StatusCode::CREATED, json!({"data": {"meeting_id": made}}));
    let (salesperson, representative) = (planted.salesperson.to_string(), planted.representative.to_string());
    let fields = [
        ("salesperson", &*salesperson),
        ("representative", &representative),
        ("meeting_goal", "Agree on a pilot"),
        ("difficulty", "expert"),
        ("duration_minutes", "20"),
        ("call", "a-call"),
        ("line", "12"),
        ("once", "k-2"),
    ];
    assert_eq!(world.submit("/practice", "/practice", &fields).await.leads_to(), format!("/practice/{made}"));
    let asked = world.api.asked()[0].json();
    assert_eq!((&asked["company_id"], &asked["meeting_mode"]), (&json!(planted.company), &json!("1-on-1")));
    assert_eq!((&asked["difficulty"], &asked["duration_minutes"]), (&json!("expert"), &json!(20)));
    assert_eq!(asked["from_call"], json!({"call_id": "a-call", "segment": 12}));
    assert!(world.page("/practice?call=a-call&line=12").await.contains("<details open>"));
    let nobody = world.submit("/practice", "/practice", &[("meeting_goal", "Agree")]).await;
    assert_eq!(nobody.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(nobody.text.contains("Choose one to three people") && nobody.text.contains("value=\"Agree\""));
    assert!(world.api.asked().is_empty());
}

#[tokio::test]
async fn a_file_that_was_not_kept_is_named_after_the_product_was() {
    let world = World::new().await;
    let mut browser = world.browser();
    let csrf = browser.csrf().await;
    let files = [("deck.pdf", &b"%PDF"[..]), ("run.exe", b"MZ")];
    assert_eq!(browser.upload("/practice/products", &csrf, &files).await.leads_to(), "/practice/setup");
    let body = world.api.asked()[0].body.clone();
    assert!(body.contains("deck.pdf") && body.contains("MZ") && !body.contains("csrf"), "{body}");
    let refused = json!({"data": {"refused": [{"file_name": "run.exe", "reason": "is a program"}]}});
    world.api.answers(StatusCode::CREATED, refused);
    let page = browser.upload("/practice/products", &csrf, &files).await;
    assert!(page.text.contains("run.exe is a program"), "{}", page.text);
    world.api.asked();
    assert_eq!(browser.upload("/practice/products", "wrong", &files).await.status, StatusCode::FORBIDDEN);
    assert!(world.api.asked().is_empty());
}

#[tokio::test]
async fn somebody_who_speaks_for_a_company_is_added_with_a_temperament() {
    let world = World::new().await;
    let planted = planted(&world, WORKSPACE, ACTOR, "CloudSync").await;
    let company = planted.company.to_string();
    let fields =
        [("company", &*company), ("name", "Tom"), ("role", "cto"), ("trait", "nice"), ("trait", "cool")];
    let added = world.submit("/practice/setup", "/practice/representatives", &fields).await;
    assert_eq!(added.leads_to(), "/practice/setup");
    let asked = &world.api.asked()[0];
    assert_eq!(asked.what, format!("POST /api/company/{company}/representatives"));
    assert_eq!(asked.json()["personality_traits"], json!(["nice", "cool"]));
    world.api.answers(StatusCode::UNPROCESSABLE_ENTITY, json!({"detail": "the role is missing"}));
    let refused = world.submit("/practice/setup", "/practice/representatives", &fields).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.text.contains("the role is missing") && refused.text.contains("value=\"Tom\""));
    world.api.answers(StatusCode::NOT_FOUND, json!({"detail": "there is no such company"}));
    let gone = world.submit("/practice/setup", "/practice/representatives", &fields).await;
    assert_eq!(gone.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn two_scores_of_one_product_are_a_progress() {
    let world = World::new().await;
    let planted = planted(&world, WORKSPACE, ACTOR, "CloudSync").await;
    held(&world, WORKSPACE, planted.meeting, ("First.", 40)).await;
    assert!(!world.page("/practice").await.contains("<svg class=\"chart\""), "one score is no progress");
    let again = Uuid::now_v7();
    let plan = json!({"product": {"name": "CloudSync"}});
    let new = store::NewMeeting {
        salesperson: planted.salesperson,
        company: planted.company,
        created_by: ACTOR,
        plan: &plan,
    };
    assert!(world.store.add_meeting(WORKSPACE, again, new).await.unwrap());
    held(&world, WORKSPACE, again, ("Second.", 70)).await;
    let page = world.page("/practice").await;
    assert!(
        page.contains("From 40 to 70 of 100 points in 2 meetings.") && page.contains("<svg class=\"chart\"")
    );
}

#[tokio::test]
async fn a_first_meeting_is_made_with_all_that_it_needs() {
    let world = World::new().await;
    let ids: Vec<_> = (1..=5).map(Uuid::from_u128).collect();
    for (name, id) in [
        ("salesperson_id", ids[0]),
        ("company_id", ids[1]),
        ("representative_id", ids[2]),
        ("representative_id", ids[3]),
        ("meeting_id", ids[4]),
    ] {
        world.api.answers(StatusCode::CREATED, json!({"data": {name: id}}));
    }
    let held = world.submit("/practice", "/practice/first", &[]).await;
    assert_eq!(held.leads_to(), format!("/practice/{}", ids[4]));
    let asked = world.api.asked();
    let last: Vec<_> = asked.iter().rev().take(2).map(|asked| asked.what.as_str()).collect();
    assert_eq!(last, [&*format!("POST /api/meeting/{}/start", ids[4]), "POST /api/meeting/create"]);
    assert_eq!(asked[4].json()["representatives"], json!([ids[2], ids[3]]));
}
