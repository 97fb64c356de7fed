//! Requests with a key, which their senders may repeat.

use store::KeyClaim;
use uuid::Uuid;

use crate::databases::{WORKSPACE, on_both};

#[tokio::test]
async fn a_request_that_comes_twice_with_its_key_is_done_once_and_gets_the_same_answer() {
    on_both(|store| async move {
        let id = Uuid::new_v4();
        let claim = async || store.claim_key(WORKSPACE, id).await.unwrap();
        assert_eq!(claim().await, KeyClaim::Yours);
        assert_eq!(claim().await, KeyClaim::InProgress);
        store.answer_key(WORKSPACE, id, "{}").await.unwrap();
        assert_eq!(claim().await, KeyClaim::Answered("{}".into()));
        store.release_key(WORKSPACE, id).await.unwrap();
        assert_eq!(
            claim().await,
            KeyClaim::Answered("{}".into()),
            "a request that was answered stays answered"
        );
        let other = Uuid::new_v4();
        assert_eq!(store.claim_key(WORKSPACE, other).await.unwrap(), KeyClaim::Yours);
        store.release_key(WORKSPACE, other).await.unwrap();
        assert_eq!(store.claim_key(WORKSPACE, other).await.unwrap(), KeyClaim::Yours);
    })
    .await;
}
