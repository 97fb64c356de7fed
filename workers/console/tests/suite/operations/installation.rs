//! Providers, processes and settings.

use std::time::Duration;

use axum::http::StatusCode;
use domain::principal::Scope;
use store::{InstanceId, Process};

use crate::world::World;

#[tokio::test]
async fn a_provider_that_is_off_says_what_turns_it_on() {
    let world = World::with(&[("DEEPGRAM_API_KEY", "a-key"), ("SLACK_RATE", "7/s")]).await;
    let page = world.page("/providers").await;
    assert!(page.contains("Set ASSEMBLYAI_API_KEY to turn it on."), "{page}");
    assert!(!page.contains("Set DEEPGRAM_API_KEY to turn it on."));
    let tested =
        world.submit("/providers", "/providers/assemblyai/test", &[("service", "transcription")]).await;
    assert_eq!(tested.status, StatusCode::OK, "{}", tested.text);
    assert!(tested.text.contains("assemblyai is off, so there is nothing to test."));
    let unknown = world.submit("/providers", "/providers/nobody/test", &[]).await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_test_tells_what_the_provider_answered() {
    // This fails where another test was first, which is as good.
    drop(rustls::crypto::ring::default_provider().install_default());
    // Nobody listens on this port.
    let address = ("DEEPGRAM_BASE_URL", "http://127.0.0.1:9");
    let world = World::with(&[("DEEPGRAM_API_KEY", "a-key"), address]).await;
    let tested =
        world.submit("/providers", "/providers/deepgram/test", &[("service", "transcription")]).await;
    assert!(tested.text.contains("deepgram does not work:"), "{}", tested.text);
    assert!(!tested.text.contains("a-key"));
}

#[tokio::test]
async fn nobody_of_another_workspace_tests_a_provider() {
    let world = World::new().await;
    let key = world.key("other", &[Scope::Read, Scope::Operate]).await;
    assert_eq!(world.get_with_key("/providers", &key).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_process_is_listed_with_its_roles_and_one_that_vanished_is_marked() {
    let world = World::new().await;
    for (host, lease) in [("worker-1", Duration::from_mins(1)), ("worker-2", Duration::ZERO)] {
        let instance = InstanceId::new();
        world.store.renew_instance(instance, lease).await.unwrap();
        let roles = ["dedup", "transcription"].map(str::to_owned).to_vec();
        let process = Process { host: host.into(), version: "1.2.3".into(), roles };
        world.store.describe_instance(instance, &process).await.unwrap();
    }
    let page = world.page("/deployment").await;
    assert!(page.contains("worker-1") && page.contains("worker-2") && page.contains("1.2.3"), "{page}");
    assert!(page.contains("ran out at"));
    assert!(page.contains("Nobody runs the role slack."));
    assert!(!page.contains("Nobody runs the role dedup."));
}

#[tokio::test]
async fn settings_show_where_they_came_from_and_no_secret() {
    let secret = "a-very-secret-key-of-some-length";
    let world = World::with(&[("DEEPGRAM_API_KEY", secret), ("DEBRIEF_REGION", "GB")]).await;
    let page = world.page("/settings").await;
    assert!(!page.contains(secret));
    assert!(page.contains("set, and not shown") && page.contains("DEBRIEF_RETRY_SCHEDULE"));
    let only = world.page("/settings?only=set").await;
    assert!(only.contains(">DEBRIEF_REGION<") && !only.contains(">DEBRIEF_RETRY_SCHEDULE<"), "{only}");
}
