//! The recording callbacks of Twilio.

use axum::body::Body;
use axum::http::Request;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::call::{CallId, WorkspaceId};
use domain::held_file::{HeldFile, Holder};
use ring::hmac;
use url::form_urlencoded::Serializer;

use crate::world::{Answer, Mood, World};

const PATH: &str = "/webhooks/twilio/recording";
const TOKEN: &str = "12345";
const PUBLIC: &str = "https://debrief.example.com";
const CALL: &str = "CA0123456789abcdef0123456789abcdef";
const RECORDING: &str = "RE0123456789abcdef0123456789abcdef";
const ACCOUNT: &str = "AC0123456789abcdef0123456789abcdef";
const URL: &str = "https://api.twilio.com/2010-04-01/Accounts/AC0123456789abcdef0123456789abcdef/Recordings/RE0123456789abcdef0123456789abcdef";

fn callback(status: Option<&str>) -> Vec<(&'static str, String)> {
    let mut pairs = vec![
        ("AccountSid", ACCOUNT.to_owned()),
        ("CallSid", CALL.to_owned()),
        ("RecordingSid", RECORDING.to_owned()),
        ("RecordingUrl", URL.to_owned()),
        ("RecordingDuration", "64".to_owned()),
        ("RecordingChannels", "2".to_owned()),
        ("RecordingStartTime", "Sun, 18 Jan 2026 05:17:05 +0000".to_owned()),
        ("RecordingSource", "DialVerb".to_owned()),
        ("ErrorCode", "0".to_owned()),
    ];
    pairs.extend(status.map(|status| ("RecordingStatus", status.to_owned())));
    pairs
}

/// A request with the signature that Twilio makes for this address.
fn signed(url: &str, pairs: &[(&'static str, String)]) -> Request<Body> {
    let mut sorted = pairs.to_vec();
    sorted.sort();
    let form: String = sorted.iter().flat_map(|(name, value)| [*name, value.as_str()]).collect();
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, TOKEN.as_bytes());
    let signature = STANDARD.encode(hmac::sign(&key, format!("{url}{form}").as_bytes()));
    let body = Serializer::new(String::new()).extend_pairs(pairs).finish();
    Request::post(PATH)
        .header("content-type", "application/x-www-form-urlencoded")
        .header("x-twilio-signature", signature)
        .header("host", "debrief.example.com")
        .body(body.into())
        .unwrap()
}

fn world() -> World {
    let settings = [
        ("TWILIO_AUTH_TOKEN", TOKEN),
        ("TWILIO_ACCOUNT_SID", ACCOUNT),
        ("DEBRIEF_PUBLIC_URL", PUBLIC),
        ("DEBRIEF_API_KEY", "api"),
    ];
    World::with(&settings, Mood::Works, Mood::Works)
}

async fn told(world: &World, status: Option<&str>) -> Answer {
    world.send(signed(&format!("{PUBLIC}{PATH}"), &callback(status))).await
}

#[tokio::test]
async fn a_finished_recording_is_the_material_of_its_call() {
    for status in [Some("completed"), None] {
        let world = world();
        assert_eq!(told(&world, status).await.status, 204);
        let (event, details) = (world.event(), world.details());
        assert_eq!(event.call, CallId::derive(WorkspaceId::DEFAULT, "twilio", CALL));
        assert_eq!(details.duration_ms, Some(64_000));
        assert_eq!(details.started_at.unwrap().to_string(), "2026-01-18T05:17:05Z");
        let file = HeldFile::new(Holder::Twilio, RECORDING)
            .with("url", URL)
            .with("account", ACCOUNT)
            .with("channels", "2");
        assert_eq!(HeldFile::read(&world.opened_url(&event)), Some(file));
        assert_eq!(details.metadata["RecordingSource"], "DialVerb");
        // Another recording of the call begins at another time, so the two are joined.
        assert_eq!(event.data.materials[0].starts_at, details.started_at);
    }
}

#[tokio::test]
async fn a_recording_that_goes_on_or_is_absent_is_announced_without_material() {
    for (status, notes) in [("in-progress", 0), ("absent", 1), ("failed", 1)] {
        let world = world();
        assert_eq!(told(&world, Some(status)).await.status, 204);
        assert!(world.event().data.materials.is_empty(), "{status}");
        assert_eq!(world.details().notes.len(), notes, "{status}");
        assert_eq!(world.details().duration_ms, None, "{status}");
    }
}

#[tokio::test]
async fn a_forged_callback_is_refused_and_nothing_is_kept() {
    let world = world();
    let address = format!("{PUBLIC}{PATH}");
    let good = signed(&address, &callback(Some("completed")));
    let mut unsigned = signed(&address, &callback(Some("completed")));
    unsigned.headers_mut().remove("x-twilio-signature");
    let mut forged = signed(&address, &callback(Some("completed")));
    forged.headers_mut().insert("x-twilio-signature", "AAAA".parse().unwrap());
    let elsewhere = signed(&format!("https://evil.example.com{PATH}"), &callback(Some("completed")));
    let (head, _) = signed(&address, &callback(Some("completed"))).into_parts();
    let changed = Request::from_parts(head, Body::from("CallSid=CA1&RecordingSid=RE1"));
    for request in [unsigned, forged, elsewhere, changed] {
        world.send(request).await.is_problem(401);
    }
    assert!(world.events().is_empty());
    assert_eq!(world.send(good).await.status, 204);
}

#[tokio::test]
async fn without_the_token_every_callback_is_refused() {
    let world = World::new();
    let mut request = signed(&format!("{PUBLIC}{PATH}"), &callback(None));
    request.headers_mut().insert("host", "localhost".parse().unwrap());
    world.send(request).await.is_problem(401);
    assert!(world.events().is_empty());
}

#[tokio::test]
async fn a_callback_that_is_sent_again_is_the_same_event() {
    let world = world();
    for _ in 0..2 {
        assert_eq!(told(&world, Some("completed")).await.status, 204);
    }
    let ids: Vec<_> = world.events().into_iter().map(|event| event.id).collect();
    assert_eq!(ids[0], ids[1]);
}

#[tokio::test]
async fn a_callback_without_a_call_or_a_recording_is_refused() {
    let world = world();
    let pairs = [("CallSid", String::new())];
    world.send(signed(&format!("{PUBLIC}{PATH}"), &pairs)).await.names(422, &["/CallSid", "/RecordingSid"]);
}
