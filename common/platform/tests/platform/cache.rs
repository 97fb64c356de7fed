//! The Redis cache, with a real server and with no server at all.

use std::time::{Duration, Instant};

use platform::cache::{Cache as _, Redis, Slot};

const SECOND: Duration = Duration::from_secs(1);

#[expect(clippy::disallowed_methods, reason = "environment variables tell the tests where their servers are")]
fn redis() -> Redis {
    let url = std::env::var("DEBRIEF_TEST_REDIS_URL")
        .expect("set DEBRIEF_TEST_REDIS_URL, such as redis://127.0.0.1:6379 (`make test` does)");
    Redis::new(&url, &format!("test-{}", uuid::Uuid::new_v4())).expect("an address of a Redis")
}

#[tokio::test]
async fn a_key_is_remembered_once_until_it_is_forgotten() {
    let cache = redis();
    assert!(!cache.remember("a", SECOND * 60).await);
    assert!(cache.remember("a", SECOND * 60).await);
    cache.forget("a").await;
    assert!(!cache.remember("a", SECOND * 60).await);
}

#[tokio::test]
async fn slots_are_given_out_one_after_the_other_and_far_ones_are_not_taken() {
    let cache = redis();
    let slot = |max_wait| cache.slot("limit", SECOND * 10, max_wait);
    assert_eq!(slot(SECOND).await, Slot::Granted(Duration::ZERO));
    for _ in 0..2 {
        assert!(matches!(slot(SECOND).await, Slot::TooFar(wait) if wait > SECOND * 8));
    }
    let second = slot(SECOND * 30).await;
    assert!(matches!(second, Slot::Granted(wait) if wait > SECOND * 8 && wait <= SECOND * 10), "{second:?}");
    assert!(matches!(slot(SECOND).await, Slot::TooFar(wait) if wait > SECOND * 18));
}

#[tokio::test]
async fn without_redis_no_key_is_known_and_the_process_keeps_the_limits_itself() {
    // Port 9 belongs to the discard protocol, and no program listens there.
    let cache = Redis::new("redis://127.0.0.1:9", "test").unwrap();
    let begin = Instant::now();
    assert!(!cache.remember("a", SECOND * 60).await);
    assert!(!cache.remember("a", SECOND * 60).await);
    assert_eq!(cache.slot("limit", SECOND * 10, SECOND).await, Slot::Granted(Duration::ZERO));
    assert!(matches!(cache.slot("limit", SECOND * 10, SECOND).await, Slot::TooFar(_)));
    assert!(begin.elapsed() < SECOND, "{:?}", begin.elapsed());
}

#[tokio::test]
async fn callers_who_ask_at_the_same_time_each_get_the_answer_for_their_own_key() {
    let cache = redis();
    for known in (0..300).step_by(3) {
        assert!(!cache.remember(&known.to_string(), SECOND * 60).await);
    }
    let keys: Vec<String> = (0..300).map(|key| key.to_string()).collect();
    let answers = futures::future::join_all(keys.iter().map(|key| cache.remember(key, SECOND * 60))).await;
    for (key, known) in answers.into_iter().enumerate() {
        assert_eq!(known, key % 3 == 0, "{key}");
    }
    let twice =
        futures::future::join(cache.remember("twice", SECOND * 60), cache.remember("twice", SECOND * 60));
    assert_eq!(twice.await, (false, true));
}
