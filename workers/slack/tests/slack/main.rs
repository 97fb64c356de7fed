//! Tests the worker from the outside: a call in an embedded store is posted to a Slack on this machine, and the tests
//! look at what arrives there.

#![expect(clippy::unwrap_used, reason = "everything here is a test")]

mod world;

use std::time::Duration;

use domain::call::{CallKind, WorkspaceId};
use domain::fault::Fault;
use platform::config::Values;
use serde_json::json;
use slack::MAX_CHARS;
use store::Settlement;
use wiremock::matchers::{any, body_partial_json, header, path};
use wiremock::{Mock, ResponseTemplate};

use world::{WEBHOOK, World, long, post_set_by, sample, slack_set_by};

fn ok() -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_string("ok")
}

fn bot_ok(ts: &str) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(json!({"ok": true, "channel": "C024BE91L", "ts": ts}))
}

fn bot_no(word: &str) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(json!({"ok": false, "error": word}))
}

#[tokio::test]
async fn an_incoming_call_is_posted_to_the_webhook_as_the_template_says_and_only_once() {
    let world = World::incoming().await;
    world.answer(ok()).await;
    let (post, run) = (world.webhook(), world.begin("slack").await);
    world.run(&post, &run).await.unwrap();
    world.run(&post, &run).await.unwrap();

    let arrived = world.arrived().await;
    assert_eq!(arrived.len(), 1);
    let (to, body) = &arrived[0];
    assert_eq!(to, WEBHOOK);
    assert_eq!(body["text"].as_str().unwrap(), include_str!("../samples/incoming.txt").trim_end());
    let flags = json!({"mrkdwn": true, "unfurl_links": false, "unfurl_media": false, "link_names": false, "parse": "none"});
    for (name, value) in flags.as_object().unwrap() {
        assert_eq!(&body[name], value, "{name}");
    }
    assert_eq!(world.effects().await, [("post".into(), "confirmed".into(), Some("ok".into()))]);
}

#[tokio::test]
async fn a_bot_posts_with_the_effects_id_and_its_receipt_names_the_message() {
    let world = World::incoming().await;
    Mock::given(path("/proxy/api/chat.postMessage"))
        .and(header("authorization", "Bearer xoxb-1"))
        .and(header("content-type", "application/json; charset=utf-8"))
        .and(body_partial_json(json!({"channel": "#calls", "mrkdwn": true, "unfurl_links": false})))
        .respond_with(bot_ok("1503435956.000247"))
        .mount(&world.slack)
        .await;
    world.run(&world.bot(), &world.begin("slack").await).await.unwrap();

    let rows = world.store.effects_of(WorkspaceId::DEFAULT, world.call).await.unwrap();
    assert_eq!(rows[0].remote_id.as_deref(), Some("C024BE91L/1503435956.000247"));
    let (_, body) = &world.arrived().await[0];
    assert_eq!(
        body["metadata"],
        json!({"event_type": "debrief_post", "event_payload": {"effect": rows[0].id.to_string()}})
    );
    assert!(body.get("thread_ts").is_none() && body.get("ts").is_none(), "{body}");
}

#[tokio::test]
async fn a_long_call_continues_in_the_thread_of_its_first_message() {
    let world = World::with(CallKind::Phone, sample().0, long()).await;
    world.answer(bot_ok("1503435956.000247")).await;
    world.run(&world.bot(), &world.begin("slack").await).await.unwrap();

    let arrived = world.arrived().await;
    assert!(arrived.len() > 3);
    assert!(arrived[0].1.get("thread_ts").is_none());
    for (_, body) in &arrived[1..] {
        assert_eq!(body["thread_ts"], "1503435956.000247");
        assert_eq!(body["channel"], "C024BE91L");
    }
    let all: String = arrived.iter().map(|(_, body)| body["text"].as_str().unwrap()).collect();
    for n in 0..200 {
        assert!(
            all.contains(&format!(
                "\nSpeaker A: This is sentence number {n} of a long conversation, said.\n"
            )),
            "{n}"
        );
    }
    let objects: Vec<_> = world.effects().await.into_iter().map(|(object, ..)| object).collect();
    assert!(objects.contains(&"post".to_owned()) && objects.contains(&"part:2".to_owned()), "{objects:?}");
}

#[tokio::test]
async fn a_long_call_continues_in_numbered_messages_of_the_webhook() {
    let world = World::with(CallKind::Phone, sample().0, long()).await;
    world.answer(ok()).await;
    world.run(&world.webhook(), &world.begin("slack").await).await.unwrap();
    let arrived = world.arrived().await;
    let text = |n: usize| arrived[n].1["text"].as_str().unwrap();
    assert!(text(0).starts_with("📞 *Support Number:*"));
    assert!(
        text(1)
            .starts_with(&format!("📝 *Full Transcription* of `CALL-IN-0001`, part 2 of {}:", arrived.len()))
    );
    assert!(text(arrived.len() - 1).ends_with("(as per no-audio requirement)"));
    assert!((0..arrived.len()).all(|n| text(n).chars().count() <= MAX_CHARS));
}

