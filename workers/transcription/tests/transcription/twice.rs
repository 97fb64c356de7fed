//! Tests that one recording which comes by two ways is paid for once, and that two recordings of one telephone call are
//! one call.

use domain::call::{CallDetails, CallKind};
use domain::event::MaterialKind;
use serde_json::json;

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
