//! Tests what somebody can do to the listener with requests that no honest client sends, or with many of them.

use std::time::Duration;

use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::inputs::PhoneCall;
use crate::world::{Kind, World};

const KEY: &str = "a key of the configuration";

/// Checks that the last answer of a connection is a problem with this status.
fn is_problem(answer: &str, status: u16, what: &str) {
    let (head, body) = answer.rsplit_once("\r\n\r\n").unwrap_or_else(|| panic!("{what}: {answer}"));
    assert!(head.contains(&format!("HTTP/1.1 {status} ")), "{what}: {answer}");
    assert!(head.contains("content-type: application/problem+json"), "{what}: {answer}");
    let problem: Value = serde_json::from_str(body).unwrap_or_else(|_| panic!("{what}: {answer}"));
    assert_eq!(problem["status"], status, "{what}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_request_that_cannot_be_read_is_answered_with_a_problem_also_when_the_sender_has_closed_its_side()
 {
    let world = World::start(Kind::Embedded).await;
    let get = |more: &str| format!("GET /health HTTP/1.1\r\nHost: localhost\r\n{more}\r\n");
    for hang_up in [false, true] {
        for (bytes, status) in [
            ("GET /\r\n\r\n".to_owned(), 400),
            ("\u{16}\u{3}\u{1}\r\n\r\n".to_owned(), 400),
            (get("Content-Length: many\r\n"), 400),
            (get("Host: localhost\r\nConnection: close\r\n"), 400),
            (format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "x".repeat(70_000)), 414),
            (get(&"X: y\r\n".repeat(500)), 431),
            (get(&format!("X: {}\r\n", "y".repeat(500_000))), 431),
        ] {
            let what: String = bytes.chars().take(60).collect();
            is_problem(&world.raw(&bytes, hang_up).await, status, &what);
        }
    }
    for path in ["/health", "/stats", "/openapi.json"] {
        let answer = world.raw(&format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"), true).await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with('}'), "{path}: {answer}");
    }
    let call = PhoneCall::new();
    let body = call.webhook(None).to_string();
    let head = "POST /webhook/zapier HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
    let answer = world.raw(&format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()), true).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    world.status(&call.id, "no_recording").await;
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_key_a_request_that_names_another_machine_in_any_way_is_refused() {
    let world = World::start(Kind::Embedded).await;
    for (target, hosts, status) in [
        ("/stats", &["localhost"][..], 200),
        ("/stats", &["127.0.0.1:8000"], 200),
        ("http://localhost/stats", &["localhost"], 200),
        ("/stats", &["evil.com@localhost"], 403),
        ("/stats", &["[localhost]"], 403),
        ("/stats", &["localhost."], 403),
        ("/stats", &["localhost:"], 403),
        ("/stats", &["localhost:80:80"], 403),
        ("/stats", &["0.0.0.0"], 403),
        ("/stats", &["[::ffff:127.0.0.1]"], 403),
        ("/stats", &["localhost", "evil.com"], 400),
        ("http://evil.com/stats", &["localhost"], 403),
        ("http://localhost/stats", &["evil.com"], 403),
    ] {
        let hosts = hosts.iter().map(|host| format!("Host: {host}\r\n")).collect::<Vec<_>>().concat();
        let answer =
            world.raw(&format!("GET {target} HTTP/1.1\r\n{hosts}Connection: close\r\n\r\n"), false).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{target} {hosts}: {answer}");
    }
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compressed_body_is_refused_and_nothing_of_it_is_kept() {
    let world = World::start(Kind::Embedded).await;
    for (path, kind) in
        [("/webhook/zapier", "application/json"), ("/api/calls", "multipart/form-data; boundary=q")]
    {
        for coding in ["gzip", "br", "identity, deflate"] {
            let request = world.request("POST", path).header("content-type", kind);
            let answer =
                request.header("content-encoding", coding).body("\u{1f}\u{8b}").send().await.unwrap();
            assert_eq!(
                (answer.status().as_u16(), &answer.headers()["accept-encoding"]),
                (415, &"identity".parse().unwrap())
            );
            let problem: Value = answer.json().await.unwrap();
            assert!(problem["detail"].as_str().unwrap().contains("content coding"), "{problem}");
        }
    }
    let request = world.request("POST", "/webhook/zapier").header("content-encoding", "identity");
    assert_eq!(request.json(&json!({"call_id": "plain"})).send().await.unwrap().status(), 200);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idempotency_key_stands_for_one_request() {
    let world = World::start(Kind::Embedded).await;
    let refused = async |answer: reqwest::Response, what: &str| {
        assert_eq!(answer.status(), 422, "{what}");
        let problem: Value = answer.json().await.unwrap();
        assert_eq!(problem["errors"][0]["pointer"], "/Idempotency-Key", "{what}: {problem}");
    };
    let recording = |words: &str| {
        let bytes = [b"RIFF\0\0\0\0WAVEfmt ", words.as_bytes()].concat();
        Form::new().part("audio", Part::bytes(bytes).file_name("a.wav"))
    };
    let upload = async |key: &str, words: &str| {
        let request = world.request("POST", "/api/calls").header("idempotency-key", key);
        request.multipart(recording(words)).send().await.unwrap()
    };
    let session = async |key: &str, words: &str| {
        let item = json!({"type": "message", "role": "user", "content": [words]});
        let request = world.request("POST", "/api/sessions").header("idempotency-key", key);
        request.json(&json!({"transcript": {"items": [item]}})).send().await.unwrap()
    };
    let first = upload("k", "one").await;
    assert_eq!(first.status(), 202);
    let first: Value = first.json().await.unwrap();
    refused(upload("k", "two").await, "another recording").await;
    refused(session("k", "one").await, "another route").await;
    let again = upload("k", "one").await;
    assert_eq!(again.status(), 202);
    assert_eq!(again.json::<Value>().await.unwrap()["call_id"], first["call_id"]);
    assert_eq!(session("l", "one").await.status(), 202);
    refused(session("l", "two").await, "another session").await;

    let replay = async |key: &str, body: Value| {
        let request = world.request("POST", "/api/dead-letters/replay").header("idempotency-key", key);
        request.json(&body).send().await.unwrap()
    };
    assert_eq!(replay("k", json!({"stage": "crm"})).await.status(), 200, "ingest and the API count apart");
    assert_eq!(replay("k", json!({"stage": "crm"})).await.status(), 200);
    refused(replay("k", json!({"stage": "slack"})).await, "another filter").await;
    refused(replay("k", json!({})).await, "everything").await;
    let call = format!("/api/calls/{}", first["call_id"].as_str().unwrap());
    world.wait("the call to be known", async |world| world.get(&call).await).await;
    let path = format!("{call}/replay");
    let other = world.request("POST", &path).header("idempotency-key", "k").send().await.unwrap();
    refused(other, "another route").await;
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_keys_are_slowed_down_and_a_right_key_is_not() {
    let world = World::start_with(Kind::Embedded, &[("DEBRIEF_API_KEY", KEY)]).await;
    let with = async |key: &str| world.request("GET", "/stats").bearer_auth(key).send().await.unwrap();
    let mut guesses = 0;
    let slowed_down = loop {
        let answer = with("a guess").await;
        guesses += 1;
        if answer.status() != 401 {
            break answer;
        }
        assert!(guesses < 1000, "nobody slows the guesses down");
    };
    assert!(guesses > 5, "a person may mistype a key some times");
    assert_eq!(slowed_down.status(), 429);
    assert!(slowed_down.headers().contains_key("retry-after"));
    assert_eq!(with(KEY).await.status(), 200);
    assert_eq!(world.request("GET", "/health").send().await.unwrap().status(), 200);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_any_origin_or_of_those_that_are_listed_may_send_an_idempotency_key() {
    let asks = async |world: &World, origin: &str| {
        let request = world.request("OPTIONS", "/api/sessions").header("origin", origin);
        let request = request.header("access-control-request-method", "POST");
        let request =
            request.header("access-control-request-headers", "idempotency-key,authorization,content-type");
        let answer = request.send().await.unwrap();
        let header = |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        (header("access-control-allow-origin"), header("access-control-allow-headers").unwrap_or_default())
    };
    for (origins, allowed) in
        [("*", "*"), ("https://other.example.com, https://App.example.com", "https://app.example.com")]
    {
        let world =
            World::start_with(Kind::Embedded, &[("CORS_ORIGINS", origins), ("DEBRIEF_API_KEY", KEY)]).await;
        let (origin, headers) = asks(&world, "https://app.example.com").await;
        assert_eq!(origin.as_deref(), Some(allowed), "{origins}");
        for header in ["idempotency-key", "authorization", "content-type"] {
            assert!(headers.contains(header), "{origins}: {headers}");
        }
        if origins != "*" {
            assert_eq!(asks(&world, "https://evil.example.com").await.0, None);
        }
        for command in ["check", "run"] {
            let (code, said) =
                world.command(&[command], &[("CORS_ORIGINS", "https://a.example.com,*")]).await;
            assert_eq!(code, Some(2), "{command}: {said}");
            assert!(said.contains("CORS_ORIGINS") && !said.contains("panicked"), "{said}");
        }
        world.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_whose_terminal_goes_away_ends_what_it_does_and_stops_in_order() {
    let mut world = World::start(Kind::Embedded).await;
    assert_eq!(world.hang_up("all").await, Some(0));
    assert!(world.said("all").contains("the process was asked to stop"), "{}", world.said("all"));
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_take_all_places_and_do_not_read_keep_nobody_out() {
    let settings = [("DEBRIEF_MAX_CONNECTIONS", "20"), ("DEBRIEF_API_KEY", KEY)];
    for settings in [&settings[..], &settings[..1]] {
        let world = World::start_with(Kind::Embedded, settings).await;
        let address = world.request("GET", "").build().unwrap().url().authority().to_owned();
        let mut crowd = Vec::new();
        for _ in 0..40 {
            let mut client = TcpStream::connect(&address).await.unwrap();
            let request = "GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(400);
            // The listener may have closed the connection already.
            drop(client.write_all(request.as_bytes()).await);
            crowd.push(client);
        }
        // A client of its own for each request, as somebody has who comes now.
        let request = format!(
            "GET /stats HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {KEY}\r\nConnection: close\r\n\r\n"
        );
        let answer = world
            .wait("another client to be served", async |_| {
                let mut client = TcpStream::connect(&address).await.ok()?;
                client.write_all(request.as_bytes()).await.ok()?;
                let mut answer = String::new();
                tokio::time::timeout(Duration::from_secs(5), client.read_to_string(&mut answer))
                    .await
                    .ok()?
                    .ok()?;
                answer.starts_with("HTTP/1.1 200").then_some(answer)
            })
            .await;
        assert!(answer.contains("\"stats\""), "{answer}");
        drop(crowd);
        world.finish().await;
    }
}
