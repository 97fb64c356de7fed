//! Calls while they are spoken.

use axum::body::Body;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{Request, StatusCode};
use domain::account::Role;
use domain::call::{CallDetails, CallId, WorkspaceId};
use serde_json::{Value, json};
use store::live::{NewLiveEvent, NewLivePiece, NewLiveSession};
use uuid::Uuid;

use crate::browser::Browser;
use crate::material::{analysis, of_agent, transcript};
use crate::world::{WORKSPACE, World};

const MARKUP: &str = r#""><script>alert(1)</script>"#;
const INPUT: &(dyn Fn(i64) -> String + Sync) = &|_| "{}".to_owned();

/// Begins a session.
async fn begun(world: &World, workspace: WorkspaceId, name: &str, details: CallDetails) -> CallId {
    let call = world.arrived_in(workspace, name, details).await;
    let new = NewLiveSession { workspace, call, session_id: name.to_owned() };
    let told = NewLiveEvent { kind: "call_status", data: json!({"status": "started"}) };
    world.store.start_live_session(&new, &told, INPUT).await.unwrap();
    call
}

/// Tells the listeners of a session something, with a piece of audio.
async fn tell(world: &World, call: CallId, kind: &'static str, data: Value) {
    let name = Uuid::new_v4().to_string();
    let piece = NewLivePiece {
        is_streamed: false,
        sequence: None,
        blob: name.clone(),
        digest: name.clone(),
        bytes: 1,
        media_type: None,
        filename: name,
        channel: None,
        speaker: None,
        request_key: None,
    };
    world.store.add_live_piece((WORKSPACE, call), &piece, &NewLiveEvent { kind, data }, INPUT).await.unwrap();
}

fn said(turn: i64, text: &str) -> Value {
    json!({"turn": turn, "speaker": "customer", "text": text, "start_ms": turn * 1_000, "is_final": true})
}

/// A session in which somebody said `text`, and `text` stands in everything that helps.
async fn spoken(world: &World, name: &str, text: &str) -> CallId {
    let call = begun(world, WORKSPACE, name, of_agent("Dana Ortiz")).await;
    tell(world, call, "transcript_update", said(4, text)).await;
    let advice = json!({
        "insights": [text], "suggestions": [text], "urgency_level": text, "customer_mood": text,
        "evidence": [{"quote": {"text": text, "start_ms": 4_000}}],
    });
    tell(world, call, "real_time_insights", advice).await;
    let summary = json!({"summary_text": text, "key_points": [text], "is_final": false});
    tell(world, call, "summary_update", summary).await;
    call
}

async fn ended(world: &World, call: CallId) {
    let told = NewLiveEvent { kind: "call_status", data: json!({"status": "ended"}) };
    world.store.end_live_session((WORKSPACE, call), ("asked", None), &told, INPUT).await.unwrap();
}

#[tokio::test]
async fn the_sessions_that_are_on_stand_with_their_last_words_before_those_that_have_ended() {
    let world = World::new().await;
    let over = spoken(&world, "first", "Good bye.").await;
    ended(&world, over).await;
    let on = spoken(&world, "second one", "I want to cancel.").await;
    let page = world.page("/live").await;
    let (active, rest) = page.split_once("<h2>Ended</h2>").unwrap();
    assert!(active.contains("<a href=\"/live/second%20one\">") && active.contains("Dana Ortiz"), "{active}");
    assert!(active.contains("<strong>Customer:</strong>") && active.contains("I want to cancel."));
    assert!(!active.contains(&on.to_string()) && rest.contains(&format!("/calls/{over}")), "{rest}");
    assert!(!rest.contains("Good bye."));
}

#[tokio::test]
async fn a_session_shows_what_is_said_what_helps_and_the_summary_so_far() {
    let world = World::new().await;
    let call = spoken(&world, "s-1", "I want to cancel.").await;
    let page = world.page("/live/s-1").await;
    assert!(page.contains("<span dir=\"auto\">I want to cancel.</span>") && page.contains(">0:04<"));
    assert!(page.contains("<a href=\"#w2\">I want to cancel.</a>"), "an insight leads to its line: {page}");
    assert!(page.contains("Summary so far") && page.contains("data-events=\"/live/s-1/events?after=4\""));
    assert!(page.contains("action=\"/live/s-1/audio\"") && page.contains("action=\"/live/s-1/end\""));
    ended(&world, call).await;
    world.made(call, transcript("I want to cancel.", 1), analysis("They cancelled.")).await;
    let page = world.page("/live/s-1").await;
    assert!(page.contains("They cancelled.") && !page.contains("Summary so far"));
    assert!(page.contains(&format!("/calls/{call}")) && !page.contains("action=\"/live/s-1"), "{page}");
    let german = world.get_with("/live/s-1", ("accept-language", "de")).await.text;
    assert!(german.contains("Zum Anruf") && german.contains("Was jetzt hilft"));
}

