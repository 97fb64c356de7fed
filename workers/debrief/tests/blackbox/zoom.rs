//! Tests meetings of Zoom from their webhook, or from the list of old recordings, to the finished call.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use simulators::{Utterance, recording_with};

use crate::world::{Kind, World};

const FIRST: &str = "2026-03-04T09:30:00Z";
const SECOND: &str = "2026-03-04T10:10:00Z";

/// A recording. No two files have the same bytes, so what is paid for can be counted.
fn audio(id: &str, start: &str, text: &str) -> Value {
    let length: u64 = id.bytes().map(u64::from).sum();
    let said = Utterance { speaker: "A".into(), start: 0, end: 4_000 + length, text: text.into() };
    let content = STANDARD.encode(recording_with(&[said]));
    json!({ "id": id, "file_type": "M4A", "recording_start": start, "content_base64": content })
}

/// A meeting that was recorded twice. The second recording has a transcript.
fn meeting(uuid: &str, start_time: &str) -> Value {
    // The id of a file stands in its address.
    let file = uuid.replace('/', "");
    let written = "WEBVTT\n\n1\n00:00:03.000 --> 00:00:05.000\nTom Bjork: We sign on Friday.\n";
    json!({
        "uuid": uuid, "id": 84_512_376_903_i64, "topic": "Route planning", "start_time": start_time, "duration": 60,
        "timezone": "Europe/Dublin", "host_id": "host-1", "host_email": "iris@northbeam.example.com",
        "participants": [
            { "id": "host-1", "name": "Iris Adeyemi", "user_email": "iris@northbeam.example.com" },
            { "id": "", "name": "Tom Bjork", "user_email": "tom@calder.example.com" },
        ],
        "recording_files": [
            audio(&format!("{file}-a2"), SECOND, "This is not used, because there is a transcript."),
            { "id": format!("{file}-t2"), "file_type": "TRANSCRIPT", "recording_start": SECOND, "content": written },
            audio(&format!("{file}-a1"), FIRST, "The lorries leave at six."),
        ],
    })
}

/// Brings a meeting to the simulated Zoom, and returns its webhooks.
async fn bring(world: &World, meeting: &Value, query: &str) -> Vec<Value> {
    let address = format!("{}/_control/meetings{query}", world.provider("zoom"));
    let answer = world.client().post(address).json(meeting).send().await.unwrap();
    answer.json().await.unwrap()
}

async fn deliver(world: &World, webhook: &Value) {
    let mut request =
        world.request("POST", "/webhooks/zoom").body(webhook["body"].as_str().unwrap().to_owned());
    for (name, value) in webhook["headers"].as_object().unwrap() {
        request = request.header(name, value.as_str().unwrap());
    }
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
}

