//! Requests with a key, which their senders may repeat.

use store::KeyClaim;
use uuid::Uuid;

use crate::databases::{WORKSPACE, on_both};

#[tokio::test]
async fn a_request_that_comes_twice_with_its_key_is_done_once_and_gets_the_same_answer() {
    on_both(|store| async move {
        let id = Uuid::new_v4();
        let (request, another) = (Uuid::new_v4(), Uuid::new_v4());
        let claim = async || store.claim_key(WORKSPACE, id, request).await.unwrap();
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
        let claim = async |request| store.claim_key(WORKSPACE, other, request).await.unwrap();
        assert_eq!(claim(request).await, KeyClaim::Yours);
        store.release_key(WORKSPACE, other).await.unwrap();
        assert_eq!(claim(another).await, KeyClaim::Yours, "what was given up is open for another request");
    })
    .await;
}

#[tokio::test]
async fn a_key_stands_for_one_request_while_it_is_done_and_after_it_was_answered() {
    on_both(|store| async move {
        let (id, request, another) = (Uuid::new_v4(), Uuid::new_v4(), Uuid::new_v4());
        assert_eq!(store.claim_key(WORKSPACE, id, request).await.unwrap(), KeyClaim::Yours);
        assert_eq!(store.claim_key(WORKSPACE, id, another).await.unwrap(), KeyClaim::Taken);
        store.answer_key(WORKSPACE, id, "{}").await.unwrap();
        assert_eq!(store.claim_key(WORKSPACE, id, another).await.unwrap(), KeyClaim::Taken);
        assert_eq!(store.claim_key(WORKSPACE, id, request).await.unwrap(), KeyClaim::Answered("{}".into()));
    })
    .await;
}