#[tokio::test]
async fn markup_in_a_session_is_shown_as_text() {
    let world = World::new().await;
    let call = begun(&world, WORKSPACE, MARKUP, of_agent(MARKUP)).await;
    tell(&world, call, "transcript_update", said(1, MARKUP)).await;
    spoken(&world, "s-1", MARKUP).await;
    let name: String = url::form_urlencoded::byte_serialize(MARKUP.as_bytes()).collect();
    for path in ["/live", "/live/s-1", &format!("/live/{name}")] {
        let page = world.page(path).await;
        assert!(page.contains("alert(1)") && !page.contains("<script>alert"), "{path}: {page}");
    }
}

#[tokio::test]
async fn a_session_of_another_workspace_or_of_nobody_is_a_page_with_404() {
    let world = World::new().await;
    begun(&world, WorkspaceId(Uuid::from_u128(7)), "theirs", CallDetails::default()).await;
    assert!(!world.page("/live").await.contains("theirs"));
    for name in ["theirs", "none", "%00"] {
        for path in [format!("/live/{name}"), format!("/live/{name}/events")] {
            let answer = world.get(&path).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
            assert!(answer.text.contains("<nav"), "{path}");
        }
        let end = world.submit("/live", &format!("/live/{name}/end"), &[]).await;
        assert_eq!(end.status, StatusCode::NOT_FOUND, "{name}");
    }
    assert!(world.api.asked().is_empty(), "nothing reaches the routes");
}

