//! Files that people bring in with a browser.

use axum::http::StatusCode;
use domain::account::Role;

use crate::world::World;

const TALK: &[u8] = b"WEBVTT\n\n00:00.000 --> 00:02.000\nDana: Good morning.\n";

/// A recording of silence.
fn wav(samples: u32) -> Vec<u8> {
    let bytes = samples * 2;
    let mut wav = b"RIFF".to_vec();
    wav.extend_from_slice(&(36 + bytes).to_le_bytes());
    wav.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    wav.extend_from_slice(&8000_u32.to_le_bytes());
    wav.extend_from_slice(&16_000_u32.to_le_bytes());
    wav.extend_from_slice(b"\x02\0\x10\0data");
    wav.extend_from_slice(&bytes.to_le_bytes());
    wav.resize(wav.len() + usize::try_from(bytes).unwrap(), 0);
    wav
}

#[tokio::test]
async fn recordings_and_transcripts_become_calls_and_the_page_says_how_far_they_are() {
    let world = World::new().await;
    let mut browser = world.browser();
    let csrf = browser.csrf().await;
    let files = [("talk.vtt", TALK), ("talk.wav", &wav(8000))];
    let taken = browser.upload("/upload", &csrf, &files).await;
    let page = browser.get(taken.leads_to()).await;
    assert_eq!(page.text.matches("<td><a href=\"/calls/").count(), 2, "{}", page.text);
    assert_eq!(page.text.matches("data-state=\"queued\"").count(), 2);
    let again = browser.upload("/upload", &csrf, &files[..1]).await;
    assert!(taken.leads_to().contains(again.leads_to().split_once('?').unwrap().1), "one file is one call");
}

#[tokio::test]
async fn a_file_that_cannot_be_used_is_named_and_those_before_it_are_kept() {
    let world = World::with(&[("DEBRIEF_MAX_UPLOAD_MB", "1")]).await;
    let mut browser = world.browser();
    let csrf = browser.csrf().await;
    let long = wav(600_000);
    for (name, content, status) in [
        ("picture.png", &b"\x89PNG\r\n\x1a\n0000"[..], StatusCode::UNSUPPORTED_MEDIA_TYPE),
        ("long.wav", &long, StatusCode::PAYLOAD_TOO_LARGE),
        ("empty.wav", b"", StatusCode::UNPROCESSABLE_ENTITY),
        ("<img src=x>.zip", b"PK\x03\x04", StatusCode::UNSUPPORTED_MEDIA_TYPE),
    ] {
        let answer = browser.upload("/upload", &csrf, &[("talk.vtt", TALK), (name, content)]).await;
        assert_eq!(answer.status, status, "{name}: {}", answer.text);
        let shown = name.replace('<', "&#60;").replace('>', "&#62;");
        assert!(answer.text.contains(&shown), "{name}: {}", answer.text);
        assert!(answer.text.contains("talk.vtt") || answer.text.contains("<td><a href=\"/calls/"), "{name}");
    }
}

#[tokio::test]
async fn nothing_of_a_form_of_somebody_else_is_taken() {
    let world = World::with_key().await;
    for (login, role) in
        [("max@x.com", Role::Manager), ("vera@x.com", Role::Viewer), ("dana@x.com", Role::Agent)]
    {
        world.account(login, role).await;
    }
    let mut max = world.signed_in("max@x.com").await;
    for csrf in ["", "wrong", &"x".repeat(5000)] {
        let answer = max.upload("/upload", csrf, &[("talk.vtt", TALK)]).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{csrf:.9}");
    }
    let csrf = max.csrf().await;
    max.upload("/upload", &csrf, &[("talk.vtt", TALK)]).await.leads_to();
    for login in ["vera@x.com", "dana@x.com"] {
        let mut other = world.signed_in(login).await;
        let csrf = other.csrf().await;
        assert_eq!(other.get("/upload").await.status, StatusCode::FORBIDDEN, "{login}");
        let answer = other.upload("/upload", &csrf, &[("talk.vtt", TALK)]).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{login}");
    }
}