#[tokio::test]
async fn a_meetings_transcript_is_in_the_thread_of_its_message_and_follows_it_at_a_webhook() {
    for is_bot in [true, false] {
        let world = World::with(CallKind::Meeting, sample().0, sample().1).await;
        world.answer(if is_bot { bot_ok("1503435956.000247") } else { ok() }).await;
        let post = if is_bot { world.bot() } else { world.webhook() };
        world.run(&post, &world.begin("slack").await).await.unwrap();
        let arrived = world.arrived().await;
        assert_eq!(arrived.len(), 2, "{arrived:?}");
        let text = |n: usize| arrived[n].1["text"].as_str().unwrap();
        assert!(text(0).contains("💡 *Summary:*\nA report is pending.\n"), "{}", text(0));
        assert!(!text(0).contains("Support Number") && !text(0).contains("Not provided"), "{}", text(0));
        assert!(text(1).contains("\nSpeaker B: My employment report"), "{}", text(1));
        let thread = if is_bot { json!("1503435956.000247") } else { json!(null) };
        assert_eq!(arrived[1].1["thread_ts"], thread);
    }
}

#[tokio::test]
async fn parts_that_arrived_are_not_posted_again_when_a_later_one_failed() {
    let world = World::with(CallKind::Phone, sample().0, long()).await;
    Mock::given(any()).respond_with(ok()).up_to_n_times(2).mount(&world.slack).await;
    Mock::given(any()).respond_with(ResponseTemplate::new(429)).mount(&world.slack).await;
    let (post, run) = (world.webhook(), world.begin("slack").await);
    world.run(&post, &run).await.unwrap_err();
    world.answer(ok()).await;
    world.run(&post, &run).await.unwrap();
    let arrived = world.arrived().await;
    assert!(arrived[0].1["text"].as_str().unwrap().contains("part 3 of"), "{arrived:?}");
}

#[tokio::test]
async fn a_corrected_call_changes_the_bots_message_and_leaves_the_webhooks() {
    for (is_bot, then) in [(true, "/proxy/api/chat.update"), (false, "")] {
        let mut world = World::incoming().await;
        let post = if is_bot { world.bot() } else { world.webhook() };
        world.answer(if is_bot { bot_ok("17.1") } else { ok() }).await;
        let run = world.begin("slack").await;
        world.run(&post, &run).await.unwrap();
        world.store.settle_run(&run.claim(), &Settlement::Done { writes: &[], children: &[] }).await.unwrap();

        let (details, mut transcript) = sample();
        transcript.segments[1].text = "My address report is still pending.".into();
        world.analyzed(CallKind::Phone, details, transcript).await;
        world.answer(if is_bot { bot_ok("17.1") } else { ok() }).await;
        world.run(&post, &world.begin("slack").await).await.unwrap();
        let arrived = world.arrived().await;
        if is_bot {
            let (to, body) = &arrived[0];
            assert_eq!((to.as_str(), arrived.len()), (then, 1));
            assert_eq!((&body["channel"], &body["ts"]), (&json!("C024BE91L"), &json!("17.1")));
            assert!(body["text"].as_str().unwrap().contains("My address report"));
        } else {
            assert!(arrived.is_empty(), "{arrived:?}");
            assert_eq!(world.effects().await[0].1, "outdated");
        }
    }
}

#[tokio::test]
async fn a_worker_without_slack_posts_nothing() {
    let world = World::incoming().await;
    world.run(&slack_set_by(&[]), &world.begin("slack").await).await.unwrap();
    assert!(world.arrived().await.is_empty());
}

/// Posts to a webhook that gives this answer. Returns the fault and the code of the run, and the state of the effect.
async fn refused(answer: ResponseTemplate, is_bot: bool) -> (Fault, &'static str, String) {
    let world = World::incoming().await;
    world.answer(answer).await;
    let post = if is_bot { world.bot() } else { world.webhook() };
    let error = world.run(&post, &world.begin("slack").await).await.unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("failed to ") && !text.contains("secret") && !text.contains("xoxb"), "{text}");
    if error.fault == Fault::Unavailable {
        assert_eq!(error.destination.as_deref(), Some("slack"));
    }
    (error.fault, error.code, world.effects().await.remove(0).1)
}

fn plain(status: u16, body: &str) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_string(body)
}

#[tokio::test]
async fn what_a_webhook_refuses_is_parked_or_given_up_and_known_not_to_have_been_posted() {
    let cases = [
        (404, "no_service", Fault::Unavailable, "slack_no_service"),
        (403, "invalid_token", Fault::Unavailable, "slack_invalid_auth"),
        (404, "<html>Not here</html>", Fault::Unavailable, "slack_refused"),
        (302, "", Fault::Unavailable, "slack_refused"),
        (404, "channel_not_found", Fault::Permanent, "slack_channel_not_found"),
        (410, "channel_is_archived", Fault::Permanent, "slack_channel_is_archived"),
        (403, "action_prohibited", Fault::Permanent, "slack_action_prohibited"),
        (400, "invalid_payload", Fault::Permanent, "slack_invalid_payload"),
        (400, "something_new", Fault::Permanent, "slack_rejected"),
    ];
    for (status, body, fault, code) in cases {
        let expected = (fault, code, "not_sent".to_owned());
        assert_eq!(refused(plain(status, body), false).await, expected, "{status} {body}");
    }
}

