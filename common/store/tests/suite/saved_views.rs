//! Views of the list of calls that people keep under a name.

use domain::call::WorkspaceId;
use store::{MAX_VIEWS, NewView, Page, Store, ViewKept};
use uuid::Uuid;

use crate::databases::{WORKSPACE, on_both};

const ADA: &str = "user:ada@x.com";
const MAX: &str = "user:max@x.com";

async fn keep(store: &Store, owner: &str, is_shared: bool, name: &str, query: &str) -> ViewKept {
    store.keep_view(NewView { workspace: WORKSPACE, owner, is_shared, name, query }).await.unwrap()
}

/// The names and queries that somebody sees.
async fn seen(store: &Store, owner: &str, with_shared: bool) -> Vec<(String, String)> {
    let views = store.saved_views(WORKSPACE, owner, with_shared).await.unwrap();
    views.into_iter().map(|view| (view.name, view.query)).collect()
}

fn view(name: &str, query: &str) -> (String, String) {
    (name.to_owned(), query.to_owned())
}

#[tokio::test]
async fn somebody_sees_her_own_views_and_those_of_everybody() {
    on_both(|store| async move {
        for (owner, is_shared, name) in [(ADA, false, "hers"), (MAX, false, "his"), (MAX, true, "of all")] {
            assert!(matches!(keep(&store, owner, is_shared, name, "status=failed").await, ViewKept::Kept(_)));
        }
        let query = "status=failed";
        assert_eq!(seen(&store, ADA, true).await, [view("hers", query), view("of all", query)]);
        assert_eq!(seen(&store, ADA, false).await, [view("hers", query)]);
        let elsewhere = store.saved_views(WorkspaceId(Uuid::from_u128(7)), ADA, true).await.unwrap();
        assert_eq!(elsewhere, []);
    })
    .await;
}

#[tokio::test]
async fn her_own_view_is_replaced_by_its_name_and_a_view_of_everybody_is_not() {
    on_both(|store| async move {
        keep(&store, ADA, false, "failed", "status=failed").await;
        keep(&store, ADA, false, "failed", "status=failed&source=zoom").await;
        assert_eq!(seen(&store, ADA, true).await, [view("failed", "status=failed&source=zoom")]);
        assert!(matches!(keep(&store, MAX, true, "failed", "tone=Negative").await, ViewKept::Kept(_)));
        assert_eq!(keep(&store, ADA, true, "failed", "").await, ViewKept::NameTaken);
        let own = view("failed", "status=failed&source=zoom");
        let all = seen(&store, ADA, true).await;
        assert!(all.contains(&own) && all.contains(&view("failed", "tone=Negative")), "{all:?}");
    })
    .await;
}

#[tokio::test]
async fn a_view_of_everybody_is_removed_by_whoever_may_and_the_audit_names_the_view() {
    on_both(|store| async move {
        let ViewKept::Kept(own) = keep(&store, ADA, false, "own", "").await else { panic!() };
        let ViewKept::Kept(shared) = keep(&store, ADA, true, "shared", "").await else { panic!() };
        let remove =
            async |actor: &str, id, may| store.remove_view((WORKSPACE, actor), id, may).await.unwrap();
        assert!(!remove(MAX, own, true).await, "a view of somebody else");
        assert!(!remove(ADA, shared, false).await, "she may not change it any more");
        let elsewhere = WorkspaceId(Uuid::from_u128(7));
        assert!(!store.remove_view((elsewhere, ADA), own, true).await.unwrap());
        assert!(remove(ADA, own, false).await && remove(MAX, shared, true).await);
        assert_eq!(seen(&store, ADA, true).await, []);
        let (audit, _) = store.audit(WORKSPACE, Page { offset: 0, limit: 9 }).await.unwrap();
        let said: Vec<_> = audit.iter().map(|row| (row.action.as_str(), row.actor.as_str())).collect();
        assert_eq!(
            said,
            [("view_remove", MAX), ("view_share", ADA)],
            "what she keeps for herself is not told"
        );
        assert!(audit[0].asked.contains("shared"), "{}", audit[0].asked);
    })
    .await;
}

#[tokio::test]
async fn nobody_keeps_views_without_end() {
    on_both(|store| async move {
        for number in 0..MAX_VIEWS {
            let kept = keep(&store, ADA, false, &format!("view {number}"), "").await;
            assert!(matches!(kept, ViewKept::Kept(_)), "{number}");
        }
        assert_eq!(keep(&store, ADA, false, "one more", "").await, ViewKept::TooMany);
        assert!(matches!(keep(&store, ADA, false, "view 7", "tone=Neutral").await, ViewKept::Kept(_)));
        assert!(matches!(keep(&store, MAX, false, "one more", "").await, ViewKept::Kept(_)));
    })
    .await;
}
