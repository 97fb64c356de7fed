//! The console as somebody sees it who has just installed Debrief: the first administrator, the sample calls, a call that is
//! corrected and done again, a practice meeting that is held aloud and deleted, and the end of the session.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::{SinkExt as _, StreamExt as _};
use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::inputs::{PhoneCall, word};
use crate::world::{Kind, World};

const PASSWORD: &str = "Passw0rd";

/// A browser without scripts.
struct Browser<'a> {
    world: &'a World,
    cookies: BTreeMap<String, String>,
}

struct Shown {
    status: u16,
    /// Where the browser is sent to.
    location: String,
    text: String,
}

impl Browser<'_> {
    async fn get(&mut self, path: &str) -> Shown {
        let request = self.world.request_of("console", "GET", path).header("accept", "text/html");
        self.send(request).await
    }

    /// A page, which must be there.
    async fn page(&mut self, path: &str) -> String {
        let shown = self.get(path).await;
        assert_eq!(shown.status, 200, "{path}: {}", shown.text);
        shown.text
    }

    /// Sends a form of the page at `from`. Returns where it leads to.
    async fn submit(&mut self, from: &str, path: &str, fields: &[(&str, &str)]) -> String {
        let page = self.page(from).await;
        let csrf = between(&page, "name=\"csrf\" value=\"");
        let fields: Vec<_> = fields.iter().copied().chain([("csrf", csrf)]).collect();
        let request = self.world.request_of("console", "POST", path).form(&fields);
        let shown = self.send(request.header("sec-fetch-site", "same-origin")).await;
        assert_eq!(shown.status, 303, "{path}: {}", shown.text);
        shown.location
    }

    async fn send(&mut self, request: reqwest::RequestBuilder) -> Shown {
        let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let answer = request.header(COOKIE, cookies.join("; ")).send().await.unwrap();
        for cookie in answer.headers().get_all(SET_COOKIE) {
            let (name, value) = cookie.to_str().unwrap().split_once('=').unwrap();
            let value = value.split(';').next().unwrap_or_default();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        let location = answer.headers().get(LOCATION).map(|to| to.to_str().unwrap().to_owned());
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        Shown { status, location: location.unwrap_or_default(), text }
    }
}