#[tokio::test]
async fn what_a_bot_is_refused_with_200_is_a_refusal() {
    let cases = [
        ("invalid_auth", Fault::Unavailable, "slack_invalid_auth"),
        ("token_revoked", Fault::Unavailable, "slack_token_revoked"),
        ("account_inactive", Fault::Unavailable, "slack_account_inactive"),
        ("missing_scope", Fault::Unavailable, "slack_missing_scope"),
        ("channel_not_found", Fault::Permanent, "slack_channel_not_found"),
        ("not_in_channel", Fault::Unavailable, "slack_not_in_channel"),
        ("msg_too_long", Fault::Permanent, "slack_message_too_long"),
        ("something_new", Fault::Permanent, "slack_rejected"),
        ("ratelimited", Fault::Throttled(Duration::from_secs(30)), "slack_rate_limited"),
    ];
    for (word, fault, code) in cases {
        assert_eq!(refused(bot_no(word), true).await, (fault, code, "not_sent".to_owned()), "{word}");
    }
    let answer = plain(401, r#"{"ok":false,"error":"not_authed"}"#);
    assert_eq!(refused(answer, true).await.1, "slack_invalid_auth");
}

#[tokio::test]
async fn slack_is_not_asked_again_before_the_time_it_names() {
    let busy = || plain(429, "rate_limited").insert_header("retry-after", "7");
    for is_bot in [false, true] {
        let expected =
            (Fault::Throttled(Duration::from_secs(7)), "slack_rate_limited", "not_sent".to_owned());
        assert_eq!(refused(busy(), is_bot).await, expected);
    }
}

#[tokio::test]
async fn an_answer_that_proves_nothing_leaves_the_message_unknown_and_it_is_not_sent_again() {
    let strange = [
        (plain(500, "oops"), false),
        (plain(503, ""), false),
        (plain(200, "<html>Sign in to this network</html>"), false),
        (plain(200, "not json"), true),
        (plain(200, r#"{"ok":true}"#), true),
        (bot_no("internal_error"), true),
        (plain(502, "bad gateway"), true),
    ];
    for (answer, is_bot) in strange {
        let (_, code, state) = refused(answer, is_bot).await;
        assert_eq!((code, state.as_str()), ("slack_no_answer", "unknown"));
    }

    let world = World::incoming().await;
    world.answer(plain(500, "oops")).await;
    let (post, run) = (world.webhook(), world.begin("slack").await);
    world.run(&post, &run).await.unwrap_err();
    world.answer(ok()).await;
    world.run(&post, &run).await.unwrap_err();
    assert!(world.arrived().await.is_empty());
}

#[tokio::test]
async fn a_slack_that_cannot_be_reached_was_sent_nothing() {
    let world = World::incoming().await;
    // The port was free a moment ago, so nobody listens on it.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let post = slack_set_by(&[("SLACK_WEBHOOK_URL", &format!("http://127.0.0.1:{free}/x"))]);
    let error = world.run(&post, &world.begin("slack").await).await.unwrap_err();
    assert_eq!((error.fault, error.code), (Fault::Unavailable, "slack_unreachable"));
    assert_eq!(world.effects().await[0].1, "not_sent");
}

#[tokio::test]
async fn a_connection_that_breaks_after_the_request_leaves_the_message_unknown() {
    let world = World::incoming().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/x", listener.local_addr().unwrap());
    let breaks = tokio::spawn(async move {
        let (socket, _) = listener.accept().await.unwrap();
        socket.readable().await.unwrap();
    });
    let error = world
        .run(&slack_set_by(&[("SLACK_WEBHOOK_URL", &url)]), &world.begin("slack").await)
        .await
        .unwrap_err();
    breaks.await.unwrap();
    assert_eq!(error.code, "slack_no_answer");
    assert_eq!(world.effects().await[0].1, "unknown");
}

#[tokio::test]
async fn a_channel_whose_rate_is_used_up_makes_the_run_come_back_later() {
    let world = World::with(CallKind::Phone, sample().0, long()).await;
    world.answer(ok()).await;
    let mut values = Values::of([("SLACK_RATE", "1/h")]);
    values.set("SLACK_WEBHOOK_URL", &format!("{}{WEBHOOK}", world.slack.uri()));
    let post = post_set_by(&values);
    let error = world.run(&post, &world.begin("slack").await).await.unwrap_err();
    assert!(matches!(error.fault, Fault::Throttled(wait) if wait > Duration::from_mins(50)), "{error:?}");
    assert_eq!(world.arrived().await.len(), 1);
}
