//! Accounts, sessions, invitations, and tries to sign in.

use std::time::Duration;

use domain::account::{Role, UserId};
use domain::call::WorkspaceId;
use domain::principal::{Scope, Scopes, Sees};
use domain::sign_in;
use store::{
    Acceptance, Action, AuditCursor, AuditFilter, Invitation, KeyCreation, NewAccount, NewInvitation, NewKey,
    NewSession, NewUser, Store, UserChange, UserRow,
};

use crate::databases::{WORKSPACE, on_both};

const HOUR: Duration = Duration::from_hours(1);

fn new(login: &str, role: Role) -> NewUser<'_> {
    let agent = (role == Role::Agent).then_some("Dana Ortiz");
    let (workspace, password_hash) = (WORKSPACE, Some("hash"));
    NewUser { workspace, login, name: "Somebody", role, agent, password_hash, actor: "cli:test" }
}

async fn user(store: &Store, login: &str, role: Role) -> UserRow {
    store.create_user(new(login, role)).await.unwrap().unwrap()
}

async fn session(store: &Store, user: &UserRow, token_hash: &str) {
    let new = NewSession {
        user: user.id,
        workspace: user.workspace,
        token_hash,
        lifetime: HOUR,
        how: "password",
        user_agent: "a test",
        network: "192.0.2.7",
    };
    store.create_session(new).await.unwrap();
}

async fn other_workspace(store: &Store) -> WorkspaceId {
    let key = NewKey { workspace: "other", name: "k", scopes: Scopes::ALL, hash: "k", actor: "cli:test" };
    let KeyCreation::Created { workspace, .. } = store.create_key(key).await.unwrap() else { panic!() };
    workspace
}

const ADMIN: (WorkspaceId, &str) = (WORKSPACE, "user:ada@x.com");

