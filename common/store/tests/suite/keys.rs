//! Keys and the workspaces that they belong to.

use domain::call::WorkspaceId;
use domain::principal::{Scope, Scopes};
use serde_json::{Value, json};
use store::{KeyCreation, KeyRevocation, NewKey, Page, Store};

use crate::databases::{WORKSPACE, on_both};

const FIRST: Page = Page { offset: 0, limit: 100 };

async fn create(store: &Store, workspace: &str, name: &str, hash: &str) -> KeyCreation {
    let scopes = Scopes::from_iter([Scope::BringIn, Scope::Read]);
    store.create_key(NewKey { workspace, name, scopes, hash, actor: "cli:ada" }).await.unwrap()
}

async fn in_new_workspace(store: &Store, workspace: &str, hash: &str) -> WorkspaceId {
    let created = create(store, workspace, "zapier", hash).await;
    let KeyCreation::Created { workspace, workspace_is_new: true, .. } = created else {
        panic!("{created:?}")
    };
    workspace
}

#[tokio::test]
async fn a_key_is_found_by_its_hash_until_it_is_revoked() {
    on_both(|store| async move {
        assert!(!store.has_keys().await.unwrap());
        let KeyCreation::Created { workspace, workspace_is_new, .. } =
            create(&store, "default", "zapier", "aa").await
        else {
            panic!("it was not made")
        };
        assert_eq!((workspace, workspace_is_new), (WORKSPACE, false));
        let found = store.key("aa").await.unwrap().unwrap();
        assert_eq!((found.workspace, found.name.as_str()), (WORKSPACE, "zapier"));
        assert_eq!(found.scopes, Scopes::from_iter([Scope::Read, Scope::BringIn]));
        assert_eq!(found.created_by, "cli:ada");
        assert_eq!(store.key("bb").await.unwrap(), None);

        let revoke = async || store.revoke_key(WORKSPACE, "zapier", "cli:eve").await.unwrap();
        assert!(matches!(revoke().await, KeyRevocation::Revoked { .. }));
        assert_eq!(store.key("aa").await.unwrap(), None);
        let listed = store.keys(WORKSPACE).await.unwrap();
        assert!(
            matches!(revoke().await, KeyRevocation::RevokedBefore(at) if Some(at) == listed[0].revoked_at)
        );
        assert!(store.has_keys().await.unwrap(), "to revoke the last key opens nothing");
    })
    .await;
}

#[tokio::test]
async fn a_name_stands_for_one_key_of_a_workspace_at_a_time() {
    on_both(|store| async move {
        create(&store, "default", "zapier", "aa").await;
        assert_eq!(create(&store, "default", "zapier", "bb").await, KeyCreation::NameTaken);
        assert_eq!(store.key("bb").await.unwrap(), None);
        let other = in_new_workspace(&store, "other", "cc").await;
        assert_eq!(store.key("cc").await.unwrap().unwrap().workspace, other);
        store.revoke_key(WORKSPACE, "zapier", "cli:ada").await.unwrap();
        assert!(store.key("cc").await.unwrap().is_some(), "the other workspace's key of this name stays");
        assert!(matches!(create(&store, "default", "zapier", "dd").await, KeyCreation::Created { .. }));
        let names: Vec<_> = store.keys(WORKSPACE).await.unwrap().into_iter().map(|key| key.name).collect();
        assert_eq!(names, ["zapier", "zapier"]);
    })
    .await;
}

#[tokio::test]
async fn a_workspace_is_made_by_its_first_key_and_found_by_its_name() {
    on_both(|store| async move {
        assert_eq!(store.workspace("default").await.unwrap(), Some(WORKSPACE));
        assert_eq!(store.workspace("other").await.unwrap(), None);
        let other = in_new_workspace(&store, "other", "aa").await;
        assert_eq!(store.workspace("other").await.unwrap(), Some(other));
        assert_eq!(store.workspace_names().await.unwrap(), ["default", "other"]);
        assert_ne!(other, WORKSPACE);
        assert_eq!(store.revoke_key(other, "nobody", "cli:ada").await.unwrap(), KeyRevocation::Unknown);
        assert_eq!(store.revoke_key(WORKSPACE, "zapier", "cli:ada").await.unwrap(), KeyRevocation::Unknown);
    })
    .await;
}

#[tokio::test]
async fn a_key_that_is_made_or_revoked_stands_on_record_in_its_workspace() {
    on_both(|store| async move {
        let other = in_new_workspace(&store, "other", "aa").await;
        create(&store, "other", "zapier", "bb").await;
        store.revoke_key(other, "zapier", "cli:eve").await.unwrap();
        store.revoke_key(other, "zapier", "cli:eve").await.unwrap();
        let (rows, total) = store.audit(other, FIRST).await.unwrap();
        let rows: Vec<_> = rows
            .iter()
            .map(|row| {
                let asked: Value = serde_json::from_str(&row.asked).unwrap();
                (row.action.as_str(), row.actor.as_str(), asked, row.done, row.ended_at.is_some())
            })
            .collect();
        assert_eq!(
            rows,
            [
                ("key_revoke", "cli:eve", json!({"key": "zapier"}), 1, true),
                ("key_create", "cli:ada", json!({"key": "zapier", "scopes": ["bring_in", "read"]}), 1, true),
            ]
        );
        assert_eq!(total, 2, "what was not done is not on record");
        assert_eq!(store.audit(WORKSPACE, FIRST).await.unwrap().1, 0);
    })
    .await;
}
