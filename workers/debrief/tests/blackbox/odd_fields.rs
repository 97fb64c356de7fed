//! Fields that are not what they should be, through the whole process: the call is there, and it says what was odd.

use serde_json::{Value, json};

use crate::inputs::word;
use crate::world::{Kind, World};

const AGENT: &str = "agent_name";

#[tokio::test(flavor = "multi_thread")]
async fn a_call_with_odd_fields_is_there_and_says_what_was_odd() {
    let world = World::start(Kind::Embedded).await;
    let digits = "123456789012345678901234567890";
    // The body as it is sent, the id of the call, a field of the call with its value, and the notes.
    let table = [
        (
            r#"{"call_id":"list","agent_name":["Dana Ortiz"],"duration":"00:02:05"}"#.to_owned(),
            "list",
            ("/metadata/agent_name", json!(["Dana Ortiz"])),
            &["field_of_another_type agent_name"][..],
        ),
        (
            r#"{"call_id":"clock","duration":"00:02:05"}"#.into(),
            "clock",
            ("/duration_ms", json!(125_000)),
            &[],
        ),
        (
            r#"{"call_id":"half","agent_name":"Dana \ud83d"}"#.into(),
            "half",
            ("/metadata/agent_name", json!("Dana \u{fffd}")),
            &[],
        ),
        (format!(r#"{{"call_id":{digits}}}"#), digits, ("/external_id", json!(digits)), &[]),
        (r#"{"call_id":"CA-78\n"}"#.into(), "CA-78", ("/external_id", json!("CA-78")), &[]),
        (
            r#"{"call_id":"no-url","recording_url":"null"}"#.into(),
            "no-url",
            ("/status", json!("no_recording")),
            &[],
        ),
        (
            r#"{"call_id":"ms","duration":900000}"#.into(),
            "ms",
            ("/metadata/duration", json!(900_000)),
            &["duration_unusable duration"],
        ),
        (
            r#"{"call_id":"object","from_number":{},"duration":-5}"#.into(),
            "object",
            ("/from_number", Value::Null),
            &["duration_unusable duration", "field_of_another_type from_number"],
        ),
        (
            format!(r#"{{"call_id":"sixty","source":"{}"}}"#, "x".repeat(60)),
            "sixty",
            ("/metadata/source", json!("x".repeat(60))),
            &["source_renamed source"],
        ),
    ];
    for (body, id, (pointer, value), wanted) in table {
        let request = world.request("POST", "/webhook/zapier").header("content-type", "application/json");
        assert_eq!(request.body(body.clone()).send().await.unwrap().status(), 200, "{body}");
        world.status(id, "no_recording").await;
        let call = world.get(&format!("/api/calls/{id}")).await.unwrap();
        assert_eq!(call.pointer(pointer), Some(&value), "{body}: {call}");
        let mut notes: Vec<_> = call["notes"].as_array().unwrap().iter().map(note).collect();
        notes.sort();
        assert_eq!(notes, wanted, "{body}: {call}");
    }
    world.finish().await;
}

fn note(note: &Value) -> String {
    format!("{} {}", note["code"].as_str().unwrap(), note["field"].as_str().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_with_blanks_around_it_is_the_id_without_them_and_a_later_field_that_is_right_is_used() {
    let world = World::start(Kind::Embedded).await;
    let id = format!("CA-{}", word());
    for (sent, agent) in [(format!(" {id} "), json!(["Dana"])), (format!("{id}\n"), json!("Dana Ortiz"))] {
        let body = json!({ "call_id": sent, AGENT: agent });
        assert_eq!(world.post("/webhook/zapier", &body).await.unwrap().status(), 200);
        world.status(&id, "no_recording").await;
    }
    let call = world
        .wait("the second delivery", async |world| {
            let call = world.get(&format!("/api/calls/{id}")).await?;
            (call["metadata"][AGENT] == "Dana Ortiz").then_some(call)
        })
        .await;
    assert_eq!(call["external_id"], json!(id));
    assert_eq!(world.get(&format!("/call/%20{id}%0A")).await.unwrap()["call_id"], json!(id));
    assert_eq!(world.get("/api/calls/history").await.unwrap()["total"], 1);
    world.finish().await;
}
