use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;

use axum::http::header::AUTHORIZATION;
use base64::Engine as _;
use futures::FutureExt as _;
use futures::future::{BoxFuture, join_all, pending};
use secrecy::ExposeSecret as _;
use tokio::time::Instant;
use uuid::Uuid;

use super::*;
use crate::wrong_keys::WRONG_KEYS_AT_ONCE;

/// A directory of keys in memory.
#[derive(Default)]
struct Directory {
    keys: Mutex<Vec<(String, Principal)>>,
    sessions: Mutex<Vec<(String, Arc<SignedIn>)>>,
    look_ups: AtomicUsize,
    at_once: AtomicUsize,
    most_at_once: AtomicUsize,
    mood: Mutex<Mood>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Mood {
    #[default]
    Works,
    Fails,
    Hangs,
}

impl Directory {
    /// Makes a key of another workspace than the one of the configuration.
    fn create(&self, scopes: &[Scope]) -> String {
        let key = key::generate().expose_secret().to_owned();
        let principal = Principal {
            workspace: other(),
            actor: "key:test".into(),
            scopes: scopes.iter().copied().collect(),
            sees: Sees::All,
        };
        self.keys.lock().unwrap().push((key::hash(&key), principal));
        key
    }

    fn revoke_all(&self) {
        self.keys.lock().unwrap().clear();
    }

    fn is(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    fn look_ups(&self) -> usize {
        self.look_ups.load(Ordering::Relaxed)
    }
}

impl KeyDirectory for Directory {
    fn find<'a>(&'a self, hash: &'a str) -> BoxFuture<'a, anyhow::Result<Option<Principal>>> {
        async move {
            self.look_ups.fetch_add(1, Ordering::Relaxed);
            let at_once = self.at_once.fetch_add(1, Ordering::Relaxed) + 1;
            self.most_at_once.fetch_max(at_once, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(1)).await;
            self.at_once.fetch_sub(1, Ordering::Relaxed);
            let mood = *self.mood.lock().unwrap();
            match mood {
                Mood::Works => {}
                Mood::Fails => anyhow::bail!("the store is away"),
                Mood::Hangs => pending().await,
            }
            let keys = self.keys.lock().unwrap();
            Ok(keys.iter().find(|(known, _)| known == hash).map(|(_, whose)| whose.clone()))
        }
        .boxed()
    }

    fn signed_in<'a>(&'a self, hash: &'a str) -> BoxFuture<'a, anyhow::Result<Option<Arc<SignedIn>>>> {
        async move {
            let sessions = self.sessions.lock().unwrap();
            Ok(sessions.iter().find(|(known, _)| known == hash).map(|(_, whose)| Arc::clone(whose)))
        }
        .boxed()
    }

