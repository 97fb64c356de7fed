//! Tests bad input. It gets an error in words or a state that everybody can see. Nothing is lost, the process goes
//! on, and the next good call is processed as usual.

use std::net::TcpListener;

use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

use crate::inputs::{PhoneCall, word};
use crate::world::{Kind, World};

/// The most memory that a process may use. It is enough for a debug build with everything turned on that works on
/// some large inputs.
const MEMORY_MB: u64 = 500;
const TYPE: &str = "content-type";
const PROBLEM: &str = "application/problem+json";
const CUE: &str = "00:00:01.000 --> 00:00:02.000\nAnn: hello there\n\n";

/// Checks that a good call is still processed, and that the process does not use too much memory.
async fn still_well(world: &World) {
    let call = PhoneCall::new();
    world.webhook(&call).await;
    world.completed(&call.id).await;
    assert_eq!(world.slack_posts(&call.id).await.len(), 1);
    let memory = world.memory_mb();
    assert!(memory < MEMORY_MB, "{memory} MB");
}

/// Checks that an answer is a problem with this status, and that it names the field `named`.
async fn is_problem(answer: reqwest::Response, status: u16, named: &str, what: &str) {
    let (found, kind) = (answer.status().as_u16(), answer.headers().get(TYPE).cloned());
    let body = answer.text().await.unwrap();
    assert_eq!(found, status, "{what}: {body}");
    assert_eq!(kind.unwrap(), PROBLEM, "{what}");
    let problem: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(problem["status"], status, "{what}");
    let pointers = problem["errors"].as_array().cloned().unwrap_or_default();
    let said = named.is_empty() || pointers.iter().any(|error| error["pointer"] == named);
    assert!(said, "{what} does not name {named}: {problem}");
}

