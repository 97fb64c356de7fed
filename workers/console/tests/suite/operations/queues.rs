use std::time::Duration;

use axum::http::StatusCode;
use domain::call::CallDetails;
use domain::principal::Scope;
use queue_topology::table;
use store::{ErrorText, QueueSample, Settlement};

use crate::world::World;

#[tokio::test]
async fn a_page_shows_what_holds_the_places_and_why_runs_wait() {
    let world = World::new().await;
    let held = world.arrived("held", CallDetails::default()).await;
    let claim = world.begin(held, "transcription").await;
    world.store.show_wait(&claim, Some("assemblyai")).await.unwrap();
    let parked = world.begin(world.arrived("parked", CallDetails::default()).await, "transcription").await;
    let error = ErrorText { code: "assemblyai_account", text: "assemblyai refuses the key: invalid_api_key" };
    let probe_at = world.store.now().plus(Duration::from_mins(1));
    world.settle(&parked, Settlement::Parked { destination: "assemblyai", probe_at, error }).await;

    let page = world.page("/queues").await;
    for stage in table::ALL.map(|queue| queue.stage) {
        assert!(page.contains(&format!("<th scope=\"row\">{stage}</th>")), "{stage}");
    }
    assert!(page.contains(&format!("<a href=\"/calls/{held}\">")), "{page}");
    assert!(page.contains("invalid_api_key") && page.contains("data-state=\"parked\""));
    assert!(page.contains("nobody works here"), "no process consumes a queue in this test");
}

#[tokio::test]
async fn the_history_is_a_picture_that_says_in_words_what_it_shows() {
    let world = World::new().await;
    assert!(world.page("/queues").await.contains("Nothing has been kept for this time yet."));
    let now = world.store.now();
    for (minutes, due) in [(180, 40), (2, 3)] {
        let sample =
            QueueSample { stage: "slack".into(), due, oldest_due_ms: due * 1000, ..QueueSample::default() };
        world.store.keep_queue_samples(now.minus(Duration::from_mins(minutes)), &[sample]).await.unwrap();
    }
    let day = world.page("/queues?span=day").await;
    assert!(day.contains("slack: at most 40 could start"), "{day}");
    assert_eq!(day.matches("<svg").count(), table::ALL.len());
    let hour = world.page("/queues?span=hour").await;
    assert!(hour.contains("slack: at most 3 could start"), "{hour}");
}

#[tokio::test]
async fn numbers_of_all_workspaces_are_for_the_installation_alone() {
    let world = World::new().await;
    let key = world.key("other", &[Scope::Read, Scope::Operate, Scope::Administer]).await;
    for path in ["/queues", "/providers", "/deployment", "/settings"] {
        assert_eq!(world.get_with_key(path, &key).await.status, StatusCode::FORBIDDEN, "{path}");
    }
}