    fn has_keys(&self) -> BoxFuture<'_, anyhow::Result<bool>> {
        async {
            anyhow::ensure!(*self.mood.lock().unwrap() == Mood::Works, "the store is away");
            Ok(!self.keys.lock().unwrap().is_empty())
        }
        .boxed()
    }
}

fn other() -> WorkspaceId {
    WorkspaceId(Uuid::from_u128(7))
}

const DOORS: [Door; 5] = [Door::BringIn, Door::Unsigned, Door::Read, Door::ReadInstallation, Door::Operate];
const KEYS: [(&str, &str); 2] = [("DEBRIEF_API_KEY", "api"), ("DEBRIEF_WEBHOOK_KEY", "hook")];

fn with(settings: &[(&str, &str)]) -> (Access, Arc<Directory>) {
    let directory = Arc::new(Directory::default());
    let settings = Settings::read(&Values::of(settings.iter().copied())).unwrap();
    (Access::new(&settings, Arc::<Directory>::clone(&directory)), directory)
}

async fn ask(access: &Access, door: Door, authorization: &str, uri: &str) -> Result<Principal, Problem> {
    access.admit(door, &head(authorization, uri)).await
}

fn head(authorization: &str, uri: &str) -> Parts {
    let mut request = axum::http::Request::get(uri);
    if !authorization.is_empty() {
        request = request.header(AUTHORIZATION, authorization);
    }
    request.body(()).unwrap().into_parts().0
}

/// The status with which a request is refused. It is 200 where the request is let in.
async fn status(access: &Access, door: Door, authorization: &str, uri: &str) -> u16 {
    ask(access, door, authorization, uri).await.map_or_else(|problem| problem.status.as_u16(), |_| 200)
}

async fn bearer(access: &Access, door: Door, key: &str) -> u16 {
    status(access, door, &format!("Bearer {key}"), "/").await
}

fn basic(key: &str) -> String {
    let text = base64::engine::general_purpose::STANDARD.encode(format!("zapier:{key}"));
    format!("Basic {text}")
}

#[tokio::test]
async fn the_api_key_opens_every_door_as_a_bearer_token() {
    let (access, directory) = with(&KEYS);
    for door in DOORS {
        assert_eq!(bearer(&access, door, "api").await, 200);
        assert_eq!(status(&access, door, "bearer api", "/").await, 200);
        assert_eq!(bearer(&access, door, "wrong").await, 401);
        assert_eq!(status(&access, door, "", "/").await, 401);
    }
    let principal = ask(&access, Door::Read, "Bearer api", "/").await.unwrap();
    assert_eq!((principal.workspace, &*principal.actor), (WorkspaceId::DEFAULT, "api key"));
    assert_eq!(directory.look_ups(), 0, "the keys of the configuration need no database");
}

#[tokio::test]
async fn the_webhook_key_only_brings_in() {
    let (access, _) = with(&KEYS);
    for (door, wanted) in DOORS.into_iter().zip([200, 200, 403, 403, 403]) {
        assert_eq!(bearer(&access, door, "hook").await, wanted, "{door:?}");
    }
}

#[tokio::test]
async fn only_an_unsigned_webhook_takes_a_password_or_a_query_and_only_from_a_key_that_can_do_nothing_else() {
    let (access, directory) = with(&KEYS);
    let (narrow, wide) =
        (directory.create(&[Scope::BringIn]), directory.create(&[Scope::BringIn, Scope::Read]));
    for (key, wanted) in [("hook", 200), ("api", 401), (&*narrow, 200), (&*wide, 401), ("", 401)] {
        let uri = format!("/webhook/zapier?a=b&key={key}");
        assert_eq!(status(&access, Door::Unsigned, &basic(key), "/").await, wanted, "basic {key}");
        assert_eq!(status(&access, Door::Unsigned, "", &uri).await, wanted, "?key={key}");
        assert_eq!(status(&access, Door::BringIn, &basic(key), "/").await, 401, "basic {key}");
        assert_eq!(status(&access, Door::BringIn, "", &uri).await, 401, "?key={key}");
    }
    assert_eq!(bearer(&access, Door::Unsigned, &wide).await, 200);
}

#[tokio::test]
async fn a_key_that_was_made_asks_for_its_workspace_and_opens_what_its_scopes_name() {
    let (access, directory) = with(&KEYS);
    for (scopes, wanted) in [
        (&[Scope::BringIn][..], [200, 200, 403, 403, 403]),
        (&[Scope::Read], [403, 403, 200, 403, 403]),
        (&[Scope::Operate], [403, 403, 403, 403, 200]),
        (&[Scope::Administer], [403; 5]),
        // The key belongs to another workspace, so it must not open routes about the whole installation.
        (&Scope::ALL, [200, 200, 200, 403, 200]),
    ] {
        let key = directory.create(scopes);
        for (door, wanted) in DOORS.into_iter().zip(wanted) {
            assert_eq!(bearer(&access, door, &key).await, wanted, "{scopes:?} {door:?}");
        }
    }
    let key = directory.create(&[Scope::Read]);
    let principal = ask(&access, Door::Read, &format!("Bearer {key}"), "/").await.unwrap();
    assert_eq!((principal.workspace, &*principal.actor), (other(), "key:test"));
    let refused = ask(&access, Door::Operate, &format!("Bearer {key}"), "/").await.unwrap_err();
    assert_eq!(refused.detail, "this takes a key with the scope `operate`; this key has `read`");
}

#[tokio::test(start_paused = true)]
async fn a_key_is_looked_up_once_in_five_seconds_whoever_comes_with_it() {
    let (access, directory) = with(&KEYS);
    let (right, wrong) = (directory.create(&[Scope::Read]), key::generate().expose_secret().to_owned());
    let (access, started) = (&access, Instant::now());
    for (key, wanted) in [(&right, 200), (&wrong, 401)] {
        let before = directory.look_ups();
        let answers = join_all((0..100).map(|_| async move { bearer(access, Door::Read, key).await })).await;
        assert!(answers.into_iter().all(|status| status == wanted), "{key}");
        assert_eq!(bearer(access, Door::Read, key).await, wanted);
        assert_eq!(directory.look_ups(), before + 1, "{key}");
    }
    assert!(started.elapsed() < Duration::from_secs(1));
}

#[tokio::test]
async fn a_text_that_cannot_be_a_key_of_ours_is_refused_without_asking_the_store() {
    let (access, directory) = with(&KEYS);
    directory.is(Mood::Fails);
    for key in ["", "wrong", "debrief_short", &"a".repeat(10_000)] {
        assert_eq!(bearer(&access, Door::Read, key).await, 401);
        assert_eq!(status(&access, Door::Unsigned, &basic(key), &format!("/?key={key}")).await, 401);
    }
    assert_eq!(directory.look_ups(), 0);
}

#[tokio::test]
async fn a_sender_that_makes_up_keys_holds_few_connections_and_keeps_nobody_out() {
    let (access, directory) = with(&KEYS);
    let (access, right) = (&access, directory.create(&[Scope::Read]));
    let flood = join_all((0..200).map(|_| async move {
        let made_up = key::generate().expose_secret().to_owned();
        bearer(access, Door::Read, &made_up).await
    }));
    let (flood, right) = tokio::join!(flood, bearer(access, Door::Read, &right));
    assert!(flood.into_iter().all(|status| status == 401));
    assert_eq!(right, 200);
    assert!(directory.most_at_once.load(Ordering::Relaxed) <= 4);
}

#[tokio::test(start_paused = true)]
async fn while_the_store_is_away_a_key_that_is_not_known_is_told_to_come_back() {
    for mood in [Mood::Fails, Mood::Hangs] {
        let (access, directory) = with(&KEYS);
        let (known, unknown) = (directory.create(&[Scope::BringIn]), directory.create(&[Scope::BringIn]));
        assert_eq!(bearer(&access, Door::BringIn, &known).await, 200);
        directory.is(mood);
        assert_eq!(bearer(&access, Door::BringIn, &known).await, 200, "it is remembered");
        assert_eq!(bearer(&access, Door::BringIn, "hook").await, 200, "it needs no store");
        let uri = format!("/webhook/zapier?key={unknown}");
        for refused in [
            ask(&access, Door::BringIn, &format!("Bearer {unknown}"), "/").await,
            ask(&access, Door::Unsigned, &basic(&unknown), "/").await,
            ask(&access, Door::Unsigned, "", &uri).await,
        ] {
            let answer = axum::response::IntoResponse::into_response(refused.unwrap_err());
            assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
            assert_eq!(answer.headers()["retry-after"], "5");
        }
        directory.is(Mood::Works);
        assert_eq!(bearer(&access, Door::BringIn, &unknown).await, 200, "what failed is not remembered");
    }
}

#[tokio::test]
async fn a_key_that_is_revoked_is_refused_before_ten_seconds_are_over() {
    let (access, directory) = with(&KEYS);
    let key = directory.create(&[Scope::Read]);
    assert_eq!(bearer(&access, Door::Read, &key).await, 200);
    directory.revoke_all();
    let deadline = Instant::now() + Duration::from_secs(9);
    while bearer(&access, Door::Read, &key).await != 401 {
        assert!(Instant::now() < deadline, "it is still taken");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_key_that_is_made_closes_what_was_open_and_nothing_opens_it_again() {
    let (access, directory) = with(&[]);
    access.look().await.unwrap();
    assert!(access.is_open());
    let everybody = ask(&access, Door::Operate, "Bearer whatever", "/").await.unwrap();
    assert_eq!((everybody.workspace, &*everybody.actor), (WorkspaceId::DEFAULT, "no key"));
    let key = directory.create(&[Scope::Read]);
    tokio::time::timeout(Duration::from_secs(5), access.watch()).await.expect("it saw the key in time");
    assert_eq!(status(&access, Door::Read, "", "/").await, 401);
    assert_eq!(bearer(&access, Door::Read, &key).await, 200);
    directory.revoke_all();
    access.look().await.unwrap();
    assert!(!access.is_open());
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_away_neither_opens_nor_closes_anything() {
    let (access, directory) = with(&[]);
    directory.is(Mood::Fails);
    assert!(access.look().await.is_err());
    assert!(access.is_open());
    directory.create(&[Scope::Read]);
    let (watched, ()) = tokio::join!(tokio::time::timeout(Duration::from_secs(20), access.watch()), async {
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert!(access.is_open());
        directory.is(Mood::Works);
    });
    watched.expect("it goes on looking");
}

#[tokio::test]
async fn a_rate_counts_for_each_key_and_says_when_to_come_back() {
    let (access, directory) = with(&[KEYS[0], KEYS[1], ("DEBRIEF_RATE_LIMIT", "2/h")]);
    let made = directory.create(&[Scope::BringIn]);
    for key in ["api", "hook", &made] {
        assert_eq!(bearer(&access, Door::BringIn, key).await, 200);
        assert_eq!(bearer(&access, Door::BringIn, key).await, 200);
        assert_eq!(bearer(&access, Door::BringIn, key).await, 429);
    }
    let error = Settings::read(&Values::of([("DEBRIEF_RATE_LIMIT", "fast")])).err().unwrap();
    assert!(error.to_string().starts_with("DEBRIEF_RATE_LIMIT"), "{error}");
}

/// The answer to a request over a connection of `peer`.
async fn over(access: &Access, peer: &Peer, door: Door, authorization: &str, uri: &str) -> u16 {
    let mut head = head(authorization, uri);
    head.extensions.insert(peer.clone());
    match access.admit(door, &head).await {
        Ok(_) => 200,
        Err(problem) => {
            let answer = axum::response::IntoResponse::into_response(problem);
            let status = answer.status().as_u16();
            assert_eq!(
                answer.headers().contains_key("retry-after"),
                status == 429 || status == 503,
                "{status}"
            );
            status
        }
    }
}

fn peer(address: &str) -> Peer {
    Peer::new(address.parse().unwrap())
}

#[tokio::test]
async fn an_address_that_has_shown_many_wrong_keys_is_told_to_wait_and_a_right_key_is_still_accepted() {
    let (access, directory) = with(&KEYS);
    let made = directory.create(&[Scope::Read]);
    let guesser = peer("192.0.2.1");
    for number in 0..WRONG_KEYS_AT_ONCE.get() {
        let key = format!("Bearer guess-{number}");
        // Each connection of the address counts, and so does each place where a key can stand.
        let (door, authorization, uri) = match number % 4 {
            0 => (Door::Read, key, "/"),
            1 => (Door::Unsigned, basic("guess"), "/"),
            2 => (Door::Unsigned, String::new(), "/?key=guess"),
            _ => (Door::Operate, format!("Bearer {}", key::generate().expose_secret()), "/"),
        };
        assert_eq!(over(&access, &peer("192.0.2.1"), door, &authorization, uri).await, 401, "{number}");
    }
    for (authorization, uri) in [("Bearer guess", "/"), (&basic("guess"), "/"), ("", "/?key=guess")] {
        assert_eq!(over(&access, &guesser, Door::Unsigned, authorization, uri).await, 429, "{authorization}");
    }
    assert!(!guesser.has_shown_a_key());
    for key in ["api", &made] {
        assert_eq!(over(&access, &guesser, Door::Read, &format!("Bearer {key}"), "/").await, 200);
    }
    assert!(guesser.has_shown_a_key());
    assert_eq!(over(&access, &guesser, Door::Read, "", "/").await, 401, "no key is not a wrong key");
    assert_eq!(over(&access, &guesser, Door::Read, "Bearer hook", "/").await, 403, "it is a right key");
    let wide = over(&access, &guesser, Door::Unsigned, &basic("api"), "/").await;
    assert_eq!(wide, 401, "it is a right key in a place where it must not stand");
    for other in ["192.0.2.2", "2001:db8::1"] {
        assert_eq!(over(&access, &peer(other), Door::Read, "Bearer guess", "/").await, 401, "{other}");
    }
}

#[tokio::test]
async fn a_store_that_is_away_counts_no_wrong_keys() {
    let (access, directory) = with(&KEYS);
    directory.is(Mood::Fails);
    for _ in 0..=WRONG_KEYS_AT_ONCE.get() {
        let key = format!("Bearer {}", key::generate().expose_secret());
        assert_eq!(over(&access, &peer("192.0.2.1"), Door::Read, &key, "/").await, 503);
    }
    directory.is(Mood::Works);
    assert_eq!(over(&access, &peer("192.0.2.1"), Door::Read, "Bearer wrong", "/").await, 401);
}

#[tokio::test]
async fn a_connection_counts_as_one_with_a_key_only_after_it_has_shown_one() {
    for (settings, authorization, wanted) in [
        (&KEYS[..], "Bearer api", true),
        (&KEYS, "Bearer hook", true),
        (&KEYS, "Bearer wrong", false),
        (&KEYS, "", false),
        (&[], "", false),
    ] {
        let (access, _) = with(settings);
        let peer = peer("192.0.2.1");
        over(&access, &peer, Door::Read, authorization, "/").await;
        assert_eq!(peer.has_shown_a_key(), wanted, "{authorization}");
    }
}

#[tokio::test]
async fn a_part_of_the_process_asks_in_the_name_of_somebody_with_no_more_than_her_rights() {
    let (access, directory) = with(&KEYS);
    let principal = Principal {
        workspace: other(),
        actor: "user:dana".into(),
        scopes: Scopes::from_iter([Scope::Read]),
        sees: Sees::All,
    };
    let mut head = head("", "/");
    head.extensions.insert(OnBehalfOf(principal.clone()));
    assert_eq!(access.admit(Door::ReadOwn, &head).await.unwrap(), principal);
    assert_eq!(access.admit(Door::BringIn, &head).await.unwrap_err().status, StatusCode::FORBIDDEN);
    assert_eq!(directory.look_ups(), 0);
}

#[tokio::test]
async fn a_page_of_another_site_opens_no_websocket_with_the_cookie_of_a_visitor() {
    let (access, directory) = with(&KEYS);
    let token = session::generate().expose_secret().to_owned();
    let who =
        Principal { workspace: other(), actor: "user:dana".into(), scopes: Scopes::ALL, sees: Sees::All };
    let signed_in = SignedIn {
        session: Uuid::nil(),
        user: domain::account::UserId(Uuid::nil()),
        login: "dana".into(),
        name: "Dana".into(),
        role: domain::account::Role::Manager,
        home: other(),
        has_password: true,
        principal: who.clone(),
    };
    directory.sessions.lock().unwrap().push((key::hash(&token), Arc::new(signed_in)));
    let open = async |upgrade: Option<&str>, origin: Option<&str>| {
        let mut head = head("", "/api/conversation/ws/1");
        let cookie = format!("debrief_session={token}");
        head.headers.insert("cookie", cookie.parse().unwrap());
        head.headers.insert("host", "localhost:8000".parse().unwrap());
        for (name, value) in [("upgrade", upgrade), ("origin", origin)] {
            if let Some(value) = value {
                head.headers.insert(name, value.parse().unwrap());
            }
        }
        access.admit(Door::Practise, &head).await.map_err(|problem| problem.status.as_u16())
    };
    let (ours, theirs) = ("http://localhost:8000", "http://evil.example.com");
    assert_eq!(open(Some("websocket"), Some(ours)).await, Ok(who.clone()));
    assert_eq!(open(Some("websocket"), Some(theirs)).await, Err(403));
    assert_eq!(
        open(Some("websocket"), None).await,
        Err(403),
        "every browser says where a WebSocket comes from"
    );
    assert_eq!(open(None, None).await, Ok(who), "whoever only reads need not say it");
}