async fn total(world: &World) -> Value {
    world.get("/api/calls/history").await.unwrap()["total"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_cannot_be_used_is_refused_in_words_and_leaves_nothing() {
    let world = World::start(Kind::Embedded).await;
    let id = |id: Value| json!({ "call_id": id }).to_string();
    let with = |name: &str, value: Value| json!({ "call_id": "a", name: value }).to_string();
    let long = "x".repeat(10_000);
    let cases: Vec<(String, u16, &str)> = vec![
        ("{bad".into(), 422, ""),
        (String::new(), 422, ""),
        ("[]".into(), 422, ""),
        ("null".into(), 422, ""),
        ("[".repeat(100_000), 422, ""),
        (format!(r#"{{"call_id":"a","x":{}{}}}"#, "[".repeat(120), "]".repeat(120)), 422, ""),
        (with("x", "x".repeat(2_000_000).into()), 413, ""),
        ("{}".into(), 422, "/call_id"),
        (id("".into()), 422, "/call_id"),
        (id(Value::Null), 422, "/call_id"),
        (id(json!(["x"])), 422, "/call_id"),
        (id("a\0b".into()), 422, "/call_id"),
        (id(long.into()), 422, "/call_id"),
        (id("N/A".into()), 422, "/call_id"),
    ];
    for (body, status, named) in cases {
        let what: String = body.chars().take(60).collect();
        let request = world.request("POST", "/webhook/zapier").header(TYPE, "application/json").body(body);
        is_problem(request.send().await.unwrap(), status, named, &what).await;
    }
    for kind in ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "*/*"] {
        let request = world.request("POST", "/webhook/zapier").header(TYPE, kind).body(id("a".into()));
        is_problem(request.send().await.unwrap(), 415, "", kind).await;
    }
    let head = "POST /webhook/zapier HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
    let cut = world.raw(&format!("{head}Content-Length: 1000\r\n\r\n{{\"call_id\":\"a\""), true).await;
    assert!(cut.starts_with("HTTP/1.1 400") && cut.contains("broke off"), "{cut}");
    let junk = world.raw(&format!("{head}Transfer-Encoding: chunked\r\n\r\nZZ\r\n"), true).await;
    assert!(junk.starts_with("HTTP/1.1 400"), "{junk}");
    assert_eq!(total(&world).await, 0, "nothing of it was kept");
    assert_eq!(world.get("/api/dead-letters").await.unwrap()["total"], 0);
    still_well(&world).await;
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_cannot_be_used_is_refused_in_words_and_leaves_nothing() {
    let world = World::start_with(Kind::Embedded, &[("DEBRIEF_MAX_UPLOAD_MB", "2"), ("BLOB_URL", "")]).await;
    let part =
        |name: &'static str, bytes: Vec<u8>| (name, Part::bytes(bytes).file_name(format!("{name}.wav")));
    let meeting = || part("meeting", br#"{"uuid":"u"}"#.to_vec());
    let vtt = || part("transcript", format!("WEBVTT\n\n{CUE}").into());
    let wav = |length: usize| part("audio", [b"RIFF\0\0\0\0WAVEfmt ".to_vec(), vec![0; length]].concat());
    let cases = vec![
        ("/api/meetings", vec![vtt()], 422, "/meeting"),
        ("/api/meetings", vec![meeting()], 422, "/transcript"),
        ("/api/meetings", vec![meeting(), part("transcript", vec![])], 422, "/transcript"),
        ("/api/meetings", vec![meeting(), part("transcript", vec![0xff; 100])], 422, "/transcript"),
        ("/api/meetings", vec![meeting(), vtt(), vtt()], 422, "/transcript"),
        ("/api/meetings", vec![part("meeting", b"{bad".to_vec()), vtt()], 422, "/meeting"),
        ("/api/meetings", vec![meeting(), part("audio", b"this is a text".to_vec())], 415, "/audio"),
        ("/api/calls", vec![part("audio", b"<html>no recording</html>".to_vec())], 415, "/audio"),
        ("/api/calls", vec![part("audio", vec![])], 422, "/audio"),
        ("/api/calls", vec![wav(3 * 1024 * 1024)], 413, "/audio"),
        ("/api/calls", vec![wav(100), part("metadata", b"[]".to_vec())], 422, "/metadata"),
    ];
    for (number, (path, parts, status, named)) in cases.into_iter().enumerate() {
        let form = parts.into_iter().fold(Form::new(), |form, (name, part)| form.part(name, part));
        let answer = world.request("POST", path).multipart(form).send().await.unwrap();
        is_problem(answer, status, named, &format!("case {number}")).await;
    }
    let head =
        "POST /api/calls HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=q\r\n";
    let start = "--q\r\nContent-Disposition: form-data; name=\"audio\"\r\n\r\nRIFF\0\0\0\0WAVEfmt ";
    let cut =
        world.raw(&format!("{head}Content-Length: 9000\r\n\r\n{start}{}", " ".repeat(4000)), true).await;
    assert!(cut.starts_with("HTTP/1.1 400"), "{cut}");
    let endless = world.raw(&format!("{head}Content-Length: 1099511627776\r\n\r\n{start}"), true).await;
    assert!(endless.starts_with("HTTP/1.1 413"), "{endless}");
    for (body, named) in [
        (json!({}), "/transcript"),
        (json!({"transcript": {"items": {}}}), "/transcript"),
        (json!({"transcript": {"items": []}}), "/call_id"),
        (json!({"call_id": [], "transcript": {"items": []}, "lead": []}), "/call_id"),
    ] {
        is_problem(world.post("/api/sessions", &body).await.unwrap(), 422, named, &body.to_string()).await;
    }
    assert_eq!(total(&world).await, 0, "nothing of it was kept");
    world
        .wait("what was uploaded to be removed", async |world| world.uploads().is_empty().then_some(()))
        .await;
    still_well(&world).await;
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_odd_but_can_be_used_is_taken_as_it_came() {
    let world = World::start(Kind::Embedded).await;
    let cases = [
        (
            json!({"call_id": 4711, "duration": "125", "from_number": 12_025_550_131_i64}),
            "duration",
            json!(125),
        ),
        (
            json!({"call_id": "nulls", "from_number": null, "duration": null, "agent_name": ""}),
            "duration",
            Value::Null,
        ),
        (json!({"call_id": "unknown", "shape": {"of": ["things"]}}), "status", json!("no_recording")),
        (json!({"call_id": "../../etc/passwd"}), "call_id", json!("../../etc/passwd")),
        (json!({"call_id": "when", "timestamp": "half past never"}), "timestamp", json!("half past never")),
        (
            json!({"call_id": "leap", "timestamp": "2026-02-30T00:00:00Z"}),
            "timestamp",
            json!("2026-02-30T00:00:00Z"),
        ),
        (json!({"call_id": "é".repeat(255)}), "status", json!("no_recording")),
    ];
    for (body, field, value) in cases {
        let answer = world.post("/webhook/zapier", &body).await.unwrap();
        assert_eq!(answer.status(), 200, "{body}");
        let id = body["call_id"].as_str().map_or_else(|| body["call_id"].to_string(), str::to_owned);
        let id: String = url::form_urlencoded::byte_serialize(id.as_bytes()).collect();
        let seen = world.status(&id, "no_recording").await;
        assert_eq!(seen[field], value, "{body}: {seen}");
    }
    let kept = world.get("/api/calls/unknown").await.unwrap();
    assert_eq!(kept["metadata"]["shape"], json!({"of": ["things"]}));
    still_well(&world).await;
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transcript_is_read_however_it_was_written_or_the_call_says_why_not() {
    let world = World::start(Kind::Embedded).await;
    let cases: Vec<(&str, String, Option<usize>)> = vec![
        ("no header", CUE.into(), Some(1)),
        ("line ends of Windows", format!("WEBVTT\n\n{CUE}").replace('\n', "\r\n"), Some(1)),
        ("byte order mark", format!("\u{feff}WEBVTT\n\n{CUE}"), Some(1)),
        ("overlap", format!("WEBVTT\n\n{CUE}00:00:01.500 --> 00:00:03.000\nBob: me too\n"), Some(2)),
        ("backward", format!("WEBVTT\n\n00:00:09.000 --> 00:00:05.000\nBob: late\n\n{CUE}"), Some(2)),
        ("three digits of hours", "WEBVTT\n\n100:00:01.000 --> 100:00:02.000\nAnn: late\n".into(), Some(1)),
        // A file with a header and without cues is a meeting in which nobody spoke.
        ("nothing", "WEBVTT\n".into(), Some(0)),
        ("a web page", "<!doctype html><html></html>".into(), None),
        (
            "more turns than anybody takes",
            format!("WEBVTT\n\n{}", "0:01-->0:02\na\n\n".repeat(100_001)),
            None,
        ),
        (
            "5 MB in one cue",
            format!("WEBVTT\n\n{}", CUE.replace("there", &"there, friend ".repeat(360_000))),
            Some(1),
        ),
    ];
    for (what, transcript, segments) in cases {
        let meeting = json!({"uuid": word(), "topic": what}).to_string();
        let form =
            Form::new().part("meeting", Part::text(meeting)).part("transcript", Part::text(transcript));
        let answer = world.request("POST", "/api/meetings").multipart(form).send().await.unwrap();
        assert_eq!(answer.status(), 202, "{what}");
        let id = answer.json::<Value>().await.unwrap()["call_id"].as_str().unwrap().to_owned();
        match segments {
            Some(count) => {
                let path = format!("/api/calls/{id}/transcript");
                let read = world.wait(what, async |world| world.get(&path).await).await;
                assert_eq!(read["segments"].as_array().unwrap().len(), count, "{what}");
            }
            None => assert_eq!(died_of(&world, &id).await, "transcript_unreadable", "{what}"),
        }
    }
    still_well(&world).await;
    world.finish().await;
}

/// Waits until the call has failed, and returns the error code.
async fn died_of(world: &World, id: &str) -> String {
    let path = format!("/api/calls/{id}");
    let call = world
        .wait(&format!("{id} to fail"), async |world| {
            world.get(&path).await.filter(|call| call["status"] == "failed")
        })
        .await;
    let dead = world.get("/api/dead-letters?limit=1000").await.unwrap();
    let letter = dead["items"].as_array().unwrap().iter().find(|letter| letter["call_id"] == call["id"]);
    letter.unwrap_or_else(|| panic!("no letter of {id}: {dead}"))["code"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_that_cannot_be_had_fails_its_call_with_the_reason_and_can_be_fetched_later() {
    let settings = [("DEBRIEF_MAX_UPLOAD_MB", "2"), ("DEBRIEF_MAX_ATTEMPTS", "3")];
    let world = World::start_with(Kind::Embedded, &settings).await;
    let private = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    private.set_nonblocking(true).unwrap();
    let inside = format!("http://{}/secret.wav", private.local_addr().unwrap());
    let mut calls = Vec::new();
    for (variant, code) in [
        ("404", "recording_not_found"),
        ("403", "recording_forbidden"),
        ("410", "recording_gone"),
        ("html", "recording_not_audio"),
        ("endless", "recording_too_large"),
        (&format!("redirect:{inside}"), "recording_url_refused"),
        ("redirect:file:///etc/passwd", "recording_url_refused"),
    ] {
        calls.push((world.serve(&word(), variant, b"RIFF\0\0\0\0WAVEfmt ".to_vec()).await, code));
    }
    for url in ["file:///etc/passwd", "not a url", &inside, &inside.replace("127.0.0.1", "localhost")] {
        calls.push((url.to_owned(), "recording_url_refused"));
    }
    let stalling = PhoneCall::new();
    let stall = world.serve(&word(), "stall", vec![128; 5000]).await;
    world.post("/webhook/zapier", &stalling.webhook(Some(&stall))).await.unwrap();
    let calls: Vec<_> = calls.into_iter().map(|(url, code)| (PhoneCall::new(), url, code)).collect();
    for (call, url, _) in &calls {
        let answer = world.post("/webhook/zapier", &call.webhook(Some(url))).await.unwrap();
        assert_eq!(answer.status(), 200, "{url}");
    }
    for (call, url, code) in &calls {
        assert_eq!(died_of(&world, &call.id).await, *code, "{url}");
        assert!(world.slack_posts(&call.id).await.is_empty(), "{url}");
    }
    assert!(private.accept().is_err(), "somebody was sent inside");
    let timeline = world.get(&format!("/api/calls/{}/timeline", stalling.id)).await.unwrap();
    assert_eq!(timeline["stages"][0]["state"], "running", "it is seen to be at work: {timeline}");
    let (call, url, _) = &calls[0];
    let name = url.rsplit('/').next().unwrap();
    world.serve(name, "whole", World::spoken(call)).await;
    world.post("/api/dead-letters/replay", &json!({"stage": "transcription"})).await.unwrap();
    world.completed(&call.id).await;
    still_well(&world).await;
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_never_answers_well_fails_the_call_and_nothing_is_invented() {
    let world = World::start_with(Kind::Embedded, &[("DEBRIEF_MAX_ATTEMPTS", "2")]).await;
    let mut calls = Vec::new();
    for (fault, code) in [
        (json!({"model": "cut_off"}), "model_answer_cut_short"),
        (json!({"model": "refusal"}), "model_refused"),
        (json!({"model": "schema_break"}), "model_answer_invalid"),
        (json!({"body": "<html>"}), "model_answer_invalid"),
        (json!({"body": "x".repeat(1_000_000)}), "model_answer_invalid"),
    ] {
        world.faults("openai", &json!({ "always": fault })).await;
        let call = PhoneCall::new();
        world.webhook(&call).await;
        assert_eq!(died_of(&world, &call.id).await, code);
        let seen = world.get(&format!("/api/calls/{}", call.id)).await.unwrap();
        assert_eq!(seen["analysis"], Value::Null, "{seen}");
        assert!(world.get(&format!("/call/{}", call.id)).await.unwrap()["transcription_text"].is_string());
        calls.push(call);
    }
    // Words around the JSON are no reason to ask again.
    world.faults("openai", &json!({ "always": {"model": "not_json"} })).await;
    world.post("/api/dead-letters/replay", &json!({"stage": "analysis"})).await.unwrap();
    for call in &calls {
        world.completed(&call.id).await;
    }
    still_well(&world).await;
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_asks_nonsense_is_told_so() {
    let world = World::start(Kind::Embedded).await;
    for (path, status, named) in [
        ("/call/%00", 404, ""),
        ("/call/%ff%fe", 404, ""),
        ("/call/..%2f..%2fetc", 404, ""),
        ("/api/calls/%0d%0aX:y", 404, ""),
        ("/api/calls/nobody/transcript", 404, ""),
        ("/api/dead-letters/nothing", 404, ""),
        ("//api//calls", 404, ""),
        ("/api/calls/history?page=-1", 422, "/page"),
        ("/api/calls/history?limit=1000000", 422, "/limit"),
        ("/api/calls/history?status=%00", 422, "/status"),
        ("/api/calls/history?from=yesterday", 422, "/from"),
        ("/webhook/zapier", 405, ""),
    ] {
        is_problem(world.request("GET", path).send().await.unwrap(), status, named, path).await;
    }
    let long = format!("/api/calls/history?{}", "x".repeat(50_000));
    assert_eq!(world.request("GET", &long).send().await.unwrap().status(), 200);
    for (method, status) in [("HEAD", 200), ("OPTIONS", 405), ("DELETE", 405), ("TRACE", 405), ("FOO", 405)] {
        assert_eq!(world.request(method, "/health").send().await.unwrap().status(), status, "{method}");
    }
    let headers = "X: y\r\n".repeat(500);
    for (bytes, wanted) in [
        ("GET /health HTTP/1.0\r\n\r\n", "HTTP/1.0 200"),
        ("GET /\r\n\r\n", "HTTP/1.1 400"),
        ("\u{16}\u{3}\u{1}\r\n\r\n", "HTTP/1.1 400"),
        (&format!("GET /health HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n"), "HTTP/1.1 431"),
        ("GET /health HTTP/1.1\r\nHost: evil.example.com\r\nConnection: close\r\n\r\n", "HTTP/1.1 403"),
    ] {
        let answer = world.raw(bytes, false).await;
        assert!(answer.starts_with(wanted), "{answer}");
    }
    still_well(&world).await;
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_says_in_words_what_is_wrong_and_ends() {
    let settings = [("DEBRIEF_MAX_ATTEMPTS", "1"), ("SLACK_WEBHOK_URL", "https://hooks.example")];
    let mut world = World::start_with(Kind::Embedded, &settings).await;
    let warned = "SLACK_WEBHOK_URL: is not a setting and has no effect; is `SLACK_WEBHOOK_URL` meant?";
    assert!(world.said("all").contains(warned), "{}", world.said("all"));
    let lost: Vec<_> = (0..5).map(|_| PhoneCall::new()).collect();
    for call in &lost {
        world.post("/webhook/zapier", &call.webhook(Some("file:///nowhere"))).await.unwrap();
        died_of(&world, &call.id).await;
    }
    // The rate is low, so that the first calls have failed again before the last ones are replayed.
    let (code, said) = world.command(&["dead", "replay", "--rate", "2"], &[]).await;
    assert!(code == Some(0) && said.starts_with("5 of 5 are done again (batch "), "{code:?} {said}");
    let on_record = " dead_letters_replay {} (batch ";
    assert!(said.contains("\ndebrief: on record: cli:") && said.contains(on_record), "{said}");
    for running in [true, false] {
        if !running {
            world.stop_role("all").await;
        }
        let id = lost[0].id.as_str();
        for (args, wanted, words) in [
            (vec!["calls", "show", id], 0, "• transcription was given up"),
            (vec!["calls", "show", id, "--json"], 0, "\"status\": \"failed\""),
            (vec!["calls", "list"], 0, "5 of 5"),
            (vec!["calls", "show", "../../etc"], 1, "there is no call"),
            (vec!["calls", "list", "--status", "odd"], 2, "--status"),
            (vec!["queues"], 0, "transcription"),
            (vec!["dead", "list"], 0, "recording_url_refused"),
            (vec!["dead", "list", "--since", "yesterday"], 2, "--since"),
            (vec!["replay", "--call", "nobody"], 1, "there is no call"),
            (vec!["replay", "--call", id, "--from", "nowhere"], 2, "--from"),
            (vec!["replay", "--call", id], 0, " call_replay {\"call\":\""),
            (vec!["effects", "resolve", "--sent", "--filter", "target=slack"], 0, " effects_resolve {"),
            (vec!["check"], 0, "embedded"),
            (vec!["check"], 0, warned),
            (vec!["frobnicate"], 2, "frobnicate"),
            (vec!["run", "--role", "nobody"], 2, "--role"),
            (vec!["--config", "/nonexistent", "check"], 2, "/nonexistent"),
        ] {
            let (code, said) = world.command(&args, &[]).await;
            assert_eq!(code, Some(wanted), "{args:?}: {said}");
            assert!(said.contains(words), "{args:?}: {said}");
        }
    }
    for (name, value) in [
        ("DEBRIEF_RETRY_SHEDULE", "5s"),
        ("DEBRIEF_RETRY_SCHEDULE", "soon"),
        ("DEBRIEF_LEASE", "0s"),
        ("DEBRIEF_LEASE", "18446744073709551615s"),
        ("DEBRIEF_TIMEZONE", "Mars/Base"),
        ("DEBRIEF_REGION", "India"),
        ("DEBRIEF_MAX_UPLOAD_MB", "0"),
        ("DEBRIEF_PUBLIC_URL", "calls.example.com"),
        ("DEBRIEF_DRAIN_TIMEOUT", "x"),
        ("DEBRIEF_SEAL_KEY", "short"),
        ("DEBRIEF_BIND", "0.0.0.0"),
        ("PORT", "99999"),
        ("AMQP_URL", "junk"),
        ("DATABASE_URL", "junk"),
        ("REDIS_URL", "junk"),
        ("BLOB_URL", "gs://nowhere"),
        ("SLACK_WEBHOOK_URL", "file:///x"),
    ] {
        for command in ["check", "run"] {
            let (code, said) = world.command(&[command], &[(name, value)]).await;
            assert_eq!(code, Some(2), "{command} with {name}={value}: {said}");
            assert!(said.contains(name), "{command} with {name}={value}: {said}");
        }
    }
    world.finish().await;
}
