//! Tests keys that are made with a command: when a key becomes necessary, how keys are shown, and how soon a revoked
//! key is refused.

use std::time::Duration;

use reqwest::RequestBuilder;
use serde_json::Value;
use tokio::time::Instant;

use crate::world::{Kind, World};

const HISTORY: &str = "/api/calls/history";
/// How soon every process has to refuse a revoked key.
const PROMISED: Duration = Duration::from_secs(10);

/// Adds this key to the request, or no key.
pub(crate) fn with(request: RequestBuilder, key: Option<&str>) -> RequestBuilder {
    match key {
        Some(key) => request.bearer_auth(key),
        None => request,
    }
}

/// The statuses of two requests with `key`: one reads at the API, and one sends to ingest.
async fn answers(world: &World, key: Option<&str>) -> [u16; 2] {
    let read = world.request_of("api", "GET", HISTORY);
    // The body cannot be used, so that no call is brought in.
    let send = world.request_of("ingest", "POST", "/webhook/zapier").json(&Value::Array(Vec::new()));
    let mut statuses = [0; 2];
    for (request, status) in [read, send].into_iter().zip(&mut statuses) {
        *status = with(request, key).send().await.unwrap().status().as_u16();
    }
    statuses
}

/// Waits until both requests get these statuses. Fails where that takes longer than promised.
async fn answered_in_time(world: &World, key: Option<&str>, wanted: [u16; 2]) {
    let since = Instant::now();
    while answers(world, key).await != wanted {
        assert!(since.elapsed() < PROMISED, "{:?} after {PROMISED:?}", answers(world, key).await);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_revoked_is_refused_in_ten_seconds_by_every_process() {
    let world = World::start_with(Kind::Servers, &[("DEBRIEF_API_KEY", "configured")]).await;
    let key = world.make_key("ops", "default", &["bring_in", "read"]).await;
    assert_eq!(answers(&world, Some(&key)).await, [200, 422]);
    let (code, said) = world.command(&["keys", "revoke", "ops"], &[]).await;
    assert_eq!(code, Some(0), "{said}");
    answered_in_time(&world, Some(&key), [401, 401]).await;
    assert_eq!(answers(&world, Some("configured")).await, [200, 422]);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_key_closes_a_process_that_was_open_to_its_machine() {
    let mut world = World::start(Kind::Embedded).await;
    assert_eq!(answers(&world, None).await, [200, 422]);
    let key = world.make_key("ops", "default", &[]).await;
    answered_in_time(&world, None, [401, 401]).await;
    assert_eq!(answers(&world, Some(&key)).await, [200, 422]);
    world.stop_role("all").await;
    world.start_role("all").await;
    assert_eq!(answers(&world, None).await, [401, 401], "from its first request on");
    let (code, said) = world.command(&["keys", "revoke", "ops"], &[]).await;
    assert_eq!(code, Some(0), "{said}");
    answered_in_time(&world, Some(&key), [401, 401]).await;
    assert_eq!(answers(&world, None).await, [401, 401], "to revoke the last key opens nothing");
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_shown_once_and_what_was_done_stands_in_the_list_and_on_record() {
    let world = World::start(Kind::Embedded).await;
    let ran = async |args: &[&str], wanted: i32, words: &[&str]| {
        let (code, said) = world.command(args, &[]).await;
        assert_eq!(code, Some(wanted), "{args:?}: {said}");
        for word in words {
            assert!(said.contains(word), "{args:?} does not say `{word}`: {said}");
        }
        said
    };
    let create = ["keys", "create", "zapier", "--scope", "bring_in", "--workspace", "kestrel"];
    let said =
        ran(&create, 0, &["the workspace `kestrel` is new", "may: bring_in", "only now", "the first key"])
            .await;
    let key = said.lines().find(|line| line.starts_with("debrief_")).unwrap();
    ran(&create, 1, &["has a key `zapier` already"]).await;
    ran(
        &["keys", "create", "office"],
        0,
        &["`office` of the workspace `default` may: bring_in read operate administer"],
    )
    .await;

    let listed =
        ran(&["keys", "list", "--workspace", "kestrel"], 0, &["zapier", "bring_in", "1 of 1 in use"]).await;
    assert!(!listed.contains(key) && !listed.contains("office"), "{listed}");
    ran(&["keys", "list"], 0, &["other workspaces: kestrel"]).await;
    ran(&["keys", "revoke", "zapier"], 1, &["the workspace `default` has no key `zapier`"]).await;
    ran(&["keys", "revoke", "zapier", "--workspace", "kestrel"], 0, &["is revoked"]).await;
    ran(&["keys", "revoke", "zapier", "--workspace", "kestrel"], 1, &["was revoked at"]).await;
    let json: Value =
        serde_json::from_str(&ran(&["keys", "list", "--json", "--workspace", "kestrel"], 0, &[]).await)
            .unwrap();
    assert_eq!((&json["total"], &json["items"][0]["name"]), (&1.into(), &"zapier".into()));
    assert!(json["items"][0]["revoked_at"].is_string() && !json.to_string().contains(key), "{json}");
    let record =
        ran(&["audit", "list", "--workspace", "kestrel"], 0, &["key_create", "key_revoke", "cli:"]).await;
    assert!(!record.contains(key) && !record.contains("office"), "{record}");

    for (args, words) in [
        (
            &["keys", "create", "a", "--scope", "write"][..],
            "the scopes are bring_in, read, operate, administer",
        ),
        (&["keys", "create", "a b"], "a name is 1 to 64"),
        (&["keys", "create", "a", "--workspace", "a b"], "--workspace"),
        (
            &["calls", "list", "--workspace", "kestral"],
            "there is no workspace `kestral`; there are: default, kestrel",
        ),
        (&["run", "--workspace", "kestrel"], "--workspace"),
        (&["queues", "--workspace", "kestrel"], "--workspace"),
    ] {
        ran(args, 2, &[words]).await;
    }
    world.finish().await;
}