#[tokio::test]
async fn an_agent_sees_only_her_own_sessions_and_changes_none() {
    let world = World::with_key().await;
    world.account("dana@x.com", Role::Agent).await;
    world.account("vera@x.com", Role::Viewer).await;
    spoken(&world, "hers", "Hello Dana.").await;
    begun(&world, WORKSPACE, "his", of_agent("Imre Kovács")).await;
    let mut dana = world.signed_in("dana@x.com").await;
    let page = dana.get("/live").await.text;
    assert!(
        page.contains("/live/hers") && !page.contains("/live/his") && !page.contains("name=\"session_id\"")
    );
    let own = dana.get("/live/hers").await.text;
    assert!(own.contains("Hello Dana.") && !own.contains("/live/hers/audio"), "{own}");
    for path in ["/live/his", "/live/his/events"] {
        assert_eq!(dana.get(path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    let mut vera = world.signed_in("vera@x.com").await;
    assert!(vera.get("/live").await.text.contains("/live/his"));
    for browser in [&mut dana, &mut vera] {
        for path in ["/live", "/live/hers/end"] {
            assert_eq!(browser.post(path, &[]).await.status, StatusCode::FORBIDDEN, "{path}");
        }
        let piece = send_piece(browser, None).await;
        assert_eq!(piece.0, StatusCode::FORBIDDEN);
    }
    assert!(world.api.asked().is_empty());
}

#[tokio::test]
async fn a_session_is_begun_from_the_page_and_what_was_wrong_stands_beside_what_was_typed() {
    let world = World::new().await;
    let typed = [("session_id", "s 1/2"), ("agent_name", "Dana Ortiz"), ("from_number", "")];
    let begun = world.submit("/live", "/live", &typed).await;
    assert_eq!(begun.leads_to(), "/live/s%201%2F2");
    let asked = world.api.asked();
    assert_eq!((&*asked[0].what, &*asked[0].who), ("POST /api/calls/start", "no key"));
    assert_eq!(asked[0].json(), json!({"session_id": "s 1/2", "metadata": {"agent_name": "Dana Ortiz"}}));
    let unnamed = world.submit("/live", "/live", &[]).await;
    assert!(unnamed.leads_to().starts_with("/live/console-"), "{}", unnamed.leads_to());
    world.api.answers(StatusCode::CONFLICT, json!({"detail": "the session with this id has ended"}));
    let refused = world.submit("/live", "/live", &typed).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    assert!(refused.text.contains("the session with this id has ended") && refused.text.contains("s 1/2"));
}

/// Sends a piece as the form of the page does. Without `csrf` it is that of the browser.
async fn send_piece(browser: &mut Browser, csrf: Option<&str>) -> (StatusCode, String) {
    let own = browser.csrf().await;
    let csrf = csrf.unwrap_or(&own);
    let field = |name: &str, value: &str| {
        format!("--edge\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let mut body = field("csrf", csrf) + &field("once", "piece-1") + &field("speaker", "agent");
    body += "--edge\r\nContent-Disposition: form-data; name=\"audio_file\"; filename=\"a.wav\"\r\n\r\nRIFF\r\n--edge--\r\n";
    let request = Request::post("/live/hers/audio")
        .header(CONTENT_TYPE, "multipart/form-data; boundary=edge")
        .header(ACCEPT, "text/html")
        .header("sec-fetch-site", "same-origin");
    let answer = browser.send(request.body(Body::from(body)).unwrap()).await;
    let says =
        if answer.status == StatusCode::SEE_OTHER { answer.location().to_owned() } else { answer.text };
    (answer.status, says)
}

#[tokio::test]
async fn a_piece_goes_from_the_form_to_the_route_with_a_name_and_without_what_protects_the_form() {
    let world = World::new().await;
    spoken(&world, "hers", "Hello.").await;
    let mut browser = world.browser();
    assert_eq!(send_piece(&mut browser, None).await, (StatusCode::SEE_OTHER, "/live/hers".into()));
    let asked = &world.api.asked()[0];
    assert_eq!(asked.what, "POST /api/calls/hers/audio");
    assert_eq!(asked.headers["idempotency-key"], "piece-1");
    assert!(asked.body.contains("name=\"speaker\"\r\n\r\nagent\r\n"), "{}", asked.body);
    assert!(asked.body.contains("filename=\"a.wav\"\r\n\r\nRIFF\r\n--edge-"), "{}", asked.body);
    assert!(!asked.body.contains("csrf") && asked.body.ends_with("--\r\n"));
    world.api.answers(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        json!({"errors": [{"pointer": "/audio_file", "detail": "is a PDF"}]}),
    );
    let (status, page) = send_piece(&mut browser, None).await;
    assert_eq!(status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert!(page.contains("audio file: is a PDF") && page.contains("Hello."), "{page}");
    world.api.asked();
    for csrf in ["", "wrong"] {
        assert_eq!(send_piece(&mut browser, Some(csrf)).await.0, StatusCode::FORBIDDEN);
    }
    assert!(world.api.asked().is_empty(), "nothing of a form of somebody else is passed on");
}

#[tokio::test]
async fn a_script_sends_a_piece_with_headers_and_reads_the_answer_of_the_route() {
    let world = World::new().await;
    spoken(&world, "hers", "Hello.").await;
    let mut browser = world.browser();
    let csrf = browser.csrf().await;
    let send = |csrf: String| {
        Request::post("/live/hers/audio")
            .header(CONTENT_TYPE, "multipart/form-data; boundary=edge")
            .header(ACCEPT, "application/json")
            .header("sec-fetch-site", "same-origin")
            .header("idempotency-key", "k")
            .header("x-csrf-token", csrf)
            .body(Body::from("the whole form"))
            .unwrap()
    };
    world.api.answers(StatusCode::CONFLICT, json!({"detail": "the session has ended"}));
    let answer = browser.send(send(csrf)).await;
    assert_eq!(
        (answer.status, &*answer.text),
        (StatusCode::CONFLICT, r#"{"detail":"the session has ended"}"#)
    );
    let asked = &world.api.asked()[0];
    assert_eq!((&*asked.body, &asked.headers["idempotency-key"]), ("the whole form", &"k".parse().unwrap()));
    assert_eq!(browser.send(send("wrong".into())).await.status, StatusCode::FORBIDDEN);
    assert!(world.api.asked().is_empty());
}

#[tokio::test]
async fn the_events_of_a_session_come_from_the_route_and_a_browser_that_comes_back_goes_on() {
    let world = World::new().await;
    spoken(&world, "s-1", "Hello.").await;
    world.get("/live/s-1/events?after=3").await;
    world.get_with("/live/s-1/events?after=3", ("last-event-id", "9")).await;
    let asked: Vec<_> = world.api.asked().into_iter().map(|asked| asked.what).collect();
    assert_eq!(asked, ["GET /api/calls/s-1/events?after=3", "GET /api/calls/s-1/events?after=9"]);
}
