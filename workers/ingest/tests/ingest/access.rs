use axum::body::Body;
use axum::http::Request;
use axum::http::header::{AUTHORIZATION, HOST, ORIGIN};
use domain::call::{CallId, WorkspaceId};
use platform::seal::webhook_secret;
use serde_json::json;
use uuid::Uuid;

use crate::world::{Answer, Form, Mood, Nudged, World, post};

const KEYS: [(&str, &str); 2] = [("DEBRIEF_API_KEY", "api"), ("DEBRIEF_WEBHOOK_KEY", "hook")];
const ZAPIER: &str = "/webhook/zapier";

fn with(settings: &[(&str, &str)]) -> World {
    World::with(settings, Mood::Works, Mood::Works)
}

fn zap(path: &str, headers: &[(&str, &str)]) -> Request<Body> {
    let mut request = post(path, "application/json", json!({ "call_id": "a" }).to_string());
    for (name, value) in headers {
        request
            .headers_mut()
            .insert(axum::http::HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
    }
    request
}

#[tokio::test]
async fn a_zap_may_bring_its_key_in_every_way_a_zap_can() {
    let world = with(&KEYS);
    let (bearer, basic) = (AUTHORIZATION.as_str(), AUTHORIZATION.as_str());
    for (path, headers, wanted) in [
        (ZAPIER, vec![(bearer, "Bearer hook")], 200),
        (ZAPIER, vec![(bearer, "Bearer api")], 200),
        (ZAPIER, vec![(basic, "Basic emFwaWVyOmhvb2s=")], 200),
        ("/webhook/zapier?key=hook", vec![], 200),
        (ZAPIER, vec![], 401),
        (ZAPIER, vec![(bearer, "Bearer nothing")], 401),
        ("/webhook/zapier?key=api", vec![], 401),
        ("/webhook/zapier?key=", vec![], 401),
    ] {
        let answer = world.send(zap(path, &headers)).await;
        assert_eq!(answer.status, wanted, "{path} {headers:?}");
        if wanted == 401 {
            answer.is_problem(401);
            assert!(answer.headers.contains_key("www-authenticate"));
        }
    }
}

#[tokio::test]
async fn every_door_of_ours_needs_a_key_before_it_reads_anything() {
    let world = with(&KEYS);
    for path in ["/api/meetings", "/api/calls", "/api/sessions"] {
        world.form(path, Form::default()).await.is_problem(401);
        let keyed = Request::post(format!("{path}?key=hook")).body(Body::empty()).unwrap();
        world.send(keyed).await.is_problem(401);
    }
}

#[tokio::test]
async fn without_a_key_only_this_machine_may_ask() {
    let world = with(&[]);
    assert_eq!(world.send(zap(ZAPIER, &[(HOST.as_str(), "127.0.0.1:8000")])).await.status, 200);
    world.send(zap(ZAPIER, &[(HOST.as_str(), "rebound.example.com")])).await.is_problem(403);
    let page = [(HOST.as_str(), "localhost:8000"), (ORIGIN.as_str(), "https://evil.example.com")];
    world.send(zap(ZAPIER, &page)).await.is_problem(403);
    let elsewhere = [(HOST.as_str(), "debrief.example.com"), (AUTHORIZATION.as_str(), "Bearer hook")];
    assert_eq!(with(&KEYS).send(zap(ZAPIER, &elsewhere)).await.status, 200);
}

#[tokio::test]
async fn too_many_requests_with_one_key_are_told_when_to_come_back() {
    let world = with(&[KEYS[0], KEYS[1], ("DEBRIEF_RATE_LIMIT", "2/m")]);
    let ask = |key: &'static str| {
        let world = &world;
        async move { world.send(zap(ZAPIER, &[(AUTHORIZATION.as_str(), key)])).await }
    };
    assert_eq!(ask("Bearer hook").await.status, 200);
    assert_eq!(ask("Bearer hook").await.status, 200);
    let refused = ask("Bearer hook").await;
    refused.is_problem(429);
    let wait: u64 = refused.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=30).contains(&wait), "{wait}");
    assert_eq!(ask("Bearer api").await.status, 200);
}

async fn assemblyai(world: &World, query: &str, secret: Option<&str>) -> Answer {
    let body = json!({ "transcript_id": "t", "status": "completed" }).to_string();
    let mut request = post(&format!("/webhooks/assemblyai?{query}"), "application/json", body);
    if let Some(secret) = secret {
        request.headers_mut().insert("x-debrief-webhook-secret", secret.parse().unwrap());
    }
    world.send(request).await
}

#[tokio::test]
async fn a_transcript_that_is_ready_nudges_the_worker_when_it_brings_our_secret() {
    let world = with(&[KEYS[0], ("ASSEMBLYAI_API_KEY", "aai")]);
    let call = Uuid::from_u128(5);
    let query = format!("call={call}&workspace={}&generation=2", WorkspaceId::DEFAULT);
    let secret = webhook_secret(None, "aai");
    assemblyai(&world, &query, None).await.is_problem(401);
    assemblyai(&world, &query, Some("guess")).await.is_problem(401);
    assemblyai(&world, "call=5&workspace=", Some(&secret))
        .await
        .names(422, &["/call", "/workspace", "/generation"]);
    assert!(world.broker.nudges.lock().unwrap().is_empty());
    assert_eq!(assemblyai(&world, &query, Some(&secret)).await.status, 200);
    let Nudged { stage, event } = world.broker.nudges.lock().unwrap()[0].clone();
    assert_eq!((stage, event.call, event.generation), ("transcription", CallId(call), 2));
    assert!(event.data.nudge);
    let unset = with(&[]);
    assemblyai(&unset, &query, Some("")).await.is_problem(401);
}