fn between<'a>(page: &'a str, before: &str) -> &'a str {
    let (_, behind) = page.split_once(before).unwrap_or_else(|| panic!("`{before}` is not in {page}"));
    behind.split('"').next().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_signs_in_finds_corrects_and_repeats_a_call_and_signs_out_embedded() {
    works_in_the_console(Kind::Embedded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_signs_in_finds_corrects_and_repeats_a_call_and_signs_out_on_servers() {
    works_in_the_console(Kind::Servers).await;
}

async fn works_in_the_console(kind: Kind) {
    let key = format!("a-key-for-the-black-box-{}", word());
    let settings = [("DEBRIEF_API_KEY", key.as_str()), ("DEBRIEF_BIND", "127.0.0.1")];
    let mut world = World::start_with(kind, &settings).await;
    world.start_console().await;
    let mut ada = Browser { world: &world, cookies: BTreeMap::new() };
    becomes_the_first_administrator(&mut ada, &key).await;
    sees_the_samples(&mut ada).await;

    let call = PhoneCall::new();
    world.webhook(&call).await;
    let seen = world.completed(&call.id).await;
    let id = seen["id"].as_str().unwrap();
    assert!(ada.page(&format!("/calls?agent={}", call.agent.replace(' ', "+"))).await.contains(id));
    assert!(ada.page("/calls.csv").await.contains(&call.id));
    let words = format!("/search?q={}", call.request.rsplit(' ').next().unwrap().trim_end_matches('.'));
    assert!(ada.page(&words).await.contains(id), "{words}");
    let page = ada.page(&format!("/calls/{id}")).await;
    assert!(page.contains(&call.request) && page.contains("<td>slack</td>"), "{page}");
    let recording = world.request_of("console", "GET", &format!("/calls/{id}/recording"));
    assert_eq!(ada.send(recording.header("range", "bytes=0-3")).await.status, 206);

    corrects_a_line(&mut ada, id).await;
    does_it_again(&mut ada, id).await;
    practises_aloud(&mut ada).await;
    assert_eq!(world.slack_posts(&call.id).await.len(), 1, "nothing is posted a second time");
    assert_eq!(world.effects("call_data", "call_data").await.get(&call.id), Some(&1));

    assert_eq!(ada.submit("/calls", "/logout", &[]).await, "/login");
    assert_eq!(ada.get("/calls").await.location, "/login?next=%2Fcalls");
    world.finish().await;
}

async fn becomes_the_first_administrator(browser: &mut Browser<'_>, key: &str) {
    assert_eq!(browser.get("/calls").await.location, "/login?next=%2Fcalls");
    assert_eq!(browser.get("/login").await.location, "/register");
    let account = [("login", "ada@x.com"), ("name", "Ada"), ("password", PASSWORD), ("key", key)];
    assert_eq!(browser.submit("/register", "/register", &account).await, "/");
    assert!(browser.page("/users").await.contains("ada@x.com"));
    assert_eq!(browser.submit("/", "/logout", &[]).await, "/login");
    let typed = [("login", "ada@x.com"), ("password", PASSWORD), ("next", "/calls")];
    assert_eq!(browser.submit("/login", "/login", &typed).await, "/calls");
}

async fn sees_the_samples(browser: &mut Browser<'_>) {
    assert_eq!(browser.submit("/", "/samples/load", &[]).await, "/calls");
    let list = browser.page("/calls").await;
    let (_, rows) = list.split_once("<td class=\"moment\"").unwrap_or_else(|| panic!("no call in {list}"));
    let sample = between(rows, "<a href=\"").to_owned();
    assert!(browser.page(&sample).await.contains("SAMPLE-1"), "the newest stands first");
    assert!(browser.page("/search?q=delivery").await.contains(&sample));
    assert_eq!(browser.submit("/upload", "/samples/remove", &[]).await, "/upload");
    assert_eq!(browser.get(&sample).await.status, 404);
    assert!(browser.page("/calls").await.contains("No call matches."));
}

async fn corrects_a_line(browser: &mut Browser<'_>, id: &str) {
    let page = browser.page(&format!("/calls/{id}?edit=2")).await;
    let shown = between(&page, "name=\"shown\" value=\"").to_owned();
    let text = format!("I am calling about my {}.", word());
    let path = format!("/calls/{id}/lines/2");
    browser.submit("/calls", &path, &[("text", &text), ("shown", &shown)]).await;
    assert!(browser.page(&format!("/calls/{id}")).await.contains(&text));
    let world = browser.world;
    let path = format!("/api/calls/{id}/transcript");
    assert!(world.get(&path).await.unwrap().to_string().contains(&text));
    rests(world, id).await;
}

async fn does_it_again(browser: &mut Browser<'_>, id: &str) {
    let world = browser.world;
    let before = generation(world, id).await;
    let path = format!("/calls/{id}/replay");
    assert_eq!(browser.submit("/calls", &path, &[("from", "analysis")]).await, format!("/calls/{id}"));
    assert_eq!(generation(world, id).await, before + 1);
    rests(world, id).await;
    assert!(browser.page("/audit?action=call_replay").await.contains("user:ada@x.com"));
}

/// A WebSocket that a page opens. It has the cookies of the browser, and says from where the page came.
async fn socket(
    browser: &Browser<'_>,
    path: &str,
    origin: &str,
) -> Result<WebSocketStream<MaybeTlsStream<TcpStream>>, tungstenite::Error> {
    let host = format!("127.0.0.1:{}", browser.world.port("console"));
    let mut request = format!("ws://{host}{path}").into_client_request().unwrap();
    let cookies: Vec<_> = browser.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let origin = origin.replace("HERE", &host);
    for (name, value) in [("cookie", cookies.join("; ")), ("origin", origin)] {
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    connect_async(request).await.map(|(socket, _)| socket)
}

/// The next message of this type.
async fn told(socket: &mut WebSocketStream<MaybeTlsStream<TcpStream>>, kind: &str) -> Value {
    loop {
        let message = tokio::time::timeout(Duration::from_mins(1), socket.next()).await.expect(kind);
        if let Message::Text(text) = message.expect("the conversation goes on").unwrap() {
            let told: Value = serde_json::from_str(&text).unwrap();
            assert_ne!(told["type"], "error", "{told}");
            if told["type"] == kind {
                return told;
            }
        }
    }
}

/// Holds a meeting over the WebSocket of its page, hears the answer and hears it again, and deletes the meeting.
async fn practises_aloud(browser: &mut Browser<'_>) {
    let page = browser.submit("/practice", "/practice/first", &[]).await;
    let shown = browser.page(&page).await;
    assert!(shown.contains("id=\"sound\"") && shown.contains("id=\"microphone\""), "{shown}");
    let path = format!("{page}/socket");
    let refused = socket(browser, &path, "https://evil.example.com").await.unwrap_err();
    let tungstenite::Error::Http(refused) = refused else { panic!("{refused}") };
    assert_eq!(refused.status().as_u16(), 403);
    let mut meeting = socket(browser, &path, "http://HERE").await.unwrap();
    let connected = told(&mut meeting, "connected").await;
    assert_eq!(connected["has_voice"], true);
    let said = json!({"type": "message", "text": "Maria, what slows your month-end down?"});
    meeting.send(Message::text(said.to_string())).await.unwrap();
    told(&mut meeting, "ai_audio").await;
    let stop = json!({"type": "interrupt", "played_ms": 300});
    meeting.send(Message::text(stop.to_string())).await.unwrap();
    told(&mut meeting, "interrupted").await;
    let saved = told(&mut meeting, "turn_saved").await;
    assert_eq!(saved["ai_response"]["is_cut"], true, "{saved}");
    meeting.close(None).await.unwrap();
    let turn = saved["turn_number"].as_i64().unwrap();
    let sound = format!("{page}/turns/{turn}/sound");
    assert!(browser.page(&page).await.contains(&format!("src=\"{sound}\"")));
    let sound = browser.world.request_of("console", "GET", &sound).header("range", "bytes=8-11");
    let sound = browser.send(sound).await;
    assert_eq!((sound.status, &*sound.text), (206, "WAVE"));

    assert_eq!(browser.submit(&page, &format!("{page}/delete"), &[]).await, "/practice");
    assert_eq!(browser.get(&page).await.status, 404);
    let audit = browser.page("/audit?action=practice_meeting_delete").await;
    assert!(audit.contains("user:ada@x.com"), "{audit}");
}

async fn generation(world: &World, id: &str) -> i64 {
    world.get(&format!("/api/calls/{id}/timeline")).await.unwrap()["generation"].as_i64().unwrap()
}

/// Waits until no stage works on the call.
async fn rests(world: &World, id: &str) -> Value {
    world
        .wait("the call to be completed again", async |world| {
            world.get(&format!("/api/calls/{id}")).await.filter(|call| call["status"] == "completed")
        })
        .await
}
