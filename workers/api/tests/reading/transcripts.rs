use axum::http::header::{CONTENT_TYPE, VARY};
use serde_json::json;

use crate::world::World;

const VTT: &str = "WEBVTT\n\n1\n00:00:00.000 --> 00:00:01.500\n<v Dana Ortiz>Good morning.\n\n\
     2\n00:00:01.500 --> 00:00:04.000\n<v customer>My invoice is wrong.\n\n";
const SRT: &str = "1\n00:00:00,000 --> 00:00:01,500\nDana Ortiz: Good morning.\n\n\
     2\n00:00:01,500 --> 00:00:04,000\ncustomer: My invoice is wrong.\n\n";
const TEXT: &str = "Dana Ortiz: Good morning.\ncustomer: My invoice is wrong.\n";

#[tokio::test]
async fn a_transcript_is_sent_in_the_format_that_the_client_asks_for() {
    let world = World::new().await;
    let id = world.completed("CALL-1").await;
    for (suffix, accept, media_type, text) in [
        (".vtt", "text/vtt", "text/vtt; charset=utf-8", VTT),
        (".srt", "application/x-subrip", "application/x-subrip; charset=utf-8", SRT),
        (".txt", "text/plain", "text/plain; charset=utf-8", TEXT),
    ] {
        let by_suffix = world.get(&format!("/api/calls/{id}/transcript{suffix}")).await;
        assert_eq!(
            (by_suffix.text(), &by_suffix.headers[CONTENT_TYPE]),
            (text, &media_type.parse().unwrap())
        );
        let by_header = world.get_with(&format!("/api/calls/{id}/transcript"), &[("accept", accept)]).await;
        assert_eq!(
            (by_header.text(), &by_header.headers[CONTENT_TYPE]),
            (text, &media_type.parse().unwrap())
        );
        assert_eq!(by_header.headers[VARY], "accept");
    }
    let transcript = world.json(&format!("/api/calls/{id}/transcript")).await;
    assert_eq!(transcript, world.json(&format!("/api/calls/{id}/transcript.json")).await);
    assert_eq!(transcript["language"], "en");
    let first = json!({"id": 1, "speaker": "Dana Ortiz", "role": "agent", "start_ms": 0, "end_ms": 1500,
        "text": "Good morning.", "confidence": 0.5});
    assert_eq!(transcript["segments"][0], first);
    let other = world.get_with(&format!("/api/calls/{id}/transcript"), &[("accept", "image/png")]).await;
    other.is_problem(406);
}

#[tokio::test]
async fn the_error_about_a_missing_transcript_names_the_status_of_the_call() {
    let world = World::new().await;
    let id = world.arrived("CALL-1", Vec::new()).await;
    let answer = world.get(&format!("/api/calls/{id}/transcript")).await;
    answer.is_problem(404);
    assert!(answer.text().contains("no_recording"), "{answer:?}");
}
