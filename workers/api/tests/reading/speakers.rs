//! A person says who the speakers of a call are.

use serde_json::json;

use crate::world::World;

#[tokio::test]
async fn a_corrected_speaker_is_shown_everywhere_and_the_call_is_analyzed_again() {
    let world = World::new().await;
    let id = world.completed("a").await;
    let path = format!("/api/calls/{id}/speakers");
    let answer = world.patch(&path, json!({"customer": {"name": "Rosa Delacroix"}})).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let said = answer.json();
    assert_eq!((&said["call_id"], &said["generation"]), (&json!(id), &json!(2)));
    assert_eq!(said["speakers"][0]["label"], "B");
    let transcript = world.json(&format!("/api/calls/{id}/transcript.json")).await;
    let second = &transcript["segments"][1];
    assert_eq!((&second["speaker"], &second["role"]), (&json!("Rosa Delacroix"), &json!("customer")));
    assert_eq!(transcript["speakers"], said["speakers"]);
    let text = world.get(&format!("/api/calls/{id}/transcript.txt")).await;
    assert!(text.text().contains("Rosa Delacroix: My invoice is wrong."), "{text:?}");
    let audit = world.json("/api/audit").await;
    assert_eq!(audit["items"][0]["action"], "speakers_correct");
    assert!(!audit.to_string().contains("Rosa"), "the audit holds no name of a caller");
}

#[tokio::test]
async fn a_correction_that_cannot_be_used_changes_nothing() {
    let world = World::new().await;
    let id = world.completed("a").await;
    let path = format!("/api/calls/{id}/speakers");
    world.patch(&path, json!({"Speaker Q": {"name": "x"}})).await.names(&["/Speaker Q"]);
    world.patch(&path, json!({"B": {"role": "boss"}})).await.names(&["/B/role"]);
    world.patch("/api/calls/nobody/speakers", json!({"B": {"name": "x"}})).await.is_problem(404);
    world.arrived("b", Vec::new()).await;
    world.patch("/api/calls/b/speakers", json!({"B": {"name": "x"}})).await.is_problem(409);
    assert_eq!(world.json("/api/audit").await["total"], 0);
}
