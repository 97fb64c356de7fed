//! Tests that one recording which comes by two ways is paid for once, and that two recordings of one telephone call are
//! one call.

use domain::call::{CallDetails, CallKind};
use domain::event::MaterialKind;
use domain::held_file::{HeldFile, Holder};
use serde_json::json;
use wiremock::matchers::path;
use wiremock::{Mock, ResponseTemplate};

use crate::meetings::{Bench, at, lines, sound};

#[tokio::test]
async fn the_same_bytes_behind_another_address_are_not_paid_for_again() {
    let bench = Bench::new().await;
    bench.with_api("a", json!([])).await;
    for (id, said) in [("a", "the same"), ("b", "the same"), ("c", "something else")] {
        let (path, url) = (format!("/rec/{id}"), format!("{}/rec/{id}", bench.zoom.uri()));
        bench.zoom_answers(&path, "download-token", sound(said)).await;
        let cx = bench.arrives(bench.held(id, &[("url", &url), ("token", "download-token")])).await;
        let (transcript, _) = bench.transcribed(&cx, true).await;
        assert_eq!(lines(&transcript), [(said, Some(1_000))], "{id}");
    }
    assert_eq!(bench.paid(), ["the same", "something else"]);
}

#[tokio::test]
async fn two_recordings_of_a_telephone_call_are_one_call_from_the_start_of_the_first() {
    let bench = Bench::new().await;
    let told = |second| CallDetails {
        started_at: Some(at(second)),
        duration_ms: Some(5_000),
        ..CallDetails::default()
    };
    let first = bench.file(MaterialKind::Recording, "before the transfer", 0).await;
    let cx = bench.arrives_with(CallKind::Phone, told(0), first).await;
    bench.transcribed(&cx, false).await;
    let second = bench.file(MaterialKind::Recording, "after the transfer", 90).await;
    let cx = bench.arrives_with(CallKind::Phone, told(90), second).await;
    let (transcript, found) = bench.transcribed(&cx, false).await;
    assert_eq!(
        lines(&transcript),
        [("before the transfer", Some(1_000)), ("after the transfer", Some(91_000))]
    );
    assert_eq!(found.unwrap().started_at, Some(at(0)));
    assert_eq!(bench.paid(), ["before the transfer", "after the transfer"]);
}

#[tokio::test]
async fn an_address_that_comes_after_the_callback_of_its_provider_leaves_the_call_its_length() {
    let bench = Bench::new().await;
    let details = json!({ "Call": { "Sid": "CALL-1", "Status": "completed", "Duration": "48",
        "Details": { "ConversationDuration": 41 } } });
    Mock::given(path("/v1/Accounts/acme/Calls/CALL-1.json"))
        .respond_with(ResponseTemplate::new(200).set_body_json(details))
        .mount(&bench.zoom)
        .await;
    // The callback says that there was a call, and neither how long it was nor where the recording is.
    let held = bench.behind("callback", &HeldFile::new(Holder::Exotel, "CALL-1").address());
    bench.arrives_with(CallKind::Phone, CallDetails::default(), held).await;
    bench.ends().await;
    let url = format!("{}/rec/forwarded", bench.zoom.uri());
    Mock::given(path("/rec/forwarded")).respond_with(sound("forwarded")).mount(&bench.zoom).await;
    let cx =
        bench.arrives_with(CallKind::Phone, CallDetails::default(), bench.behind("forwarded", &url)).await;
    let (transcript, _) = bench.transcribed(&cx, false).await;
    assert_eq!(lines(&transcript), [("forwarded", Some(1_000))]);
    assert_eq!(bench.known().await.duration_ms, Some(41_000));
}