#[tokio::test]
async fn only_one_visitor_becomes_the_first_administrator() {
    on_both(|store| async move {
        let first = store.create_first_administrator(new("ada@x.com", Role::Administrator));
        let second = store.create_first_administrator(new("eve@x.com", Role::Administrator));
        let (first, second) = tokio::join!(first, second);
        assert_eq!([first.unwrap(), second.unwrap()].iter().flatten().count(), 1);
        assert!(
            store.create_first_administrator(new("bob@x.com", Role::Administrator)).await.unwrap().is_none()
        );
        assert_eq!(store.users(WORKSPACE).await.unwrap().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_session_says_who_is_signed_in_and_ends_with_every_change_of_the_account() {
    on_both(|store| async move {
        user(&store, "ada@x.com", Role::Administrator).await;
        let dana = user(&store, "dana@x.com", Role::Agent).await;
        session(&store, &dana, "t1").await;
        let signed_in = store.signed_in("t1").await.unwrap().unwrap();
        assert_eq!(&*signed_in.principal.actor, "user:dana@x.com");
        assert_eq!(signed_in.principal.scopes, Scopes::from_iter([Scope::Read]));
        assert_eq!(signed_in.principal.sees.agent(), Some("Dana Ortiz"));
        assert!(store.signed_in("t2").await.unwrap().is_none());

        let changed = store.change_user(ADMIN, dana.id, Role::Viewer, None).await.unwrap();
        assert_eq!(changed, UserChange::Done);
        assert!(store.signed_in("t1").await.unwrap().is_none(), "a change of the role");
        session(&store, &dana, "t2").await;
        assert_eq!(store.signed_in("t2").await.unwrap().unwrap().principal.sees, Sees::All);
        assert_eq!(store.set_password(ADMIN, dana.id, "new").await.unwrap(), UserChange::Done);
        assert!(store.signed_in("t2").await.unwrap().is_none(), "a new password");
        session(&store, &dana, "t3").await;
        assert_eq!(store.disable_user(ADMIN, dana.id).await.unwrap(), UserChange::Done);
        assert!(store.signed_in("t3").await.unwrap().is_none(), "disabled");
        session(&store, &dana, "t4").await;
        assert!(store.signed_in("t4").await.unwrap().is_none(), "a session of somebody who is shut out");
    })
    .await;
}

#[tokio::test]
async fn sessions_are_listed_and_ended_one_by_one_and_all() {
    on_both(|store| async move {
        let ada = user(&store, "ada@x.com", Role::Administrator).await;
        for token in ["a", "b", "c"] {
            session(&store, &ada, token).await;
        }
        let listed = store.sessions(WORKSPACE, ada.id).await.unwrap();
        assert_eq!(listed.len(), 3);
        assert_eq!(store.end_sessions(ADMIN, ada.id, Some(listed[0].id), None).await.unwrap(), 1);
        assert!(store.signed_in("c").await.unwrap().is_none());
        let kept = store.signed_in("a").await.unwrap().unwrap().session;
        assert_eq!(store.end_sessions(ADMIN, ada.id, None, Some(kept)).await.unwrap(), 1);
        assert!(
            store.signed_in("a").await.unwrap().is_some() && store.signed_in("b").await.unwrap().is_none()
        );
        store.sign_out("a").await.unwrap();
        assert!(store.signed_in("a").await.unwrap().is_none());
        assert_eq!(store.sessions(WORKSPACE, ada.id).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn the_last_administrator_stays() {
    on_both(|store| async move {
        let ada = user(&store, "ada@x.com", Role::Administrator).await;
        let last = UserChange::LastAdministrator;
        assert_eq!(store.disable_user(ADMIN, ada.id).await.unwrap(), last);
        assert_eq!(store.change_user(ADMIN, ada.id, Role::Viewer, None).await.unwrap(), last);
        let bob = user(&store, "bob@x.com", Role::Administrator).await;
        let (one, other) = tokio::join!(store.disable_user(ADMIN, ada.id), store.disable_user(ADMIN, bob.id));
        let both = [one.unwrap(), other.unwrap()];
        assert!(both.contains(&UserChange::Done) && both.contains(&last), "{both:?}");
    })
    .await;
}

#[tokio::test]
async fn nothing_of_another_workspace_is_seen_or_changed() {
    on_both(|store| async move {
        let ada = user(&store, "ada@x.com", Role::Administrator).await;
        user(&store, "bob@x.com", Role::Administrator).await;
        session(&store, &ada, "t").await;
        let other = other_workspace(&store).await;
        let eve = (other, "user:eve@y.com");
        assert_eq!(store.users(other).await.unwrap(), []);
        assert!(store.user(other, ada.id).await.unwrap().is_none());
        assert_eq!(store.sessions(other, ada.id).await.unwrap(), []);
        assert_eq!(store.end_sessions(eve, ada.id, None, None).await.unwrap(), 0);
        let nothing = UserChange::Nothing;
        assert_eq!(store.change_user(eve, ada.id, Role::Viewer, None).await.unwrap(), nothing);
        assert_eq!(store.disable_user(eve, ada.id).await.unwrap(), nothing);
        assert_eq!(store.enable_user(eve, ada.id).await.unwrap(), nothing);
        assert_eq!(store.set_password(eve, ada.id, "x").await.unwrap(), nothing);
        assert!(store.signed_in("t").await.unwrap().is_some());
        invite(&store, WORKSPACE, "new@x.com", "i", HOUR).await;
        let invitation = store.invitations(WORKSPACE).await.unwrap()[0].id;
        assert_eq!(store.invitations(other).await.unwrap(), []);
        assert!(!store.revoke_invitation(eve, invitation).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn only_an_administrator_of_the_installation_enters_another_workspace() {
    on_both(|store| async move {
        let other = other_workspace(&store).await;
        let ada = user(&store, "ada@x.com", Role::Administrator).await;
        let max = user(&store, "max@x.com", Role::Manager).await;
        session(&store, &ada, "ada").await;
        session(&store, &max, "max").await;
        let who = store.signed_in("ada").await.unwrap().unwrap();
        assert!(store.enter_workspace(&who, other).await.unwrap());
        assert_eq!(store.signed_in("ada").await.unwrap().unwrap().principal.workspace, other);
        let who = store.signed_in("max").await.unwrap().unwrap();
        assert!(!store.enter_workspace(&who, other).await.unwrap());
        assert_eq!(store.signed_in("max").await.unwrap().unwrap().principal.workspace, WORKSPACE);
    })
    .await;
}

async fn invite(
    store: &Store,
    workspace: WorkspaceId,
    login: &str,
    token_hash: &str,
    lifetime: Duration,
) -> bool {
    let actor = "user:ada@x.com";
    let new =
        NewInvitation { workspace, login, role: Role::Manager, agent: None, token_hash, lifetime, actor };
    store.invite(new).await.unwrap()
}

#[tokio::test]
async fn an_invitation_makes_one_account_until_its_time_is_over() {
    on_both(|store| async move {
        assert!(invite(&store, WORKSPACE, "new@x.com", "i1", HOUR).await);
        assert!(invite(&store, WORKSPACE, "late@x.com", "i2", Duration::ZERO).await);
        let account = NewAccount { name: "New", password_hash: Some("h") };
        let accept = async |token| store.accept_invitation(Invitation::Token(token), account).await.unwrap();
        let Acceptance::Accepted(made) = accept("i1").await else { panic!("it was not accepted") };
        assert_eq!((made.login.as_str(), made.role), ("new@x.com", Some(Role::Manager)));
        for gone in ["i1", "i2", "i3"] {
            assert_eq!(accept(gone).await, Acceptance::Gone, "{gone}");
        }
        assert!(!invite(&store, WORKSPACE, "new@x.com", "i4", HOUR).await, "she has an account");
        assert!(invite(&store, WORKSPACE, "oidc@x.com", "i5", HOUR).await);
        let by_login = store.accept_invitation(Invitation::Login("oidc@x.com"), account).await.unwrap();
        assert!(matches!(by_login, Acceptance::Accepted(_)));
        assert!(invite(&store, WORKSPACE, "no@x.com", "i6", HOUR).await);
        let id = store.invitations(WORKSPACE).await.unwrap()[0].id;
        assert!(store.revoke_invitation(ADMIN, id).await.unwrap());
        assert_eq!(accept("i6").await, Acceptance::Gone);
    })
    .await;
}

#[tokio::test]
async fn failures_are_counted_for_the_account_and_for_the_address() {
    on_both(|store| async move {
        for network in ["192.0.2.1", "192.0.2.1", "192.0.2.2"] {
            store.begin_sign_in("ada@x.com", network).await.unwrap();
        }
        let tried = store.begin_sign_in("ada@x.com", "192.0.2.1").await.unwrap();
        let failures = tried.failures;
        let counts = [failures.of_both, failures.of_account, failures.of_network].map(|count| count.count);
        assert_eq!(counts, [2, 3, 2]);
        assert_eq!(sign_in::wait(&failures), None);
        store.forget_sign_in(&tried).await.unwrap();
        store.forgive_sign_ins("ada@x.com", "192.0.2.1").await.unwrap();
        let failures = store.begin_sign_in("ada@x.com", "192.0.2.1").await.unwrap().failures;
        assert_eq!((failures.of_both.count, failures.of_account.count), (0, 1));
        assert!(!failures.network_is_known);
        let ada = user(&store, "ada@x.com", Role::Viewer).await;
        session(&store, &ada, "t").await;
        assert!(store.begin_sign_in("ada@x.com", "192.0.2.7").await.unwrap().failures.network_is_known);
    })
    .await;
}

#[tokio::test]
async fn every_change_is_on_record_and_the_record_is_read_in_pages() {
    on_both(|store| async move {
        let ada = user(&store, "ada@x.com", Role::Administrator).await;
        let dana = user(&store, "dana@x.com", Role::Agent).await;
        session(&store, &dana, "t").await;
        invite(&store, WORKSPACE, "new@x.com", "i", HOUR).await;
        store.end_sessions(ADMIN, dana.id, None, None).await.unwrap();
        store.disable_user(ADMIN, dana.id).await.unwrap();
        store.enable_user(ADMIN, dana.id).await.unwrap();
        store.enable_user(ADMIN, UserId(uuid::Uuid::nil())).await.unwrap();
        store.link_subject(&ada, "https://id.example.com", "1").await.unwrap();
        let (mut names, mut after) = (Vec::new(), None);
        loop {
            let page = store.audit_matching(WORKSPACE, &AuditFilter::default(), after, 2).await.unwrap();
            let Some(last) = page.last() else { break };
            after = Some(AuditCursor { at: last.at, id: last.id });
            names.extend(page.into_iter().map(|row| row.action));
        }
        let wanted = [
            "user_link",
            "user_enable",
            "user_disable",
            "session_end",
            "user_invite",
            "user_create",
            "user_create",
        ];
        assert_eq!(names, wanted);
        let filter = AuditFilter { action: Some(Action::DisableUser), ..AuditFilter::default() };
        let found = store.audit_matching(WORKSPACE, &filter, None, 10).await.unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].actor, "user:ada@x.com");
        let filter = AuditFilter { actor: Some("user:nobody".into()), ..AuditFilter::default() };
        assert_eq!(store.audit_matching(WORKSPACE, &filter, None, 10).await.unwrap(), []);
    })
    .await;
}