/// Waits until the call has everything: who took part, and both pieces.
async fn whole(world: &World, id: &str) -> Value {
    let call = world.completed(id).await;
    let path = format!("/api/calls/{}", call["id"].as_str().unwrap());
    let call = world
        .wait("both pieces", async |world| {
            let transcript = world.get(&format!("{path}/transcript")).await?;
            let segments = transcript["segments"].as_array()?;
            (segments.len() == 2).then(|| segments.clone())
        })
        .await;
    let words: Vec<_> =
        call.iter().map(|segment| (segment["text"].clone(), segment["start_ms"].clone())).collect();
    // The second recording began forty minutes after the first.
    assert_eq!(
        words,
        [
            (json!("The lorries leave at six."), json!(0)),
            (json!("We sign on Friday."), json!(40 * 60 * 1000 + 3_000)),
        ]
    );
    world
        .wait("the end of the call", async |world| {
            world.get(&path).await.filter(|call| call["status"] == "completed")
        })
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_meeting_of_zoom_in_two_recordings_is_one_call_with_the_names_of_its_participants() {
    let world = World::start(Kind::Embedded).await;
    let notify = format!("?notify={}/webhooks/zoom", world.setting("DEBRIEF_PUBLIC_URL").unwrap());
    bring(&world, &meeting("zm-1", FIRST), &notify).await;
    let call = whole(&world, "zm-1").await;
    assert_eq!((&call["source"], &call["kind"]), (&json!("zoom"), &json!("meeting")));
    let names: Vec<_> =
        call["participants"].as_array().unwrap().iter().map(|one| one["name"].as_str()).collect();
    assert_eq!(names, [Some("Iris Adeyemi"), Some("Tom Bjork")]);
    assert_eq!(call["participants"][0]["role"], "host");
    let paid = world.effects("assemblyai", "transcript").await;
    assert!(!paid.is_empty() && paid.values().all(|count| *count == 1), "{paid:?}");
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_webhook_whose_token_has_ended_is_brought_in_by_the_account() {
    let world = World::start(Kind::Embedded).await;
    let webhooks = bring(&world, &meeting("zm-2", FIRST), "").await;
    let expire = format!("{}/_control/expire", world.provider("zoom"));
    assert_eq!(world.client().post(expire).send().await.unwrap().status(), 204);
    // The transcript is announced first, and everything is sent twice.
    for webhook in webhooks.iter().rev().chain(&webhooks) {
        deliver(&world, webhook).await;
    }
    whole(&world, "zm-2").await;
    let paid = world.effects("assemblyai", "transcript").await;
    assert!(paid.values().all(|count| *count == 1), "{paid:?}");
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn old_recordings_are_brought_in_month_by_month_and_a_second_time_nothing_is_done_twice() {
    let world = World::start(Kind::Embedded).await;
    for (uuid, day) in [
        ("old-1", "2026-01-15T09:00:00Z"),
        ("old-2", "2026-03-04T09:30:00Z"),
        ("/old//3", "2026-03-05T09:30:00Z"),
    ] {
        bring(&world, &meeting(uuid, day), "").await;
    }
    let chat = json!({ "uuid": "chat", "start_time": FIRST, "recording_files": [{ "id": "c", "file_type": "CHAT", "content": "x" }] });
    bring(&world, &chat, "").await;
    for _ in 0..2 {
        let (code, said) =
            world.command(&["import", "--zoom", "--from", "2026-01-01", "--to", "2026-04-01"], &[]).await;
        assert_eq!(code, Some(0), "{said}");
        assert!(said.ends_with("{\"success\":3,\"failed\":0,\"total\":3}\n"), "{said}");
        assert!(said.contains("zoom chat of"), "{said}");
    }
    whole(&world, "old-1").await;
    let paid = world.effects("assemblyai", "transcript").await;
    assert!(!paid.is_empty() && paid.values().all(|count| *count == 1), "{paid:?}");
    let (code, said) = world
        .command(&["import", "--zoom", "--from", "2026-03-01", "--to", "2026-03-31", "--dry-run"], &[])
        .await;
    assert!(code == Some(0) && said.contains("is there already"), "{said}");
    let (code, said) =
        world.command(&["import", "--zoom", "--from", "2026-03-02", "--to", "2026-03-01"], &[]).await;
    assert!(code == Some(2) && said.contains("--from"), "{said}");
    let (code, said) = world
        .command(
            &["import", "--zoom", "--from", "2026-03-02"],
            &[("ZOOM_ACCOUNT_ID", ""), ("ZOOM_CLIENT_ID", ""), ("ZOOM_CLIENT_SECRET", "")],
        )
        .await;
    assert!(code == Some(2) && said.contains("ZOOM_ACCOUNT_ID"), "{said}");
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_was_killed_goes_on_where_it_stopped() {
    let world = World::start(Kind::Embedded).await;
    // Two pages of the list, so that the import is killed between them.
    for day in 1..=12 {
        let start = format!("2026-03-{day:02}T09:30:00Z");
        bring(&world, &meeting(&format!("many-{day}"), &start), "").await;
    }
    world.faults("zoom", &json!({ "latency_ms": 400 })).await;
    let args = ["import", "--zoom", "--from", "2026-03-01", "--to", "2026-03-31"];
    let import = world.begin(&args);
    world.wait("the first meeting", async |world| world.get("/call/many-12").await).await;
    import.kill().await;
    world.faults("zoom", &json!({})).await;
    let (code, said) = world.command(&args, &[]).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.ends_with("{\"success\":12,\"failed\":0,\"total\":12}\n"), "{said}");
    let paid = world.effects("assemblyai", "transcript").await;
    assert_eq!(paid.len(), 12, "each meeting has one recording without a transcript: {paid:?}");
    assert!(paid.values().all(|count| *count == 1), "{paid:?}");
    world.finish().await;
}
