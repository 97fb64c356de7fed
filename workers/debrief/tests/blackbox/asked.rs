//! Slack takes a message, but its answer is lost. Then Slack is asked for the message, and the message is there only
//! once.

use serde_json::{Value, json};

use crate::inputs::PhoneCall;
use crate::world::{Kind, World};

/// The first message of the call in Slack, as the ledger of effects shows it.
async fn post(world: &World, call: &PhoneCall) -> Option<Value> {
    let found = world.get(&format!("/call/{}", call.id)).await?;
    let shown = world.get(&format!("/api/calls/{}", found["id"].as_str()?)).await?;
    let effects = shown["effects"].as_array()?;
    effects.iter().find(|effect| effect["target"] == "slack" && effect["object"] == "post").cloned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_whose_answer_was_lost_is_found_in_slack_and_not_posted_again() {
    let bot = [("SLACK_BOT_TOKEN", "xoxb-1"), ("SLACK_CHANNEL", "#calls")];
    let mut world = World::start_with(Kind::Embedded, &bot).await;
    let lost = json!({"next": [{"path": "chat.postMessage", "accept_then_reset": true}]});
    world.faults("slack", &lost).await;
    let call = PhoneCall::new();
    world.webhook(&call).await;
    let unknown = async |world: &World| post(world, &call).await.filter(|post| post["state"] == "unknown");
    world.wait("the message to be unknown", unknown).await;
    // A new process need not wait for a request that the process before may still be sending.
    world.kill("all").await;
    world.start_role("all").await;

    world.completed(&call.id).await;
    let confirmed = post(&world, &call).await.unwrap();
    assert_eq!(confirmed["state"], "confirmed", "{confirmed}");
    let made = world.effects("slack", "post").await;
    assert_eq!(made.values().collect::<Vec<_>>(), [&1], "{made:?}");
    let (id, ts) = confirmed["remote_id"].as_str().unwrap().split_once('/').unwrap();
    assert!(id.starts_with('C') && ts.contains('.'), "{confirmed}");

    let (code, said) = world.command(&["check", "--connect"], &[]).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("slack: reached") && said.contains("`#calls` is a name"), "{said}");
    let refused = json!({"always": {"path": "auth.test", "body": r#"{"ok":false,"error":"token_revoked"}"#}});
    world.faults("slack", &refused).await;
    let (code, said) = world.command(&["check", "--connect"], &[]).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("token_revoked") && said.contains("SLACK_BOT_TOKEN"), "{said}");
    world.finish().await;
}
